"""A small Debian image, made here: an index of two platforms in an OCI layout."""

import hashlib
import io
import json
import tarfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

_PROBES = 16
"""Packages `libprobe0` ... that differ in nothing, one for each form under test."""


def _stanza(name: str, version: str, *, source: str = "") -> str:
    lines = [f"Package: {name}", "Status: install ok installed", "Architecture: amd64"]
    if source:
        lines.append(f"Source: {source}")
    lines += [f"Version: {version}", "Maintainer: nobody <nobody@example.com>"]
    return "\n".join([*lines, "Description: planted", "", ""])


_STATUS = "".join(
    [
        _stanza("libssl3", "3.0.11-1~deb12u2", source="openssl"),
        _stanza("libepoch1", "1:2.3-1+b1"),
        *(_stanza(f"libprobe{number}", "1.0-1") for number in range(_PROBES)),
    ]
)
_OS_RELEASE = 'ID=debian\nVERSION_ID="12"\nVERSION_CODENAME=bookworm\nNAME="Debian"\n'
_DIST_INFO = "usr/lib/python3/dist-packages/Foo_Bar-1.0.0.dist-info"
_CREATED = "2026-01-01T00:00:00Z"
FILES: Mapping[str, bytes] = {
    "etc/os-release": _OS_RELEASE.encode(),
    "etc/debian_version": b"12.5\n",
    "var/lib/dpkg/status": _STATUS.encode(),
    "usr/lib/node_modules/JSONStream/package.json": json.dumps(
        {"name": "JSONStream", "version": "1.0.0", "license": "MIT"}
    ).encode(),
    "usr/lib/node_modules/@scope/part/package.json": json.dumps(
        {"name": "@scope/part", "version": "1.0.0", "license": "MIT"}
    ).encode(),
    f"{_DIST_INFO}/METADATA": b"Metadata-Version: 2.1\nName: Foo_Bar\nVersion: 1.0.0\n",
    f"{_DIST_INFO}/RECORD": b"",
}
# The inventory as this project writes it: qualifiers, epoch inside the version.
PURLS = {
    "libssl3": "pkg:deb/debian/libssl3@3.0.11-1~deb12u2?arch=amd64&distro=debian-12",
    "libepoch1": "pkg:deb/debian/libepoch1@1:2.3-1%2Bb1?arch=amd64&distro=debian-12",
    "JSONStream": "pkg:npm/JSONStream@1.0.0",
    "@scope/part": "pkg:npm/%40scope/part@1.0.0",
    "Foo_Bar": "pkg:pypi/foo-bar@1.0.0",
    "stdlib": "pkg:golang/stdlib@1.26.8",
}


@dataclass(frozen=True)
class Finding:
    """A vulnerability planted in the scanners' databases, for every version."""

    cve: str
    ecosystem: str
    package: str
    purl: str
    aliases: tuple[str, ...] = ()

    def for_grype(self) -> dict[str, object]:
        """Return it as Grype has it: by GHSA for languages, by CVE for Debian."""
        first, *others = (*self.aliases, self.cve)
        return self._place() | {"id": first, "aliases": others}

    def for_trivy(self) -> dict[str, object]:
        bucket, source = _TRIVY_BUCKETS[self.ecosystem]
        name = self.package.lower() if self.ecosystem == "npm" else self.package
        place = {"id": self.cve, "bucket": bucket, "source": source, "package": name}
        return self._place() | place

    def _place(self) -> dict[str, object]:
        debian = {"os": "debian", "release": "12", "codename": "bookworm", "below": "9:9"}
        place: dict[str, object] = {
            "ecosystem": self.ecosystem,
            "package": self.package,
            "below": "99.0.0",
        }
        return place | debian if self.ecosystem == "deb" else place


_TRIVY_BUCKETS = {
    "deb": ("debian 12", "debian"),
    "npm": ("npm::planted", "ghsa"),
    "python": ("pip::planted", "ghsa"),
    "go-module": ("go::planted", "govulndb"),
}
PACKAGES = (
    Finding("CVE-2024-0001", "deb", "openssl", PURLS["libssl3"]),
    Finding("CVE-2024-0002", "deb", "libepoch1", PURLS["libepoch1"]),
    Finding("CVE-2024-0004", "npm", "JSONStream", PURLS["JSONStream"], ("GHSA-aaaa",)),
    Finding("CVE-2024-0005", "npm", "@scope/part", PURLS["@scope/part"], ("GHSA-bbbb",)),
    Finding("CVE-2024-0006", "python", "foo-bar", PURLS["Foo_Bar"], ("GHSA-cccc",)),
    Finding("CVE-2024-0007", "go-module", "stdlib", PURLS["stdlib"], ("GO-2024-0007",)),
)
PROBED = tuple(
    Finding(
        f"CVE-2024-1{number:03}",
        "deb",
        f"libprobe{number}",
        f"pkg:deb/debian/libprobe{number}@1.0-1?arch=amd64&distro=debian-12",
    )
    for number in range(_PROBES)
)
FINDINGS = PACKAGES + PROBED


@dataclass(frozen=True)
class Layout:
    """An OCI layout on disk: `index_digest` lists two platforms, amd64 first."""

    path: Path
    index_digest: str
    manifest_digest: str
    image_id: str

    def blob(self, digest: str) -> bytes:
        return (
            self.path / "blobs" / "sha256" / digest.removeprefix("sha256:")
        ).read_bytes()


def _layer(files: Mapping[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        for name, content in sorted(files.items()):
            entry = tarfile.TarInfo(name)
            entry.size = len(content)
            entry.mode = 0o755 if name.startswith("usr/bin/") else 0o644
            archive.addfile(entry, io.BytesIO(content))
    return buffer.getvalue()


class _Writer:
    def __init__(self, path: Path) -> None:
        self.blobs = path / "blobs" / "sha256"
        self.blobs.mkdir(parents=True)

    def add(self, content: bytes, media_type: str) -> dict[str, object]:
        digest = hashlib.sha256(content).hexdigest()
        (self.blobs / digest).write_bytes(content)
        return {
            "mediaType": f"application/vnd.oci.image.{media_type}",
            "digest": f"sha256:{digest}",
            "size": len(content),
        }

    def add_json(self, value: object, media_type: str) -> dict[str, object]:
        return self.add(json.dumps(value, sort_keys=True).encode(), media_type)


def write_layout(path: Path, *, go_binary: bytes, marker: str = "") -> Layout:
    """Write the image; `marker` makes another image with the same packages."""
    writer = _Writer(path)
    files = {**FILES, "usr/bin/gotool": go_binary, "etc/marker": marker.encode()}
    manifests = [_manifest(writer, files, arch) for arch in ("amd64", "arm64")]
    index = {
        "schemaVersion": 2,
        "mediaType": "application/vnd.oci.image.index.v1+json",
        "manifests": manifests,
    }
    entry = writer.add_json(index, "index.v1+json")
    (path / "oci-layout").write_text('{"imageLayoutVersion": "1.0.0"}')
    (path / "index.json").write_text(json.dumps({**index, "manifests": manifests[:1]}))
    manifest_digest = str(manifests[0]["digest"])
    layout = Layout(path, str(entry["digest"]), manifest_digest, "")
    image_id = json.loads(layout.blob(manifest_digest))["config"]["digest"]
    return Layout(path, layout.index_digest, manifest_digest, image_id)


def _manifest(
    writer: _Writer, files: Mapping[str, bytes], architecture: str
) -> dict[str, object]:
    layer = writer.add(_layer(files), "layer.v1.tar")
    config = {
        "architecture": architecture,
        "os": "linux",
        "config": {"Cmd": ["/usr/bin/gotool"]},
        "rootfs": {"type": "layers", "diff_ids": [layer["digest"]]},
        "created": _CREATED,
        "history": [{"created": _CREATED, "created_by": "conformance"}],
    }
    manifest = {
        "schemaVersion": 2,
        "mediaType": "application/vnd.oci.image.manifest.v1+json",
        "config": writer.add_json(config, "config.v1+json"),
        "layers": [layer],
    }
    entry = writer.add_json(manifest, "manifest.v1+json")
    return {**entry, "platform": {"architecture": architecture, "os": "linux"}}


def write_docker_archive(layout: Layout, path: Path, *, tag: str) -> None:
    """Write what `docker save` writes: a tag, and no digest of any repository."""
    manifest = json.loads(layout.blob(layout.manifest_digest))
    config, layer = manifest["config"]["digest"], manifest["layers"][0]["digest"]
    names = {"config.json": layout.blob(config), "layer.tar": layout.blob(layer)}
    listed = [{"Config": "config.json", "RepoTags": [tag], "Layers": ["layer.tar"]}]
    with tarfile.open(path, "w") as archive:
        for name, content in {
            **names,
            "manifest.json": json.dumps(listed).encode(),
        }.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(content)
            archive.addfile(entry, io.BytesIO(content))

"""Small images made on the spot: a static busybox from Debian and a few files."""

import gzip
import hashlib
import io
import json
import os
import shutil
import subprocess
import tarfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

APPLETS = (
    "cat", "chmod", "chown", "dd", "echo", "env", "false", "find", "grep", "head", "httpd",
    "id", "kill", "ls", "mkdir", "mount", "nc", "ping", "ps", "rm", "sh", "sleep", "su",
    "tail", "test", "touch", "true", "wget", "yes",
)  # fmt: skip
# The name of a dynamic linker stands within the first pages of a program.
BEGINNING_BYTES = 8192
OCI = "application/vnd.oci.image."
HTTPD = ("/bin/httpd", "-f", "-p", "80", "-h", "/www")


@dataclass
class Recipe:
    """What an image is made of.

    Attributes:
        files: Content by path; a path ending in `/` is a directory.
        owners: User and group ID of paths that are not root's.
        modes: Permissions of paths that have not the usual ones.
    """

    command: tuple[str, ...] = HTTPD
    entrypoint: tuple[str, ...] = ()
    user: str = ""
    ports: tuple[int, ...] = ()
    volumes: tuple[str, ...] = ()
    environment: Mapping[str, str] = field(default_factory=dict)
    files: Mapping[str, bytes] = field(default_factory=dict)
    owners: Mapping[str, int] = field(default_factory=dict)
    modes: Mapping[str, int] = field(default_factory=dict)
    architecture: str = "amd64"
    name: str | None = None


def busybox() -> bytes:
    """Return a static busybox: the system's, or Debian's from a per-user cache."""
    for path in (Path("/bin/busybox"), Path("/usr/bin/busybox")):
        if path.exists() and b"/ld-" not in path.read_bytes()[:BEGINNING_BYTES]:
            return path.read_bytes()
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "vexxy-tests"
    kept = cache / "busybox"
    if not kept.exists():
        cache.mkdir(parents=True, exist_ok=True)
        work = cache / f"work-{os.getpid()}"
        work.mkdir()
        try:
            _download(work)
            (package,) = work.glob("*.deb")
            subprocess.run(["dpkg-deb", "-x", package, work / "x"], check=True)
            shutil.copy2(work / "x" / "bin" / "busybox", work / "busybox")
            (work / "busybox").rename(kept)
        finally:
            shutil.rmtree(work)
    return kept.read_bytes()


def _download(work: Path) -> None:
    command = ["apt-get", "-q", "download", "busybox-static"]
    done = subprocess.run(command, cwd=work, check=False, capture_output=True)
    if done.returncode != 0:
        # A machine whose package lists were never fetched.
        subprocess.run(["apt-get", "-qq", "update"], check=True, capture_output=True)
        subprocess.run(command, cwd=work, check=True, capture_output=True)


def docker_archive(*recipes: Recipe) -> bytes:
    """Return a docker archive of the images, as `docker save` writes them."""
    files, entries = {}, []
    for number, recipe in enumerate(recipes):
        config, layer = f"{number}.json", f"{number}.tar"
        names = [recipe.name] if recipe.name else None
        entries.append({"Config": config, "RepoTags": names, "Layers": [layer]})
        files[config], files[layer] = parts(recipe)
    return _tar({"manifest.json": json.dumps(entries).encode(), **files})


def oci_archive(recipe: Recipe) -> bytes:
    """Return an OCI layout of one image in a tar, its layer packed with gzip."""
    config, layer = parts(recipe)
    packed = gzip.compress(layer, mtime=0)
    manifest = json.dumps(
        {
            "schemaVersion": 2,
            "mediaType": OCI + "manifest.v1+json",
            "config": _descriptor(OCI + "config.v1+json", config),
            "layers": [_descriptor(OCI + "layer.v1.tar+gzip", packed)],
        }
    ).encode()
    described = _descriptor(OCI + "manifest.v1+json", manifest)
    blobs = {
        f"blobs/sha256/{hashlib.sha256(content).hexdigest()}": content
        for content in (config, packed, manifest)
    }
    index = json.dumps({"schemaVersion": 2, "manifests": [described]}).encode()
    layout = b'{"imageLayoutVersion": "1.0.0"}'
    return _tar({"oci-layout": layout, "index.json": index, **blobs})


def _descriptor(kind: str, content: bytes) -> dict[str, Any]:
    digest = f"sha256:{hashlib.sha256(content).hexdigest()}"
    return {"mediaType": kind, "digest": digest, "size": len(content)}


def parts(recipe: Recipe) -> tuple[bytes, bytes]:
    """Return the configuration and the one layer of the image, as they are stored."""
    layer = _layer(recipe)
    return json.dumps(_config(recipe, layer)).encode(), layer


def image_id(recipe: Recipe) -> str:
    """Return the ID that the image of the recipe has on every engine."""
    config = json.dumps(_config(recipe, _layer(recipe))).encode()
    return f"sha256:{hashlib.sha256(config).hexdigest()}"


def _config(recipe: Recipe, layer: bytes) -> dict[str, Any]:
    return {
        "architecture": recipe.architecture,
        "os": "linux",
        "config": {
            "Cmd": list(recipe.command),
            "Entrypoint": list(recipe.entrypoint) or None,
            "User": recipe.user,
            "Env": [f"{name}={value}" for name, value in recipe.environment.items()],
            "ExposedPorts": {f"{port}/tcp": {} for port in recipe.ports},
            "Volumes": {path: {} for path in recipe.volumes},
        },
        "rootfs": {
            "type": "layers",
            "diff_ids": [f"sha256:{hashlib.sha256(layer).hexdigest()}"],
        },
    }


def _layer(recipe: Recipe) -> bytes:
    files = {
        "bin/": b"", "etc/": b"", "tmp/": b"", "www/": b"", "var/": b"", "var/log/": b"",
        "bin/busybox": busybox(),
        "etc/passwd": b"root:x:0:0::/:/bin/sh\nnobody:x:65534:65534::/:/bin/sh\n",
        "etc/group": b"root:x:0:\nnogroup:x:65534:\n",
        "www/index.html": b"<a href='/about.html'>about</a>\n",
        "www/about.html": b"about\n",
        **recipe.files,
    }  # fmt: skip
    modes = {"bin/busybox": 0o755, "tmp/": 0o1777, **recipe.modes}
    return _tar(files, owners=recipe.owners, modes=modes, applets=APPLETS)


def _tar(
    files: Mapping[str, bytes],
    *,
    owners: Mapping[str, int] | None = None,
    modes: Mapping[str, int] | None = None,
    applets: tuple[str, ...] = (),
) -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as tar:
        for path, content in files.items():
            entry = tarfile.TarInfo(path.rstrip("/"))
            entry.uid = entry.gid = (owners or {}).get(path, 0)
            if path.endswith("/"):
                entry.type = tarfile.DIRTYPE
                entry.mode = (modes or {}).get(path, 0o755)
                tar.addfile(entry)
            else:
                entry.size = len(content)
                entry.mode = (modes or {}).get(path, 0o644)
                tar.addfile(entry, io.BytesIO(content))
        for name in applets:
            link = tarfile.TarInfo(f"bin/{name}")
            link.type = tarfile.SYMTYPE
            link.linkname = "busybox"
            tar.addfile(link)
    return out.getvalue()

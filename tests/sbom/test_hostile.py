"""Whatever an image holds, taking its inventory ends with an answer."""

import io
import json
import pathlib
import zipfile
import zlib

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from vexxy.images.rootfs import RootFilesystem
from vexxy.images.types import Image, ImageConfig, Platform
from vexxy.sbom import service
from vexxy.sbom.types import SbomFormat


def a_zip() -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("META-INF/MANIFEST.MF", "Implementation-Version: 1\n")
        archive.writestr("EGG-INFO/PKG-INFO", "Name: x\nVersion: 1\n\n")
        archive.writestr("lib/inner.jar", b"PK")
    return buffer.getvalue()


SEEDS: dict[str, bytes] = {
    "/etc/os-release": b"ID=debian\nVERSION_ID='12\n",
    "/var/lib/dpkg/status": b"Package: a\nStatus: install ok installed\nVersion: 1\n\n",
    "/var/lib/dpkg/info/a.list": b"/bin/\xff\n/x\n",
    "/var/lib/dpkg/diversions": b"/a\n/b\n",
    "/var/lib/dpkg/status.d/b": b"Package: b\nVersion: 2\n",
    "/var/lib/dpkg/status.d/b.md5sums": b"0" * 32 + b"  x\n",
    "/lib/apk/db/installed": b"P:a\nV:1\nF:x\nR:y\n\n",
    "/var/lib/rpm/Packages.db": b"RpmP" + bytes(12) + b"\1" + bytes(5000),
    "/var/lib/rpm/Packages": bytes(12) + b"\x61\x15\x06\0" + bytes(8000),
    "/var/lib/rpm/rpmdb.sqlite": b"SQLite format 3\0" + bytes(5000),
    "/s/a-1.dist-info/METADATA": b"Name: a\nVersion: 1\n\n",
    "/s/a-1.dist-info/RECORD": b'a.py,,\n"x\n../../../../../etc/passwd,,\n',
    "/s/a-1.dist-info/direct_url.json": (
        b'{"url": "file:///", "dir_info": {"editable": true}}'
    ),
    "/s/e.egg": a_zip(),
    "/o/x.jar": a_zip(),
    "/n/node_modules/a/package.json": json.dumps({"name": "a", "version": "1"}).encode(),
    "/r/specifications/a-1.gemspec": b"# stub: a 1 ruby lib\n",
    "/v/composer/installed.json": b'[{"name": "a/b", "version": "1"}]',
    "/bin/app": b"\x7fELF\2\1\1" + bytes(200),
    "/bin/rust": b"\x7fELF\1\2\1" + zlib.compress(b"{}") + bytes(200),
}


@settings(
    max_examples=60,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(
    name=st.sampled_from(sorted(SEEDS)),
    content=st.one_of(
        st.binary(max_size=300),
        st.tuples(st.integers(0, 5000), st.binary(min_size=1, max_size=8)),
    ),
)
def test_no_content_of_a_known_file_stops_the_inventory(
    tmp_path_factory: pytest.TempPathFactory,
    name: str,
    content: bytes | tuple[int, bytes],
) -> None:
    """Goal: no exception, whatever one file holds. Method: noise, and changed bytes."""
    host = tmp_path_factory.mktemp("root")
    for path, seed in SEEDS.items():
        place = host / path.lstrip("/")
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(seed)
    (host / "bin/app").chmod(0o755)
    (host / "bin/rust").chmod(0o755)
    if isinstance(content, tuple):
        position, change = content
        changed = bytearray(SEEDS[name])
        start = position % len(changed)
        changed[start : start + len(change)] = change
        content = bytes(changed)
    (host / name.lstrip("/")).write_bytes(content)

    inventory = service.inventory(RootFilesystem(host))

    assert all(path.startswith("/") for p in inventory.packages for path in p.files)
    assert all(package.purl.startswith("pkg:") for package in inventory.packages)


def test_names_that_are_no_utf8_are_owned(tmp_path: pathlib.Path) -> None:
    (tmp_path / "var/lib/dpkg/info").mkdir(parents=True)
    (tmp_path / "var/lib/dpkg/status").write_bytes(SEEDS["/var/lib/dpkg/status"])
    (tmp_path / "var/lib/dpkg/info/a.list").write_bytes(b"/caf\xe9\n")
    (tmp_path / "caf\udce9").write_text("")

    inventory = service.inventory(RootFilesystem(tmp_path))

    assert inventory.packages[0].files == ("/caf\udce9",)


def test_a_location_that_is_no_utf8_does_not_spoil_the_document(
    tmp_path: pathlib.Path,
) -> None:
    folder = tmp_path / "caf\udce9" / "a-1.dist-info"
    folder.mkdir(parents=True)
    (folder / "METADATA").write_text("Name: a\nVersion: 1\n\n")
    digest = "sha256:" + "0" * 64
    image = Image(
        reference="a",
        name="a",
        image_id=digest,
        manifest_digest=None,
        index_digest=None,
        repo_digests=(),
        platform=Platform("linux", "amd64"),
        config=ImageConfig(),
        size_bytes=1,
    )

    inventory = service.inventory(RootFilesystem(tmp_path))

    for sbom_format in SbomFormat:
        text = service.write_sbom(inventory, image, sbom_format=sbom_format)
        assert json.loads(text.encode())

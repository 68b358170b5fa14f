"""Archives: whole ones are read, damaged and hostile ones refused with a sentence."""

import bz2
import gzip
import hashlib
import io
import json
import lzma
import os
import pathlib
import tarfile
from collections.abc import Callable, Mapping

import pytest
import zstandard
from hypothesis import given, settings
from hypothesis import strategies as st

from vexxy.images.archive import inspect_archive
from vexxy.images.errors import ArchiveMissing, InvalidArchive
from vexxy.images.types import Platform

AMD64 = Platform("linux", "amd64")
ARM64 = Platform("linux", "arm64")
Files = dict[str, bytes]


def sha256(content: bytes) -> str:
    return "sha256:" + hashlib.sha256(content).hexdigest()


def a_layer(name: str = "etc/hello", content: bytes = b"hello\n") -> bytes:
    return a_tar({name: content})


def a_tar(files: Mapping[str, bytes], links: Mapping[str, str] | None = None) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.PAX_FORMAT) as tar:
        for name, content in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            tar.addfile(member, io.BytesIO(content))
        for name, target in (links or {}).items():
            member = tarfile.TarInfo(name)
            member.type, member.linkname = tarfile.SYMTYPE, target
            tar.addfile(member)
    return buffer.getvalue()


def a_config(layers: list[bytes], *, platform: Platform = AMD64, **run: object) -> bytes:
    return json.dumps(
        {
            "os": platform.os,
            "architecture": platform.architecture,
            "config": run,
            "rootfs": {"type": "layers", "diff_ids": [sha256(layer) for layer in layers]},
        }
    ).encode()


def add_blob(files: Files, content: bytes) -> dict[str, object]:
    digest = sha256(content)
    files["blobs/" + digest.replace(":", "/")] = content
    return {"digest": digest, "size": len(content)}


def add_image(
    files: Files, *, platform: Platform = AMD64, layer: bytes = b"", **run: object
) -> dict[str, object]:
    layer = layer or a_layer()
    config = add_blob(files, a_config([layer], platform=platform, **run))
    packed = add_blob(files, gzip.compress(layer, mtime=0))
    manifest = {
        "schemaVersion": 2,
        "config": config | {"mediaType": "application/vnd.oci.image.config.v1+json"},
        "layers": [packed | {"mediaType": "application/vnd.oci.image.layer.v1.tar+gzip"}],
    }
    return add_blob(files, json.dumps(manifest).encode()) | {
        "platform": {"os": platform.os, "architecture": platform.architecture}
    }


def an_oci(files: Files, *descriptors: dict[str, object]) -> Files:
    files["oci-layout"] = b'{"imageLayoutVersion": "1.0.0"}'
    files["index.json"] = json.dumps(
        {"schemaVersion": 2, "manifests": list(descriptors)}
    ).encode()
    return files


def named(descriptor: dict[str, object], name: str) -> dict[str, object]:
    return descriptor | {"annotations": {"org.opencontainers.image.ref.name": name}}


def a_docker(layer: bytes | None = None) -> Files:
    layer = layer or a_layer()
    config = a_config([layer])
    entry = {"Config": "cfg.json", "RepoTags": ["app:1"], "Layers": ["l1.tar"]}
    return {
        "cfg.json": config,
        "l1.tar": layer,
        "manifest.json": json.dumps([entry]).encode(),
    }


def written(
    tmp_path: pathlib.Path, content: bytes, name: str = "image.tar"
) -> pathlib.Path:
    path = tmp_path / name
    path.write_bytes(content)
    return path


def test_an_oci_archive_is_read_whole(tmp_path: pathlib.Path) -> None:
    files: Files = {}
    descriptor = add_image(
        files,
        User="65532",
        ExposedPorts={"8080/tcp": {}, "80": {}, "53/udp": {}},
        Entrypoint=["/app"],
        Cmd=["serve"],
        Env=["A=1=2", "EMPTY="],
        Labels={"k": "v"},
        Volumes={"/data": {}},
    )
    an_oci(files, named(descriptor, "docker.io/library/app:1"))

    found = inspect_archive(written(tmp_path, a_tar(files)), platform=AMD64)

    assert found.format == "oci"
    assert found.image.reference == "docker.io/library/app:1"
    assert found.image.name == "app"
    assert found.image.manifest_digest == descriptor["digest"]
    assert found.image.index_digest is None
    assert found.image.config.exposed_ports == (80, 8080)
    assert found.image.config.environment == {"A": "1=2", "EMPTY": ""}
    assert found.image.config.volumes == ("/data",)
    assert found.image.size_bytes == len(a_layer())
    assert found.layers[0].diff_id == sha256(a_layer())


def test_a_folder_is_read_like_its_archive(tmp_path: pathlib.Path) -> None:
    files: Files = {}
    an_oci(files, add_image(files))
    for name, content in files.items():
        path = tmp_path / "layout" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    os.mkfifo(tmp_path / "layout/pipe")

    found = inspect_archive(tmp_path / "layout", platform=AMD64)

    tar = inspect_archive(written(tmp_path, a_tar(files)), platform=AMD64)
    assert found.image.reference == str(tmp_path / "layout")
    assert found.layers == tar.layers
    assert found.image.manifest_digest == tar.image.manifest_digest


def test_a_bare_tag_is_not_taken_for_the_images_name(tmp_path: pathlib.Path) -> None:
    files: Files = {}
    an_oci(files, named(add_image(files), "1.25"))
    path = written(tmp_path, a_tar(files))

    found = inspect_archive(path, platform=AMD64, reference="1.25")

    assert found.image.name == ""
    assert found.image.reference == f"{path}:1.25"
    assert found.names == ("1.25",)


PACKERS: Mapping[str, Callable[[bytes], bytes]] = {
    "gzip": gzip.compress,
    "zstd": zstandard.compress,
    "xz": lzma.compress,
    "bzip2": bz2.compress,
}


@pytest.mark.parametrize("packer", PACKERS)
def test_compression_makes_no_difference(tmp_path: pathlib.Path, packer: str) -> None:
    content = a_tar(a_docker())
    plain = inspect_archive(written(tmp_path, content), platform=AMD64)

    packed = inspect_archive(written(tmp_path, PACKERS[packer](content)), platform=AMD64)

    assert packed == plain
    assert packed.format == "docker"
    assert packed.names == ("app:1",)
    assert packed.image.manifest_digest is None
    assert packed.image.image_id == sha256(a_docker()["cfg.json"])


def test_podmans_links_to_layers_are_followed(tmp_path: pathlib.Path) -> None:
    files = a_docker()
    entry = {"Config": "cfg.json", "RepoTags": None, "Layers": ["id/layer.tar"]}
    files["manifest.json"] = json.dumps([entry]).encode()
    content = a_tar(files, {"id/layer.tar": "../l1.tar"})

    found = inspect_archive(written(tmp_path, content), platform=AMD64)

    assert found.names == ()
    assert found.layers[0].digest == sha256(a_layer())


def test_the_platform_chooses_in_a_nested_index(tmp_path: pathlib.Path) -> None:
    files: Files = {}
    manifests = [
        add_image(files, platform=AMD64),
        add_image(files, platform=ARM64),
        add_blob(files, b'{"attestation": 1}')
        | {"platform": {"os": "unknown", "architecture": "unknown"}},
    ]
    index = add_blob(files, json.dumps({"manifests": manifests}).encode())
    path = written(tmp_path, a_tar(an_oci(files, index)))

    found = inspect_archive(path, platform=Platform("linux", "arm64", "v8"))

    assert found.image.platform == ARM64
    assert found.image.index_digest == index["digest"]
    assert found.image.manifest_digest == manifests[1]["digest"]
    with pytest.raises(InvalidArchive, match="linux/amd64, linux/arm64, not for linux/386"):
        inspect_archive(path, platform=Platform("linux", "386"))


def test_several_images_are_asked_about(tmp_path: pathlib.Path) -> None:
    files: Files = {}
    first = named(add_image(files), "docker.io/library/a:1")
    second = named(add_image(files, User="7"), "docker.io/library/b:2")
    path = written(tmp_path, a_tar(an_oci(files, first, second)))

    with pytest.raises(InvalidArchive, match="several images") as caught:
        inspect_archive(path, platform=AMD64)
    names = "it holds docker.io/library/a:1, docker.io/library/b:2"
    assert caught.value.hint == f"choose one with --archive-image; {names}"
    with pytest.raises(InvalidArchive, match="no image named c"):
        inspect_archive(path, platform=AMD64, reference="c")
    for reference in ("b:2", "2", "docker.io/library/b:2"):
        chosen = inspect_archive(path, platform=AMD64, reference=reference)
        assert chosen.image.config.user == "7"


def test_what_is_no_image_says_so(tmp_path: pathlib.Path) -> None:
    with pytest.raises(ArchiveMissing, match="there is no file"):
        inspect_archive(tmp_path / "nothing.tar")
    with pytest.raises(InvalidArchive, match="holds no image"):
        inspect_archive(written(tmp_path, a_layer()))
    with pytest.raises(InvalidArchive, match="holds no image"):
        inspect_archive(written(tmp_path, b""))
    with pytest.raises(InvalidArchive, match="no tar"):
        inspect_archive(written(tmp_path, b"\x89PNG" * 500))
    with pytest.raises(InvalidArchive, match="cut off"):
        inspect_archive(written(tmp_path, b"short"))
    with pytest.raises(InvalidArchive, match="holds no image"):
        inspect_archive(tmp_path)


def test_a_chart_is_no_container_image(tmp_path: pathlib.Path) -> None:
    files: Files = {}
    config = add_blob(files, b"{}") | {
        "mediaType": "application/vnd.cncf.helm.config.v1+json"
    }
    manifest = json.dumps({"config": config, "layers": []}).encode()
    an_oci(files, add_blob(files, manifest))

    with pytest.raises(InvalidArchive, match=r"but application/vnd\.cncf\.helm"):
        inspect_archive(written(tmp_path, a_tar(files)), platform=AMD64)


def damaged(files: Files, name: str, content: bytes | None) -> Files:
    changed = dict(files)
    if content is None:
        del changed[name]
    else:
        changed[name] = content
    return changed


def test_every_missing_or_changed_blob_is_found(tmp_path: pathlib.Path) -> None:
    files: Files = {}
    an_oci(files, add_image(files))
    for name in [name for name in files if name.startswith("blobs/")]:
        with pytest.raises(InvalidArchive, match="missing from the archive"):
            inspect_archive(
                written(tmp_path, a_tar(damaged(files, name, None))), platform=AMD64
            )
        with pytest.raises(InvalidArchive, match="corrupt"):
            inspect_archive(
                written(tmp_path, a_tar(damaged(files, name, b"other"))), platform=AMD64
            )


def test_a_docker_layer_must_be_what_the_configuration_says(tmp_path: pathlib.Path) -> None:
    files = a_docker()
    with pytest.raises(InvalidArchive, match="corrupt"):
        inspect_archive(
            written(tmp_path, a_tar(damaged(files, "l1.tar", b"changed"))), platform=AMD64
        )
    with pytest.raises(InvalidArchive, match=r"the layer l1\.tar is missing"):
        inspect_archive(
            written(tmp_path, a_tar(damaged(files, "l1.tar", None))), platform=AMD64
        )
    with pytest.raises(InvalidArchive, match=r"cfg\.json is missing"):
        inspect_archive(
            written(tmp_path, a_tar(damaged(files, "cfg.json", None))), platform=AMD64
        )


def test_a_compressed_docker_layer_is_judged_by_what_it_unpacks_to(
    tmp_path: pathlib.Path,
) -> None:
    files = a_docker()
    files["l1.tar"] = gzip.compress(a_layer(), mtime=0)

    found = inspect_archive(written(tmp_path, a_tar(files)), platform=AMD64)

    assert found.image.size_bytes == len(a_layer())


@pytest.mark.parametrize("packer", ["plain", *PACKERS])
def test_a_cut_off_archive_is_refused_at_every_length(
    tmp_path: pathlib.Path, packer: str
) -> None:
    files: Files = {}
    noise = hashlib.sha512(b"seed").digest() * 64
    an_oci(files, add_image(files, layer=a_layer(content=noise)))
    content = a_tar(files)
    end = content.rstrip(b"\0")  # the zeros at the end may be missing
    packed = PACKERS.get(packer, bytes)(content if packer != "plain" else end)

    for length in range(1, len(packed) - 600, max(1, len(packed) // 37)):
        with pytest.raises(InvalidArchive):
            inspect_archive(written(tmp_path, packed[:length]), platform=AMD64)


@pytest.mark.parametrize("name", ["../escape", "a/../../escape", "/etc/passwd"])
def test_a_path_that_leads_out_is_refused(tmp_path: pathlib.Path, name: str) -> None:
    content = a_tar({name: b"x", **a_docker()})

    with pytest.raises(InvalidArchive, match="leads out"):
        inspect_archive(written(tmp_path, content), platform=AMD64)


def test_a_link_that_leads_out_is_refused(tmp_path: pathlib.Path) -> None:
    content = a_tar(a_docker(), {"l2.tar": "/etc/passwd"})

    with pytest.raises(InvalidArchive, match="leads out"):
        inspect_archive(written(tmp_path, content), platform=AMD64)


def test_links_in_circles_end(tmp_path: pathlib.Path) -> None:
    files = a_docker()
    entry = {"Config": "cfg.json", "RepoTags": [], "Layers": ["a"]}
    files["manifest.json"] = json.dumps([entry]).encode()

    with pytest.raises(InvalidArchive, match="the layer a is missing"):
        inspect_archive(
            written(tmp_path, a_tar(files, {"a": "b", "b": "a"})), platform=AMD64
        )


def test_a_header_that_claims_to_be_huge_is_refused(tmp_path: pathlib.Path) -> None:
    """Goal: no memory by request of a stranger. Method: a pax header of a gigabyte."""
    member = tarfile.TarInfo("x")
    member.type, member.size = tarfile.XHDTYPE, 1 << 30

    with pytest.raises(InvalidArchive, match="a header of 1073741824 bytes"):
        inspect_archive(written(tmp_path, member.tobuf(tarfile.USTAR_FORMAT)))


def test_long_names_are_read_in_both_dialects(tmp_path: pathlib.Path) -> None:
    long = "d" * 90 + "/" + "n" * 150
    for dialect in (tarfile.GNU_FORMAT, tarfile.PAX_FORMAT):
        buffer = io.BytesIO()
        with tarfile.open(fileobj=buffer, mode="w", format=dialect) as tar:
            files = a_docker()
            files[long] = files.pop("l1.tar")
            entry = {"Config": "cfg.json", "RepoTags": [], "Layers": [long]}
            files["manifest.json"] = json.dumps([entry]).encode()
            for name, content in files.items():
                member = tarfile.TarInfo(name)
                member.size = len(content)
                tar.addfile(member, io.BytesIO(content))

        found = inspect_archive(written(tmp_path, buffer.getvalue()), platform=AMD64)

        assert len(found.layers) == 1


@settings(max_examples=60, deadline=None)
@given(position=st.integers(0, 10_000), value=st.integers(0, 255))
def test_any_changed_byte_is_refused_or_harmless(
    tmp_path_factory: pytest.TempPathFactory, position: int, value: int
) -> None:
    """Goal: no other exception and no other image, whatever byte is changed."""
    files: Files = {}
    an_oci(files, add_image(files))
    content = bytearray(a_tar(files))
    whole = inspect_archive(
        written(tmp_path_factory.mktemp("whole"), bytes(content)), platform=AMD64
    )
    content[position % len(content)] = value
    path = written(tmp_path_factory.mktemp("changed"), bytes(content))

    try:
        found = inspect_archive(path, platform=AMD64)
    except InvalidArchive:
        return

    assert found.image.image_id == whole.image.image_id
    assert found.layers == whole.layers


@pytest.mark.parametrize(
    "run",
    [
        {"Entrypoint": "not a list"},
        {"ExposedPorts": {"80000/tcp": {}}},
        {"ExposedPorts": {"http": {}}},
        {"Env": [1]},
        {"User": 5},
    ],
)
def test_a_configuration_of_the_wrong_kind_is_refused(
    tmp_path: pathlib.Path, run: dict[str, object]
) -> None:
    files: Files = {}
    an_oci(files, add_image(files, **run))

    with pytest.raises(InvalidArchive, match="of the wrong kind"):
        inspect_archive(written(tmp_path, a_tar(files)), platform=AMD64)


@pytest.mark.parametrize(
    ("test", "command"),
    [
        (["CMD", "/usr/bin/curl", "-f", "http://localhost/"],
         ("/usr/bin/curl", "-f", "http://localhost/")),
        (["CMD-SHELL", "curl -f http://localhost/ || exit 1"],
         ("curl -f http://localhost/ || exit 1",)),
        (["NONE"], ()),
        ([], ()),
    ],
)  # fmt: skip
def test_the_health_check_is_part_of_what_could_run(
    tmp_path: pathlib.Path, *, test: list[str], command: tuple[str, ...]
) -> None:
    layer = a_layer()
    path = tmp_path / "image.tar"
    config = a_config([layer], Healthcheck={"Test": test})
    manifest = [{"Config": "c.json", "RepoTags": ["x:1"], "Layers": ["l.tar"]}]
    path.write_bytes(
        a_tar(
            {
                "manifest.json": json.dumps(manifest).encode(),
                "c.json": config,
                "l.tar": layer,
            }
        )
    )

    assert inspect_archive(path).image.config.health_check == command

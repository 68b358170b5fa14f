"""Packages inside binaries, with the real linkers where they are here."""

import json
import os
import pathlib
import shutil
import struct
import subprocess
import zlib
from collections.abc import Callable

import pytest

from vexxy.images.rootfs import RootFilesystem
from vexxy.sbom import service
from vexxy.sbom.rules import owners
from vexxy.sbom.types import Inventory
from vexxy.sbom.wire import go_buildinfo

Survey = Callable[..., Inventory]

MAIN = """package main
import "fmt"
import "example.org/dep"
func main() { fmt.Println(dep.Word()) }
"""
MODULE = """module example.org/app
go 1.18
require example.org/dep v1.2.3
replace example.org/dep => ./dep
"""


def built_by_go(tmp_path: pathlib.Path, *flags: str) -> pathlib.Path:
    go = shutil.which("go")
    if go is None:
        pytest.skip("go is not here: install a Go toolchain to run this")
    source = tmp_path / "src"
    (source / "dep").mkdir(parents=True)
    (source / "main.go").write_text(MAIN)
    (source / "go.mod").write_text(MODULE)
    (source / "dep/go.mod").write_text("module example.org/dep\ngo 1.18\n")
    (source / "dep/dep.go").write_text(
        'package dep\nfunc Word() string { return "hello" }\n'
    )
    root = tmp_path / "root"
    root.mkdir()
    environment = os.environ | {
        "GOFLAGS": "-mod=mod",
        "GOPROXY": "off",
        "CGO_ENABLED": "0",
        "GOTOOLCHAIN": "local",
    }
    subprocess.run(
        [go, "build", "-buildvcs=false", *flags, "-o", root / "app", "."],
        cwd=source,
        check=True,
        env=environment,
    )
    return root


@pytest.mark.parametrize("flags", [(), ("-ldflags=-s -w", "-trimpath")])
def test_go_modules_are_found_in_stripped_binaries_too(
    tmp_path: pathlib.Path, flags: tuple[str, ...]
) -> None:
    inventory = service.inventory(RootFilesystem(built_by_go(tmp_path, *flags)))

    found = {package.name: package for package in inventory.packages}
    assert set(found) == {"stdlib", "example.org/app", "example.org/dep"}
    assert found["example.org/dep"].version == "v1.2.3"
    assert found["example.org/dep"].purl == "pkg:golang/example.org/dep@v1.2.3"
    assert found["example.org/dep"].embedded_in == "/app"
    assert found["stdlib"].version.startswith("go1.")
    version = found["stdlib"].version.removeprefix("go")
    assert found["stdlib"].purl == f"pkg:golang/stdlib@{version}"
    assert [package.name for package in owners.index_owners(inventory)["/app"]] == [
        "example.org/app",
        "example.org/dep",
        "stdlib",
    ]


def test_go_modules_are_found_without_any_section_names(tmp_path: pathlib.Path) -> None:
    root = built_by_go(tmp_path)
    binary = root / "app"
    content = bytearray(binary.read_bytes())
    content[40:48] = bytes(8)  # e_shoff
    content[58:64] = bytes(6)  # e_shentsize, e_shnum, e_shstrndx
    binary.write_bytes(content)

    inventory = service.inventory(RootFilesystem(root))

    assert "example.org/dep" in {package.name for package in inventory.packages}


def an_elf(sections: dict[str, bytes], *, wide: bool = True, memory: bytes = b"") -> bytes:
    """Make a little-endian ELF file of these sections, `memory` loaded at 0x1000."""
    names = b"\0" + b"".join(name.encode() + b"\0" for name in [*sections, ".shstrtab"])
    bodies = [*sections.values(), names]
    head, segment = (64, 56) if wide else (52, 32)
    offset = head + segment
    rows, data = [b"\0" * (64 if wide else 40)], memory
    for name, body in zip([*sections, ".shstrtab"], bodies, strict=True):
        layout = "<IIQQQQIIQQ" if wide else "<IIIIIIIIII"
        place = names.index(b"\0" + name.encode() + b"\0") + 1
        start = offset + len(data)
        rows.append(struct.pack(layout, place, 1, 0, 0, start, len(body), 0, 0, 1, 0))
        data += body
    table = offset + len(data)
    ident = b"\x7fELF" + bytes([2 if wide else 1, 1, 1]) + bytes(9)
    layout = "<HHIQQQIHHHHHH" if wide else "<HHIIIIIHHHHHH"
    header = struct.pack(
        layout, 2, 62, 1, 0, head, table, 0, head, segment, 1, len(rows[0]), len(rows),
        len(rows) - 1,
    )  # fmt: skip
    size = len(memory)
    if wide:
        loaded = struct.pack("<IIQQQQQQ", 1, 6, offset, 0x1000, 0x1000, size, size, 1)
    else:
        loaded = struct.pack("<IIIIIIII", 1, offset, 0x1000, 0x1000, size, size, 6, 1)
    return ident + header + loaded + data + b"".join(rows)


@pytest.mark.parametrize("wide", [True, False])
def test_binaries_of_go_before_1_18_are_read(survey: Survey, wide: bool) -> None:  # noqa: FBT001  a parameter of the test
    """Their strings are at addresses: header, then text, both in the data segment."""
    text = "path\tx\nmod\texample.org/m\tv1.0.0\th1:x\ndep\tgolang.org/x/net\tv0.1.0\n"
    framed = b"S" * 16 + text.encode() + b"E" * 16
    version = b"go1.16.3"
    pointer = "<QQ" if wide else "<II"
    step = struct.calcsize(pointer)
    strings = 0x1000 + 2 * step
    memory = struct.pack(pointer, strings, len(version))
    memory += struct.pack(pointer, strings + len(version), len(framed))
    memory += version + framed
    size = 8 if wide else 4
    info = go_buildinfo.MAGIC + bytes([size, 0])
    info += struct.pack(pointer, 0x1000, 0x1000 + step) + bytes(16)

    inventory = survey(
        {"/app": an_elf({".go.buildinfo": info}, wide=wide, memory=memory)},
        executable=("/app",),
    )

    assert [(package.name, package.version) for package in inventory.packages] == [
        ("example.org/m", "v1.0.0"),
        ("golang.org/x/net", "v0.1.0"),
        ("stdlib", "go1.16.3"),
    ]


def inline(version: str, modules: str) -> bytes:
    framed = b"S" * 16 + modules.encode() + b"E" * 16
    strings = b""
    for text in (version.encode(), framed):
        length = len(text)
        while length > 0x7F:
            strings += bytes([length & 0x7F | 0x80])
            length >>= 7
        strings += bytes([length]) + text
    return go_buildinfo.MAGIC + b"\x08\x02" + bytes(16) + strings


def test_a_replaced_module_is_what_replaced_it(survey: Survey) -> None:
    modules = (
        "mod\tm\t(devel)\t\ndep\told\tv1.0.0\n=>\tfork\tv1.0.1\th1:x\n"
        "dep\tkept\tv2.0.0\n=>\t./local\t(devel)\t\n"
    )
    inventory = survey(
        {"/app": an_elf({".go.buildinfo": inline("go1.22.1 X:boring", modules)})},
        executable=("/app",),
    )

    assert [(package.name, package.version) for package in inventory.packages] == [
        ("fork", "v1.0.1"),
        ("kept", "v2.0.0"),
        ("m", "(devel)"),
        ("stdlib", "go1.22.1"),
    ]


def crates(*packages: dict[str, object]) -> bytes:
    return zlib.compress(json.dumps({"packages": packages}).encode())


def test_auditable_rust_binaries_name_their_crates(
    survey: Survey, tmp_path: pathlib.Path
) -> None:
    """Goal: read a real linker's file. Method: objcopy adds the section to a copy."""
    objcopy, binary = shutil.which("objcopy"), shutil.which("true")
    if objcopy is None or binary is None:
        pytest.skip("objcopy is not here: install binutils to run this")
    (tmp_path / "section").write_bytes(
        crates(
            {"name": "app", "version": "0.1.0", "source": "local", "root": True},
            {"name": "serde", "version": "1.0.100", "source": "crates.io"},
            {"name": "cc", "version": "1.0.0", "source": "crates.io", "kind": "build"},
        )
    )
    made = tmp_path / "made"
    flag = f".dep-v0={tmp_path}/section"
    subprocess.run([objcopy, "--add-section", flag, binary, made], check=True)

    inventory = survey({"/usr/bin/app": made.read_bytes()}, executable=("/usr/bin/app",))

    assert [(p.purl, p.ecosystem, p.embedded_in) for p in inventory.packages] == [
        ("pkg:cargo/app@0.1.0", "crates.io", "/usr/bin/app"),
        ("pkg:cargo/serde@1.0.100", "crates.io", "/usr/bin/app"),
    ]


@pytest.mark.parametrize(
    ("sections", "message"),
    [
        ({".gopclntab": b"x"}, "a Go binary without build information"),
        ({".comment": b"rustc version 1.80"}, "without a list of crates"),
        ({".dep-v0": b"not zlib"}, "the list of crates is damaged"),
        ({".dep-v0": zlib.compress(b"{}")}, "the list of crates is damaged"),
        ({".go.buildinfo": go_buildinfo.MAGIC + b"\x08\x02" + bytes(16)}, "cut off"),
        ({".go.buildinfo": inline("devel go1.9-x", "")}, "an unreleased Go"),
    ],
)
def test_what_a_binary_hides_is_a_problem(
    survey: Survey, sections: dict[str, bytes], message: str
) -> None:
    inventory = survey({"/app": an_elf(sections)}, executable=("/app",))

    assert inventory.problems
    assert message in inventory.problems[0].message


def test_a_crate_bomb_is_a_problem(survey: Survey) -> None:
    bomb = zlib.compress(b" " * 40_000_000)

    inventory = survey({"/app": an_elf({".dep-v0": bomb})}, executable=("/app",))

    assert "larger than any real one" in inventory.problems[0].message


def test_a_packed_binary_is_a_problem(survey: Survey) -> None:
    content = bytearray(an_elf({}))
    content[40:48] = bytes(8)
    content[58:64] = bytes(6)
    inventory = survey({"/app": bytes(content) + b"UPX!"}, executable=("/app",))

    assert "packed binary" in inventory.problems[0].message


def test_any_cut_off_binary_is_read_or_a_problem(survey: Survey) -> None:
    content = an_elf({".go.buildinfo": inline("go1.22", "dep\ta\tv1\n")})
    names = {f"/bin/{length}": content[:length] for length in range(0, len(content), 7)}

    inventory = survey(names, executable=tuple(names))

    assert {problem.path for problem in inventory.problems} <= set(names)
    assert all(package.type == "golang" for package in inventory.packages)


def test_data_is_not_read_as_a_program(survey: Survey) -> None:
    info = an_elf({".go.buildinfo": inline("go1.22", "dep\ta\tv1\n")})

    inventory = survey({"/data.bin": info, "/lib/plugin.so": info})

    assert {package.embedded_in for package in inventory.packages} == {"/lib/plugin.so"}

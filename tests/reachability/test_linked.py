"""Code of packages for building inside programs that were built in the image."""

import subprocess
from pathlib import Path

import pytest

from tests.fakes.planted import LIBRARIES, Planted
from vexxy.reachability.errors import Unparsable
from vexxy.reachability.types import Verdict
from vexxy.reachability.wire import objects
from vexxy.sbom.types import Inventory, Package
from vexxy.tracer.types import Access

# Long enough to leave stretches of machine code without a relocation.
VULNERABLE = """
int mix(int *p, int n) {
  int s = 7, t = 11, u = 13;
  for (int i = 0; i < n; i++) { s = s * 31 + p[i]; t ^= s >> 3; u += t * s - (p[i] << 2); }
  return s ^ t ^ u;
}
"""
OTHER = "int other(int a) { for (int i = 0; i < a; i++) a = a * 17 + (i ^ 5); return a; }"
USES = "int mix(int *, int); int main(int c, char **v) { return mix((int *)v, c); }"
ARCHIVE = f"{LIBRARIES}/libplanted.a"
SERVER = "/app/server"


@pytest.fixture
def tree(tmp_path: Path) -> Planted:
    return Planted(tmp_path / "root")


def archive(tree: Planted, *sources: str, options: tuple[str, ...] = ()) -> str:
    """Make a static archive of these sources."""
    members = []
    for number, source in enumerate(sources):
        name = f"/build/a_member_with_quite_a_long_name_{number}.o"
        tree.compile(name, source, "-c", "-O2", *options)
        members.append(str(tree.directory / name.lstrip("/")))
    path = tree.directory / ARCHIVE.lstrip("/")
    path.parent.mkdir(parents=True, exist_ok=True)
    subprocess.run(["ar", "rcs", str(path), *members], check=True, capture_output=True)
    for member in members:
        Path(member).unlink()
    return ARCHIVE


def built(tree: Planted, source: str, *options: str) -> None:
    tree.touched(tree.compile(SERVER, source, *options), Access.EXECUTED, 0.0)


def judged(tree: Planted, package: Package, *others: Package) -> Verdict:
    (verdict,) = tree.judge(package, inventory=Inventory(None, (package, *others)))
    return verdict


@pytest.mark.parametrize("options", [(), ("-s",), ("-static",), ("-Wl,--gc-sections",)])
@pytest.mark.parametrize("sections", [(), ("-ffunction-sections",)])
def test_an_archive_that_is_linked_into_a_program(
    tree: Planted, options: tuple[str, ...], sections: tuple[str, ...]
) -> None:
    path = archive(tree, OTHER, VULNERABLE, options=sections)
    built(tree, USES, f"-L{tree.directory}{LIBRARIES}", "-l:libplanted.a", *options)
    verdict = judged(tree, tree.owner(path, name="libplanted-dev"))
    assert verdict.status.value == "under_investigation"
    assert f"{path} (a_member_with_quite_a_long_name_1.o) is linked into {SERVER}" in (
        verdict.reason
    )


def test_an_archive_that_is_linked_into_a_library(tree: Planted) -> None:
    path = archive(tree, VULNERABLE, options=("-fPIC",))
    library = tree.compile(
        "/usr/local/lib/python3.11/site-packages/own/_own.so",
        "int mix(int *, int); int g(int *p) { return mix(p, 3); }",
        "-shared",
        "-fPIC",
        f"-L{tree.directory}{LIBRARIES}",
        "-l:libplanted.a",
    )
    tree.touched(library, Access.MAPPED)
    verdict = judged(tree, tree.owner(path, name="libplanted-dev"))
    assert library in verdict.reason


def test_an_archive_that_is_in_no_program_is_cleared_and_says_so(tree: Planted) -> None:
    path = archive(tree, OTHER, VULNERABLE)
    built(tree, "int main(void) { return 0; }")
    verdict = judged(tree, tree.owner(path, name="libplanted-dev"))
    assert verdict.status.value == "not_affected"
    (evidence,) = [one for one in verdict.evidence if one.kind == "linkage"]
    assert SERVER in evidence.detail


def test_a_program_of_the_distribution_was_not_built_here(tree: Planted) -> None:
    path = archive(tree, VULNERABLE)
    built(tree, USES, f"-L{tree.directory}{LIBRARIES}", "-l:libplanted.a")
    package = tree.owner(path, name="libplanted-dev")
    verdict = judged(tree, package, tree.owner(SERVER, name="server"))
    assert verdict.status.value == "not_affected"


@pytest.mark.parametrize(
    "content", [b"!<arch>\n", b"!<thin>\n", b"", b"BC\xc0\xde", b"!<arch>\n" + b"x" * 99]
)
def test_an_archive_that_cannot_be_compared_may_be_anywhere(
    tree: Planted, content: bytes
) -> None:
    path = tree.write(ARCHIVE, content)
    built(tree, "int main(void) { return 0; }")
    verdict = judged(tree, tree.owner(path, name="libplanted-dev"))
    assert verdict.status.value == "under_investigation"
    assert SERVER in verdict.reason


def test_code_that_is_made_when_it_is_linked_cannot_be_compared(tree: Planted) -> None:
    path = archive(tree, VULNERABLE, options=("-flto",))
    built(tree, "int main(void) { return 0; }")
    verdict = judged(tree, tree.owner(path, name="libplanted-dev"))
    assert verdict.status.value == "under_investigation"


def test_a_packed_program_may_hold_any_archive(tree: Planted) -> None:
    path = archive(tree, VULNERABLE)
    built(tree, "int main(void) { return 0; }")
    program = tree.directory / SERVER.lstrip("/")
    content = program.read_bytes()
    program.write_bytes(content[:600] + b"UPX!" + content[604:])
    verdict = judged(tree, tree.owner(path, name="libplanted-dev"))
    assert verdict.status.value == "under_investigation"


@pytest.mark.parametrize(
    ("name", "text", "program"),
    [
        ("own.hpp", "struct own {};", 'const char *s = "_ZN3own"; int main(){return *s;}'),
        ("own.h", "template <class T> T f(T t) { return t; }", 'char s[]="__cxa_throw";'),
        ("own.h", "static inline int f(void) { return 1; }", ""),
        ("own.c", "int f(void) { return 1; }", ""),
    ],
)
def test_a_source_that_is_compiled_into_its_users(
    tree: Planted, name: str, text: str, program: str
) -> None:
    path = tree.write(f"/usr/include/{name}", text)
    main = "" if "main" in program else "int main(void) { return 0; }"
    built(tree, f"{program}\n{main}")
    verdict = judged(tree, tree.owner(path, name="libplanted-dev"))
    assert verdict.status.value == "under_investigation"
    assert path in verdict.reason


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("own.h", "int f(void);"),
        ("own.hpp", "struct own {};"),
        ("own.go", "package own"),
        ("own.rs", "fn own() {}"),
    ],
)
def test_a_source_that_this_program_cannot_hold(
    tree: Planted, name: str, text: str
) -> None:
    path = tree.write(f"/usr/include/{name}", text)
    tree.compile(SERVER, "int main(void) { return 0; }", "-nostartfiles", "-Wl,-emain")
    tree.touched(SERVER, Access.EXECUTED, 0.0)
    verdict = judged(tree, tree.owner(path, name="libplanted-dev"))
    assert verdict.status.value == "not_affected"


def test_headers_without_any_program_that_was_built_are_headers(tree: Planted) -> None:
    path = tree.write("/usr/include/own.hpp", "template <class T> class own {};")
    verdict = judged(tree, tree.owner(path, name="libplanted-dev"))
    assert verdict.status.value == "not_affected"


def test_start_files_are_in_every_program(tree: Planted) -> None:
    path = tree.compile(f"{LIBRARIES}/crt1.o", VULNERABLE, "-c")
    built(tree, f"{VULNERABLE}\nint main(int c, char **v) {{ return mix((int *)v, c); }}")
    assert judged(tree, tree.owner(path, name="libc6-dev")).status.value == "not_affected"


def test_a_damaged_member_is_no_object() -> None:
    with pytest.raises(Unparsable):
        objects.pieces(b"\x7fELF\x02\x01" + b"\xff" * 60)

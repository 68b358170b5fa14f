"""Reading compiled code: names, flow, and files that are damaged anywhere."""

import random
import shutil
import subprocess
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from vexxy.tracer.functions.native import gofunctions, places
from vexxy.tracer.functions.native.errors import Unreadable
from vexxy.tracer.functions.native.wire import elf, flow, mangling

PROGRAM = """
static volatile int sink;
static inline int copied(int a) { sink += a; return sink * a; }
__attribute__((noinline)) int called(int a) { return copied(a) + copied(sink); }
int main(int count, char **words) { return called(count); }
"""
NAMES = ("called", "copied", "main")


CLOSURE_USER = (
    "_RINvMs0_NtNtNtCsjrHSEGnQ3l9_3std12backtrace_rs9symbolize5gimli"
    "NtB6_5Cache11with_globalNCNvB6_7resolves_0EBc_"
)


@pytest.mark.parametrize(
    ("mangled", "path"),
    [
        ("_ZN2ns5Plain3runEi", "ns::Plain::run"),
        ("_ZNK2ns5Plain4sizeEv", "ns::Plain::size"),
        ("_ZN2ns5PlainC2Ei", "ns::Plain::Plain"),
        ("_ZN2ns5PlainD0Ev", "ns::Plain::~Plain"),
        ("_ZN2ns3BoxIiE3addEi", "ns::Box::add"),
        ("_ZN2ns3BoxINS_5PlainEE3addEi", ""),
        ("_ZNSt6vectorIiSaIiEE9push_backEi", ""),
        ("_Z5plaini", "plain"),
        ("_ZL5quieti", "quiet"),
        ("_ZN2nsL5quietEi", "ns::quiet"),
        ("_ZN4core3fmt5Write9write_fmt17h0123456789abcdefE", "core::fmt::Write::write_fmt"),
        (
            "_ZN8smallvec17SmallVec$LT$A$GT$11insert_many17h0123456789abcdefE",
            "smallvec::SmallVec::insert_many",
        ),
        (
            "_ZN29_$LT$a..B$u20$as$u20$c..D$GT$6method17h0123456789abcdefE",
            "a::B::method",
        ),
        ("_RNvCsgEmfK2I1SDS_4core4init", "core::init"),
        ("_RNvMs_NtCs1234_7mycrate3foo3bar", ""),
        (CLOSURE_USER, "std::backtrace_rs::symbolize::gimli::Cache::with_global"),
        ("main", ""),
        ("_Z", ""),
        ("_ZN", ""),
        ("_R", ""),
        ("_ZN99999999999999999999x", ""),
    ],
)
def test_a_mangled_name_gives_its_path_or_nothing(mangled: str, path: str) -> None:
    assert mangling.path_of(mangled) == path


@given(st.text(alphabet="_ZNRECIBSTvs0123456789abKLMX$.", max_size=60))
def test_no_mangled_name_is_too_strange(text: str) -> None:
    for prefix in ("_ZN", "_R", "_Z", ""):
        assert isinstance(mangling.path_of(prefix + text), str)


@pytest.mark.parametrize(
    ("linked", "written"),
    [
        ("golang.org/x/net/html.(*Tokenizer).Next", "golang.org/x/net/html.Tokenizer.Next"),
        ("example.org/a.T.M-fm", "example.org/a.T.M"),
        ("gopkg.in/yaml%2ev3.Unmarshal", "gopkg.in/yaml.v3.Unmarshal"),
        ("slices.Sort[go.shape.[]int]", "slices.Sort"),
        ("a/b.(*List[...]).Push", "a/b.List.Push"),
    ],
)
def test_go_names_are_compared_as_advisories_write_them(linked: str, written: str) -> None:
    assert gofunctions.normalize(linked) == written


# 0: jmp 4; 2: nop; 3: nop; 4: nop; 5: jne 3; 7: ret
LOOP = bytes.fromhex("eb02 90 90 90 75fc c3")


def test_a_part_is_entered_by_jumps_and_by_falling_into_it() -> None:
    blocks = [(0x1000, LOOP)]

    assert flow.ways_in(blocks, elf.X86_64, [(0x1004, 0x1005)]) == (0x1004,)
    assert flow.ways_in(blocks, elf.X86_64, [(0x1003, 0x1005)]) == (0x1003, 0x1004)
    assert flow.ways_in(blocks, elf.X86_64, [(0x1000, 0x1008)]) == (0x1000,)


def test_a_part_is_watched_everywhere_where_a_jump_may_lead_anywhere() -> None:
    computed = bytes.fromhex("ffe0 90 90 90 c3")  # jmp rax

    assert flow.ways_in([(0, computed)], elf.X86_64, [(2, 4)]) == (2, 3)


def test_code_that_is_not_understood_is_no_reason_to_guess() -> None:
    with pytest.raises(Unreadable):
        flow.ways_in([(0, b"\x90\x06\x06\x06")], elf.X86_64, [(0, 1)])


@pytest.fixture(scope="module")
def program(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    compiler = shutil.which("cc")
    if compiler is None:
        pytest.skip("no C compiler on this machine")
    folder = tmp_path_factory.mktemp("wire")
    (folder / "a.c").write_text(PROGRAM)
    made = folder / "a"
    subprocess.run(
        [compiler, "-O2", "-g", "-o", str(made), str(folder / "a.c")], check=True
    )
    return made.read_bytes()


@pytest.fixture(scope="module")
def go_program(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    go = shutil.which("go")
    if go is None:
        pytest.skip("no Go toolchain on this machine")
    folder = tmp_path_factory.mktemp("wire-go")
    (folder / "main.go").write_text("package main\n\nfunc main() { println(1) }\n")
    made = folder / "a"
    command = [go, "build", "-ldflags=-s -w", "-o", str(made), str(folder / "main.go")]
    subprocess.run(command, check=True)
    return made.read_bytes()


def test_copies_of_a_function_are_found_in_the_debug_data(program: bytes) -> None:
    found = places.resolve(program, NAMES)

    assert {place.kind for place in found["copied"].places} == {"inlined"}
    assert {place.holder for place in found["copied"].places} == {"called"}
    assert found["called"].obstacle == found["copied"].obstacle == ""


def test_inlined_functions_of_a_stripped_go_program_are_found(go_program: bytes) -> None:
    found = places.resolve(go_program, ["runtime.add", "runtime.main", "no/such.Function"])

    assert {place.kind for place in found["runtime.add"].places} == {"inlined"}
    assert found["runtime.main"].places[0].kind == "entry"
    assert found["no/such.Function"].absent


def test_nothing_is_absent_from_a_program_whose_names_may_be_changed(
    go_program: bytes,
) -> None:
    """Obfuscators change the names and take the build information away."""
    unknown = go_program.replace(b"path\tcommand-line", b"htap\tcommand-line")
    assert unknown != go_program

    found = places.resolve(unknown, ["no/such.Function"])

    assert not found["no/such.Function"].absent
    assert "changed" in found["no/such.Function"].obstacle


def test_functions_of_the_program_itself_are_found_by_its_path(go_program: bytes) -> None:
    """Built from a file it has no path of its own, so that any may be meant."""
    found = places.resolve(go_program, ["example.org/any/path.main", "main.main"])

    assert found["example.org/any/path.main"].places == found["main.main"].places


def test_a_go_program_without_section_headers_is_read_as_well(go_program: bytes) -> None:
    headless = bytearray(go_program)
    headless[40:48] = bytes(8)
    headless[58:64] = bytes(6)

    names = ["runtime.main", "runtime.add"]
    assert places.resolve(bytes(headless), names) == places.resolve(go_program, names)


CPLUSPLUS = r"""
#include <string>
namespace ns {
template <class T> struct Box {
	T held;
	__attribute__((noinline)) void add(T more) { held += more; }
};
struct Own { int n; __attribute__((noinline)) int run(int k) { return n * k; } };
}
int main(int count, char **words)
{
	ns::Box<int> numbers{count};
	ns::Box<std::string> texts;
	numbers.add(2);
	texts.add(words[0]);
	return ns::Own{numbers.held}.run(count);
}
"""


def test_a_function_with_an_instance_of_unknown_name_is_never_cleared(
    tmp_path: Path,
) -> None:
    """`Box<int>::add` can be read, `Box<std::string>::add` cannot, and may run."""
    compiler = shutil.which("c++")
    if compiler is None:
        pytest.skip("no C++ compiler on this machine")
    (tmp_path / "a.cc").write_text(CPLUSPLUS)
    made = tmp_path / "a"
    subprocess.run(
        [compiler, "-O1", "-g", "-o", str(made), str(tmp_path / "a.cc")], check=True
    )

    found = places.resolve(made.read_bytes(), ["ns::Box::add", "ns::Own::run"])

    assert found["ns::Box::add"].places
    assert "not understood" in found["ns::Box::add"].obstacle
    assert found["ns::Own::run"].places
    assert found["ns::Own::run"].obstacle == ""


@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
@given(seed=st.integers(0, 1 << 32))
def test_a_damaged_file_is_read_or_refused(
    seed: int, program: bytes, go_program: bytes
) -> None:
    chance = random.Random(seed)  # noqa: S311  reproducible damage, no secret
    content = bytearray(chance.choice((program, go_program)))
    tables = [(0, 1024), (len(content) - 4096, 4096)]
    image = elf.read(bytes(content))
    for row, name in zip(image.rows, image.names, strict=True):
        if row.size and name.startswith((".gopclntab", ".debug", ".symtab", ".go")):
            tables += [(row.offset, row.size), (row.offset, min(row.size, 256))]
    for _ in range(chance.choice((1, 2, 10))):
        start, size = chance.choice(tables)
        at = start + chance.randrange(size)
        word = chance.choice((b"\xff" * 8, bytes(8), chance.randbytes(4)))
        content[at : at + len(word)] = word
    try:
        functions = places.read(bytes(content))
        found = functions.watch([*NAMES, "runtime.main", "runtime.add"])
    except Unreadable:
        return
    for watchable in found.values():
        for place in watchable.places:
            assert 0 <= place.offset < len(content)
            functions.describe(place.offset)

"""C code inside of a Python package: it runs only where a compiled file is loaded."""

from pathlib import Path

import pytest

from tests.fakes.planted import Planted
from tests.fakes.values import a_match
from vexxy.advisories.types import Symbol
from vexxy.reachability.types import Verdict
from vexxy.tracer.types import Access

SITE = "/usr/local/lib/python3.11/site-packages"
FAST = f"{SITE}/alpha/_fast.cpython-311-x86_64-linux-gnu.so"
OTHER = f"{SITE}/alpha/_other.cpython-311-x86_64-linux-gnu.so"
PART = f"{SITE}/alpha/part.py"


@pytest.fixture
def tree(tmp_path: Path) -> Planted:
    planted = Planted(tmp_path / "root")
    planted.touched(planted.program("/usr/bin/python3.11"), Access.EXECUTED, 0.0)
    planted.touched(planted.write(f"{SITE}/alpha/__init__.py", '"""alpha"""'))
    planted.write(PART, "from alpha import _fast\n")
    planted.compile(FAST, "int decode(void){return 1;}", "-shared", "-fPIC")
    return planted


def judged(tree: Planted, *more: str) -> Verdict:
    files = (f"{SITE}/alpha/__init__.py", PART, *more)
    package = tree.owner(*files, type="pypi", name="alpha")
    symbol = Symbol("src/decode.c", "decode", "commit https://x", 0.9)
    (verdict,) = tree.judge(a_match(package, symbols=(symbol,)))
    return verdict


def test_no_compiled_file_of_the_package_was_loaded_or_could_be(tree: Planted) -> None:
    verdict = judged(tree, FAST)
    assert verdict.status.value == "not_affected"
    assert "none of the 1 compiled files" in str(verdict.evidence)


def test_one_that_was_loaded_may_hold_it_whatever_its_name(tree: Planted) -> None:
    tree.compile(OTHER, "int g(void){return 1;}", "-shared", "-fPIC")
    tree.touched(OTHER, Access.MAPPED)
    assert judged(tree, FAST, OTHER).status.value == "affected"


def test_a_library_beside_the_extension_may_hold_it(tree: Planted) -> None:
    library = f"{SITE}/alpha.libs/libdecode-1a2b.so.1.2"
    tree.compile(library, "int g(void){return 1;}", "-shared", "-fPIC")
    tree.touched(library, Access.MAPPED)
    assert judged(tree, FAST, library).status.value == "affected"


@pytest.mark.parametrize(
    "text",
    [
        "import alpha.part\n",
        "def route():\n    from alpha import _fast\n",
        "import importlib\ndef route(x):\n    importlib.import_module(x)\n",
        "import pickle\ndef route(x):\n    return pickle.loads(x)\n",
        "import ctypes\nctypes.CDLL('_fast.cpython-311-x86_64-linux-gnu.so')\n",
    ],
)
def test_one_that_an_untaken_route_would_load(tree: Planted, text: str) -> None:
    tree.touched(tree.write("/app/app.py", text))
    assert judged(tree, FAST).status.value == "under_investigation"


def test_one_that_is_on_no_list_may_hold_it(tree: Planted) -> None:
    tree.compile(OTHER, "int g(void){return 1;}", "-shared", "-fPIC")
    assert judged(tree, FAST).status.value == "affected"


def test_a_package_without_compiled_files_says_nothing(tree: Planted) -> None:
    assert judged(tree).status.value == "affected"

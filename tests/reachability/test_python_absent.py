"""A function that a module does not have: when that is a proof, and when it is none."""

from pathlib import Path

import pytest

from tests.fakes.planted import Planted
from tests.fakes.values import a_match
from vexxy.advisories.types import Symbol
from vexxy.reachability.types import Verdict
from vexxy.reachability.wire import pynames
from vexxy.vex.types import Justification

SITE = "/usr/local/lib/python3.11/site-packages"
CORE = """
class Worker:
    def run(self): pass
def decode(x): pass
"""


@pytest.fixture
def tree(tmp_path: Path) -> Planted:
    return Planted(tmp_path / "root")


def judged(
    tree: Planted,
    name: str,
    *,
    core: str = CORE,
    other: tuple[str, str] = ("other.py", ""),
    confidence: float = 1.0,
) -> Verdict:
    paths = [
        tree.write(f"{SITE}/alpha/core.py", core),
        tree.write(f"{SITE}/alpha/{other[0]}", other[1]),
    ]
    tree.touched(paths[0])
    package = tree.owner(*paths, type="pypi", name="alpha")
    symbol = Symbol("alpha.core", name, "a reviewed record", confidence)
    (verdict,) = tree.judge(a_match(package, symbols=(symbol,)), driven=False)
    return verdict


@pytest.mark.parametrize("name", ["vanished", "Worker.vanished", "Vanished.method_x"])
def test_a_reviewed_name_that_no_file_of_the_package_has(tree: Planted, name: str) -> None:
    verdict = judged(tree, name)
    assert verdict.justification is Justification.VULNERABLE_CODE_NOT_PRESENT
    assert "alpha/core.py does not define it" in verdict.reason


def test_a_name_that_a_fix_gave_may_be_younger_than_its_code(tree: Planted) -> None:
    assert judged(tree, "vanished", confidence=0.9).status.value == "affected"


@pytest.mark.parametrize(
    "core",
    [
        f"{CORE}\ndef vanished(): pass\n",
        f"{CORE}\nvanished = decode\n",
        f"{CORE}\nfrom other import vanished\n",
        f"{CORE}\n# the old vanished is decode now\n",
        f"{CORE}\nsetattr(Worker, 'van' + 'ished', decode)\n",
        f"{CORE}\nglobals()['van' + x] = decode\n",
        f"{CORE}\nglobals().update(made())\n",
        f"{CORE}\nvars(Worker).update(x)\n",
        f"{CORE}\nWorker.__dict__[x] = decode\n",
        f"{CORE}\nexec(text)\n",
        f"{CORE}\nfrom beta import *\n",
        "LIMIT = 3\n",
        f"{CORE}\ndef __getattr__(name): return decode\n",
        f"{CORE}\nWorker = type('Worker', (), made)\n",
        f"{CORE}\nsys.modules[__name__] = made\n",
        # Renamed, perhaps.
        f"{CORE}\ndef _vanished(): pass\n",
        f"{CORE}\ndef vanish(): pass\n",
        f"{CORE}\ndef vanished_text(): pass\n",
        f"{CORE}\ndef doVanished(): pass\n",
    ],
)
def test_a_module_that_may_have_it_all_the_same(tree: Planted, core: str) -> None:
    assert judged(tree, "vanished", core=core).status.value == "affected"


@pytest.mark.parametrize(
    "other",
    [
        ("other.py", "def vanished(): pass\n"),
        ("other.py", "setattr(core, made(), f)\n"),
        ("_fast.so", "\x7fELF vanished"),
        ("packed.zip", ""),
        ("data.json", '{"call": "vanished"}'),
    ],
)
def test_another_file_of_the_package_may_bring_it(
    tree: Planted, other: tuple[str, str]
) -> None:
    assert judged(tree, "vanished", other=other).status.value == "affected"


def test_a_setting_by_a_literal_name_makes_no_other() -> None:
    assert pynames.makes_names("setattr(x, 'name', y)\n") is None
    assert pynames.makes_names("setattr(x, name, y)\n") == "setattr("
    assert pynames.makes_names("globals()['verb_' + x]()\n") is None


def test_names_that_are_alike() -> None:
    text = "def parse_cookie(x): pass\nclass Decoder: pass\nLIMIT = 3\n"
    assert pynames.alike("_cookie_parse_impl", text) == "parse_cookie"
    assert pynames.alike("MultipartDecoder", text) == "Decoder"
    assert pynames.alike("urlize", text) is None


@pytest.mark.parametrize(
    ("text", "status"),
    [
        (
            f"NAMES = {{{', '.join(repr(f'Name{one}') for one in range(2000))}}}\n",
            "cleared",
        ),
        (f"exec(bytes([{', '.join('99' for _ in range(4000))}]))\n", "affected"),
        (f"CODE = {'x' * 9000!r}\n", "affected"),
        (f"b = __builtins__; N = [{', '.join('99' for _ in range(4000))}]\n", "affected"),
        (f"N = [{', '.join('99' for _ in range(4000))}\n", "affected"),
    ],
)
def test_a_long_line_of_short_constants_hides_no_code(
    tree: Planted, text: str, status: str
) -> None:
    verdict = judged(tree, "vanished", other=("names.py", text))
    assert (verdict.status.value == "affected") is (status == "affected")

"""Files that a package lists and the image lacks: absent, or somewhere else?"""

from pathlib import Path

import pytest

from tests.fakes.planted import LIBRARIES, Planted
from vexxy.reachability.types import Verdict
from vexxy.sbom.types import Inventory, Package
from vexxy.tracer.types import Access
from vexxy.vex.types import Justification

SITE = "/usr/local/lib/python3.11/site-packages"
LIBRARY = f"{LIBRARIES}/libplanted.so.1"
SHARED = ("-shared", "-fPIC", "-Wl,-soname,libplanted.so.1")


@pytest.fixture
def tree(tmp_path: Path) -> Planted:
    return Planted(tmp_path / "root")


def judged(tree: Planted, package: Package) -> Verdict:
    """Judge beside other packages, which are there, so that the inventory is believed."""
    others = [tree.owner(tree.write(f"/usr/share/o/{n}"), name=f"o{n}") for n in range(3)]
    (verdict,) = tree.judge(package, inventory=Inventory(None, (package, *others)))
    return verdict


@pytest.mark.parametrize(
    "place",
    [
        "/opt/app/libplanted.so.1",
        "/opt/app/libplanted.so.1.2.3",
        "/opt/app/libplanted.so",
        "/opt/app/own.so",
    ],
)
@pytest.mark.parametrize("access", [Access.MAPPED, None])
def test_a_library_that_lies_elsewhere_is_not_absent(
    tree: Planted, place: str, access: Access | None
) -> None:
    tree.compile(place, "int f(void){return 1;}", *SHARED)
    if access:
        tree.touched(place, access)
    verdict = judged(tree, tree.owner(LIBRARY))
    assert verdict.status.value == "under_investigation"
    assert place in verdict.reason


@pytest.mark.parametrize("known", [True, False], ids=["sbom", "own inventory"])
def test_one_of_several_files_that_was_moved(tree: Planted, known: bool) -> None:  # noqa: FBT001  a case
    other = tree.program("/usr/bin/planted-config")
    place = tree.program("/opt/app/bin/planted")
    gone = ("/usr/bin/planted",)
    files = (other, *gone) if known else (other,)
    verdict = judged(tree, tree.owner(*files, missing=() if known else gone))
    assert verdict.status.value == "under_investigation"
    assert place in verdict.reason


@pytest.mark.parametrize("path", [LIBRARY, "/usr/bin/planted", "/usr/libexec/own/planted"])
def test_code_that_was_moved_under_another_name(tree: Planted, path: str) -> None:
    """Nothing in the image has its name; that it was deleted is only one explanation."""
    tree.program("/opt/app/bin/convert")
    other = tree.program("/usr/bin/planted-config")
    verdict = judged(tree, tree.owner(other, missing=(path,)))
    assert verdict.status.value == "under_investigation"
    assert path in verdict.reason


def test_a_module_that_lies_elsewhere_in_a_directory_of_its_name(tree: Planted) -> None:
    tree.write("/app/vendor/own/parser.py", "x = 1\n")
    other = tree.write(f"{SITE}/own/__init__.py")
    package = tree.owner(other, f"{SITE}/own/parser.py", type="pypi", name="own")
    assert judged(tree, package).status.value == "under_investigation"


def test_tests_that_were_left_out_were_not_moved_to_the_applications(tree: Planted) -> None:
    tree.write("/app/tests/__init__.py")
    other = tree.write(f"{SITE}/own/__init__.py")
    gone = (f"{SITE}/own/tests/__init__.py",)
    package = tree.owner(other, type="pypi", name="own", missing=gone)
    assert judged(tree, package).status.value == "not_affected"


def test_an_archive_of_a_build_stage_may_be_in_a_program(tree: Planted) -> None:
    tree.program("/app/server")
    verdict = judged(tree, tree.owner("/src/build/vendor/libplanted.a"))
    assert verdict.status.value == "under_investigation"
    assert "/app/server" in verdict.reason


def test_documentation_that_is_left_out_moves_nothing(tree: Planted) -> None:
    other = tree.program("/usr/bin/planted")
    examples = (
        "/usr/share/doc/planted/examples/run.py",
        "/usr/share/doc/planted/index.html",
    )
    tree.write("/opt/app/examples/run.py")
    verdict = judged(tree, tree.owner(other, missing=examples))
    assert verdict.status.value == "not_affected"


def test_a_cache_that_nobody_kept_moves_nothing(tree: Planted) -> None:
    other = tree.write(f"{SITE}/own/__init__.py")
    cache = f"{SITE}/own/__pycache__/__init__.cpython-311.pyc"
    package = tree.owner(other, cache, type="pypi", name="own")
    assert judged(tree, package).status.value == "not_affected"


def test_a_file_of_that_name_in_another_package_is_that_packages(tree: Planted) -> None:
    other = tree.owner(tree.library("libplanted.so.1"), name="other")
    gone = tree.owner("/usr/lib/i386-linux-gnu/libplanted.so.1", name="gone")
    others = [tree.owner(tree.write(f"/usr/share/o/{n}"), name=f"o{n}") for n in range(3)]
    (verdict,) = tree.judge(gone, inventory=Inventory(None, (gone, other, *others)))
    assert verdict.justification is Justification.COMPONENT_NOT_PRESENT


def test_a_package_that_is_gone_entirely_is_absent(tree: Planted) -> None:
    tree.compile("/app/server", "int main(void){return 0;}")
    verdict = judged(tree, tree.owner(LIBRARY, "/usr/bin/planted"))
    assert verdict.justification is Justification.COMPONENT_NOT_PRESENT

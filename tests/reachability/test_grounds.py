"""What is kept of a run answers later advisories as the run would, or less boldly."""

from dataclasses import replace
from pathlib import Path

import msgspec
import pytest

from tests.fakes.planted import LIBRARIES, Planted
from tests.fakes.values import a_match, a_symbol
from vexxy.images.rootfs import RootFilesystem
from vexxy.reachability import grounds, service
from vexxy.reachability.grounds import Ground
from vexxy.sbom.types import Inventory, Package
from vexxy.tracer.types import Access, FunctionCall
from vexxy.vex.types import Status

SITE = "/usr/lib/python3/dist-packages"


@pytest.fixture
def tree(tmp_path: Path) -> Planted:
    return Planted(tmp_path / "root")


def kept(
    tree: Planted,
    *packages: Package,
    driven: bool = True,
    calls: tuple[FunctionCall, ...] = (),
) -> dict[str, Ground]:
    """Judge nothing; return what is kept of each package, after a trip through JSON."""
    judged = service.judge_and_keep(
        [],
        inventory=Inventory(None, packages),
        profile=replace(tree.profile(), functions=calls),
        root=RootFilesystem(tree.directory),
        driven=driven,
    )
    found = [
        msgspec.json.decode(msgspec.json.encode(one), type=Ground) for one in judged.grounds
    ]
    assert tuple(found) == judged.grounds
    return {one.package.name: one for one in found}


def an_image(tree: Planted) -> tuple[Package, ...]:
    used = tree.owner(tree.library("libused.so.1"), name="used")
    idle = tree.owner(tree.library("libidle.so.1"), name="idle")
    needed = tree.owner(tree.library("libneeded.so.1"), name="needed")
    folder = f"-L{tree.directory}{LIBRARIES}"
    linked = ("-Wl,--no-as-needed", folder, "-l:libneeded.so.1")
    tree.library("libuser.so.1", "int g(void){return 2;}", *linked)
    user = tree.owner(f"{LIBRARIES}/libuser.so.1", name="user")
    tree.touched(f"{LIBRARIES}/libused.so.1", Access.MAPPED)
    tree.touched(f"{LIBRARIES}/libuser.so.1", Access.MAPPED)
    gone = tree.owner("/usr/lib/libgone.so.1", name="gone")
    return used, idle, needed, user, gone


@pytest.mark.parametrize("driven", [True, False])
def test_a_later_advisory_is_judged_as_it_would_have_been(
    tree: Planted, *, driven: bool
) -> None:
    packages = an_image(tree)
    stored = kept(tree, *packages, driven=driven)
    at_once = tree.judge(*packages, driven=driven, inventory=Inventory(None, packages))

    later = [grounds.decide_again(a_match(one), stored[one.name]) for one in packages]

    assert [one.status for one in later] == [one.status for one in at_once]
    assert [one.level for one in later] == [one.level for one in at_once]
    assert len({one.status for one in later}) > 1


def test_a_function_that_was_recorded_is_affected_later(tree: Planted) -> None:
    path = tree.write(f"{SITE}/foo/bar.py", "def baz(): pass\n")
    tree.touched(path)
    package = tree.owner(path, name="foo", type="pypi")
    stored = kept(tree, package, calls=(FunctionCall("foo.bar", "baz", path, line=1),))

    match = a_match(package, symbols=(a_symbol("foo.bar", "baz"),))
    verdict = grounds.decide_again(match, stored["foo"])

    assert verdict.status is Status.AFFECTED
    assert "baz" in verdict.reason


def test_a_function_that_was_not_recorded_clears_nothing_later(tree: Planted) -> None:
    """Whether it could still be called is in the files, and those are not asked."""
    path = tree.write(f"{SITE}/foo/bar.py", "def baz(): pass\ndef other(): pass\n")
    tree.touched(path)
    package = tree.owner(path, name="foo", type="pypi")
    stored = kept(tree, package, calls=(FunctionCall("foo.bar", "other", path, line=2),))

    match = a_match(package, symbols=(a_symbol("foo.bar", "baz"),))

    assert grounds.decide_again(match, stored["foo"]).status is not Status.NOT_AFFECTED


def test_the_package_that_a_distribution_installed_remembers_it(tree: Planted) -> None:
    path = tree.write(f"{SITE}/yaml/__init__.py")
    language = tree.owner(path, name="pyyaml", type="pypi", locations=(path,))
    distribution = tree.owner(path, "/usr/bin/other", name="python3-yaml", type="deb")

    owner = kept(tree, language, distribution)["pyyaml"].owner

    assert owner is not None
    assert (owner.name, owner.files) == ("python3-yaml", (path,))

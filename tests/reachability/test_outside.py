"""Code that ran under a path that the image does not have."""

from pathlib import Path

import pytest

from tests.fakes.planted import LIBRARIES, Planted
from vexxy.sbom.types import Package
from vexxy.tracer.types import Access, Process

SITE = "/usr/local/lib/python3.11/site-packages"


@pytest.fixture
def tree(tmp_path: Path) -> Planted:
    return Planted(tmp_path / "root")


def moved(tree: Planted) -> Package:
    """An application whose entry point renames its directory before it starts it."""
    tree.touched(tree.program("/usr/bin/python3.11"), Access.EXECUTED)
    tree.write("/srv/dist/server.py", "def route():\n    import beta\n")
    return tree.owner(tree.write("/srv/dist/deps/alpha/__init__.py"), name="alpha")


def test_a_module_that_ran_where_its_directory_was_moved_to(tree: Planted) -> None:
    package = moved(tree)
    tree.ran_outside("/srv/live/server.py")
    tree.ran_outside("/srv/live/deps/alpha/__init__.py")
    (verdict,) = tree.judge(package)
    assert verdict.status.value == "affected"
    assert "as /srv/live/deps/alpha/__init__.py, outside the image" in verdict.reason


def test_what_lies_beside_moved_modules_is_followed_too(tree: Planted) -> None:
    moved(tree)
    beta = tree.owner(tree.write(f"{SITE}/beta/__init__.py"), type="pypi", name="beta")
    never = tree.owner(tree.write("/usr/share/never/own.py"), name="never")
    tree.ran_outside("/srv/live/deps/alpha/__init__.py")
    tree.ran_outside("/srv/live/server.py")
    verdict, other = tree.judge(beta, never)
    assert verdict.status.value == "under_investigation"
    assert "/srv/dist/server.py imports" in verdict.reason
    assert other.status.value == "not_affected"


@pytest.mark.parametrize(
    ("path", "access", "reason"),
    [
        ("/scratch/x.py", Access.CODE, "code ran that is not in the image: /scratch/x.py"),
        ("/scratch/own.pl", Access.CODE, "/scratch/own.pl"),
        ("/scratch/named", Access.CODE, "/scratch/named"),
        ("/scratch/tool", Access.EXECUTED, "native code ran that is not in the image"),
        ("/opt/away/libown.so.1", Access.MAPPED, "/opt/away/libown.so.1"),
    ],
)
def test_code_that_the_image_does_not_hold_is_a_gap(
    tree: Planted, path: str, access: Access, reason: str
) -> None:
    tree.processes.append(
        Process(2, 1, "/usr/bin/python3.11", ("python3", "/scratch/named"))
    )
    tree.ran_outside(path, access)
    (verdict,) = tree.judge(tree.owner(tree.library("libnever.so.1")))
    assert verdict.status.value == "under_investigation"
    assert reason in verdict.reason


@pytest.mark.parametrize(
    ("path", "access"),
    [
        ("/scratch/wgunicorn-_cagd8x8", Access.CODE),
        ("/scratch/nginx.pid", Access.CODE),
        ("/run/own.sock", Access.CODE),
        ("/scratch/page.html", Access.CODE),
        ("/scratch/own.py", Access.DATA),
        ("memfd:libffi", Access.MAPPED),
        ("/srv/app/__pycache__/own.cpython-311.pyc", Access.CODE),
        ("/scratch/cache/srv/app/own.cpython-311.pyc", Access.CODE),
    ],
)
def test_scratch_and_caches_of_the_images_own_code_are_no_gap(
    tree: Planted, path: str, access: Access
) -> None:
    tree.write("/srv/app/own.py", "import os\n")
    tree.ran_outside(path, access)
    (verdict,) = tree.judge(tree.owner(tree.library("libnever.so.1")))
    assert verdict.status.value == "not_affected"


def test_a_library_that_was_copied_away_is_loaded(tree: Planted) -> None:
    path = tree.library("libown.so.1")
    tree.write("/opt/notes/libown.so.1", "no library")
    tree.ran_outside("/scratch/libown.so.1", Access.MAPPED)
    (verdict,) = tree.judge(tree.owner(f"{LIBRARIES}/libown.so.1"))
    assert verdict.status.value == "affected"
    assert f"{path} was mapped as code as /scratch/libown.so.1" in verdict.reason


def test_a_script_that_could_be_one_of_several_stays_a_gap(tree: Planted) -> None:
    first = tree.write("/opt/a/lib/index.js", "1")
    second = tree.write("/opt/b/lib/index.js", "require('x')")
    tree.ran_outside("/scratch/c/lib/index.js")
    one, two, never = tree.judge(
        tree.owner(first, name="a"),
        tree.owner(second, name="b"),
        tree.owner(tree.library("libnever.so.1")),
    )
    assert (one.status.value, two.status.value) == ("affected", "affected")
    assert never.status.value == "under_investigation"

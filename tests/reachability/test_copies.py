"""Code of a package that runs from a copy, which no package owns."""

import subprocess
from dataclasses import replace
from pathlib import Path

import pytest

from tests.fakes.planted import LIBRARIES, Planted
from tests.fakes.values import a_match
from vexxy.advisories.types import Symbol
from vexxy.sbom.types import Package
from vexxy.tracer.types import Access, Process

SITE = "/usr/local/lib/python3.11/site-packages"
MODULE = "def parse(text):\n    return text.split()\n" * 9


@pytest.fixture
def tree(tmp_path: Path) -> Planted:
    return Planted(tmp_path / "root")


def copied(tree: Planted, original: str, copy: str) -> str:
    """Copy a file as a build does; return where it is now."""
    content = (tree.directory / original.lstrip("/")).read_bytes()
    return tree.write(copy, content, mode=0o755)


def status(tree: Planted, package: Package) -> tuple[str, str]:
    (verdict,) = tree.judge(package)
    return verdict.status.value, verdict.reason


@pytest.mark.parametrize("name", ["libplanted.so.1", "renamed.so"])
def test_a_library_that_ran_as_a_copy_ran(tree: Planted, name: str) -> None:
    package = tree.owner(tree.library("libplanted.so.1"))
    copy = copied(tree, package.files[0], f"/opt/app/{name}")
    tree.touched(copy, Access.MAPPED)
    found, reason = status(tree, package)
    assert found == "affected"
    assert copy in reason


@pytest.mark.parametrize("change", [["strip"], ["objcopy", "--remove-section=.comment"]])
def test_a_copy_that_was_edited_is_known_by_its_build(
    tree: Planted, change: list[str]
) -> None:
    options = ("-Wl,--build-id", "-g")
    package = tree.owner(
        tree.library("libplanted.so.1", "int f(void){return 1;}", *options)
    )
    copy = copied(tree, package.files[0], "/opt/app/own.so")
    command = [*change, str(tree.directory / copy.lstrip("/"))]
    subprocess.run(command, check=True, capture_output=True)
    tree.touched(copy, Access.MAPPED)
    assert status(tree, package)[0] == "affected"


def test_a_program_that_was_executed_as_a_copy_was_executed(tree: Planted) -> None:
    package = tree.owner(tree.compile("/usr/bin/tool", "int main(void){return 0;}"))
    copy = copied(tree, package.files[0], "/app/bin/own-tool")
    tree.processes.append(Process(1, 0, copy, (copy,)))
    assert status(tree, package)[0] == "affected"


def test_a_copy_that_could_be_loaded_makes_its_original_loadable(tree: Planted) -> None:
    package = tree.owner(tree.library("libplanted.so.1"))
    copy = copied(tree, package.files[0], "/opt/app/plugins/own.so")
    text = f'#include <dlfcn.h>\nint main(void){{return dlopen("{copy}",1)!=0;}}'
    tree.touched(tree.compile("/usr/sbin/daemon", text), Access.EXECUTED)
    found, reason = status(tree, package)
    assert found == "under_investigation"
    assert f"{copy}, which is a copy of {package.files[0]}" in reason


def test_a_copied_module_counts_for_its_functions_too(tree: Planted) -> None:
    tree.touched(tree.program("/usr/bin/python3.11"), Access.EXECUTED)
    original = tree.write(f"{SITE}/own/parser.py", MODULE)
    tree.touched(copied(tree, original, "/app/vendor/own/parser.py"))
    package = tree.owner(original, type="pypi", name="own")
    symbol = Symbol("own.parser", "parse", "a reviewed record")
    (verdict,) = tree.judge(a_match(package, symbols=(symbol,)))
    assert verdict.status.value == "affected"


def test_the_cache_of_a_copied_module_is_the_copy(tree: Planted) -> None:
    tree.touched(tree.program("/usr/bin/python3.11"), Access.EXECUTED)
    original = tree.write(f"{SITE}/own/parser.py", MODULE)
    copied(tree, original, "/app/vendor/own/parser.py")
    tree.touched("/app/vendor/own/__pycache__/parser.cpython-311.pyc")
    assert status(tree, tree.owner(original, type="pypi", name="own"))[0] == "affected"


@pytest.mark.parametrize("place", ["/app", f"{SITE}/other", "/app/node_modules/other"])
def test_a_library_that_was_copied_into_a_project_is_not_the_projects(
    tree: Planted, place: str
) -> None:
    package = tree.owner(tree.library("libplanted.so.1"))
    copy = copied(tree, package.files[0], f"{place}/lib/own.so")
    project = tree.owner(copy, name="project", type="npm")
    tree.touched(copy, Access.MAPPED)
    (verdict, *_) = tree.judge(package, project)
    assert verdict.status.value == "affected"


def test_a_script_that_was_copied_into_a_project_is_not_the_projects(tree: Planted) -> None:
    root = "/app/node_modules/own"
    package = tree.owner(tree.write(f"{root}/dist/own.js", MODULE), type="npm")
    copy = copied(tree, package.files[0], "/app/vendor/own.js")
    project = tree.owner(copy, name="project", type="npm")
    tree.touched(copy)
    (verdict, *_) = tree.judge(package, project)
    assert verdict.status.value == "affected"


def test_two_installed_copies_are_two_answers(tree: Planted) -> None:
    first = tree.write("/app/node_modules/own/index.js", MODULE)
    second = tree.write("/app/node_modules/a/node_modules/own/index.js", MODULE)
    tree.touched(first)
    used, unused = tree.judge(
        tree.owner(first, name="own", type="npm"),
        tree.owner(second, name="own", type="npm"),
    )
    assert (used.status.value, unused.status.value) == ("affected", "not_affected")


def test_a_file_of_the_same_size_is_no_copy(tree: Planted) -> None:
    package = tree.owner(tree.write("/usr/share/own/run.pl", "print 1;\n" * 30))
    tree.touched(tree.write("/app/run.pl", "print 2;\n" * 30))
    assert status(tree, package)[0] == "not_affected"


def test_what_is_the_same_in_many_packages_is_no_copy(tree: Planted) -> None:
    package = tree.owner(tree.write("/usr/share/own/index.js", "module.exports = 1\n"))
    tree.touched(tree.write("/app/index.js", "module.exports = 1\n"))
    assert status(tree, package)[0] == "not_affected"


def test_the_same_file_of_another_package_is_that_packages(tree: Planted) -> None:
    first = tree.owner(tree.write("/usr/share/a/own.pl", MODULE), name="first")
    second = tree.owner(tree.write("/usr/share/b/own.pl", MODULE), name="second")
    tree.touched("/usr/share/a/own.pl")
    verdicts = tree.judge(first, replace(second, type="deb"))
    found = [one.status.value for one in verdicts]
    assert found == ["affected", "not_affected"]


def test_a_copied_library_that_nothing_loads_changes_nothing(tree: Planted) -> None:
    package = tree.owner(tree.library("libplanted.so.1"))
    copied(tree, package.files[0], f"{LIBRARIES}/libspare.so.1")
    assert status(tree, package)[0] == "not_affected"

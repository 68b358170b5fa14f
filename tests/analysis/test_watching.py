"""Which functions of compiled packages are waited for."""

import shutil
import subprocess

import pytest

from tests.fakes.values import a_match, a_package, a_symbol
from vexxy.advisories.types import Match
from vexxy.analysis import watching
from vexxy.images.rootfs import RootFilesystem

LIBRARY = "int decode(int n) { return n * 3; }\nint other(int n) { return n + 1; }\n"
PATH = "/usr/lib/libplant.so.1"
ELSEWHERE = "/usr/lib/libother.so.1"


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> RootFilesystem:
    compiler = shutil.which("cc")
    if compiler is None:
        pytest.skip("no C compiler on this machine")
    folder = tmp_path_factory.mktemp("root")
    (folder / "usr" / "lib").mkdir(parents=True)
    source = folder / "plant.c"
    source.write_text(LIBRARY)
    for path in (PATH, ELSEWHERE):
        made = str(folder / path[1:])
        subprocess.run([compiler, "-shared", "-fPIC", "-s", "-o", made, source], check=True)
    return RootFilesystem(folder)


def _match(module: str, name: str, **given: object) -> Match:
    package = a_package("libplant1", **{"files": (PATH,), **given})
    return a_match(package, symbols=(a_symbol(module, name),))


def _watched(root: RootFilesystem, match: Match) -> set[str]:
    return {probe.path for probe in watching.plan([match], root).probes}


def test_a_bare_function_of_a_distribution_s_record_is_watched_in_its_library(
    root: RootFilesystem,
) -> None:
    assert _watched(root, _match("", "decode")) == {PATH}


def test_a_function_of_a_source_file_is_watched(root: RootFilesystem) -> None:
    assert _watched(root, _match("src/plant.c", "decode")) == {PATH}


@pytest.mark.parametrize(
    ("module", "name", "given"),
    [
        ("", "missing", {}),
        ("", "", {}),
        ("", "Parser.parse", {}),
        ("plant.codec", "decode", {}),
        ("", "decode", {"type": "pypi"}),
        ("", "decode", {"type": "npm"}),
        ("", "decode", {"files": ("/usr/share/doc/libplant1/copyright",)}),
    ],
)
def test_other_names_are_not_watched(
    root: RootFilesystem, module: str, name: str, given: dict[str, object]
) -> None:
    assert _watched(root, _match(module, name, **given)) == set()

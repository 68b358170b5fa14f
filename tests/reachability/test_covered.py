"""The share of an application's own functions that a run called."""

from dataclasses import replace
from pathlib import Path

import pytest

from tests.fakes.values import a_package, a_profile
from vexxy.images.rootfs import RootFilesystem
from vexxy.reachability import covered
from vexxy.sbom.types import Inventory
from vexxy.tracer.types import (
    Access,
    ExecutionProfile,
    FileAccess,
    FunctionCall,
    FunctionRecording,
    Runtime,
)

PYTHON = """\
class Shop:
    def buy(self):
        def price():
            return 1
        return price()

    @staticmethod
    def sell(): pass

async def serve(): pass
"""
SCRIPT = """\
function buy() { return 1; }
const sell = () => 2, give = () => 3;
class Shop { constructor() {} price() {} }
"""
INSTALLED = "/usr/lib/python3/dist-packages/other.py"


def profile(
    *called: tuple[str, str, int], loaded: tuple[str, ...], **given: object
) -> ExecutionProfile:
    runtimes = (Runtime.PYTHON, Runtime.NODE)
    made = a_profile(
        files_accessed=tuple(FileAccess(path, Access.CODE, 0.1) for path in loaded),
        functions=tuple(
            FunctionCall("", name, path=path, line=line) for path, name, line in called
        ),
        function_recordings=tuple(FunctionRecording(one, 1) for one in runtimes),
    )
    return replace(made, **given)  # type: ignore[arg-type]


@pytest.fixture
def root(tmp_path: Path) -> RootFilesystem:
    files = {
        "/app/shop.py": PYTHON,
        "/app/shop.js": SCRIPT,
        "/app/broken.py": "def (",
        "/app/owned.py": "def own(): pass\n",
        "/app/shop.rb": "def buy; end\n",
        "/app/empty.py": "X = 1\n",
        "/app/node_modules/qs/index.js": "function parse() {}\n",
        INSTALLED: "def other(): pass\n",
    }
    for path, text in files.items():
        place = tmp_path / path[1:]
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text(text)
    return RootFilesystem(tmp_path)


INVENTORY = Inventory(None, (a_package(files=("/app/owned.py",)),))


def test_functions_of_loaded_python_files_are_counted_by_name(root: RootFilesystem) -> None:
    run = profile(
        ("/app/shop.py", "Shop.buy", 2),
        ("/app/shop.py", "Shop.buy.<locals>.price", 3),
        ("/app/shop.py", "<lambda>", 9),
        (INSTALLED, "other", 1),
        loaded=("/app/shop.py", "/app/owned.py", INSTALLED),
    )
    assert covered.percent(run, root, INVENTORY) == 50.0


def test_functions_of_scripts_are_counted_by_line(root: RootFilesystem) -> None:
    run = profile(
        ("/app/shop.js", "buy", 1),
        ("/app/shop.js", "give", 2),
        loaded=("/app/shop.js", "/app/node_modules/qs/index.js"),
    )
    assert covered.percent(run, root, INVENTORY) == 40.0


def test_the_share_has_one_decimal(root: RootFilesystem) -> None:
    both = ("/app/shop.js", "/app/shop.py")
    run = profile(("/app/shop.js", "buy", 1), loaded=both)
    assert covered.percent(run, root, INVENTORY) == 11.1


@pytest.mark.parametrize(
    "loaded",
    [
        (),
        (INSTALLED,),
        ("/app/empty.py",),
        ("/app/shop.py", "/app/broken.py"),
        ("/app/shop.py", "/app/shop.rb"),
        ("/app/shop.py", "/app/gone.py"),
    ],
)
def test_nothing_is_said_where_functions_cannot_be_counted(
    root: RootFilesystem, loaded: tuple[str, ...]
) -> None:
    run = profile(("/app/shop.py", "serve", 9), loaded=loaded)
    assert covered.percent(run, root, INVENTORY) is None


@pytest.mark.parametrize(
    "recordings",
    [
        (),
        (FunctionRecording(Runtime.NODE, 1),),
        (FunctionRecording(Runtime.PYTHON, 1, reasons=("killed",)),),
        (FunctionRecording(Runtime.PYTHON, 1, unit="class"),),
        (FunctionRecording(Runtime.PYTHON, 1, paths_unrecorded=("/app/shop.py",)),),
    ],
)
def test_nothing_is_said_where_a_recorder_missed_something(
    root: RootFilesystem, recordings: tuple[FunctionRecording, ...]
) -> None:
    run = profile(
        ("/app/shop.py", "serve", 9),
        loaded=("/app/shop.py",),
        function_recordings=recordings,
    )
    assert covered.percent(run, root, INVENTORY) is None

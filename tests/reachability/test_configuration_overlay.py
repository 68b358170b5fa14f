"""Configuration that names what may be loaded, of any size."""

from pathlib import Path

import pytest

from tests.fakes.planted import Planted
from vexxy.reachability.loadable.configuration import CONFIGURATION_BYTES_MAX
from vexxy.reachability.wire import jssource
from vexxy.tracer.types import Access

SITE = "/usr/local/lib/python3.11/site-packages"


@pytest.fixture
def tree(tmp_path: Path) -> Planted:
    planted = Planted(tmp_path)
    planted.touched(planted.program("/usr/bin/python3.11"), Access.EXECUTED, 0.0)
    planted.write(f"{SITE}/alpha/__init__.py")
    planted.touched(planted.write("/app/app.py", "import json\n"))
    return planted


def test_a_large_file_that_was_read_is_looked_into(tree: Planted) -> None:
    padding = " " * 300_000
    tree.touched(tree.write("/app/z.json", f'{{"m": "alpha"{padding}}}'), Access.DATA)

    assert f"{SITE}/alpha/__init__.py" in tree.overlay().references


def test_one_that_is_too_large_and_was_read_makes_silence_worthless(tree: Planted) -> None:
    padding = " " * CONFIGURATION_BYTES_MAX
    tree.touched(tree.write("/app/z.json", f'{{"m": "alpha"{padding}}}'), Access.DATA)

    (gap,) = tree.overlay().gaps

    assert "/app/z.json was read and is too large" in gap


def test_comments_that_never_end_do_not_keep_the_reader() -> None:
    """Read in linear time this takes moments; in quadratic time, hours."""
    assert jssource.read("import/*" * 400_000) is not None

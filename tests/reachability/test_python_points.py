"""Entry points are loaded where code that asks for them can run, and only there."""

import pytest

from tests.reachability.test_python_calls import LIB, MAIN, SITE, Files
from vexxy.reachability.calls.python.graph import Graph
from vexxy.reachability.calls.python.start import Start
from vexxy.reachability.calls.types import Loader, Reach

PLUGIN = f"{SITE}/plug/main.py"
PLUGIN_TEXT = "def victim(): pass\nvictim()\n"
OTHER = f"{SITE}/lib/other.py"


def reach(main: str, library: str, other: str = "") -> Reach:
    files = {
        MAIN: main,
        LIB: library,
        OTHER: other,
        f"{SITE}/lib/__init__.py": "",
        PLUGIN: PLUGIN_TEXT,
    }
    start = Start(
        loaded=frozenset({MAIN, LIB, OTHER, f"{SITE}/lib/__init__.py"}),
        ran=frozenset({(MAIN, "start")}),
        loadable={PLUGIN: (Loader(LIB, "looks up", entry_points=True),)},
        is_application=lambda path: path.startswith("/app/"),
    )
    return Graph(Files(files), start).reach([PLUGIN], "victim").reach


@pytest.mark.parametrize(
    "library",
    [
        "def load(g):\n    return iter_entry_points(g)\n",
        "from importlib import entry_points as eps\ndef load(g):\n    eps(group=g)\n",
        "def load(g):\n    return map(importlib.metadata.entry_points, g)\n",
        "def load(g):\n    return pkg_resources.load_entry_point('a', g, 'b')\n",
        "def load(g):\n    return stevedore.driver.DriverManager(g)\n",
        "def load(g):\n    [e for e in dist.entry_points]\n",
        # Nothing in the file is seen to ask, so the top of it may.
        "def load(g):\n    return ask(g)\n",
    ],
)
def test_a_lookup_that_can_run_loads_them(library: str) -> None:
    main = "from lib import core\ndef start():\n    core.load(1)\n"
    assert reach(main, library) is Reach.PATH


def test_a_lookup_in_another_file_of_the_package_loads_them() -> None:
    main = "from lib import other\ndef start():\n    other.load(1)\n"
    library = "def unused(g):\n    return iter_entry_points(g)\n"
    assert reach(main, library, "def load(g):\n    iter_entry_points(g)\n") is Reach.PATH


def test_a_lookup_that_nothing_leads_to_loads_none() -> None:
    main = "from lib import core\ndef start():\n    core.other()\n"
    library = "def load(g):\n    iter_entry_points(g)\ndef other(): pass\n"
    assert reach(main, library) is Reach.NO_PATH


def test_an_import_of_a_value_beside_a_lookup_loads_none() -> None:
    main = "from lib import core\ndef start(n):\n    core.other(n)\n"
    library = (
        "def load(g):\n    iter_entry_points(g)\n"
        "def other(n):\n    __import__('lib.' + n)\n"
    )
    assert reach(main, library) is Reach.NO_PATH


def test_what_was_put_together_last_may_be_loaded_from_the_start() -> None:
    """Whoever said the last part of a group's name need not be who asks for it."""
    files = {MAIN: "def start(): pass\n", LIB: "", PLUGIN: PLUGIN_TEXT}
    how = "says the entry points x, which /y.py looks up, among them"
    start = Start(
        loaded=frozenset({MAIN}),
        ran=frozenset({(MAIN, "start")}),
        loadable={PLUGIN: (Loader(LIB, how),)},
    )
    assert Graph(Files(files), start).reach([PLUGIN], "victim").reach is Reach.PATH

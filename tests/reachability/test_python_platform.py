"""Branches for other platforms are no paths; whatever may be one for ours stays one."""

import ast

import pytest

from tests.reachability.test_python_calls import LIB, MAIN, SITE, graph, reach
from vexxy.reachability.calls.types import Reach
from vexxy.reachability.wire import pyplatform

LIBRARY = "def victim(): pass\n"
PROGRAM = """
    import sys, os, platform
    from lib import core
    def start():
        if {test}:
            core.victim()
"""


@pytest.mark.parametrize(
    "test",
    [
        "sys.platform == 'win32'",
        "os.name == 'nt'",
        "platform.system() == 'Windows'",
        "sys.platform.startswith('win')",
        "sys.platform.startswith(('win', 'darwin'))",
        "sys.platform in ('win32', 'cygwin')",
        "'win' in sys.platform",
        "not sys.platform.startswith('linux')",
        "os.name != 'posix'",
        "sys.platform == 'win32' and start",
        "sys.platform == 'win32' or os.name == 'nt'",
    ],
)
def test_a_branch_for_another_platform_is_no_path(test: str) -> None:
    assert reach(PROGRAM.format(test=test), LIBRARY).reach is Reach.NO_PATH


@pytest.mark.parametrize(
    "test",
    [
        "sys.platform == 'linux'",
        "sys.platform != 'win32'",
        "os.name == 'posix'",
        "sys.platform.startswith('linux')",
        "sys.platform == start",
        "sys.platform == 'win32' or start",
        "sys.platform in ('win32', start)",
        "sys.platform in ('win32', 'linux')",
        "sys.platform.startswith('')",
        "'x' in sys.platform",
        "os.environ.get('name') == 'nt'",
        "start.platform == 'win32'",
        "sys.version == 'win32'",
        "platform.machine() == 'Windows'",
        "not sys.platform == 'win32'",
    ],
)
def test_a_branch_that_linux_may_take_is_a_path(test: str) -> None:
    assert reach(PROGRAM.format(test=test), LIBRARY).reach is Reach.PATH


@pytest.mark.parametrize(
    "before",
    [
        "def f(os):\n    if os.name == 'nt':\n        core.victim()\nf(1)",
        "for os in (1,):\n    if os.name == 'nt':\n        core.victim()",
        "from lib.fake import os\nif os.name == 'nt':\n    core.victim()",
        "from lib.fake import *\nif os.name == 'nt':\n    core.victim()",
        "os.name = 'nt'\nif os.name == 'nt':\n    core.victim()",
        "setattr(os, 'name', 'nt')\nif os.name == 'nt':\n    core.victim()",
        "import fake as os\nif os.name == 'nt':\n    core.victim()",
        "try:\n    1\nexcept E as os:\n    if os.name == 'nt':\n        core.victim()",
        "class os:\n    name = 'nt'\nif os.name == 'nt':\n    core.victim()",
    ],
)
def test_a_name_that_may_be_another_object_says_nothing(before: str) -> None:
    text = f"import os\nfrom lib import core\ndef start(): pass\n{before}\n"
    files = {MAIN: text, LIB: LIBRARY, f"{SITE}/lib/fake.py": "os = 1\n"}
    assert graph(files).reach([LIB], "victim").reach is Reach.PATH


def test_the_other_branch_runs(tmp_path: object) -> None:
    text = """
        import sys
        from lib import core
        def start():
            if sys.platform == "win32":
                pass
            else:
                core.victim()
    """
    assert reach(text, LIBRARY).reach is Reach.PATH


def test_a_function_defined_for_another_platform_is_not_reached_by_its_name() -> None:
    library = """
        import sys
        if sys.platform == "win32":
            def victim(): pass
            class Viewer:
                def show(self): pass
        else:
            def other(): pass
    """
    program = "from lib import core\ndef start():\n    core.other()\n"
    assert reach(program, library).reach is Reach.NO_PATH
    assert reach(program, library, "Viewer.show").reach is Reach.NO_PATH


def test_a_function_with_a_body_for_each_platform_is_reached() -> None:
    library = """
        import sys
        if sys.platform == "win32":
            def victim(): pass
        else:
            def victim(): pass
    """
    program = "from lib import core\ndef start():\n    core.victim()\n"
    assert reach(program, library).reach is Reach.PATH


def test_a_route_for_another_platform_stays_a_path() -> None:
    """Too careful, and said so: what is registered there is not left out."""
    text = """
        import sys, flask
        from lib import core
        app = flask.Flask("x")
        if sys.platform == "win32":
            @app.route("/w")
            def w():
                core.victim()
    """
    assert reach(text, LIBRARY).reach is Reach.PATH


def test_namespaces_given_to_an_import_are_not_taken_from() -> None:
    library = """
        def plug(name):
            __import__("lib." + name, globals(), locals(), [])
        def victim(): pass
    """
    program = "from lib.core import plug\ndef start(x):\n    plug(x)\n"
    assert reach(program, library).reach is Reach.NO_PATH
    taken = library.replace("globals(), locals(), []", "")
    taken = taken.replace("def victim", "    globals()[name]()\n        def victim")
    assert reach(program, taken).reach is Reach.PATH
    own = library.replace("__import__(", "self.__import__(")
    assert reach(program, own).reach is Reach.PATH


def test_what_is_not_a_plain_test_is_not_known() -> None:
    modules = frozenset({"sys", "os", "platform"})
    for text in ("x", "sys.platform", "sys.platform < 'm'", "1 < 2 < 3", "f(sys.platform)"):
        test = ast.parse(text, mode="eval").body
        assert pyplatform.holds(test, modules) is None

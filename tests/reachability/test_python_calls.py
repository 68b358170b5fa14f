"""What Python code that did not run could still be called by.

Every program here has a function `victim`; the name of a test says whether something
leads to it. `main.py` is the application, `lib/` an installed package.
"""

from collections.abc import Mapping, Sequence
from textwrap import dedent

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vexxy.reachability.calls.python.graph import Graph
from vexxy.reachability.calls.python.start import Start
from vexxy.reachability.calls.types import Loader, Reach, Reached
from vexxy.reachability.wire import pycalls

SITE = "/usr/lib/python3/dist-packages"
LIB = f"{SITE}/lib/core.py"
MAIN = "/app/main.py"


class Files:
    """Python files by path."""

    def __init__(self, files: Mapping[str, str]) -> None:
        self.files = {path: dedent(text).encode() for path, text in files.items()}

    def read(self, path: str) -> bytes | None:
        return self.files.get(path)

    def find(self, name: str) -> Sequence[str]:
        return [*self._below(SITE, name), *self._below("/app", name)]

    def find_relative(self, path: str, level: int, name: str) -> Sequence[str]:
        directory = path.rpartition("/")[0]
        for _ in range(level - 1):
            directory = directory.rpartition("/")[0]
        own = (
            [f"{directory}/__init__.py"] if f"{directory}/__init__.py" in self.files else []
        )
        return [*own, *(self._below(directory, name) if name else [])]

    def _below(self, directory: str, name: str) -> list[str]:
        found = []
        for part in name.split("."):
            directory = f"{directory}/{part}"
            found += [
                path
                for path in (f"{directory}.py", f"{directory}/__init__.py")
                if path in self.files
            ]
        return found


def graph(files: Mapping[str, str], *, ran: Sequence[tuple[str, str]] = ()) -> Graph:
    known = {f"{SITE}/lib/__init__.py": "", **files}
    start = Start(
        loaded=frozenset(path for path in known if "lazy" not in path),
        ran=frozenset([*ran, (MAIN, "start")]),
        is_application=lambda path: path.startswith("/app/"),
    )
    return Graph(Files(known), start)


def reach(main: str, lib: str, name: str = "victim", path: str = LIB) -> Reached:
    return graph({MAIN: main, LIB: lib}).reach([path], name)


VICTIM = """
    def victim():
        pass
"""

LEADING = {
    "a route that nobody took": """
        from flask import Flask
        from lib import core
        app = Flask(__name__)
        @app.route("/never")
        def never():
            core.victim()
    """,
    "a branch of code that ran": """
        from lib.core import victim
        def start():
            if False:
                victim()
    """,
    "a table of functions": """
        from lib import core
        TABLE = {"victim": core.victim}
    """,
    "a default argument": """
        import lib.core
        def start(call=lib.core.victim):
            pass
    """,
    "a lambda": """
        from lib.core import victim as v
        later = lambda: v()
    """,
    "an import inside a route": """
        import framework
        @framework.get("/x")
        def never():
            from lib.core import victim
            return victim()
    """,
    "a name taken with getattr": """
        from lib import core
        def start():
            getattr(core, "victim")()
    """,
    "a computed name of a module": """
        from lib import core
        def start(which):
            getattr(core, which)()
    """,
    "a computed name with a beginning": """
        from lib import core
        def start(which):
            getattr(core, f"vic{which}")()
    """,
    "a dotted text": """
        import framework
        def start():
            framework.call("lib.core:victim")
    """,
    "a nested function": """
        from lib.core import victim
        def start():
            def inner():
                victim()
            return inner
    """,
    "a class body": """
        from lib.core import victim
        class Holder:
            call = victim
    """,
    "a decorator": """
        from lib.core import victim
        @victim
        def start():
            pass
    """,
    "another name of the same function": """
        from lib import core
        other = core.victim
        def start():
            other()
    """,
    "a star import": """
        from lib.core import *
        def start():
            victim()
    """,
    "a module that was handed on": """
        from lib import core
        import framework
        framework.use(core)
        def start(thing):
            thing.victim()
    """,
    "a method of a class in use, by convention": """
        import framework
        from lib.core import victim
        class View(framework.View):
            def get(self):
                victim()
        framework.register(View)
    """,
    "an address": """
        from framework import path
        from lib.core import victim
        def show():
            victim()
        urlpatterns = [path("show/", show)]
    """,
    "a signal handler registered in a call": """
        import signal
        from lib.core import victim
        def handler(*_):
            victim()
        signal.signal(signal.SIGTERM, handler)
    """,
    "an exception handler": """
        from lib.core import victim
        def start():
            try:
                pass
            except Exception:
                victim()
    """,
    "an asynchronous function": """
        from lib.core import victim
        async def start():
            async for _ in []:
                await victim()
    """,
    "a comprehension": """
        from lib.core import victim
        def start():
            return [victim() for _ in ()]
    """,
    "a name bound twice": """
        try:
            from quick import victim
        except ImportError:
            from lib.core import victim
        def start():
            victim()
    """,
    "a global that is set at run time": """
        from lib import core
        chosen = None
        def choose():
            global chosen
            chosen = core
        def start():
            choose()
            chosen.victim()
    """,
    "code that another Python is given": """
        import subprocess, sys, framework
        @framework.get("/never")
        def never():
            subprocess.run([sys.executable, "-c", "from lib import core; core.victim(1)"])
    """,
    "a template text": """
        import framework
        from lib import core
        framework.use(core)
        PAGE = "<p>{{ thing.victim() }}</p>"
    """,
}

NOT_LEADING = {
    "nothing": "import lib.core",
    "a function of the application that nothing mentions": """
        from lib.core import victim
        def dead():
            victim()
    """,
    "the program part of a module that was imported": """
        from lib.core import victim
        if __name__ == "__main__":
            victim()
    """,
    "an annotation": """
        from __future__ import annotations
        import typing
        if typing.TYPE_CHECKING:
            from lib.core import victim
            victim()
    """,
    "a comment and a text": """
        import lib.core
        # core.victim()
        NOTE = "do not use victim here"
    """,
    "a function that only wraps": """
        import functools
        from lib.core import victim
        def wrapping(function):
            @functools.wraps(function)
            def inner(*args):
                return function(*args)
            return inner
        @wrapping
        def dead():
            victim()
    """,
}


@pytest.mark.parametrize("main", LEADING.values(), ids=LEADING.keys())
def test_a_path_is_found_through(main: str) -> None:
    assert reach(main, VICTIM).reach is Reach.PATH


@pytest.mark.parametrize("main", NOT_LEADING.values(), ids=NOT_LEADING.keys())
def test_no_path_leads_through(main: str) -> None:
    found = reach(main, VICTIM)
    assert found.reach is Reach.NO_PATH
    assert "functions that ran" in found.reason


@pytest.mark.parametrize(
    "lookup",
    [
        'globals()["vic" + name]()',
        "globals()[name]()",
        "globals().get(name)()",
        'globals()["victim"]()',
        "vars()[f'vic{name}']()",
        "locals()[name]()",
        "getattr(sys.modules[__name__], name)()",
    ],
)
def test_a_namespace_looked_into_by_a_value_leads_to_what_is_in_it(lookup: str) -> None:
    lib = f"import sys\ndef dispatch(name):\n    return {lookup}\ndef victim(): pass\n"
    main = "from lib import core\ndef start(q):\n    core.dispatch(q)\n    q(core)\n"
    assert reach(main, lib).reach is Reach.PATH


@pytest.mark.parametrize(
    "lookup", ["core.__dict__[name]()", "vars(core)[name]()", "core.__dict__['victim']()"]
)
def test_a_module_looked_into_by_a_value_leads_to_what_is_in_it(lookup: str) -> None:
    main = f"from lib import core\ndef start(name):\n    {lookup}\n"
    assert reach(main, VICTIM).reach is Reach.PATH


def test_a_route_is_told_as_a_person_would_exercise_it() -> None:
    found = reach(LEADING["a route that nobody took"], VICTIM)
    assert found.entry == "GET /never"
    assert [one.name for one in found.steps] == ["never", "victim"]
    assert found.steps[0].path == MAIN
    assert found.steps[1].path == LIB


def test_the_methods_of_a_route_are_told() -> None:
    main = """
        import flask
        from lib.core import victim
        app = flask.Flask("x")
        @app.route("/a", methods=["PUT", "POST"])
        def never():
            victim()
    """
    assert reach(main, VICTIM).entry == "PUT|POST /a"


def test_a_method_is_reached_only_when_its_class_is_in_use() -> None:
    lib = """
        class Used:
            def decode_it(self): pass
        class Unused:
            def decode_it(self): pass
    """
    main = """
        from lib.core import Used
        def start(thing):
            Used()
            thing.decode_it()
    """
    assert reach(main, lib, "Used.decode_it").reach is Reach.PATH
    assert reach(main, lib, "Unused.decode_it").reach is Reach.NO_PATH


def test_a_method_mentioned_before_its_class_comes_into_use_is_reached() -> None:
    lib = """
        class Late:
            def decode_it(self): pass
        def make():
            return Late()
    """
    main = """
        from lib.core import make
        def start(thing):
            thing.decode_it()
            make()
    """
    assert reach(main, lib, "Late.decode_it").reach is Reach.PATH


def test_a_subclass_in_use_has_what_its_base_calls_on_itself() -> None:
    lib = """
        class Base:
            def run_it(self):
                self.step()
        class Derived(Base):
            def step(self):
                victim()
        def victim(): pass
    """
    main = """
        from lib.core import Derived
        def start():
            Derived().run_it()
    """
    assert reach(main, lib).reach is Reach.PATH


def test_what_the_language_calls_unseen_is_reached_with_its_class() -> None:
    lib = """
        class Thing:
            def __getitem__(self, key):
                victim()
        def victim(): pass
    """
    main = """
        from lib.core import Thing
        def start():
            return Thing()
    """
    assert reach(main, lib).reach is Reach.PATH


def test_a_property_is_reached_by_reading_it() -> None:
    lib = """
        class Thing:
            @property
            def size(self):
                return victim()
        def victim(): pass
    """
    main = """
        from lib.core import Thing
        def start():
            return Thing().size
    """
    assert reach(main, lib).reach is Reach.PATH


def test_an_inherited_method_leads_on_through_super() -> None:
    lib = """
        class Base:
            def run_it(self):
                victim()
        class Derived(Base):
            def run_it(self):
                super().run_it()
        def victim(): pass
    """
    main = """
        from lib.core import Derived
        def start():
            Derived().run_it()
    """
    assert reach(main, lib).reach is Reach.PATH


def test_a_class_counts_as_reached_once_it_is_mentioned() -> None:
    lib = "class Victim:\n    def parse(self): pass"
    used = "from lib.core import Victim\ndef start(): Victim()"
    assert reach(used, lib, "Victim").reach is Reach.PATH
    assert reach("import lib.core", lib, "Victim").reach is Reach.NO_PATH


def test_text_that_is_run_leaves_everything_open() -> None:
    main = """
        import lib.core
        def start(text):
            exec(text)
    """
    found = reach(main, VICTIM)
    assert found.reach is Reach.OPEN
    assert MAIN in found.reason


def test_a_computed_name_in_the_application_may_be_any_method_in_use() -> None:
    lib = """
        class Thing:
            def victim(self): pass
        THING = Thing()
    """
    main = """
        from lib.core import THING
        def start(thing, name):
            getattr(thing, name)()
    """
    assert reach(main, lib, "Thing.victim").reach is Reach.PATH


def test_a_file_that_cannot_be_parsed_mentions_every_word_in_it() -> None:
    main = "import lib.core\nprint >>out, 'x'\nlib.core.victim()\n"
    assert reach(main, VICTIM).reach is Reach.PATH


def test_a_function_that_is_made_in_an_unknown_way_stays_open() -> None:
    found = reach("import lib.core", "globals()['victim'] = print")
    assert found.reach is Reach.OPEN


def test_compiled_code_stays_open() -> None:
    found = reach("import lib.core", VICTIM, path=f"{SITE}/lib/core.so")
    assert found.reach is Reach.OPEN


def test_nothing_is_concluded_when_nothing_ran() -> None:
    known = {MAIN: "", LIB: dedent(VICTIM), f"{SITE}/lib/__init__.py": ""}
    start = Start(loaded=frozenset({LIB}), ran=frozenset())
    assert Graph(Files(known), start).reach([LIB], "victim").reach is Reach.OPEN


def test_a_module_that_a_function_imports_when_called_is_followed() -> None:
    files = {
        MAIN: """
            import framework
            @framework.post("/x")
            def never():
                import lib.lazy
        """,
        f"{SITE}/lib/lazy.py": "from lib.core import victim\nvictim()",
        LIB: dedent(VICTIM),
    }
    assert graph(files).reach([LIB], "victim").reach is Reach.PATH


def test_a_file_that_could_be_loaded_otherwise_is_a_root() -> None:
    known = {
        MAIN: "",
        LIB: dedent(VICTIM),
        f"{SITE}/lib/__init__.py": "",
        f"{SITE}/lib/plugin.py": "from lib.core import victim\nvictim()",
    }
    start = Start(
        loaded=frozenset({MAIN, LIB}),
        ran=frozenset({(MAIN, "start")}),
        loadable={f"{SITE}/lib/plugin.py": (Loader("", "a plugin"),)},
    )
    found = Graph(Files(known), start).reach([LIB], "victim")
    assert found.reach is Reach.PATH
    assert "a plugin" in found.entry


def test_words_outside_python_code_count_as_mentions() -> None:
    known = {
        MAIN: "import lib.core\nimport framework\nframework.use(lib.core)",
        LIB: dedent(VICTIM),
        f"{SITE}/lib/__init__.py": "",
    }
    start = Start(
        loaded=frozenset({MAIN, LIB}),
        ran=frozenset({(MAIN, "start")}),
        texts={"victim": "/app/templates/page.html"},
    )
    found = Graph(Files(known), start).reach([LIB], "victim")
    assert found.reach is Reach.PATH
    assert "/app/templates/page.html" in found.entry


def test_configuration_that_names_a_function_calls_it() -> None:
    known = {MAIN: "", LIB: dedent(VICTIM), f"{SITE}/lib/__init__.py": ""}
    start = Start(
        loaded=frozenset({MAIN}),
        ran=frozenset({(MAIN, "start")}),
        texts={"lib.core:victim": "/app/app.ini"},
    )
    assert Graph(Files(known), start).reach([LIB], "victim").reach is Reach.PATH


@given(st.text(max_size=200))
def test_no_text_breaks_the_reader(text: str) -> None:
    facts = pycalls.parse("/x.py", text.encode("utf-8", "surrogatepass"))
    assert facts.body is not None


@given(st.binary(max_size=200))
def test_no_bytes_break_the_reader(content: bytes) -> None:
    assert pycalls.parse("/x.py", content).body is not None


LOADER = """
    from importlib import import_module
    def load(name):
        return import_module(name)
"""
PLUGIN = "from lib.core import victim\nvictim()\n"
VIA = f"{SITE}/tools/loader.py"


@pytest.mark.parametrize(
    ("main", "loader", "plugin", "reach"),
    [
        # Nothing calls the loader, whatever is named.
        ("WHICH = 'plugin'", LOADER, f"{SITE}/lib/plugin.py", Reach.NO_PATH),
        # It is called, and nothing names the module.
        ("import tools.loader as t\nt.load('x')", LOADER, f"{SITE}/lib/plugin.py",
         Reach.NO_PATH),
        ("import tools.loader as t\nt.load('plugin')", LOADER, f"{SITE}/lib/plugin.py",
         Reach.PATH),
        ("import tools.loader as t\nt.load('tools.plugin')", LOADER,
         f"{SITE}/tools/plugin.py", Reach.PATH),
        # Its name is made of parts.
        ("import tools.loader as t\nt.load('x')",
         LOADER.replace("(name)\n", "('tools.plug' + name)\n", 2),
         f"{SITE}/tools/plugin.py", Reach.PATH),
        # It is listed from a directory.
        ("import tools.loader as t\nt.load('x')",
         LOADER + "    import os\n    def names(): return os.listdir('.')\n",
         f"{SITE}/tools/plugin.py", Reach.PATH),
    ],
)  # fmt: skip
def test_what_a_value_names_is_loaded_where_it_could_be_named(
    main: str, loader: str, plugin: str, reach: Reach
) -> None:
    known = {
        MAIN: dedent(main),
        LIB: VICTIM,
        f"{SITE}/lib/__init__.py": "",
        f"{SITE}/tools/__init__.py": "",
        VIA: loader,
        plugin: PLUGIN,
    }
    start = Start(
        loaded=frozenset({MAIN, LIB, VIA}),
        ran=frozenset({(MAIN, "start")}),
        loadable={plugin: (Loader(VIA, "by a value", by_value=True),)},
        is_application=lambda path: path.startswith("/app/"),
    )
    assert Graph(Files(known), start).reach([LIB], "victim").reach is reach


@pytest.mark.parametrize(
    "text",
    [
        "import pickle\ndef route(x):\n    return pickle.loads(x)\n",
        "from pickle import Unpickler as U\ndef route(x):\n    return U(x).load()\n",
        "import yaml\ndef route(x):\n    return yaml.load(x, Loader=yaml.UnsafeLoader)\n",
        "from yaml import load, Loader\ndef route(x):\n    return load(x, Loader)\n",
        "import code\ndef route(x):\n    code.interact(local=x)\n",
        "from code import InteractiveConsole as C\ndef route(x):\n    C().push(x)\n",
        "import timeit\ndef route(x):\n    timeit.timeit(x)\n",
        "import pandas as pd\ndef route(x):\n    pd.eval(x)\n",
        "from sympy import sympify\ndef route(x):\n    sympify(x)\n",
        "from multiprocessing.connection import Client\ndef f():\n    Client(a).recv()\n",
        "import logging.config\ndef f(x):\n    logging.config.dictConfig(x)\n",
        "import subprocess, sys\ndef f(x):\n  subprocess.run([sys.executable, '-c', x])\n",
        "run = exec\ndef route(x):\n    run(x)\n",
        "import builtins as b\ndef route(x):\n    b.exec(x)\n",
        "from flask import Flask\napp.run(debug=True)\n",
    ],
)
def test_an_application_whose_data_says_what_is_called_leaves_it_open(text: str) -> None:
    found = reach(f"{text}def start():\n    pass\n", VICTIM)
    assert found.reach is Reach.OPEN
    assert found.reason.startswith("/app/main.py ")


@pytest.mark.parametrize(
    "text",
    [
        "import yaml\ndef route(x):\n    return yaml.safe_load(x)\n",
        "import json\ndef route(x):\n    return json.loads(x)\n",
        "import subprocess, sys\ndef f():\n  subprocess.run([sys.executable, 'm.py', x])\n",
        "LOGGING = {}\nlogging.config.dictConfig(LOGGING)\n",
        "if __name__ == '__main__':\n    Flask(__name__).run(debug=True)\n",
    ],
)
def test_an_application_whose_data_is_only_data_leaves_nothing_open(text: str) -> None:
    found = reach(f"{text}\ndef start():\n    pass\n", VICTIM)
    assert found.reach is Reach.NO_PATH


def test_a_library_that_unpickles_does_so_for_its_caller() -> None:
    main = "from lib import core\ndef start():\n    core.read()\n"
    lib = "import pickle\ndef read():\n    pickle.loads(x)\ndef victim():\n    pass\n"
    assert reach(main, lib).reach is Reach.NO_PATH


NESTED = """
    import outside
    class Base:
        def shown(self):
            pass
    class Reader(Base):
        def load(self):
            append = self.rows.append
            append(1)
        def other(self):
            pass
    class Foreign(outside.Base):
        pass
"""


@pytest.mark.parametrize(
    ("main", "name", "answer"),
    [
        ("core.Base", "Reader.load.append", Reach.NO_PATH),
        ("core.Base", "Reader.gone", Reach.NO_PATH),
        ("core.Base", "Reader.shown", Reach.NO_PATH),
        # The function around it can run, and nobody knows what it is there.
        ("core.Reader().load()", "Reader.load.append", Reach.OPEN),
        # The class is used.
        ("core.Reader().other()", "Reader.gone", Reach.OPEN),
        ("core.Reader", "Reader.gone", Reach.OPEN),
        # Others use what it inherits, or nobody knows what that is.
        ("core.Base().shown()", "Reader.shown", Reach.OPEN),
        ("core.Base", "Foreign.gone", Reach.OPEN),
        ("core.Base", "gone.inner", Reach.OPEN),
        ("core.Base", "gone", Reach.OPEN),
    ],
)
def test_a_name_of_a_function_or_class_that_is_not_used(
    main: str, name: str, answer: Reach
) -> None:
    program = f"from lib import core\ndef start():\n    {main}\n"
    assert reach(program, NESTED, name).reach is answer

"""What JavaScript code that did not run could still be called by.

Every program here has a function `victim` in the package `lib`; the name of a test says
whether something leads to it.
"""

from collections.abc import Mapping, Sequence
from textwrap import dedent

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vexxy.reachability.calls.javascript.graph import Graph
from vexxy.reachability.calls.javascript.start import Ran, Start
from vexxy.reachability.calls.types import Loader, Reach, Reached
from vexxy.reachability.wire import jscalls

LIB = "/app/node_modules/lib/index.js"
MAIN = "/app/server.js"
START = "\nfunction start() {}\n"


class Files:
    """JavaScript files by path."""

    def __init__(self, files: Mapping[str, str]) -> None:
        self.files = {path: dedent(text).encode() for path, text in files.items()}

    def read(self, path: str) -> bytes | None:
        return self.files.get(path)

    def resolve(self, request: str, path: str) -> Sequence[str]:
        if request.startswith("."):
            found = f"{path.rpartition('/')[0]}/{request.removeprefix('./')}"
        else:
            found = f"/app/node_modules/{request}"
        options = (found, f"{found}.js", f"{found}.ts", f"{found}/index.js")
        return [one for one in options if one in self.files]


def graph(files: Mapping[str, str], *, ran: Sequence[Ran] = ()) -> Graph:
    start = Start(
        loaded=frozenset(path for path in files if "lazy" not in path),
        ran=frozenset([*ran, Ran(MAIN, "start", 1)]),
        is_application=lambda path: "/node_modules/" not in path,
    )
    return Graph(Files(files), start)


def reach(main: str, lib: str, name: str = "victim") -> Reached:
    files = {MAIN: "function start() { begin(); }\n" + dedent(main), LIB: lib}
    return graph(files).reach([LIB], name)


VICTIM = "exports.victim = function () {};\n"

LEADING = {
    "a route that nobody took": """
        const lib = require('lib');
        app.get('/never', (req, res) => lib.victim(req));
    """,
    "a name taken from the module": """
        const { victim } = require('lib');
        app.post('/never', function (req) { victim(); });
    """,
    "a name taken under another name": """
        const { victim: v } = require('lib');
        setTimeout(() => v());
    """,
    "an import": "import { victim } from 'lib';\nvictim();",
    "an import under another name": "import { victim as v } from 'lib';\nv();",
    "an import of everything": "import * as lib from 'lib';\nlib.victim();",
    "a module loaded where it is used": """
        app.get('/x', () => require('lib').victim());
    """,
    "a module imported where it is used": """
        app.get('/x', async () => (await import('lib')).victim());
    """,
    "a branch of code that ran": """
        const lib = require('lib');
        function begin() { if (false) { lib.victim(); } }
    """,
    "a property of something unknown": """
        const lib = require('lib');
        function begin(thing) { thing.victim(); }
    """,
    "a property in brackets": """
        const lib = require('lib');
        function begin() { lib['victim'](); }
    """,
    "a property whose name is a value": """
        const lib = require('lib');
        function begin(name) { lib[name](); }
    """,
    "a function handed on": """
        const lib = require('lib');
        process.on('SIGTERM', lib.victim);
    """,
    "a copy": """
        const lib = require('lib');
        const other = lib.victim;
        function begin() { other(); }
    """,
    "a function stored in a table": """
        const lib = require('lib');
        const table = { run: lib.victim };
    """,
    "call": """
        const { victim } = require('lib');
        function begin() { victim.call(null); }
    """,
    "a class of the application": """
        const lib = require('lib');
        class Page { show() { lib.victim(); } }
        function begin() { new Page().show(); }
    """,
    "a default argument": """
        const lib = require('lib');
        function begin(call = lib.victim) { call(); }
    """,
    "a template": "const lib = require('lib');\nconst x = `${lib.victim()}`;",
    "optional chaining": "const lib = require('lib');\nlib?.victim?.();",
    "an exported copy": """
        const lib = require('lib');
        module.exports = { run: lib.victim };
    """,
    "a member of a module that is chosen where it is loaded": """
        app.get('/x', (q) => require('lib')['vic' + q]());
    """,
    "every member of a module": """
        app.get('/x', () => Object.values(require('lib')).map((f) => f()));
    """,
    "every member of a module with a name": """
        const lib = require('lib');
        app.get('/x', () => Object.entries(lib).map(([, f]) => f()));
    """,
    "a module that is copied": """
        const lib = require('lib');
        const all = { ...lib };
    """,
    "a loop over a module": """
        const lib = require('lib');
        function begin() { for (const key in lib) lib[key](); }
    """,
    "JSX": "const { victim } = require('lib');\nconst x = <a href={victim()}/>;",
}

NOT_LEADING = {
    "loading alone": "require('lib');",
    "a function of the application that nothing mentions": """
        const lib = require('lib');
        function dead() { lib.victim(); }
    """,
    "another function of the same module": """
        const lib = require('lib');
        lib.other();
    """,
    "a comment and a text": """
        const lib = require('lib');
        // lib.victim()
        const note = 'do not use victim here';
    """,
    "a method of a class that nothing uses": """
        const lib = require('lib');
        class Page { show() { lib.victim(); } }
    """,
}


@pytest.mark.parametrize("main", LEADING.values(), ids=LEADING.keys())
def test_a_path_is_found_through(main: str) -> None:
    assert reach(main, VICTIM).reach is Reach.PATH


@pytest.mark.parametrize("main", NOT_LEADING.values(), ids=NOT_LEADING.keys())
def test_no_path_leads_through(main: str) -> None:
    assert reach(main, VICTIM).reach is Reach.NO_PATH


EXPORTING = {
    "an assigned function": "exports.victim = function () {};",
    "an arrow": "module.exports.victim = () => 1;",
    "a declared function": "function victim() {}\nmodule.exports = { victim };",
    "a pair": "function victim() {}\nmodule.exports = { victim: victim };",
    "an ESM export": "export function victim() {}",
    "an ESM constant": "export const victim = () => 1;",
    "an ESM list": "function inner() {}\nexport { inner as victim };",
    "an object built first": (
        "var lib = {};\nlib.victim = function () {};\nmodule.exports = lib;"
    ),
    "a method": "module.exports = { victim() {} };",
    "a prototype": (
        "function L() {}\nL.prototype.victim = function () {};\nmodule.exports = new L();"
    ),
    "a class": "class L { victim() {} }\nmodule.exports = new L();",
    "a static method": "module.exports = class { static victim() {} };",
}


@pytest.mark.parametrize("lib", EXPORTING.values(), ids=EXPORTING.keys())
def test_what_is_exported_is_reached_by_a_use_and_not_by_loading(lib: str) -> None:
    used = "const lib = require('lib');\nfunction begin() { lib.victim(); new lib(); }"
    assert reach(used, lib).reach is Reach.PATH
    assert reach("const lib = require('lib');", lib).reach is Reach.NO_PATH


def test_a_module_that_is_a_function_is_reached_by_its_use() -> None:
    lib = "module.exports = function (x) { return x; };"
    used = "const lib = require('lib');\napp.get('/p', () => lib(1));"
    found = reach(used, lib, "module.exports")
    assert found.reach is Reach.PATH
    assert found.entry == "GET /p"
    loaded = "const lib = require('lib');"
    assert reach(loaded, lib, "module.exports").reach is Reach.NO_PATH


def test_a_route_is_told_as_a_person_would_exercise_it() -> None:
    found = reach(LEADING["a route that nobody took"], VICTIM)
    assert found.entry == "GET /never"
    assert found.steps[0].path == MAIN
    assert found.steps[-1].path == LIB


def test_exports_are_followed_through_the_modules_that_pass_them_on() -> None:
    files = {
        MAIN: "function start() {}\nconst lib = require('lib');\nlib.victim();",
        LIB: "module.exports = require('./inner');",
        "/app/node_modules/lib/inner.js": VICTIM,
    }
    found = graph(files).reach(["/app/node_modules/lib/inner.js"], "victim")
    assert found.reach is Reach.PATH


def test_inner_functions_are_reached_by_what_mentions_them() -> None:
    lib = """
        function victim() {}
        exports.used = function () { return inner(); };
        exports.unused = function () { return victim(); };
        function inner() {}
    """
    main = "const lib = require('lib');\nfunction begin() { lib.used(); }"
    assert reach(main, lib, "inner").reach is Reach.PATH
    assert reach(main, lib, "victim").reach is Reach.NO_PATH


def test_text_that_is_run_leaves_everything_open() -> None:
    main = "const lib = require('lib');\nfunction begin(x) { eval(x); }"
    found = reach(main, VICTIM)
    assert found.reach is Reach.OPEN
    assert MAIN in found.reason


@pytest.mark.parametrize(
    "text",
    [
        "Object.getPrototypeOf(async function(){}).constructor(x)();",
        "[].constructor.constructor(x)();",
        "Reflect.construct(Function, [x])();",
        "cp.spawn(process.execPath, ['-e', x]);",
        "process.dlopen(module, x);",
        "module['req' + 'uire'](x);",
        "require('repl').start();",
        "require('inspector').open(9229);",
        "new vm.Script(x).runInThisContext();",
    ],
)
def test_code_made_of_a_value_leaves_everything_open(text: str) -> None:
    main = f"const lib = require('lib');\nfunction begin(x) {{\n  {text}\n}}"
    found = reach(main, VICTIM)
    assert found.reach is Reach.OPEN
    assert f"{MAIN}:4" in found.reason


def test_a_module_whose_name_is_a_value_leaves_everything_open() -> None:
    main = "const lib = require('lib');\nfunction begin(x) { require(x)(); }"
    assert reach(main, VICTIM).reach is Reach.OPEN


def test_a_function_that_is_not_found_stays_open() -> None:
    assert reach("require('lib');", "exports[name] = 1;").reach is Reach.OPEN


def test_a_file_that_cannot_be_parsed_mentions_every_word_in_it() -> None:
    main = "const lib = require('lib');\n)))) lib victim ((((\n"
    assert reach(main, VICTIM).reach is Reach.PATH


def test_a_module_that_a_route_loads_is_followed() -> None:
    files = {
        MAIN: "function start() {}\napp.get('/x', () => require('lib/lazy'));",
        "/app/node_modules/lib/lazy.js": "require('./index.js').victim();",
        LIB: VICTIM,
    }
    assert graph(files).reach([LIB], "victim").reach is Reach.PATH


def test_typescript_is_read() -> None:
    files = {
        "/app/server.ts": "import { victim } from 'lib';\nfunction f(x: string): void {}\n"
        "const g = (): number => victim() as number;\ng();",
        LIB: VICTIM,
    }
    start = Start(loaded=frozenset(files), ran=frozenset({Ran("/app/server.ts", "f", 2)}))
    assert Graph(Files(files), start).reach([LIB], "victim").reach is Reach.PATH


EXPRESS = "/app/node_modules/express/lib/view.js"


@pytest.mark.parametrize(
    ("loader", "reach"),
    [
        # What the overlay takes for a request, and no request in the file says.
        (Loader(EXPRESS, "requires", statement=True), Reach.PATH),
        (Loader(EXPRESS, "requires by a value", by_value=True), Reach.PATH),
        (Loader("/etc/app.json", "names"), Reach.PATH),
        (Loader("", "names"), Reach.PATH),
        (Loader("/app/node_modules/dead/index.js", "requires", statement=True),
         Reach.NO_PATH),
    ],
)  # fmt: skip
def test_an_engine_that_a_value_names_is_loaded(loader: Loader, reach: Reach) -> None:
    engine = "/app/node_modules/ejs/lib/ejs.js"
    files = {
        MAIN: "function start() {}\napp.set('view engine', 'ejs');",
        EXPRESS: "module.exports = function (name) { return require(name).__express; };",
        engine: "exports.victim = function () {};\nexports.__express = exports.victim;\n"
        "exports.victim();",
    }
    start = Start(
        loaded=frozenset({MAIN, EXPRESS}),
        ran=frozenset({Ran(MAIN, "start", 1), Ran(EXPRESS, "", 1)}),
        loadable={engine: (loader,)},
        is_application=lambda path: "/node_modules/" not in path,
    )
    assert Graph(Files(files), start).reach([engine], "victim").reach is reach


def test_nothing_is_concluded_when_nothing_ran() -> None:
    start = Start(loaded=frozenset({LIB}), ran=frozenset())
    assert Graph(Files({LIB: VICTIM}), start).reach([LIB], "victim").reach is Reach.OPEN


@given(st.text(max_size=300))
def test_no_text_breaks_the_reader(text: str) -> None:
    facts = jscalls.parse("/x.js", text.encode("utf-8", "surrogatepass"))
    assert facts.functions


@given(st.binary(max_size=200))
def test_no_bytes_break_the_reader(content: bytes) -> None:
    assert jscalls.parse("/x.ts", content).functions

"""What JavaScript that ran can still require or run."""

import json
from pathlib import Path

import pytest

from tests.fakes.planted import Planted
from vexxy.tracer.types import Access

MODULES = "/app/node_modules"


@pytest.fixture
def tree(tmp_path: Path) -> Planted:
    planted = Planted(tmp_path / "root")
    planted.touched(planted.program("/usr/bin/node"), Access.EXECUTED, 0.0)
    package(planted, "alpha")
    package(planted, "beta")
    return planted


def package(tree: Planted, name: str, text: str = "", **manifest: object) -> str:
    root = f"{MODULES}/{name}"
    tree.write(f"{root}/package.json", json.dumps({"name": name} | manifest))
    return tree.write(f"{root}/index.js", text)


def application(tree: Planted, text: str) -> None:
    tree.touched(tree.write("/app/server.js", text))


def reached(tree: Planted) -> set[str]:
    return set(tree.overlay().references)


@pytest.mark.parametrize(
    "text",
    [
        "const a = require('alpha')",
        'import a from "alpha"',
        "import 'alpha'",
        "export * from 'alpha'",
        "const a = await import(`alpha`)",
        "app.get('/', () => { require( 'alpha' ) })",
        "app.set('view engine', 'alpha')",
        "res.render('page.alpha')",
    ],
)
def test_every_way_to_name_a_package_is_followed(tree: Planted, text: str) -> None:
    application(tree, text)
    found = reached(tree)
    assert f"{MODULES}/alpha/index.js" in found
    assert f"{MODULES}/beta/index.js" not in found


def test_the_nearest_copy_is_the_one_that_is_required(tree: Planted) -> None:
    inner = tree.write(f"{MODULES}/alpha/node_modules/beta/index.js", "")
    tree.touched(tree.write(f"{MODULES}/alpha/index.js", "require('beta')"))
    found = reached(tree)
    assert inner in found
    assert f"{MODULES}/beta/index.js" not in found


@pytest.mark.parametrize(
    ("manifest", "file"),
    [
        ({"main": "lib/start"}, "lib/start.js"),
        ({"main": "lib"}, "lib/index.js"),
        ({"exports": {".": {"import": "./m.mjs", "default": "./c.cjs"}}}, "c.cjs"),
        ({"exports": "./m.mjs"}, "m.mjs"),
        ({"exports": {"./*": "./dist/*.js"}}, "dist/x.js"),
    ],
)
def test_a_manifest_says_what_a_package_loads(
    tree: Planted, manifest: dict[str, object], file: str
) -> None:
    package(tree, "gamma", **manifest)
    path = tree.write(f"{MODULES}/gamma/{file}", "")
    application(tree, "require('gamma')")
    assert path in reached(tree)


def test_a_scoped_package_and_a_path_inside_it(tree: Planted) -> None:
    package(tree, "@own/tool")
    path = tree.write(f"{MODULES}/@own/tool/lib/part.js", "")
    application(tree, "require('@own/tool/lib/part')")
    assert path in reached(tree)


def test_an_engine_that_is_loaded_by_name_at_the_first_render(tree: Planted) -> None:
    """Express requires the view engine by a value that the application set."""
    tree.touched(package(tree, "views", "function View(n){ return require(n) }"))
    application(tree, "require('views'); app.set('view engine', 'beta')")
    loadable = tree.overlay()
    assert f"{MODULES}/beta/index.js" in loadable.references


def test_a_require_by_value_may_be_any_file_of_its_package(tree: Planted) -> None:
    tree.touched(package(tree, "gamma", "names.forEach(n => require('./l/' + n))"))
    locale = tree.write(f"{MODULES}/gamma/l/de.js", "require('beta')")
    assert {locale, f"{MODULES}/beta/index.js"} <= reached(tree)


def test_optional_packages_of_a_require_by_value(tree: Planted) -> None:
    text = "try { require(name) } catch (e) {}"
    tree.touched(package(tree, "gamma", text, peerDependencies={"beta": "*"}))
    assert f"{MODULES}/beta/index.js" in reached(tree)


def test_a_package_described_in_a_manifest_is_not_used(tree: Planted) -> None:
    path = tree.write("/app/package.json", json.dumps({"dependencies": {"beta": "1"}}))
    tree.touched(path, Access.METADATA)
    application(tree, "require('alpha')")
    assert f"{MODULES}/beta/index.js" not in reached(tree)


def test_an_addon_brings_its_libraries(tree: Planted) -> None:
    library = tree.library("libown.so.1")
    addon = f"{MODULES}/alpha/build/Release/own.node"
    tree.compile(
        addon,
        "int f(void);int g(void){return f();}",
        "-shared",
        str(tree.directory) + library,
    )
    tree.touched(tree.write(f"{MODULES}/alpha/index.js", "require('bindings')('own')"))
    found = tree.overlay().references
    assert found[library].via == addon


def test_programs_count_where_node_can_start_them(tree: Planted) -> None:
    convert = tree.program("/usr/bin/convert")
    application(tree, "const w = 'convert'")
    assert convert not in reached(tree)
    application(tree, "require('child_process').exec('convert -resize 1 in out')")
    assert convert in reached(tree)


def test_the_answer_is_per_copy(tree: Planted) -> None:
    inner = tree.write(f"{MODULES}/alpha/node_modules/beta/index.js", "")
    tree.touched(inner)
    application(tree, "require('alpha')")
    copies = (
        tree.owner(inner, type="npm", name="beta"),
        tree.owner(f"{MODULES}/beta/index.js", type="npm", name="beta"),
    )
    used, unused = tree.judge(*copies)
    assert used.status.value == "affected"
    assert unused.status.value == "not_affected"


def test_minified_code_is_read_too(tree: Planted) -> None:
    application(tree, "!function(e,t){" + "a" * 5000 + ';t=require("alpha")}()')
    assert f"{MODULES}/alpha/index.js" in reached(tree)


@pytest.mark.parametrize(
    "text",
    [
        "app.get('/', () => require(process.env.ENGINE))",
        "app.get('/', (q) => import(`be${q.x}`))",
        "app.get('/', () => require('be' + 'ta'))",
        "const load=require;x(load,'alpha')",
    ],
)
def test_an_application_that_requires_a_value_can_require_anything(
    tree: Planted, text: str
) -> None:
    application(tree, text)
    assert {f"{MODULES}/alpha/index.js", f"{MODULES}/beta/index.js"} <= reached(tree)

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


BETA = f"{MODULES}/beta/index.js"


@pytest.mark.parametrize(
    "file", ["server.ts", "server.mts", "server.cts", "server.tsx", "start", "app.node20"]
)
def test_a_script_is_what_node_was_given_whatever_its_suffix(
    tree: Planted, file: str
) -> None:
    text = "app.get('/', (q: any) => require('beta'))\n"
    tree.touched(tree.write(f"/app/{file}", text))
    assert tree.overlay().references[BETA].via == f"/app/{file}"


@pytest.mark.parametrize(
    ("text", "file"),
    [
        ("import './routes'", "routes.ts"),
        ("import './routes.js'", "routes.ts"),
        ("import './routes.mjs'", "routes.mts"),
        ("require('./routes')", "routes.tsx"),
        ("require('./routes')", "routes"),
        ("require('./routes')", "routes/index.ts"),
        ("new Worker('./work.mts')", "work.mts"),
        ("new Worker(new URL('./work.ts', import.meta.url))", "work.ts"),
        ("new Worker(path.join(__dirname, 'work'))", "work.js"),
        ("new Worker(path.join(__dirname, name))", "jobs/work.js"),
        ("fork(job)", "jobs/work.ts"),
        ("cp = require('child_process'); cp.fork('work')", "work"),
        ("cp = require('child_process'); cp.spawn('node', ['work'])", "work.js"),
        ("cp = require('child_process'); cp.exec('node jobs/work')", "jobs/work"),
    ],
)
def test_scripts_are_found_by_every_way_to_write_them(
    tree: Planted, text: str, file: str
) -> None:
    tree.write("/app/package.json", "{}")
    tree.write(f"/app/{file}", "const run = () => require('beta')")
    application(tree, text)
    assert tree.overlay().references[BETA].via == f"/app/{file}"


def test_a_declaration_of_types_loads_nothing(tree: Planted) -> None:
    tree.write(f"{MODULES}/alpha/index.d.ts", "import b from 'beta'")
    tree.touched(tree.write(f"{MODULES}/alpha/index.js", "names.map(n => require(n))"))
    tree.write("/app/types.d.ts", "import b from 'beta'")
    application(tree, "require('alpha'); names.map(n => fork(n))")
    assert BETA not in reached(tree)


@pytest.mark.parametrize(
    "text",
    [
        "const f = (n) => require.call(null, 'be' + n)",
        "const f = (n) => require.apply(null, ['be' + n])",
        "const f = (n) => Reflect.apply(require, null, [n])",
        "const f = require.bind(null)",
        "const f = (n) => module.require('be' + n)",
        "const f = (n) => module['require'](n)",
        "const f = (n) => process.mainModule.require(n)",
        "const f = (n) => require?.('be' + n)",
        "const tools = { require }; run(tools)",
        "const f = () => { return require }",
        "const f = () => require",
        "const m = process.getBuiltinModule('module'); m.createRequire('/app/')(n)",
        "const Module = require('module'); Module._load(n)",
        "const { _load } = require('node:module'); _load(n)",
        "import { createRequire } from 'module'; const r = createRequire('/app/'); r(n)",
        "app.post('/', (q) => eval(q.body))",
        "app.post('/', (q) => (0, eval)(q.body))",
        "app.post('/', (q) => new Function('a', q.body)(1))",
        "app.post('/', (q) => vm.runInNewContext(q.body, { a }))",
        "app.post('/', (q) => new vm.Script(q.body))",
        "new Worker(q.body, { eval: true })",
        "m._compile(q.body, 'x.js')",
    ],
)
def test_code_that_a_value_chooses_can_be_any_package(tree: Planted, text: str) -> None:
    application(tree, text)
    assert tree.overlay().references[BETA].via == "/app/server.js"


@pytest.mark.parametrize(
    "text",
    [
        "const all = Function('return this')()",
        "const f = x instanceof Function",
        "redis.eval('return 1', 0)",
        "function require(n) { return 1 }",
        "const m = new Worker('./work.js'); cluster.fork()",
        "app.set('view engine', 'alpha'); res.render('page', q)",
    ],
)
def test_what_only_looks_like_a_choice_opens_nothing(tree: Planted, text: str) -> None:
    tree.touched(package(tree, "express", "function View(e){ return require(e) }"))
    application(tree, f"require('express'); {text}")
    assert BETA not in reached(tree)


@pytest.mark.parametrize(
    "text",
    [
        "app.get('/:t', (q, s) => s.render(q.params.t))",
        "app.get('/', (q, s) => s.render(`page.${q.query.e}`))",
        "app.set('view engine', process.env.ENGINE)",
        "app.engine(extension, engine)",
    ],
)
def test_a_view_that_a_value_chooses_can_be_of_any_engine(tree: Planted, text: str) -> None:
    tree.touched(package(tree, "express", "function View(e){ return require(e) }"))
    application(tree, f"const express = require('express'); {text}")
    assert BETA in reached(tree)


@pytest.mark.parametrize(
    "text", ["alpha.render(q.t)", "alpha.loadPlugin(q.name)", "new Alpha({driver: q.d})"]
)
def test_a_package_that_loads_what_it_is_given(tree: Planted, text: str) -> None:
    loads = "exports.render = n => { const m = n.split('.').pop(); return require(m) }"
    tree.touched(package(tree, "alpha", loads))
    application(tree, f"const alpha = require('alpha'); app.get('/', q => {text})")
    assert BETA in reached(tree)


def manifest(tree: Planted, **scripts: str) -> str:
    tree.program("/usr/bin/npm", "#!/usr/bin/env node\n")
    tree.working_directory = "/app"
    return tree.write("/app/package.json", json.dumps({"scripts": scripts}))


@pytest.mark.parametrize(
    "text",
    [
        "exec('npm run job')",
        "exec('npm run -s job')",
        "spawn('npm', ['run', 'job'])",
        "spawn('npm', ['run', name])",
        "exec('npm run ' + name)",
        "exec(`yarn ${name}`)",
        "exec('pnpm job')",
        "exec('node --run job')",
        "exec('npm run outer')",
        "exec('npm run all')",
    ],
)
def test_scripts_of_a_manifest_are_commands(tree: Planted, text: str) -> None:
    convert = tree.program("/usr/bin/convert")
    manifest(tree, prejob="true", job="convert a b", outer="npm run job", all="run-s jo*")
    application(tree, f"const {{exec, spawn}} = require('child_process'); {text}")
    found = tree.overlay().references[convert]
    assert found.via == "/app/server.js"
    assert "npm script job of /app/package.json" in found.how


def test_a_script_of_a_manifest_that_nothing_runs_opens_nothing(tree: Planted) -> None:
    convert = tree.program("/usr/bin/convert")
    manifest(tree, job="convert a b", start="node server.js")
    application(tree, "require('child_process').exec('npm start')")
    assert convert not in reached(tree)


@pytest.mark.parametrize("command", ["tool x", "npx tool x"])
def test_a_program_beside_the_packages(tree: Planted, command: str) -> None:
    manifest(tree, job=command)
    start = tree.program(f"{MODULES}/alpha/cli.js", "#!/usr/bin/env node\nrequire('beta')")
    tree.link(f"{MODULES}/.bin/tool", "../alpha/cli.js")
    tree.touched(tree.program("/start.sh", "#!/bin/sh\n[ -n $X ] && npm run job\n"))
    assert start in reached(tree)
    assert BETA in reached(tree)


def test_commands_that_another_file_of_the_application_starts(tree: Planted) -> None:
    convert = tree.program("/usr/bin/convert")
    tree.touched(tree.write("/app/sh.js", "exports.sh = require('child_process').exec"))
    application(tree, "const { sh } = require('./sh'); sh('convert -x a')")
    assert convert in reached(tree)


def test_commands_that_a_package_starts_for_the_application(tree: Planted) -> None:
    convert = tree.program("/usr/bin/convert")
    tree.touched(package(tree, "alpha", "const { exec } = require('child_process')"))
    application(tree, "const run = require('alpha'); run('convert -x a')")
    assert convert in reached(tree)


@pytest.mark.parametrize(
    ("text", "directory"),
    [
        ("app.use(express.static(path.join(__dirname, 'public')))", "/app/public/jquery"),
        ("app.use(express.static('assets/web'))", "/app/assets/web/jquery"),
        ("app.use(serve('./site'))", "/app/site/vendor/jquery"),
        ("app.use('/v', express.static('node_modules'))", f"{MODULES}/jquery"),
        (
            "fs.createReadStream(here + '/node_modules/jquery' + f)",
            f"{MODULES}/jquery",
        ),
        ("app.use(express.static(root))", "/app/public/jquery"),
        ("app.use(express.static('/www'))", "/www/jquery"),
    ],
)
def test_code_that_the_application_serves_to_browsers(
    tree: Planted, text: str, directory: str
) -> None:
    served = tree.write(f"{directory}/jquery.js", "")
    application(tree, text)
    assert served in reached(tree)


def test_a_directory_that_is_only_read_is_not_served(tree: Planted) -> None:
    application(tree, "fs.readFileSync(path.join(here, 'node_modules', 'ini/LICENSE'))")
    assert BETA not in reached(tree)


@pytest.mark.parametrize("line", ["node -e 'require(`beta`)'", "node --import beta /x.js"])
def test_code_given_to_node_in_a_script(tree: Planted, line: str) -> None:
    tree.touched(tree.program("/start.sh", f'#!/bin/sh\n[ -n "$X" ] && {line}\n'))
    application(tree, "")
    assert BETA in reached(tree)


def test_every_file_of_the_application_may_be_one_of_a_list(tree: Planted) -> None:
    tree.write("/app/package.json", "{}")
    tree.write("/app/routes/b.js", "require('beta')")
    text = "const d = '../routes'; fs.readdirSync(d).map(f => require(d + f))"
    tree.touched(tree.write("/app/src/load.js", text))
    assert "/app/routes/b.js" in reached(tree)


def test_a_package_that_was_started_is_an_application(tree: Planted) -> None:
    root = "/usr/local/lib/node_modules/service"
    inner = tree.write(f"{root}/node_modules/gamma/index.js", "")
    start = tree.write(f"{root}/bin/service.js", "require(process.env.STORE)")
    tree.link("/usr/local/bin/service", start)
    tree.touched(start)
    assert inner not in reached(tree)
    tree.touched("/usr/local/bin/service", Access.EXECUTED)
    assert inner in reached(tree)


def test_a_versioned_node_is_one(tree: Planted) -> None:
    tree.accesses.clear()
    tree.touched(tree.program("/usr/bin/node-20"), Access.EXECUTED, 0.0)
    tree.environment["ENGINE"] = "beta"
    tree.touched(package(tree, "alpha", "exports.load = n => require(n)"))
    application(tree, "require('alpha')")
    assert BETA in reached(tree)


@pytest.mark.parametrize(
    "text",
    [
        "const A = Object.getPrototypeOf(async function(){}).constructor; A(q.x)()",
        "const A = (async () => {}).constructor, G = (function* () {}).constructor; G(q.x)",
        "Reflect.construct(Function, [q.x])()",
        "Reflect.apply(eval, null, [q.x])",
        "cp.spawn(process.execPath, ['-e', q.x])",
        "cp.execFile('node', ['--input-type=module', '-e', `${q.x}`])",
        "cp.spawn(process.execPath, ['-i'])",
        "process.dlopen(module, q.x)",
        "const { dlopen } = process; dlopen(module, q.x)",
        "process['dlopen'](module, q.x)",
        "const s = 'req' + 'uire'; module[s](q.x)",
        "module['req' + 'uire'](q.x)",
        "require('repl').start()",
        "const repl = require('node:repl'); repl.start({ input: socket })",
        "const { start } = require('repl'); start()",
        "require('inspector').open(9229, '0.0.0.0')",
        "import * as inspector from 'node:inspector'; inspector.open()",
    ],
)
def test_what_a_value_can_become_in_the_application(tree: Planted, text: str) -> None:
    application(tree, text)
    assert BETA in reached(tree)


@pytest.mark.parametrize(
    "text",
    [
        "cp.spawn(process.execPath, ['-e', 'console.log(1)'])",
        "cp.spawn(process.execPath, ['--version'])",
        "const table = {}; table[q.x](1)",
        "process.env[name]; process.on('exit', f)",
        "server.open(); job.start()",
        "this.constructor(q.x); Reflect.construct(Thing, [q.x])",
    ],
)
def test_what_no_value_can_become_in_the_application(tree: Planted, text: str) -> None:
    application(tree, text)
    assert BETA not in reached(tree)


@pytest.mark.parametrize(
    "request_",
    ["@/plugins/p", "~/plugins/p", "@app/plugins/p", "src/plugins/p", "$plugins/p"],
)
def test_an_alias_means_any_file_of_the_application_with_its_tail(
    tree: Planted, request_: str
) -> None:
    tree.write("/app/src/plugins/p.js", "require('beta')")
    tree.write("/app/package.json", "{}")
    application(tree, f"require('{request_}')")
    assert BETA in reached(tree)

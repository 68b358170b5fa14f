"""How planted JavaScript functions are written, used and found by name."""

from typing import Final

# shape -> (definition, symbol, use); NAME is unique, M the module.
SHAPES: Final = {
    "function": (
        "function NAME(x) { return x + 1; }\nexports.NAME = NAME;",
        "NAME",
        "M.NAME(1)",
    ),
    "arrow": ("const NAME = (x) => x + 1;\nexports.NAME = NAME;", "NAME", "M.NAME(1)"),
    "property of exports": (
        "exports.NAME = function NAME(x) { return x; };",
        "NAME",
        "M.NAME(1)",
    ),
    "method": (
        "class KNAME { runNAME(x) { return x; } }\nexports.KNAME = KNAME;",
        "KNAME.runNAME",
        "new M.KNAME().runNAME(1)",
    ),
    "static method": (
        "class KNAME { static ofNAME(x) { return x; } }\nexports.KNAME = KNAME;",
        "KNAME.ofNAME",
        "M.KNAME.ofNAME(1)",
    ),
    "getter": (
        "class KNAME { get sizeNAME() { return 1; } }\nexports.KNAME = KNAME;",
        "KNAME.sizeNAME",
        "new M.KNAME().sizeNAME",
    ),
    "prototype": (
        (
            "function KNAME() {}\n"
            "KNAME.prototype.goNAME = function goNAME() { return 1; };\n"
            "exports.KNAME = KNAME;"
        ),
        "KNAME.goNAME",
        "new M.KNAME().goNAME()",
    ),
    "member of an object": (
        "const oNAME = { doNAME(x) { return x; } };\nexports.oNAME = oNAME;",
        "doNAME",
        "M.oNAME.doNAME(1)",
    ),
    "generator": (
        "function* NAME(x) { yield x; }\nexports.NAME = NAME;",
        "NAME",
        "[...M.NAME(1)]",
    ),
    "async": (
        "async function NAME(x) { return x; }\nexports.NAME = NAME;",
        "NAME",
        "M.NAME(1)",
    ),
    "closure": (
        (
            "function buildNAME() { return function innerNAME(x) { return x; }; }\n"
            "exports.buildNAME = buildNAME;"
        ),
        "innerNAME",
        "M.buildNAME()(1)",
    ),
    "inherited": (
        (
            "class BNAME { goNAME() { return 1; } }\nclass KNAME extends BNAME {}\n"
            "exports.KNAME = KNAME;"
        ),
        "BNAME.goNAME",
        "new M.KNAME().goNAME()",
    ),
    "template method": (
        (
            "class KNAME extends Worker { step() { return this.stepNAME(); }\n"
            "  stepNAME() { return 1; } }\nexports.KNAME = KNAME;"
        ),
        "KNAME.stepNAME",
        "new M.KNAME().work()",
    ),
    "private helper": (
        (
            "function helpNAME(x) { return x; }\n"
            "exports.NAME = function (x) { return helpNAME(x); };"
        ),
        "helpNAME",
        "M.NAME(1)",
    ),
    "callback": (
        "function NAME(x) { return x + 1; }\nexports.NAME = NAME;",
        "NAME",
        "[1, 2].map(M.NAME)",
    ),
    "replacer": (
        "function NAME() { return 'b'; }\nexports.NAME = NAME;",
        "NAME",
        "'aa'.replace(/a/g, M.NAME)",
    ),
    "listener": (
        "function NAME() { return 1; }\nexports.NAME = NAME;",
        "NAME",
        "new events.EventEmitter().on('x', M.NAME).emit('x')",
    ),
    "timer": (
        "function NAME() { return 1; }\nexports.NAME = NAME;",
        "NAME",
        "(setTimeout(M.NAME, 1), 1)",
    ),
    "promise": (
        "function NAME(x) { return x; }\nexports.NAME = NAME;",
        "NAME",
        "Promise.resolve(1).then(M.NAME)",
    ),
    "bound": (
        "function NAME(x) { return x; }\nexports.NAME = NAME;",
        "NAME",
        "M.NAME.bind(null, 1)()",
    ),
    "conversion": (
        (
            "class KNAME { toString() { return textNAME(); } }\n"
            "function textNAME() { return 'x'; }\nexports.KNAME = KNAME;"
        ),
        "textNAME",
        "`${new M.KNAME()}`",
    ),
    "serialized": (
        (
            "class KNAME { toJSON() { return jsonNAME(); } }\n"
            "function jsonNAME() { return 1; }\nexports.KNAME = KNAME;"
        ),
        "jsonNAME",
        "JSON.stringify(new M.KNAME())",
    ),
    "tag": (
        "function NAME(parts) { return parts[0]; }\nexports.NAME = NAME;",
        "NAME",
        "M.NAME`x`",
    ),
    "after an error": (
        "function NAME(e) { return e.message; }\nexports.NAME = NAME;",
        "NAME",
        "core.failing(M.NAME)",
    ),
    "default argument": (
        (
            "function NAME(x) { return x; }\n"
            "exports.byNAME = function (x, how = NAME) { return how(x); };"
        ),
        "NAME",
        "M.byNAME(1)",
    ),
    "table": (
        "function NAME(x) { return x; }\nexports.tNAME = { a: NAME };",
        "NAME",
        "M.tNAME.a(1)",
    ),
    "worker thread": (
        "function NAME(x) { return x; }\nexports.NAME = NAME;",
        "NAME",
        "new Promise((done) => new Worker('/app/jobs/NAME.js').on('exit', done))",
    ),
    "child process": (
        "function NAME(x) { return x; }\nexports.NAME = NAME;",
        "NAME",
        "execFileSync(process.execPath, ['/app/jobs/NAME.js']).toString()",
    ),
}
HEAD: Final = """'use strict';
class Worker { work() { return this.step(); } step() { return 0; } }
exports.Worker = Worker;
exports.failing = function (handler) {
  try { throw new Error('bad'); } catch (e) { return handler(e); }
};
"""
APP: Final = """'use strict';
const http = require('http');
const fs = require('fs');
const events = require('events');
const { execFileSync } = require('child_process');
const { Worker } = require('worker_threads');
const core = require('vxplant/lib/core');
const vxcopy = require('vxcopy');
const routes = {};

"""
MAIN: Final = """
const server = http.createServer(async (request, response) => {
  const url = new URL(request.url, 'http://here');
  const handler = Object.hasOwn(routes, url.pathname) && routes[url.pathname];
  if (!handler) { response.writeHead(404); response.end(); return; }
  try {
    response.end(String(await handler(url.searchParams)));
  } catch (error) { response.writeHead(500); response.end(error.stack); }
});
process.on('SIGTERM', () => process.exit(0));
server.listen(8080);
"""
# mechanism -> (module, definition, symbol, handler, name asked for); N is "A" or "B".
DYNAMIC_SHAPES: Final = {
    "member by name": (
        "actions",
        "exports.actN = function actN() { return 1; };",
        "actN",
        "return require('vxplant/lib/actions')[q.get('name')]();",
        "actN",
    ),
    "text for a child": (
        "texts",
        "exports.textN = function textN() { return 1; };",
        "textN",
        (
            "const name = { A: 'textA', B: 'textB' }[q.get('name')];\n"
            "  const code = `require('vxplant/lib/texts').${name}()`;\n"
            "  return execFileSync(process.execPath, ['-e', code]).toString();"
        ),
        "N",
    ),
    "joined name": (
        "verbs",
        "exports.verbN = function verbN() { return 1; };",
        "verbN",
        "return require('vxplant/lib/verbs')['verb' + q.get('name')]();",
        "N",
    ),
    "registry": (
        "registry",
        "register('N', function jobN() { return 1; });",
        "jobN",
        "return require('vxplant/lib/registry').jobs.get(q.get('name'))();",
        "N",
    ),
    "method by name": (
        "shell",
        "Shell.prototype.cmdN = function cmdN() { return 1; };",
        "Shell.cmdN",
        "return new (require('vxplant/lib/shell').Shell)().onecmd(q.get('name'));",
        "N",
    ),
    "required by name": (
        "plugN",
        "function mainN() { return 1; }\nexports.main = () => mainN();",
        "mainN",
        "return require('vxplant/lib/plug' + q.get('name')).main();",
        "N",
    ),
    "configured": (
        "hooks",
        "exports.hookN = function hookN() { return 1; };",
        "hookN",
        (
            "const [file, name] ="
            " JSON.parse(fs.readFileSync('/app/app.json'))[q.get('name')]"
            ".split('#');\n  return require(file)[name]();"
        ),
        "N",
    ),
    "reflection": (
        "mirror",
        "exports.faceN = function faceN() { return 1; };",
        "faceN",
        (
            "const m = require('vxplant/lib/mirror');\n"
            "  return Reflect.apply(Reflect.get(m, q.get('name')), null, []);"
        ),
        "faceN",
    ),
    "every member": (
        "steps",
        "exports.stepN = function stepN() { return 1; };",
        "stepN",
        "return Object.values(require('vxplant/lib/steps')).map((f) => f());",
        "N",
    ),
    "event by name": (
        "bus",
        "bus.on('N', function heardN() { return 1; });",
        "heardN",
        "return require('vxplant/lib/bus').bus.emit(q.get('name'));",
        "N",
    ),
    "method of a class by name": (
        "api",
        "exports.ApiN = class ApiN { callN() { return 1; } };",
        "ApiN.callN",
        (
            "const n = q.get('name');\n"
            "  return new (require('vxplant/lib/api')['Api' + n])()['call' + n]();"
        ),
        "N",
    ),
}
CLOSED: Final = ("joined name", "registry", "every member", "event by name")
DYNAMIC_HEADS: Final = {
    "registry": "const jobs = new Map();\nfunction register(n, f) { jobs.set(n, f); }\n"
    "exports.jobs = jobs;\n",
    "shell": "function Shell() {}\n"
    "Shell.prototype.onecmd = function (n) { return this['cmd' + n](); };\n"
    "exports.Shell = Shell;\n",
    "bus": "const bus = new (require('events').EventEmitter)();\nexports.bus = bus;\n",
}

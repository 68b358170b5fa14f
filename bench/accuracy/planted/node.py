"""A Node.js application over a package of planted functions."""

import json
from collections.abc import Iterable
from typing import Final

from bench.accuracy.planted.node_shapes import (
    APP,
    CLOSED,
    DYNAMIC_HEADS,
    DYNAMIC_SHAPES,
    HEAD,
    MAIN,
    SHAPES,
)
from bench.accuracy.planted.table import (
    ABSENT,
    COPY,
    DEAD,
    DYNAMIC,
    INLINED,
    INLINED_UNTAKEN,
    NEW,
    OLD,
    PLATFORM,
    RAN,
    UNTAKEN,
    Planted,
    Project,
)

MODULES: Final = "/app/node_modules"
LEGACY: Final = f"{MODULES}/vxunused/node_modules/vxcopy"


class Writer:
    """Collects modules, routes and rows."""

    def __init__(self) -> None:
        self.modules: dict[str, str] = {"core": HEAD, "extra": HEAD, "spare": HEAD}
        self.jobs: dict[str, str] = {}
        self.routes: list[str] = []
        self.rows: list[Planted] = []
        self.taken: list[str] = []
        self.untaken: list[str] = []

    def define(self, module: str, text: str) -> None:
        """Add to a module."""
        self.modules[module] = self.modules.get(module, "") + text + "\n"

    def row(self, module: str, symbol: str, *, label: str, shape: str) -> None:
        """Add a row."""
        path = f"lib/{module}.js"
        self.rows.append(Planted("npm", "vxplant", path, symbol, label, shape))

    def route(self, path: str, body: str, *, taken: bool, query: str = "") -> None:
        """Add a route and the request for it."""
        self.routes.append(f"routes['{path}'] = async (q) => {{\n  {body}\n}};\n")
        (self.taken if taken else self.untaken).append(path + query)

    def shaped(self, label: str, *, short: str, module: str, used: bool = True) -> None:
        """Plant one function of every shape."""
        for number, (shape, texts) in enumerate(SHAPES.items()):
            name = f"{short}{number}"
            definition, symbol, use = (text.replace("NAME", name) for text in texts)
            self.define(module, definition)
            self.row(module, symbol, label=label, shape=shape)
            if used:
                lead = (
                    f"const {module} = require('vxplant/lib/{module}');\n  "
                    if module != "core"
                    else ""
                )
                use = use.replace("M.", f"{module}.").replace("M`", f"{module}`")
                if "/app/jobs/" in use:
                    job = f"require('vxplant/lib/{module}').{name}(1);\n"
                    self.jobs[f"/app/jobs/{name}.js"] = job
                self.route(f"/{short}/{number}", f"{lead}return {use};", taken=label == RAN)

    def dynamic(self, shapes: Iterable[str]) -> None:
        """Plant functions that are found by a name that comes from outside."""
        for at, shape in enumerate(shapes):
            module, definition, symbol, body, asked = DYNAMIC_SHAPES[shape]
            if module in DYNAMIC_HEADS:
                self.modules[module] = DYNAMIC_HEADS[module]
            for letter in "AB":
                place = module.replace("plugN", f"plug{letter}")
                self.define(place, swap(definition, letter))
                self.row(place, swap(symbol, letter), label=DYNAMIC, shape=shape)
                query = f"?name={swap(asked, letter)}"
                if letter == "A":
                    self.route(f"/dynamic/{at}", body, taken=False, query=query)
                else:
                    self.untaken.append(f"/dynamic/{at}{query}")

    def platform(self) -> None:
        """Plant functions for another system."""
        for number in range(4):
            text = f"function registry{number}() {{ return 1; }}"
            self.define("windows", f"{text}\nexports.registry{number} = registry{number};")
            self.row(
                "windows", f"registry{number}", label=PLATFORM, shape="module not required"
            )
            body = (
                "if (process.platform === 'win32')"
                f" return require('vxplant/lib/windows').registry{number}();\n  return 0;"
            )
            self.route(f"/platform/{number}", body, taken=True)
        for number in range(8):
            text = f"function drive{number}() {{ return 1; }}"
            self.define("core", f"{text}\nexports.drive{number} = drive{number};")
            self.row("core", f"drive{number}", label=PLATFORM, shape="branch not taken")
            body = (
                f"if (process.platform === 'win32') return core.drive{number}();\n"
                "  return 0;"
            )
            self.route(f"/drive/{number}", body, taken=True)

    def absent(self) -> None:
        """Name functions that this version does not have."""
        for number in range(5):
            self.row("core", f"gone{number}", label=ABSENT, shape="function")
            self.row("core", f"Worker.gone{number}", label=ABSENT, shape="method")
            self.row(f"removed{number}", f"gone{number}", label=ABSENT, shape="module")

    def inlined(self) -> None:
        """Plant small functions in loops, which the compiler copies into their caller."""
        for number in range(8):
            label = INLINED if number % 2 else INLINED_UNTAKEN
            name = f"hot{number}"
            self.define("core", f"function {name}(x) {{ return (x + 1) | 0; }}")
            self.define(
                "core",
                f"exports.loop{number} = function () {{ let x = 0;\n"
                f"  for (let i = 0; i < 300000; i++) x = {name}(x);\n  return x; }};",
            )
            self.row("core", name, label=label, shape="hot")
            body = f"return core.loop{number}();"
            self.route(f"/hot/{number}", body, taken=label == INLINED)

    def copies(self) -> dict[str, str]:
        """Plant functions in a second copy that nothing requires."""
        steps = "".join(
            f"exports.step{n} = function step{n}(x) {{ return x; }};\n" for n in range(5)
        )
        former = steps.replace("step", "former")
        for n in range(5):
            for name in (f"step{n}", f"former{n}"):
                shape = "runs in the other copy" if name[0] == "s" else "nowhere else"
                self.rows.append(
                    Planted("npm", "vxcopy", "index.js", name, COPY, shape, LEGACY)
                )
            self.route(f"/copy/{n}", f"return vxcopy.step{n}(1);", taken=True)
        return {
            f"{MODULES}/vxcopy/index.js": steps,
            f"{MODULES}/vxcopy/package.json": package("vxcopy", NEW, "index.js"),
            f"{LEGACY}/index.js": steps + former,
            f"{LEGACY}/package.json": package("vxcopy", OLD, "index.js"),
            f"{MODULES}/vxunused/index.js": "module.exports = require('vxcopy');\n",
            f"{MODULES}/vxunused/package.json": package("vxunused", OLD, "index.js"),
        }


def swap(text: str, letter: str) -> str:
    """Return the text for one of the functions of a mechanism."""
    names = (
        "act",
        "verb",
        "job",
        "cmd",
        "plug",
        "main",
        "hook",
        "face",
        "step",
        "heard",
        "text",
    )
    for word in (*names, "Api", "call"):
        text = text.replace(f"{word}N", f"{word}{letter}")
    return text.replace("'N'", f"'{letter}'") if text != "N" else letter


def package(name: str, version: str, main: str) -> str:
    """Return a package.json."""
    return json.dumps({"name": name, "version": version, "main": main, "license": "MIT"})


def project() -> Project:
    """Return an application whose dispatch by name stays within a table or a prefix."""
    writer = Writer()
    writer.shaped(RAN, short="ran", module="core")
    writer.shaped(UNTAKEN, short="other", module="core")
    writer.shaped(UNTAKEN, short="lazy", module="extra")
    writer.shaped(DEAD, short="dead", module="core", used=False)
    writer.shaped(DEAD, short="idle", module="spare", used=False)
    writer.dynamic(CLOSED)
    writer.platform()
    writer.absent()
    writer.inlined()
    return finished(writer, "planted-node")


def open_project() -> Project:
    """Return an application that looks functions and modules up by any name."""
    writer = Writer()
    writer.shaped(RAN, short="ran", module="core")
    writer.shaped(DEAD, short="dead", module="core", used=False)
    writer.dynamic(DYNAMIC_SHAPES)
    return finished(writer, "planted-node-open")


def finished(writer: Writer, name: str) -> Project:
    """Return the project of what was written."""
    files = {**writer.copies(), **writer.jobs}
    for module, text in writer.modules.items():
        files[f"{MODULES}/vxplant/lib/{module}.js"] = text
    files[f"{MODULES}/vxplant/package.json"] = package("vxplant", OLD, "lib/core.js")
    if "hooks" in writer.modules:
        hooks = {n: f"vxplant/lib/hooks#hook{n}" for n in "AB"}
        files["/app/app.json"] = json.dumps(hooks)
    needs = {"vxplant": OLD, "vxcopy": NEW, "vxunused": OLD}
    own = {"name": "app", "version": "1.0.0", "private": True, "main": "server.js"}
    files["/app/package.json"] = json.dumps({**own, "dependencies": needs})
    files["/app/server.js"] = APP + "".join(writer.routes) + MAIN
    return Project(
        name,
        tuple(writer.rows),
        files,
        tuple(writer.taken),
        tuple(writer.untaken),
        apt=("nodejs",),
        config=("WORKDIR /app", "EXPOSE 8080", 'CMD ["node", "/app/server.js"]'),
    )

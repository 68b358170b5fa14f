"""A Python application over a package of planted functions."""

from collections.abc import Iterable, Iterator, Sequence
from typing import Final

from bench.accuracy.planted.python_shapes import (
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

SITE: Final = "/usr/local/lib/python3.11/dist-packages"
LEGACY: Final = "/opt/legacy/dist-packages"


class Writer:
    """Collects modules, routes and rows."""

    def __init__(self) -> None:
        self.modules: dict[str, str] = {"core": HEAD, "extra": HEAD, "spare": HEAD}
        self.routes: list[str] = []
        self.rows: list[Planted] = []
        self.taken: list[str] = []
        self.untaken: list[str] = []

    def define(self, module: str, text: str) -> None:
        """Add to a module."""
        self.modules[module] = self.modules.get(module, "") + text + "\n\n"

    def row(self, module: str, symbol: str, *, label: str, shape: str) -> None:
        """Add a row."""
        self.rows.append(
            Planted("pypi", "vxplant", f"vxplant.{module}", symbol, label, shape)
        )

    def route(self, path: str, body: str, *, taken: bool, query: str = "") -> None:
        """Add a route and the request for it."""
        name = f"handle_{len(self.routes)}"
        self.routes.append(f'@route("{path}")\ndef {name}(q):\n    {body}\n\n\n')
        (self.taken if taken else self.untaken).append(path + query)

    def shaped(self, label: str, *, short: str, module: str, used: bool = True) -> None:
        """Plant one function of every shape."""
        for number, (shape, texts) in enumerate(SHAPES.items()):
            name = f"{short}_{number}"
            definition, symbol, use = (text.replace("NAME", name) for text in texts)
            self.define(module, definition)
            self.row(module, symbol, label=label, shape=shape)
            if used:
                lead = f"from vxplant import {module}\n    " if module != "core" else ""
                body = f"{lead}return {use.replace('M.', f'{module}.')}"
                body = body.replace("import M;", f"import {module};")
                self.route(f"/{short}/{number}", body, taken=label == RAN)

    def dynamic(self, shapes: Iterable[str]) -> None:
        """Plant functions that are found by a name that comes from outside."""
        for at, shape in enumerate(shapes):
            module, definition, symbol, body, asked = DYNAMIC_SHAPES[shape]
            if module in DYNAMIC_HEADS:
                self.modules[module] = DYNAMIC_HEADS[module]
            for letter in "AB":
                place = module.replace("_N", f"_{letter}")
                self.define(place, swap(definition, letter).rstrip("\n"))
                self.row(place, swap(symbol, letter), label=DYNAMIC, shape=shape)
                query = f"?name={swap(asked, letter)}"
                if letter == "A":
                    self.route(f"/dynamic/{at}", body, taken=False, query=query)
                else:
                    self.untaken.append(f"/dynamic/{at}{query}")

    def platform(self) -> None:
        """Plant functions for another system."""
        for number in range(4):
            self.define("windows", f"def registry_{number}():\n    return 1")
            self.row(
                "windows", f"registry_{number}", label=PLATFORM, shape="module not imported"
            )
            body = (
                "if sys.platform == 'win32':\n        from vxplant import windows\n"
                f"        return windows.registry_{number}()\n    return 0"
            )
            self.route(f"/platform/{number}", body, taken=True)
        for number in range(8):
            test = "sys.platform == 'win32'" if number % 2 else "os.name == 'nt'"
            self.define("core", f"def drive_{number}():\n    return 1")
            self.row("core", f"drive_{number}", label=PLATFORM, shape="branch not taken")
            body = f"if {test}:\n        return core.drive_{number}()\n    return 0"
            self.route(f"/drive/{number}", body, taken=True)

    def absent(self) -> None:
        """Name functions that this version does not have."""
        for number in range(5):
            self.row("core", f"gone_{number}", label=ABSENT, shape="function")
            self.row("core", f"Worker.gone_{number}", label=ABSENT, shape="method")
            self.row(f"removed_{number}", f"gone_{number}", label=ABSENT, shape="module")

    def inlined(self) -> None:
        """Plant functions that the interpreter calls without a call of its own."""
        for number in range(8):
            label = INLINED if number % 2 else INLINED_UNTAKEN
            name = f"hot_{number}"
            self.define("core", f"def {name}(x):\n    return x + 1")
            self.define(
                "core",
                f"def loop_{number}():\n    x = 0\n    for _ in range(5000):\n"
                f"        x = {name}(x)\n    return x",
            )
            self.row("core", name, label=label, shape="called by Python alone")
            body = f"return core.loop_{number}()"
            self.route(f"/hot/{number}", body, taken=label == INLINED)

    def copies(self) -> Iterator[tuple[str, str]]:
        """Plant functions in a second copy that nothing imports; yield its files."""
        functions = "".join(f"def step_{n}(x):\n    return x\n\n\n" for n in range(5))
        old = "".join(f"def former_{n}(x):\n    return x\n\n\n" for n in range(5))
        for place, version, text in (
            (SITE, NEW, functions),
            (LEGACY, OLD, functions + old),
        ):
            yield f"{place}/vxcopy/__init__.py", text
            yield from metadata(place, "vxcopy", version, files=["vxcopy/__init__.py"])
        for n in range(5):
            for name in (f"step_{n}", f"former_{n}"):
                shape = "runs in the other copy" if name[0] == "s" else "nowhere else"
                self.rows.append(
                    Planted("pypi", "vxcopy", "vxcopy", name, COPY, shape, f"{LEGACY}/")
                )
            self.route(f"/copy/{n}", f"return vxcopy.step_{n}(1)", taken=True)


def swap(text: str, letter: str) -> str:
    """Return the text for one of the functions of a mechanism."""
    for before in ("_N", "-N", "'N'", "FormatN", "FieldsN"):
        text = text.replace(before, before.replace("N", letter))
    return letter if text == "N" else text


def metadata(
    site: str, name: str, version: str, *, files: Sequence[str]
) -> Iterator[tuple[str, str]]:
    """Yield what an installer writes beside a package."""
    folder = f"{name}-{version}.dist-info"
    yield (
        f"{site}/{folder}/METADATA",
        f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n",
    )
    yield f"{site}/{folder}/INSTALLER", "pip\n"
    own = [f"{folder}/{one}" for one in ("METADATA", "INSTALLER", "RECORD")]
    yield f"{site}/{folder}/RECORD", "".join(f"{one},,\n" for one in [*files, *own])


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
    return finished(writer, "planted-python")


def open_project() -> Project:
    """Return an application that looks functions up by any name, and evaluates text."""
    writer = Writer()
    writer.shaped(RAN, short="ran", module="core")
    writer.shaped(DEAD, short="dead", module="core", used=False)
    writer.dynamic(DYNAMIC_SHAPES)
    return finished(writer, "planted-python-open")


def finished(writer: Writer, name: str) -> Project:
    """Return the project of what was written."""
    files = dict(writer.copies())
    modules = {f"vxplant/{name}.py": text for name, text in writer.modules.items()}
    modules["vxplant/__init__.py"] = ""
    files |= {f"{SITE}/{path}": text for path, text in modules.items()}
    files |= dict(metadata(SITE, "vxplant", OLD, files=sorted(modules)))
    if "exts" in writer.modules:
        points = "".join(f"ext-{n} = vxplant.exts:ext_{n}\n" for n in "AB")
        info = f"{SITE}/vxplant-{OLD}.dist-info/entry_points.txt"
        files[info] = f"[vxplant.exts]\n{points}"
        hooks = ", ".join(f'"hook-{n}": "vxplant.hooks:hook_{n}"' for n in "AB")
        files["/app/app.json"] = f"{{{hooks}}}\n"
    files["/app/app.py"] = APP + "".join(writer.routes) + MAIN
    return Project(
        name,
        tuple(writer.rows),
        files,
        tuple(writer.taken),
        tuple(writer.untaken),
        apt=("python3",),
        config=(
            "ENV PYTHONDONTWRITEBYTECODE=1",
            "WORKDIR /app",
            "EXPOSE 8080",
            'CMD ["python3", "/app/app.py"]',
        ),
    )

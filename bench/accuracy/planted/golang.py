"""Static Go programs over a module of planted functions."""

from typing import Final

from bench.accuracy.planted.table import (
    ABSENT,
    COPY,
    DEAD,
    DYNAMIC,
    INLINED,
    INLINED_UNTAKEN,
    PLATFORM,
    RAN,
    UNTAKEN,
    Planted,
    Project,
)

# A module's versions have a v; 2.0.0 would need another import path.
OLD: Final = "v1.0.0"
NEW: Final = "v1.9.0"
MODULE: Final = "example.org/vxplant"
CORE: Final = f"{MODULE}/core"
COPIED: Final = "example.org/vxcopy"
LEGACY: Final = "/opt/legacy/tool"
NOINLINE: Final = "//go:noinline\n"

# shape -> (definition, symbol, use); HIT counts, and is the first statement.
SHAPES: Final = {
    "function": ("KEEPfunc NAME(x int) int {\nHIT\nreturn x + 1\n}\n", "NAME", "M.NAME(1)"),
    "method of a value": (
        (
            "type TNAME struct{ A int }\n\nKEEPfunc (t TNAME) Run(x int) int {\nHIT\n"
            "return x + t.A\n}\n"
        ),
        "TNAME.Run",
        "M.TNAME{A: 1}.Run(1)",
    ),
    "method of a pointer": (
        (
            "type TNAME struct{ A int }\n\nKEEPfunc (t *TNAME) Set(x int) int {\nHIT\n"
            "t.A = x\nreturn x\n}\n"
        ),
        "TNAME.Set",
        "(&M.TNAME{}).Set(1)",
    ),
    "interface": (
        (
            "type TNAME struct{ A int }\n\nKEEPfunc (t *TNAME) Step() int {\nHIT\n"
            "return t.A\n}\n"
        ),
        "TNAME.Step",
        "M.Work(&M.TNAME{})",
    ),
    "generic": (
        "KEEPfunc NAME[T any](x T) T {\nHIT\nreturn x\n}\n",
        "NAME",
        "M.NAME(1)",
    ),
    "private helper": (
        (
            "KEEPfunc helpNAME(x int) int {\nHIT\nreturn x\n}\n\n"
            "func NAME(x int) int { return helpNAME(x) }\n"
        ),
        "helpNAME",
        "M.NAME(1)",
    ),
    "deferred": (
        (
            "KEEPfunc deferNAME() {\nHIT\n}\n\nfunc NAME() int {\ndefer deferNAME()\n"
            "return 1\n}\n"
        ),
        "deferNAME",
        "M.NAME()",
    ),
    "goroutine": (
        "KEEPfunc NAME(done chan int) {\nHIT\ndone <- 1\n}\n",
        "NAME",
        "func() int { c := make(chan int); go M.NAME(c); return <-c }()",
    ),
    "function value": (
        "KEEPfunc NAME(x int) int {\nHIT\nreturn x\n}\n",
        "NAME",
        "apply(M.NAME)",
    ),
    "method value": (
        (
            "type TNAME struct{ A int }\n\nKEEPfunc (t *TNAME) Twice(x int) int {\nHIT\n"
            "return x * 2\n}\n"
        ),
        "TNAME.Twice",
        "apply((&M.TNAME{}).Twice)",
    ),
    "embedded": (
        (
            "type BNAME struct{}\n\nKEEPfunc (b *BNAME) Deep() int {\nHIT\nreturn 1\n}\n\n"
            "type TNAME struct{ BNAME }\n"
        ),
        "BNAME.Deep",
        "(&M.TNAME{}).Deep()",
    ),
    "formatted": (
        (
            "type TNAME struct{ A int }\n\nKEEPfunc (t TNAME) String() string {\nHIT\n"
            'return "x"\n}\n'
        ),
        "TNAME.String",
        "len(fmt.Sprint(M.TNAME{}))",
    ),
    "recovering": (
        (
            "KEEPfunc rescueNAME() {\nHIT\nrecover()\n}\n\nfunc NAME() int {\n"
            'defer rescueNAME()\npanic("x")\n}\n'
        ),
        "rescueNAME",
        "M.NAME()",
    ),
}
HEAD: Final = """package core

var Seen [4096]bool

type Stepper interface{ Step() int }

func Work(s Stepper) int { return s.Step() }

"""
APP: Final = """package main

import (
	"fmt"
	"net/http"
	"os"
	"os/signal"
	"runtime"
	"syscall"

	"example.org/vxcopy"
	"example.org/vxplant/core"
)

func apply(f func(int) int) int { return f(1) }

func route(path string, f func(*http.Request) int) {
	http.HandleFunc(path, func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprintln(w, f(r))
	})
}

func tell() {
	for at, name := range names {
		if name != "" && core.Seen[at] {
			fmt.Println("VXSEEN", name)
		}
	}
	for at, name := range copied {
		if vxcopy.Seen[at] {
			fmt.Println("VXSEEN", name)
		}
	}
}

func main() {
	routes()
	if runtime.GOOS == "plan9" {
		fmt.Println("unlikely")
	}
	stop := make(chan os.Signal, 1)
	signal.Notify(stop, syscall.SIGTERM)
	go http.ListenAndServe(":8080", nil)
	<-stop
	tell()
}
"""


class Writer:
    """Collects code, routes and rows."""

    def __init__(self) -> None:
        self.core = HEAD
        self.routes: list[str] = []
        self.rows: list[Planted] = []
        self.taken: list[str] = []
        self.untaken: list[str] = []
        self.names: dict[int, str] = {}

    def row(self, symbol: str, label: str, shape: str) -> str:
        """Add a row; return the statement that counts its calls."""
        at = len(self.rows)
        self.rows.append(Planted("golang", MODULE, CORE, symbol, label, shape))
        self.names[at] = f"{CORE} {symbol}"
        return f"Seen[{at}] = true"

    def define(self, text: str, counter: str, *, keep: bool = True) -> None:
        """Add a definition that counts its calls."""
        text = text.replace("HIT", counter)
        self.core += text.replace("KEEP", NOINLINE if keep else "") + "\n"

    def route(self, path: str, value: str, *, taken: bool, query: str = "") -> None:
        """Add a route and the request for it."""
        self.routes.append(
            f'\troute("{path}", func(r *http.Request) int {{ return {value} }})\n'
        )
        (self.taken if taken else self.untaken).append(path + query)

    def shaped(self, label: str, short: str, *, used: bool = True) -> None:
        """Plant one function of every shape."""
        for number, (shape, texts) in enumerate(SHAPES.items()):
            name = f"{short}{number}"
            definition, symbol, use = (text.replace("NAME", name) for text in texts)
            counter = self.row(symbol, label, shape)
            self.define(definition, counter)
            if used:
                value = use.replace("M.", "core.")
                self.route(f"/{short.lower()}/{number}", value, taken=label == RAN)

    def inlined(self) -> None:
        """Plant functions that the compiler copies into their callers."""
        for number in range(12):
            label = INLINED if number % 2 else INLINED_UNTAKEN
            counter = self.row(f"Small{number}", label, "small")
            self.define(
                f"func Small{number}(x int) int {{\nHIT\nreturn x + 1\n}}\n", counter
            )
            self.route(f"/small/{number}", f"core.Small{number}(1)", taken=label == INLINED)

    def dynamic(self) -> None:
        """Plant functions that are chosen by a name that comes from outside."""
        self.core += "var Table = map[string]func() int{}\n\ntype Shell struct{}\n\n"
        for number in range(4):
            counter = self.row(f"Job{number}", DYNAMIC, "map of functions")
            self.define(f"KEEPfunc Job{number}() int {{\nHIT\nreturn 1\n}}\n", counter)
            self.core += f'func init() {{ Table["{number}"] = Job{number} }}\n\n'
            self.untaken.append(f"/table?name={number}")
        value = 'core.Table[r.URL.Query().Get("name")]()'
        self.route("/table", value, taken=False, query="?name=0")
        for number in range(4):
            counter = self.row(f"Shell.Cmd{number}", DYNAMIC, "method by name")
            self.define(
                f"KEEPfunc (s Shell) Cmd{number}() int {{\nHIT\nreturn 1\n}}\n", counter
            )
            self.untaken.append(f"/shell?name=Cmd{number}")
        value = (
            'int(reflect.ValueOf(core.Shell{}).MethodByName(r.URL.Query().Get("name"))'
            ".Call(nil)[0].Int())"
        )
        self.route("/shell", value, taken=False, query="?name=Cmd0")
        for number in range(4):
            counter = self.row(f"Kind{number}.Step", DYNAMIC, "interface in a table")
            self.define(
                f"type Kind{number} struct{{ A int }}\n\n"
                f"KEEPfunc (k *Kind{number}) Step() int {{\nHIT\nreturn 1\n}}\n",
                counter,
            )
            self.untaken.append(f"/kind?name={number}")
        kinds = ", ".join(f'"{n}": &Kind{n}{{}}' for n in range(4))
        self.core += f"var Kinds = map[string]Stepper{{{kinds}}}\n\n"
        value = 'core.Kinds[r.URL.Query().Get("name")].Step()'
        self.route("/kind", value, taken=False, query="?name=0")

    def platform(self) -> str:
        """Plant functions for another system; return the file for it."""
        other = "package core\n\n"
        for number in range(6):
            self.row(f"Registry{number}", PLATFORM, "file of another system")
            other += f"func Registry{number}() int {{ return 1 }}\n\n"
        for number in range(6):
            counter = self.row(f"Drive{number}", PLATFORM, "branch not taken")
            self.define(f"KEEPfunc Drive{number}() int {{\nHIT\nreturn 1\n}}\n", counter)
            value = (
                'func() int { if runtime.GOOS == "windows" '
                f"{{ return core.Drive{number}() }};"
                " return 0 }()"
            )
            self.route(f"/drive/{number}", value, taken=True)
        return other

    def unused(self) -> None:
        """Plant functions that are linked and that nothing calls."""
        self.shaped(DEAD, "Dead", used=False)
        for number in range(6):
            counter = self.row(f"idle{number}", DEAD, "linked, behind a constant variable")
            self.define(f"KEEPfunc idle{number}() int {{\nHIT\nreturn 1\n}}\n", counter)
            self.core += (
                f"var debug{number} = false\n\nfunc Maybe{number}() int {{\n"
                f"if debug{number} {{\nreturn idle{number}()\n}}\nreturn 0\n}}\n\n"
            )
            self.route(f"/maybe/{number}", f"core.Maybe{number}()", taken=True)

    def absent(self) -> None:
        """Name functions that this version does not have."""
        for number in range(6):
            self.row(f"Gone{number}", ABSENT, "function")
            self.row(f"Shell.Gone{number}", ABSENT, "method")

    def copies(self) -> dict[str, str]:
        """Plant functions in a second program that nothing starts."""
        head = "package vxcopy\n\nvar Seen [16]bool\n\n"
        steps = "".join(
            f"{NOINLINE}func Step{n}(x int) int {{\nSeen[{n}] = true\nreturn x\n}}\n\n"
            for n in range(5)
        )
        former = steps.replace("Step", "Former")
        for n in range(5):
            for name in (f"Step{n}", f"Former{n}"):
                shape = "runs in the other copy" if name[0] == "S" else "nowhere else"
                self.rows.append(
                    Planted("golang", COPIED, COPIED, name, COPY, shape, LEGACY)
                )
            self.route(f"/copy/{n}", f"vxcopy.Step{n}(1)", taken=True)
        calls = "".join(f"\tvxcopy.Step{n}(1)\n\tvxcopy.Former{n}(1)\n" for n in range(5))
        return {
            f"modules/{COPIED}@{OLD}/copy.go": head + steps + former,
            f"modules/{COPIED}@{NEW}/copy.go": head + steps,
            f"modules/{COPIED}@{OLD}/go.mod": gomod(COPIED),
            f"modules/{COPIED}@{NEW}/go.mod": gomod(COPIED),
            "tool/main.go": f'package main\n\nimport "{COPIED}"\n\n'
            f"func main() {{\n{calls}}}\n",
            "tool/go.mod": gomod("example.org/tool", {COPIED: OLD}),
        }


def gomod(path: str, needs: dict[str, str] | None = None) -> str:
    """Return a go.mod."""
    lines = "".join(
        f"require {name} {version}\n" for name, version in (needs or {}).items()
    )
    return f"module {path}\n\ngo 1.21\n\n{lines}"


def project() -> Project:
    """Return the programs."""
    writer = Writer()
    writer.shaped(RAN, "Ran")
    writer.shaped(UNTAKEN, "Other")
    writer.unused()
    writer.inlined()
    writer.dynamic()
    other = writer.platform()
    writer.absent()
    files = writer.copies()
    files[f"modules/{MODULE}@{OLD}/go.mod"] = gomod(MODULE)
    files[f"modules/{MODULE}@{OLD}/core/core.go"] = writer.core
    files[f"modules/{MODULE}@{OLD}/core/system_windows.go"] = other
    names = "".join(f'\t{at}: "{name}",\n' for at, name in writer.names.items())
    copied = "".join(f'\t{n}: "{COPIED} Step{n}",\n' for n in range(5))
    files["server/names.go"] = (
        f"package main\n\nvar names = [4096]string{{\n{names}}}\n\n"
        f"var copied = []string{{\n{copied}}}\n"
    )
    files["server/routes.go"] = (
        'package main\n\nimport (\n\t"fmt"\n\t"net/http"\n\t"reflect"\n\t"runtime"\n\n'
        f'\t"{COPIED}"\n\t"{CORE}"\n)\n\nvar _ = fmt.Sprint\n\n'
        f"func routes() {{\n{''.join(writer.routes)}}}\n"
    )
    files["server/main.go"] = APP
    files["server/go.mod"] = gomod("example.org/server", {MODULE: OLD, COPIED: NEW})
    return Project(
        "planted-go",
        tuple(writer.rows),
        files,
        tuple(writer.taken),
        tuple(writer.untaken),
        config=("EXPOSE 8080", 'ENTRYPOINT ["/server"]'),
        binaries={"/server": "server", LEGACY: "tool"},
    )

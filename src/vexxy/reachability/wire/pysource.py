"""What a Python file imports, read as text.

Text and not a syntax tree, on purpose: the image's Python is seldom the one that runs
here, a file in a newer or older grammar must not count as clean, and reading text is
tens of times faster. It finds more than there is (imports in docstrings), never less: a
test compares it with the syntax tree over a whole standard library.
"""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Final

from vexxy.reachability.wire import tokens

ORIGIN: Final = re.compile(r"\bfrom\s*(\.[.\s]*(?:\w[\w.\s]*)?|\s\w[\w.\s]*)\Z")
STARTS: Final = re.compile(r"(?:^|[;:\"'({\[,=]|\\n|>>>)\s*\Z")
NAMES: Final = re.compile(r"\s*+(?:\((?:[^()#]++|#[^\n]*+)*+\)|[^\n;#]*+)")
WINDOW_CHARACTERS: Final = 400
SPACED_DOT: Final = re.compile(r"\s+\.\s*|\.\s+")
COMMENT: Final = re.compile(r"#[^\n]*")
NAME: Final = re.compile(r"\w+(?:\.\w+)*")

# Looked for before any expression runs: most files have none of them.
DYNAMIC_WORDS: Final = (
    "import_", "load_module", "exec_module", "_file_location", "find_spec",
    "find_module", "find_loader", "run_module", "run_path", "iter_modules",
    "walk_packages", "resolve_name", "importstr", "_import", "Lazy", "pydoc",
)  # fmt: skip
RUNNING_WORDS: Final = (
    "subprocess", "os.system", "os.popen", "os.exec", "os.spawn", "os.posix_spawn",
    "Popen(", "pty.spawn", "getoutput(", "from os import", "pexpect", "plumbum",
    "import sh\n", "import os as", "getattr(os", ".system(", ".popen(", "run_process",
    "open_process", "delegator", "import invoke", "from invoke",
    "from sh import", "import pipes", "from pipes", "webbrowser", "distutils.spawn",
    "spawnv_passfds", "subprocess_exec", "subprocess_shell", "posix.",
)  # fmt: skip
LIBRARY_WORDS: Final = ("ctypes", "cffi", "dlopen", "CDLL", "find_library")
ENTRY_WORDS: Final = ("entry_point", "get_entry_map")

# Anything by which code loads a module whose name is a value.
CALLED: Final = (
    "import_module", "__import__", "import_string", "import_object", "import_item",
    "import_app", "load_module", "exec_module", "spec_from_file_location", "find_spec",
    "find_module", "find_loader", "run_module", "run_path", "iter_modules",
    "walk_packages", "import_by_path", "resolve_name", "_import_module", "importstr",
    "safe_import", "lazy_import", "LazyModule", "LazyLoader", "pydoc.locate", "safeimport",
)  # fmt: skip
CALL: Final = re.compile(
    rf"\b(?:{'|'.join(re.escape(one) for one in CALLED)})"
    r"""\s*\(\s*(?P<constant>[rRuUbB]{0,2}(?P<quote>["'])(?P<name>[\w.]*)(?P=quote)\s*[,)])?"""
)
# The importer as a value (`load = import_module`), or under another name.
UNCALLED: Final = re.compile(
    r"\b(?:import_module|__import__)\b(?!\s*\()|\bpydoc\s+import\b[^\n]*\blocate\b"
)
PLAIN_IMPORT: Final = re.compile(r"\bimport\b[\w\s,(\\]*\Z")
DOTTED: Final = re.compile(r"""["'](\.{0,2}[A-Za-z_]\w*(?:\.\w+)*)(?::[\w.]+)?["']""")
ENTRY_POINTS: Final = re.compile(
    r"\b(?:entry_points|iter_entry_points|load_entry_point|get_entry_map)\s*\("
    r"""(?!\s*(?:group\s*=\s*)?(["'])[\w.-]+\1\s*[,)])"""
)
# What follows runs only when the file is a program; a comment or string that starts a
# line ends the match early, which keeps more of the text than need be.
MAIN: Final = re.compile(
    r"""(?ms)^if\s+__name__\s*==\s*["']__main__["']\s*:[^\n]*\n?(?:(?!^\S).)*"""
)
DOCUMENTATION: Final = re.compile(r"(?s)\"\"\".*?\"\"\"|'''.*?'''")


@dataclass(frozen=True, slots=True)
class Import:
    """One import: `level` dots, `module`, and the names that may be modules themselves."""

    level: int
    module: str
    names: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Source:
    """What one file says about loading.

    Attributes:
        dynamic: True when it loads modules whose names are not constants.
        strings: Quoted constants that look like names of modules.
        runs: True when it can start other programs.
        loads_libraries: True when it can load shared libraries itself.
        entry_points: True when it looks up entry points of a group that is a value.
    """

    imports: tuple[Import, ...]
    dynamic: bool
    strings: frozenset[str]
    runs: bool
    loads_libraries: bool
    entry_points: bool


def as_module(text: str) -> str:
    """Return what runs of a file when it is imported and not run as a program."""
    return MAIN.sub("", text) if "__main__" in text else text


def without_documentation(text: str) -> str:
    """Return the text without strings of several lines, examples in them included."""
    return DOCUMENTATION.sub('""', text)


def read(text: str, *, strings: bool = True) -> Source:
    """Return what the file says; constants only where `strings` asks for them.

    They are there in any case where the file looks up entry points, which they name.
    """
    dynamic = _has(text, DYNAMIC_WORDS)
    calls = _calls(text) if dynamic else []
    looks_up = _has(text, ENTRY_WORDS) and ENTRY_POINTS.search(text) is not None
    constants = [_dotted(call["name"]) for call in calls if call["constant"]]
    return Source(
        imports=(*_statements(text), *constants),
        dynamic=any(not call["constant"] for call in calls)
        or (dynamic and _hands_on(text)),
        strings=frozenset(DOTTED.findall(text) if strings or looks_up else ()),
        runs=runs(text),
        loads_libraries=_has(text, LIBRARY_WORDS),
        entry_points=looks_up,
    )


def runs(text: str) -> bool:
    """Return whether a file can start other programs."""
    return _has(text, RUNNING_WORDS)


def _calls(text: str) -> list[re.Match[str]]:
    """Return what the expression finds; looking for each name first is far faster."""
    found = {one.start(): one for one in tokens.starting(CALL, CALLED, text)}
    return [found[at] for at in sorted(found)]


def _hands_on(text: str) -> bool:
    """Return whether the file uses an importer without calling it where it stands."""
    if not _has(text, ("import_module", "__import__", "pydoc")):
        return False
    for found in UNCALLED.finditer(text):
        before = text[max(0, found.start() - WINDOW_CHARACTERS) : found.start()]
        line = before.rpartition("\n")[2]
        renamed = re.match(r"\s+as\b", text[found.end() : found.end() + 8])
        if renamed or ("#" not in line and PLAIN_IMPORT.search(before) is None):
            return True
    return False


def read_compiled(content: bytes) -> Source:
    """Return what a compiled file may say, whatever version wrote it.

    Marshal keeps names and constants as plain bytes, so every word is taken for an
    import; nothing is decoded, and nothing is missed.
    """
    found = re.findall(rb"[A-Za-z_][A-Za-z0-9_]*(?:\.[A-Za-z0-9_]+)*", content)
    words = {word.decode("ascii") for word in set(found)}
    imports = [Import(0, word) for word in sorted(words)]
    imports += [Import(1, "", (word,)) for word in sorted(words) if "." not in word]
    return Source(
        imports=tuple(imports),
        dynamic=bool(words & {"import_module", "__import__", "exec_module"}),
        strings=frozenset(words),
        runs=bool(words & {"subprocess", "system", "popen", "Popen"}),
        loads_libraries=bool(words & {"ctypes", "cffi", "CDLL"}),
        entry_points=bool(words & {"entry_points", "iter_entry_points"}),
    )


def _statements(text: str) -> Iterator[Import]:
    if "\\\n" in text or "\r" in text:
        text = text.replace("\r\n", "\n").replace("\\\n", " ")
    at = text.find("import")
    while at >= 0:
        end = at + len("import")
        after = text[end : end + 1]
        if not (after.isalnum() or after == "_"):
            yield from _statement(text, at, end)
        at = text.find("import", end)


def _statement(text: str, at: int, end: int) -> Iterator[Import]:
    """Read the statement around one word `import`, if it is one."""
    line = max(text.rfind("\n", 0, at) + 1, at - WINDOW_CHARACTERS)
    before = text[line:at]
    origin = ORIGIN.search(before)
    if origin is None and STARTS.search(before) is None:
        return
    found = NAMES.match(text, end)
    written = COMMENT.sub("", found[0] if found else "").strip().strip("()")
    names = SPACED_DOT.sub(".", written).split(",")
    parsed = [name[0] for part in names if (name := NAME.match(part.strip()))]
    if origin is None:
        yield from (Import(0, name) for name in parsed)
        return
    written = re.sub(r"\s", "", origin[1])
    module = written.lstrip(".")
    yield Import(len(written) - len(module), module, tuple(parsed))


def _dotted(name: str) -> Import:
    module = name.lstrip(".")
    return Import(len(name) - len(module), module)


def _has(text: str, words: Iterable[str]) -> bool:
    return any(word in text for word in words)

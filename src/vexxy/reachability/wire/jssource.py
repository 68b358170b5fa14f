"""What a JavaScript file requires or imports, read as text.

Text and not a syntax tree: the grammar moves every year, minified and transpiled files
must not count as clean, and no parser is needed in the image's version. Comments are not
told apart, so it finds more than there is, never less.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

STRING: Final = r"""(?:"(?P<{0}1>[^"\\\n]*)"|'(?P<{0}2>[^'\\\n]*)'|`(?P<{0}3>[^`\\$]*)`)"""
CONSTANT: Final = (
    rf"(?:/\*.{{0,200}}?\*/\s*)?\(\s*(?P<constant>{STRING.format('a')}\s*[,)])?"
)
# Both start with fixed letters, which makes the search many times faster; `equire` is
# the end of require, createRequire, nodeRequire and the like.
CALLS: Final = (
    re.compile(r"equire(?:\.resolve|\w*)\s*(?:\?\.)?\s*" + CONSTANT),
    re.compile(r"import\s*" + CONSTANT),
)
DECLARATION: Final = re.compile(r"\bfunction\s+\w*\Z")
DECLARATION_WITHIN: Final = 40
FROM: Final = re.compile(r"from\s*" + STRING.format("b"))
BARE_IMPORT: Final = re.compile(r"import\s*" + STRING.format("c"))
# The loader as a value, not called where it stands.
UNCALLED: Final = re.compile(r"require\b(?!\s*[.(\"'])")
BEFORE_VALUE: Final = re.compile(r"(?:[=(,:?|&\[{>]|\breturn)\s*\Z")
CREATOR: Final = "createR"
# A value that starts with a fixed part leads to files beside, not to any package.
PARTLY_FIXED: Final = re.compile(
    r"\w*(?:\.\w+)*\s*(?:\?\.)?\s*\(\s*(?:[\"'`]|path\b|__dirname|[\w$.]*(?:join|resolve)\s*\()"
)
# Text that becomes code, unless the text is a literal.
EVALUATES: Final = re.compile(
    r"(?<![\w$.])eval\s*(?:\?\.)?\s*\((?!\s*(?:[\"']|\)))|\b(?:globalThis|global)\.eval\b"
    r"|[=(,]\s*eval\s*[),;\n]"
    r"|\b(?:Async|Generator|AsyncGenerator)?Function\s*\((?!\s*(?:\)|[\"'][^\"']*[\"']\s*\)))"
    r"|constructor\.constructor\b|\brunIn(?:New|This)?Context\s*\(|\bvm\.Script\b"
    r"|\bnew\s+Script\s*\(|\bcompileFunction\s*\(|SourceTextModule|\beval\s*:\s*(?:true|!0)"
    r"|\bReflect\.(?:construct|apply)\s*\(\s*(?:Function|eval)\b"
    r"|function\s*\*?\s*\(\s*\)\s*\{\s*\}\s*\)?\s*\)?\s*(?:\.__proto__)?\s*(?:\.|\[\s*[\"'])constructor"
    # Others may hand it text: an interactive interpreter, a debugger, another node.
    r"|(?<![\w$.])repl[\w$]*\s*(?:\)\s*)?\.start\s*\(|[\"'](?:node:)?repl[\"']\s*\)\s*\.start\b"
    r"|\binspector[\w$]*\s*\.\s*open\s*\(|[\"'](?:node:)?inspector(?:/promises)?[\"']\s*\)\s*\.open\b"
    r"|\{[^{}\n]*\b(?:start|open)\b[^{}\n]*\}\s*(?:=\s*require\s*\(|from)\s*[\"'](?:node:)?(?:repl|inspector)[\"']"
    r"|(?:\bprocess\.(?:execPath|argv0)|[\"']node[\"'])\s*,\s*\[[^\]]{0,200}?[\"'](?:-e|-p|-pe|--eval|--print|-i|-)[\"']\s*[,\]](?!\s*[\"'][^\"'\n]*[\"']\s*[,\]])"
)
MAKERS: Final = (
    "eval", "Function", "Context", "Script", "constructor", "SourceText", "repl",
    "inspector", "execPath", "argv0", "'node'", '"node"',
)  # fmt: skip
# Files of its own that it starts by a value: workers, children, hooks.
STARTS: Final = re.compile(
    r"\b(?:Worker|fork|register|setupPrimary|setupMaster|addModule"
    r"|Piscina|Tinypool|StaticPool|DynamicPool|Bree|workerpool\.pool)\s*\((?!\s*[\"'`)])"
)
# An addon opened by a computed path, or a loader reached another way.
HANDED_ON: Final = (
    "process.dlopen", "require.extensions", "require.main", "module.require",
    "module.constructor", "node-gyp-build", "bindings", "pre-gyp", "require.call",
    "require.apply", "require.bind", "getBuiltinModule", "mainModule",
    "._compile", "['require']", '["require"]', "_linkedBinding",
)  # fmt: skip
# A member of a loader that a value chooses, or one whose name is put together.
CHOSEN_MEMBER: Final = re.compile(
    r"(?<![\w$.])(?:module|process|require|globalThis|global)\s*(?:\?\.)?\[\s*"
    r"(?![\"'`][^\"'`$]*[\"'`]\s*\]|\d|Symbol\b)[^\]\n]{1,200}\]\s*(?:\?\.)?\("
    r"|\bprocess\s*(?:\?\.)?\s*(?:\.\s*|\[\s*[\"'])dlopen\b"
    r"|\{[^{}\n]*\bdlopen\b[^{}\n]*\}\s*=\s*process\b"
)
RUNS: Final = (
    "child_process", "execa", "cross-spawn", "shelljs", "getBuiltinModule", "spawn_sync",
    "node-pty", "tinyexec", "nano-spawn", "node-cmd", "'zx'", '"zx"',
)  # fmt: skip
LOADS_LIBRARIES: Final = ("ffi-napi", "koffi", "node-ffi", '"ffi"', "'ffi'")
WORDS: Final = (
    "require", "import", "from", "mainModule", "getBuiltinModule", "binding", "_load",
    "_compile", "Binding", "module", "dlopen", "process",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Source:
    """What one file says about loading.

    Attributes:
        requests: Constant specifiers (`./lib`, `lodash/template`, `@scope/name`).
        dynamic: True when it loads something whose name is not a constant.
        runs: True when it can start other programs.
        loads_libraries: True when it can load shared libraries through an interface.
        bare: True when nothing of such a name is fixed, so that it can be any package.
        bases: Places it makes a loader for (`createRequire("/opt/plugins/")`).
    """

    requests: frozenset[str]
    dynamic: bool
    runs: bool
    loads_libraries: bool
    bare: bool = False
    bases: frozenset[str] = frozenset()


def read(text: str) -> Source:
    """Return what the file says."""
    if not any(word in text for word in WORDS):
        return Source(frozenset(), dynamic=False, runs=False, loads_libraries=False)
    requests, bases = set(), set()
    dynamic = bare = False
    for call in (found for pattern in CALLS for found in pattern.finditer(text)):
        if text[max(0, call.start() - len(CREATOR)) : call.start()] == CREATOR:
            bases.add(_first(call.group("a1", "a2", "a3")))
            dynamic = bare = True
        elif call["constant"] is not None:
            requests.add(_first(call.group("a1", "a2", "a3")))
        elif not _is_declaration(text, call.start()):
            dynamic = True
            bare = bare or PARTLY_FIXED.match(text, call.start()) is None
    for pattern, names in ((FROM, ("b1", "b2", "b3")), (BARE_IMPORT, ("c1", "c2", "c3"))):
        requests |= {_first(found.group(*names)) for found in pattern.finditer(text)}
    inner = "_load" in text and not requests.isdisjoint({"module", "node:module"})
    hands_on = inner or _hands_on(text)
    return Source(
        requests=frozenset(requests - {""}),
        dynamic=dynamic or hands_on,
        runs=any(word in text for word in RUNS),
        loads_libraries=any(word in text for word in LOADS_LIBRARIES),
        bare=bare or hands_on,
        bases=frozenset(bases - {""}),
    )


def evaluates(text: str) -> bool:
    """Return whether a file makes code of text that is not a literal."""
    return any(word in text for word in MAKERS) and EVALUATES.search(text) is not None


def evaluated(text: str) -> list[int]:
    """Return where a file does so, or has a loader load what a value names; offsets."""
    found = [one.start() for one in EVALUATES.finditer(text)] if evaluates(text) else []
    return found + [one.start() for one in CHOSEN_MEMBER.finditer(text)]


def starts_scripts(text: str) -> bool:
    """Return whether a file starts a script of its own by a name that is no literal."""
    return STARTS.search(text) is not None


def _hands_on(text: str) -> bool:
    if any(word in text for word in HANDED_ON) or CHOSEN_MEMBER.search(text):
        return True
    return any(
        BEFORE_VALUE.search(text[max(0, found.start() - 8) : found.start()])
        for found in UNCALLED.finditer(text)
    )


def _is_declaration(text: str, at: int) -> bool:
    """Return whether the call is `function require(` or a method's own definition."""
    before = text[max(0, at - DECLARATION_WITHIN) : at]
    return DECLARATION.search(before) is not None


def _first(groups: Iterable[str | None]) -> str:
    return next((one for one in groups if one), "")

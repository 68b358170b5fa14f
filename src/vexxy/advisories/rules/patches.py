"""Which functions a security patch changes: what a distribution knows of a hole's place.

A hunk's header names the function above the hunk. That is the wrong one where the hunk's
own context reaches into the next function, so definitions inside a hunk are followed too.
"""

import re
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from typing import Final, NamedTuple

_CVE: Final = re.compile(r"CVE-\d{4}-\d{4,7}", re.ASCII)
_FIRST_FILE: Final = re.compile(r"^(?:--- |diff |Index: )", re.MULTILINE)
_HUNK: Final = re.compile(r"@@ -\d+(?:,\d+)? \+\d+(?:,\d+)? @@ ?(.*)")
_C_FILE: Final = re.compile(r"\.(?:c|h|cc|cpp|cxx|hh|hpp|y|l|inl)$")
_SCRIPT_FILE: Final = re.compile(r"\.(?:py|pl|pm|pyx)$")
_NO_CODE: Final = re.compile(
    r"(?:^|/)(?:t|tests?|testing|testsuite|testdata|unittests?|docs?|examples?|fuzz\w*|"
    r"bench\w*|man)/|(?:^|/)(?:tests?[_-]|runtest|testapi)[^/]*$|[_-]tests?\.\w+$"
)
# A definition begins a line; a call or a prototype is indented or ends with a semicolon.
_C_DEFINITION: Final = re.compile(
    r"(?:[A-Za-z_][\w:<>,*&~ \t]*[ \t*&])?([A-Za-z_~][\w:~]*)[ \t]*\((?!.*;\s*$)"
)
_C_WORDS: Final = frozenset(
    {"if", "for", "while", "switch", "return", "sizeof", "else", "do", "case", "defined"}
)
_SCRIPT_DEFINITION: Final = re.compile(r"\s*(?:async\s+def|def|cdef|cpdef|sub)\s+(\w+)")
_COMMENT: Final = re.compile(r"\s*(?:/\*|\*|//|\{?\s*\}?\s*$)")

CONFIDENCE: Final = 0.8
CONFIDENCE_HEADER: Final = 0.6
CONFIDENCE_SHARED: Final = 0.5
_FOCUSED_MAX: Final = 8


class Change(NamedTuple):
    """A function that a patch changes, and how sure it is that the hole is there."""

    module: str
    function: str
    confidence: float
    patch: str


def changed_functions(patches: Mapping[str, str]) -> dict[str, tuple[Change, ...]]:
    """Return by CVE the functions that its patches change; none found is an empty tuple.

    A patch belongs to the CVEs in its file name, or else in its description. One that
    serves several, or changes many functions, says less about each; so does a name that
    only a hunk's header gives.
    """
    found: dict[str, dict[tuple[str, str], Change]] = defaultdict(dict)
    for path, text in sorted(patches.items()):
        cves = _cves(path, text)
        functions: dict[tuple[str, str], bool] = defaultdict(bool)
        for module, function, seen in _named(text):
            functions[module, function] |= seen
        focused = len(cves) == 1 and len(functions) <= _FOCUSED_MAX
        for cve in cves:
            known = found[cve]
            for (module, function), seen in functions.items():
                confidence = _confidence(focused=focused, seen=seen)
                change = Change(module, function, confidence, path)
                if known.setdefault((module, function), change).confidence < confidence:
                    known[module, function] = change
    return {cve: tuple(changes.values()) for cve, changes in sorted(found.items())}


def _cves(path: str, text: str) -> tuple[str, ...]:
    named = _CVE.findall(path.rpartition("/")[2].upper())
    if not named:
        first = _FIRST_FILE.search(text)
        named = _CVE.findall(text[: first.start()] if first else "")
    return tuple(sorted(set(named)))


def _confidence(*, focused: bool, seen: bool) -> float:
    if not focused:
        return CONFIDENCE_SHARED
    return CONFIDENCE if seen else CONFIDENCE_HEADER


def functions_of(text: str) -> Iterator[tuple[str, str]]:
    """Yield file and function of each change, in the patch's order."""
    for file, function, _ in _named(text):
        yield file, function


def _named(text: str) -> Iterator[tuple[str, str, bool]]:
    """Yield file and function of each change, and if its definition was in the hunk."""
    file = ""
    body: list[str] = []
    context = ""
    for line in text.splitlines():
        hunk = _HUNK.match(line)
        starts_file = line.startswith(("--- ", "diff ", "Index: "))
        if (hunk or starts_file) and body:
            yield from _changed(file, context, body)
            body = []
        if line.startswith("--- "):
            file = _file(line)
        elif line.startswith("+++ "):
            file = _file(line) or file
        elif hunk:
            context = hunk[1]
            body = [" "]
        elif body and line[:1] in {" ", "+", "-", ""} and not starts_file:
            body.append(line)
    yield from _changed(file, context, body)


def _file(line: str) -> str:
    """Return the path of a `---` or `+++` line without its first folder."""
    path = line[4:].partition("\t")[0].strip()
    return "" if path == "/dev/null" else path.partition("/")[2] or path


def _changed(file: str, context: str, body: list[str]) -> Iterator[tuple[str, str, bool]]:
    if _NO_CODE.search(file):
        return
    if _C_FILE.search(file):
        found = _walk(context, body, define=_c_definition)
    elif _SCRIPT_FILE.search(file):
        found = _walk(context, body, define=_script_definition)
    else:
        return
    yield from ((file, name, seen) for name, seen in found)


class _Definition(NamedTuple):
    """What a line does to the current function: `name` begins one, None ends it."""

    name: str | None


def _c_definition(line: str) -> _Definition | None:
    if line.startswith("}"):
        return _Definition(None)
    found = _C_DEFINITION.match(line)
    if found is None or found[1] in _C_WORDS or found[1].isupper():
        return None  # `DEFINE_THING(name)` tells the macro, not the function
    return _Definition(found[1])


def _script_definition(line: str) -> _Definition | None:
    found = _SCRIPT_DEFINITION.match(line)
    return _Definition(found[1]) if found else None


def _walk(
    context: str, body: list[str], *, define: Callable[[str], _Definition | None]
) -> Iterator[tuple[str, bool]]:
    """Yield the function around each changed line; one that the patch adds is left out.

    With it, whether its definition is in the hunk and not only in the header.

    A function that only the fixed version has cannot be called in the vulnerable one.
    """
    begun = define(context.strip())
    current = begun.name if begun else None
    seen = False
    added: set[str] = set()
    removed = {
        found.name
        for line in body
        if line.startswith("-") and (found := define(line[1:])) is not None
    }
    for line in body:
        sign, code = line[:1], line[1:]
        found = define(code)
        if found is not None:
            current, seen = found.name, True
            if sign == "+" and current is not None and current not in removed:
                added.add(current)
        changed = sign in {"+", "-"} and not _COMMENT.match(code)
        if changed and current is not None and current not in added:
            yield current, seen

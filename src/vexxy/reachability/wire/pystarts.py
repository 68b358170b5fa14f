"""Another Python that a Python file starts, and whether what it runs is written there.

`[sys.executable, "-m", name]` imports by a value as `import_module(name)` does.
"""

import re
from collections.abc import Iterator
from typing import Final

from vexxy.reachability.wire import pyvalues

PYTHON: Final = r"(?:[^\s\"'{}]*/)?(?:python|pypy)[\d.]*"
WORDS: Final = ("sys.executable", "python", "pypy")
STARTED: Final = re.compile(
    rf"(?P<name>\bsys\.executable\b)|[rRbBfF]{{0,2}}(?P<quote>[\"'])(?P<whole>{PYTHON})(?P=quote)"
    rf"|(?P<line>[rRbBfF]{{0,2}}([\"'])(?:exec\s+|env\s+)?(?:{PYTHON}|\{{sys\.executable\}})\s)"
)
NAMED: Final = re.compile(
    rf"(?m)^\s*(\w+)\s*(?::[^=\n]+)?=[^\n]*(?:\bsys\.executable\b|[\"']{PYTHON}[\"'])[^\n,+]*$"
)
SEPARATOR: Final = re.compile(r"\s*,\s*")
# The end of a list, and what was given to this program itself.
KNOWN_REST: Final = re.compile(r"\s*,?\s*\]?\s*\+\s*(?:\[[^\]]*\]\s*\+\s*)?sys\.argv\b")
ADDED: Final = re.compile(r"\s*,?\s*\]?\s*[+%]")
ALONE: Final = re.compile(r"\s*,?\s*\]")
ANOTHER: Final = re.compile(r"[\[(]|sys\.executable\b|sys\.argv\b")
OPERANDS: Final = frozenset({"-W", "-X", "--check-hash-based-pycs"})
# The end of the arguments, or one by keyword, of the call itself.
ENDS: Final = re.compile(r"[\])]|\w+\s*=(?!=)|\Z")


def by_value(text: str) -> str | None:
    """Return how a Python is started with what only the run knows; None if none is.

    `-c`, `-m`, a script, or text that it reads.
    """
    if not any(word in text for word in WORDS):
        return None
    said = pyvalues.COMMENTS.sub("", text)
    for found in STARTED.finditer(said):
        if found["line"]:
            answer = _in_line(said, found)
        else:
            answer = _in_list(said, found.start(), found.end())
        if answer is not None:
            return answer
    for name in {one for one in NAMED.findall(said) if one not in {"if", "return"}}:
        for found in re.finditer(rf"[\[(]\s*{name}\b|\{{{name}\}}\s", said):
            brace = found[0].lstrip().startswith("{")
            answer = None if brace else _in_list(said, found.end(), found.end())
            if brace or answer is not None:
                return answer or "a command"
    return None


def _in_list(text: str, start: int, at: int) -> str | None:
    """Follow the elements after a Python in a list of arguments."""
    if KNOWN_REST.match(text, at):
        return None
    if ALONE.match(text, at) and text[max(0, start - 1) : start] in {"[", ""}:
        added = ADDED.match(text, at) is not None
        return "a command" if added else "standard input"
    return _said(_elements(text, at))


def _elements(text: str, at: int) -> Iterator[str | None]:
    """Yield the arguments that follow, None for one that is a value."""
    while (comma := SEPARATOR.match(text, at)) is not None:
        at = comma.end()
        literal = pyvalues.LITERAL.match(text, at)
        if literal is None:
            if not (ANOTHER.match(text, at) or ENDS.match(text, at)):
                yield None
            return
        yield None if _is_made(text, literal) else literal["text"]
        at = literal.end()
    if ADDED.match(text, at) and not KNOWN_REST.match(text, at):
        yield None


def _said(words: Iterator[str | None]) -> str | None:
    """Return what of a Python's arguments is a value; None if nothing decisive is."""
    for word in words:
        if word is None:
            return "a script"
        if word == "-":
            return "standard input"
        if word in {"-c", "-m"}:
            return word if next(words, "") is None else None
        if word in OPERANDS:
            next(words, "")
        elif not word.startswith("-") or word[:2] in {"-c", "-m"}:
            return None
    return None


def _in_line(text: str, found: re.Match[str]) -> str | None:
    """Follow the words after a Python in one string that is a command line."""
    literal = pyvalues.LITERAL.match(text, found.start())
    if literal is None:
        return None
    written = literal["text"].replace("{sys.executable}", "python")
    form = written
    if "f" in literal["prefix"].lower() or pyvalues.JOINED.match(text, literal.end()):
        form = pyvalues.PLACEHOLDER.sub("*", written)
        form += "" if "*" in form else "*"
    words = [None if "*" in word else word for word in form.split()[1:]]
    if words[:1] == ["-c"]:
        return "-c" if None in words or len(words) == 1 else None
    return _said(iter(words))


def _is_made(text: str, literal: re.Match[str]) -> bool:
    joined = pyvalues.JOINED.match(text, literal.end()) is not None
    made = "f" in literal["prefix"].lower() and "{" in literal["text"]
    return made or joined

"""Which functions a Python source defines, and whether it may make others by a value."""

import ast
import difflib
import re
import warnings
from collections.abc import Iterable
from typing import Final

DEFINED: Final = re.compile(r"(?m)^\s*(?:async\s+)?(?:def|class)\s+(\w+)|^\s*(\w+)\s*[:=]")
# Ways to give a module or class a name that stands nowhere as a word.
MAKES: Final = re.compile(
    r"\bsetattr\s*\((?!\s*[\w.]+\s*,\s*[rRuU]?([\"'])\w+\1\s*,)|\b(?:exec|eval)\s*\("
    r"|\bdef\s+__getattr(?:ibute)?__\b|\b__dict__\b|\btype\s*\([^()]*,"
    r"|\b(?:globals|locals|vars)\s*\([^)]*\)\s*(?:\[[^\]]*\]\s*=(?!=)|\.(?:update|setdefault)\b)"
    r"|\b(?:new_class|make_dataclass|create_module|FunctionType)\b|\b__import__\s*\("
    r"|\bsys\.modules\b|\bimportlib\b"
)
OWN: Final = re.compile(r"(?m)^\s*(?:async\s+)?(?:def|class)\s")
STAR: Final = re.compile(r"\bimport\s*\(?\s*\*")
PARTS: Final = re.compile(r"[A-Z]?[a-z]+|[A-Z]+(?![a-z])")
ALIKE: Final = 0.8
PART_CHARACTERS_MIN: Final = 3
WORD_LENGTH_MAX: Final = 100


def makes_names(text: str) -> str | None:
    """Return what of a source may define a function by a value; None if nothing does."""
    found = MAKES.search(text)
    return None if found is None else " ".join(found[0].split())[:40]


def is_own(text: str) -> bool:
    """Return whether a module defines something, and takes no names as a whole."""
    return OWN.search(text) is not None and STAR.search(text) is None


def is_plain(content: bytes) -> bool:
    """Return whether no constant has a word so long that code could be in it."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            tree = ast.parse(content)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return False
    return not any(
        isinstance(one.value, str | bytes)
        and any(len(word) > WORD_LENGTH_MAX for word in one.value.split())
        for one in ast.walk(tree)
        if isinstance(one, ast.Constant)
    )


def alike(name: str, text: str) -> str | None:
    """Return a name that a source defines and that may be an older one of `name`."""
    defined = {one or other for one, other in DEFINED.findall(text)}
    wanted = _parts(name)
    for one in sorted(defined):
        parts = _parts(one)
        within = parts and wanted and (parts <= wanted or wanted <= parts)
        near = difflib.SequenceMatcher(None, one.lower(), name.lower()).ratio() >= ALIKE
        if within or near:
            return str(one)
    return None


def _parts(name: str) -> frozenset[str]:
    return _long(one.lower() for one in PARTS.findall(name))


def _long(parts: Iterable[str]) -> frozenset[str]:
    return frozenset(one for one in parts if len(one) >= PART_CHARACTERS_MIN)

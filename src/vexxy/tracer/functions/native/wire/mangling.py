"""The path of a function in a mangled name; parameters and type arguments are dropped.

Source: Itanium C++ ABI, "Mangling" (nested and plain names); Rust RFC 2603 (v0), and
rustc's legacy scheme. What is not understood has no path, hence no function: unknown.
"""

import re
from collections.abc import Callable
from typing import Final

HASH: Final = re.compile(r"^h[0-9a-f]{16}$")
ESCAPES: Final = {
    "$LT$": "<", "$GT$": ">", "$u20$": " ", "$RF$": "&", "$BP$": "*", "$C$": ",",
    "$u7b$": "{", "$u7d$": "}", "$u5b$": "[", "$u5d$": "]", "$u27$": "'", "$LP$": "(",
    "$RP$": ")", "$u2b$": "+", "$u3b$": ";", "$SP$": "@", "..": "::",
}  # fmt: skip
INNERMOST: Final = re.compile(r"(?:::)?<(?:[^<>]|->)*>")
IMPLEMENTATION: Final = re.compile(r"^<(?P<type>.*?)(?: as (?P<trait>.*))?>(?P<rest>::.*)$")
DEPTH_MAX: Final = 200
LENGTH_MAX: Final = 100_000


class _Unknown(ValueError):
    """A mangled name with something that is not read here."""


def path_of(name: str) -> str:
    """Return the readable path of a mangled name, empty where it is not understood."""
    if len(name) > LENGTH_MAX:
        return ""
    try:
        if name.startswith("_ZN"):
            return _nested(name)
        start = 3 if name.startswith("_ZL") else 2
        if name.startswith("_Z") and name[start : start + 1].isdigit():
            return _take_name(name, start)[0]
        if name.startswith("_R"):
            return without_arguments(_Rust(name[2:]).path())
    except (_Unknown, ValueError, IndexError, RecursionError):
        return ""
    return ""


def may_hide(raw: str, path: str) -> bool:
    """Return whether a name that is not understood may be an instance of a function.

    Args:
        raw: A mangled name, or one without its surroundings.
        path: As `path_of` gives it.
    """
    outer, _, own = path.rpartition("::")
    if not outer or raw == own:
        return bool(outer)
    own = own.lstrip("~")
    # Both schemes write a word behind its length; Rust may put `_` between them.
    is_in = f"{len(own)}{own}" in raw or f"{len(own)}_{own}" in raw
    return is_in and raw.startswith(("_Z", "_R")) and not path_of(raw)


def without_arguments(path: str) -> str:
    """Return a path without type arguments: `Vec::push` for `<Vec<T> as X>::push`."""
    found = IMPLEMENTATION.match(path)
    if found and found["rest"]:
        path = found["type"] + found["rest"]
    while (shorter := INNERMOST.sub("", path)) != path:
        path = shorter
    return path


def _nested(name: str) -> str:
    at = 3
    while name[at] in "rVKRO":
        at += 1
    parts: list[str] = []
    while name[at] != "E":
        if name.startswith("St", at):
            parts.append("std")
            at += 2
        elif name[at] == "L" and name[at + 1].isdigit():
            at += 1
        elif name[at] == "I":
            at = _skip_arguments(name, at)
        elif name[at] in "CD" and name[at + 1].isdigit():
            own = parts[-1]
            parts.append(own if name[at] == "C" else f"~{own}")
            at += 2
        else:
            part, at = _take_name(name, at)
            parts.append(part)
    if HASH.match(parts[-1]) and len(parts) > 1:
        return without_arguments("::".join(_legacy(part) for part in parts[:-1]))
    return "::".join(parts)


def _skip_arguments(name: str, at: int) -> int:
    """Return where a list of template arguments ends, where only names are in it."""
    depth = 0
    while True:
        letter = name[at]
        if letter.isdigit():
            _, at = _take_name(name, at)
            continue
        if letter in "INL":
            depth += 1
        elif letter == "E":
            depth -= 1
        elif letter in "XJSTDF":
            raise _Unknown
        at += 1
        if not depth:
            return at


def _take_name(name: str, at: int) -> tuple[str, int]:
    end = at
    while name[end].isdigit():
        end += 1
    size = int(name[at:end] or "0")
    if not size or end + size > len(name):
        raise _Unknown
    return name[end : end + size], end + size


def _legacy(part: str) -> str:
    part = part.removeprefix("_") if part.startswith("_$") else part
    for escape, text in ESCAPES.items():
        part = part.replace(escape, text)
    return part


class _Rust:
    """A reader of Rust's v0 names; only what paths are made of."""

    def __init__(self, text: str) -> None:
        self._text = text.partition(".")[0]
        self._at = 0
        self._depth = 0

    def path(self) -> str:
        """Return the path that begins here."""
        self._depth += 1
        if self._depth > DEPTH_MAX:
            raise _Unknown
        try:
            return self._path(self._next())
        finally:
            self._depth -= 1

    def _path(self, kind: str) -> str:
        if kind == "C":
            self._disambiguator()
            return self._identifier()
        if kind == "N":
            self._next()
            outer = self.path()
            self._disambiguator()
            inner = self._identifier()
            return f"{outer}::{inner}" if inner else outer
        if kind in "MX":
            self._disambiguator()
            self.path()
            own = self._type()
            if kind == "X":
                self.path()
            return own
        if kind == "Y":
            own = self._type()
            self.path()
            return own
        if kind == "I":
            own = self.path()
            while self._text[self._at] != "E":
                self._argument()
            self._at += 1
            return own
        if kind == "B":
            return self._back(self.path)
        raise _Unknown

    def _argument(self) -> None:
        if self._text[self._at] == "L":
            self._at += 1
            self._number()
        elif self._text[self._at] == "K":
            self._at += 1
            self._constant()
        else:
            self._type()

    def _constant(self) -> None:
        kind = self._next()
        if kind == "B":
            self._number()
        elif kind != "p":
            while self._next() != "_":
                pass

    def _type(self) -> str:
        kind = self._text[self._at]
        if kind in "CNMXYI":
            return self.path()
        self._at += 1
        if kind.islower():
            return {"e": "str", "h": "u8"}.get(kind, kind)
        if kind in "RQ":
            if self._text[self._at] == "L":
                self._at += 1
                self._number()
            return self._type()
        if kind in "POS":
            return self._type()
        if kind == "B":
            return self._back(self._type)
        return self._compound(kind)

    def _compound(self, kind: str) -> str:
        if kind == "A":
            own = self._type()
            self._constant()
            return own
        if kind != "T":
            raise _Unknown
        while self._text[self._at] != "E":
            self._type()
        self._at += 1
        return "tuple"

    def _back(self, read: Callable[[], str]) -> str:
        place = self._number()
        if place >= self._at:
            raise _Unknown
        here, self._at = self._at, place
        self._depth += 1
        if self._depth > DEPTH_MAX:
            raise _Unknown
        own = read()
        self._depth -= 1
        self._at = here
        return own

    def _next(self) -> str:
        letter = self._text[self._at]
        self._at += 1
        return letter

    def _number(self) -> int:
        end = self._text.index("_", self._at)
        digits, self._at = self._text[self._at : end], end + 1
        if not digits:
            return 0
        value = 0
        for letter in digits:
            value = value * 62 + _digit(letter)
        return value + 1

    def _disambiguator(self) -> None:
        if self._text[self._at] == "s":
            self._at += 1
            self._number()

    def _identifier(self) -> str:
        if self._text[self._at] == "u":
            raise _Unknown
        end = self._at
        while self._text[end].isdigit() and self._text[self._at] != "0":
            end += 1
        if self._text[self._at] == "0":
            end += 1
        size = int(self._text[self._at : end] or "0")
        if self._text[end : end + 1] == "_":
            end += 1
        self._at = end + size
        if self._at > len(self._text):
            raise _Unknown
        return self._text[end : end + size]


def _digit(letter: str) -> int:
    if letter.isdigit():
        return int(letter)
    if "a" <= letter <= "z":
        return ord(letter) - ord("a") + 10
    if "A" <= letter <= "Z":
        return ord(letter) - ord("A") + 36
    raise _Unknown

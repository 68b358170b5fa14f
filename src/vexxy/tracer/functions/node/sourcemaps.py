"""Source maps (ECMA-426): where a place in a bundle was written originally."""

import base64
import binascii
import json
import posixpath
import re
from bisect import bisect_right
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any, Final
from urllib.parse import unquote

COMMENT: Final = re.compile(rb"[#@]\s*sourceMappingURL=([^\s'\"*]+)")
DIGITS: Final = {
    letter: value
    for value, letter in enumerate(
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
    )
}
SEGMENTS_MAX: Final = 5_000_000
SECTIONS_MAX: Final = 10_000
SCHEME: Final = re.compile(r"[a-zA-Z][\w.+-]*:(?://)?/*")
PLACED: Final = 4
"""Fields of a segment that has an original place; it may have a name besides."""


@dataclass(frozen=True, slots=True)
class Original:
    """A place in a file that was bundled; line from 1, column from 0."""

    source: str
    line: int
    column: int


@dataclass(slots=True)
class SourceMap:
    """One map, its sections put together.

    Attributes:
        contents: Text of the original files, where the map holds them.
    """

    contents: dict[str, str] = field(default_factory=dict)
    _columns: dict[int, list[int]] = field(default_factory=dict)
    _places: dict[int, list[Original | None]] = field(default_factory=dict)

    def original(self, line: int, column: int) -> Original | None:
        """Return where a place was written; line from 1, column from 0."""
        columns = self._columns.get(line, [])
        index = bisect_right(columns, column) - 1
        return self._places[line][index] if index >= 0 else None

    def add(self, line: int, column: int, place: Original | None) -> None:
        """Note one segment."""
        columns = self._columns.setdefault(line, [])
        places = self._places.setdefault(line, [])
        index = len(columns)
        if columns and columns[-1] > column:
            index = bisect_right(columns, column)
        columns.insert(index, column)
        places.insert(index, place)


def address(content: bytes) -> str | None:
    """Return what the last comment of a file gives as its map's address."""
    found = COMMENT.findall(content)
    return found[-1].decode("utf-8", "replace") if found else None


def load(url: str, path: str, read: Callable[[str], bytes]) -> SourceMap | None:
    """Return the map at an address, None where there is none that can be read.

    Args:
        url: As the file gives it: beside the file, or the map itself.
        path: Canonical path of the file.
        read: Returns a file's content.

    Raises:
        ValueError: It is no map that we read.
    """
    place = path
    if url.startswith("data:"):
        content = _inline(url)
    elif SCHEME.match(url):
        return None
    else:
        place = posixpath.normpath(
            posixpath.join(posixpath.dirname(path), unquote(url.partition("?")[0]))
        )
        content = read(place)
    if content.startswith(b")]}'"):
        content = content.partition(b"\n")[2]
    made = SourceMap()
    try:
        _read(made, json.loads(content), posixpath.dirname(place))
    except (KeyError, TypeError, IndexError, AttributeError, RecursionError) as error:
        raise ValueError(f"a map that is none: {error!r}") from error
    return made


def _inline(url: str) -> bytes:
    head, _, data = url.partition(",")
    if not head.endswith(";base64"):
        return unquote(data).encode()
    try:
        return base64.b64decode(data, validate=False)
    except binascii.Error as error:
        raise ValueError("an inline map is damaged") from error


def _read(made: SourceMap, document: dict[str, Any], directory: str) -> None:
    sections = document.get("sections")
    if sections is None:
        _read_one(made, document, directory, offset=(0, 0))
        return
    for section in sections[:SECTIONS_MAX]:
        offset = (int(section["offset"]["line"]), int(section["offset"]["column"]))
        _read_one(made, section["map"], directory, offset=offset)


def _read_one(
    made: SourceMap, document: dict[str, Any], directory: str, *, offset: tuple[int, int]
) -> None:
    root = document.get("sourceRoot") or ""
    names = [_source(one, root, directory) for one in document["sources"]]
    contents = document.get("sourcesContent") or ()
    for name, content in zip(names, contents, strict=False):
        if isinstance(content, str):
            made.contents.setdefault(name, content)
    source = line = column = 0
    count = 0
    for index, row in enumerate(document["mappings"].split(";")):
        generated = offset[1] if index == 0 else 0
        for text in row.split(","):
            values = list(_numbers(text))
            count += 1
            if not values or count > SEGMENTS_MAX:
                continue
            generated += values[0]
            place = None
            if len(values) >= PLACED:
                source, line, column = (
                    source + values[1],
                    line + values[2],
                    column + values[3],
                )
                place = Original(names[source], line + 1, column)
            made.add(index + offset[0] + 1, generated, place)


def _numbers(text: str) -> Iterator[int]:
    value = shift = 0
    for letter in text:
        digit = DIGITS[letter]
        value |= (digit & 31) << shift
        shift += 5
        if not digit & 32:
            yield -(value >> 1) if value & 1 else value >> 1
            value = shift = 0


def _source(name: object, root: str, directory: str) -> str:
    """Return the path of an original file; it need not exist."""
    text = name if isinstance(name, str) else ""
    if root and not SCHEME.match(text):
        text = root.rstrip("/") + "/" + text
    text = unquote(text)
    if text.startswith("file://"):
        return posixpath.normpath(text[7:])
    found = SCHEME.match(text)
    if found:
        # webpack://NAMESPACE/./src/x.js, relative to where it was built.
        text = text[found.end() :]
        text = text[text.find("/./") + 1 :] if "/./" in text else text
        modules = text.find("node_modules/")
        text = text[modules:] if modules >= 0 else text
    return posixpath.normpath(posixpath.join(directory, text.partition("?")[0]))

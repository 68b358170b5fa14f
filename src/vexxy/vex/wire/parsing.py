"""JSON from strangers: bounded, strict about what two parsers would read differently."""

import json
import re
from typing import Final, NoReturn

from vexxy.vex.errors import UnreadableDocument

SIZE_MAX_BYTES: Final = 64 * 1024 * 1024
DEPTH_MAX: Final = 24
_SURROGATE: Final = re.compile(rb"\\u[dD][89a-fA-F]")

Json = dict[str, "Json"] | list["Json"] | str | int | float | bool | None


def parse_object(data: bytes) -> dict[str, Json]:
    """Return the object that `data` is.

    Raises:
        UnreadableDocument: Too large, too deep, not UTF-8, not JSON, not an object, or
            a name given twice (readers disagree about which one counts).
    """
    if len(data) > SIZE_MAX_BYTES:
        raise UnreadableDocument(
            f"the document has {len(data):,} bytes; at most {SIZE_MAX_BYTES:,} are read"
        )
    try:
        value: Json = json.loads(
            data.decode("utf-8"), object_pairs_hook=_once, parse_constant=_refuse
        )
    except UnicodeDecodeError as error:
        raise UnreadableDocument(f"the document is not UTF-8: {error.reason}") from error
    except RecursionError as error:
        raise UnreadableDocument("the document is nested too deeply") from error
    except ValueError as error:
        raise UnreadableDocument(f"the document is not JSON: {error}") from error
    if not isinstance(value, dict):
        raise UnreadableDocument("the document is not a JSON object")
    _bound_depth(value)
    if _SURROGATE.search(data):
        _refuse_half_characters(value)
    return value


def _refuse_half_characters(value: Json) -> None:
    """Refuse text that is no Unicode: it could be read but never written again."""
    try:
        json.dumps(value, ensure_ascii=False).encode()
    except UnicodeEncodeError as error:
        raise UnreadableDocument("a text has half of a surrogate pair") from error


def _once(pairs: list[tuple[str, Json]]) -> dict[str, Json]:
    found = dict(pairs)
    if len(found) != len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise ValueError(f"the name {twice[:60]!r} is given twice in one object")
    return found


def _refuse(constant: str) -> NoReturn:
    raise ValueError(f"{constant} is not JSON")


def _bound_depth(value: Json) -> None:
    level: list[Json] = [value]
    for _ in range(DEPTH_MAX):
        inner: list[Json] = []
        for item in level:
            if isinstance(item, dict):
                inner += item.values()
            elif isinstance(item, list):
                inner += item
        if not inner:
            return
        level = inner
    raise UnreadableDocument(f"the document is nested deeper than {DEPTH_MAX} levels")

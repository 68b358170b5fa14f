"""What may stand in the record of acts."""

import csv
import io
import ipaddress
import math
import re
from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from enum import Enum
from typing import Final

from vexxy.audit.errors import UnusableAct
from vexxy.audit.types import Entry, State
from vexxy.kit import clock, jsontext, redaction

STATE_BYTES_MAX: Final = 16 * 1024
TEXT_CHARACTERS_MAX: Final = 500
NAMES_MAX: Final = 50

ACTION: Final = re.compile(r"[a-z][a-z0-9_]{0,39}\.[a-z][a-z0-9_]{0,39}")
# A spreadsheet runs a cell that begins with one of these.
FORMULA: Final = ("=", "+", "-", "@", "\t", "\r")
COLUMNS: Final = (
    "id",
    "created_at",
    "organization_id",
    "action",
    "actor_type",
    "actor_id",
    "resource_type",
    "resource_id",
    "before_state",
    "after_state",
    "metadata",
    "ip_address",
    "user_agent",
)


def checked_action(action: str) -> str:
    """Return the action if it is of the form `noun.verb`.

    Raises:
        UnusableAct: It is not; the caller's code is wrong, never their input.
    """
    if not ACTION.fullmatch(action):
        raise UnusableAct(f"{action!r} is no name of an act, such as member.removed")
    return action


def kept(state: State | None) -> dict[str, object] | None:
    """Return what of a state is kept: no secrets, no objects, no more than 16 KiB.

    An act is never refused because its description is too long: it is then kept
    without the description, and says so.
    """
    if state is None:
        return None
    plain = redaction.redacted_event(None, "", _plain_mapping(state))
    size = len(jsontext.encode(plain))
    if size > STATE_BYTES_MAX:
        return {"truncated": True, "bytes": size, "fields": sorted(plain)[:NAMES_MAX]}
    return plain


def _plain_mapping(state: State) -> dict[str, object]:
    return {text(str(name)): _plain(value) for name, value in state.items()}


def _plain(value: object) -> object:
    match value:
        case Mapping():
            return _plain_mapping(value)
        case list() | tuple():
            return [_plain(item) for item in value]
        case set() | frozenset():
            return sorted(str(_scalar(item)) for item in value)
        case _:
            return _scalar(value)


def _scalar(value: object) -> bool | int | float | str | None:
    match value:
        case Enum():
            return _scalar(value.value)
        case None | bool() | int():
            return value
        case float() if math.isfinite(value):
            return value
        case datetime():
            return clock.rfc3339(value)
        case _:
            return text(str(value))


def text(value: str) -> str:
    """Return the text as PostgreSQL can keep it: bounded and without NUL."""
    clean = value.replace("\x00", "�").encode("utf-8", "replace").decode("utf-8")
    return clean[:TEXT_CHARACTERS_MAX]


def address(value: str | None) -> str | None:
    """Return the text if it is an IP address; a Unix socket's peer has none."""
    try:
        return str(ipaddress.ip_address(value or ""))
    except ValueError:
        return None


def as_json(entry: Entry) -> dict[str, object]:
    """Return the entry as the API and the export write it."""
    found: dict[str, object] = {}
    for name in COLUMNS:
        value: object = getattr(entry, name)
        found[name] = value if isinstance(value, Mapping) else _scalar(value)
    return found


def csv_lines(entries: Iterable[Entry]) -> Iterator[str]:
    """Yield the entries as CSV (RFC 4180), a header first; states are JSON."""
    yield _csv_line(COLUMNS)
    for entry in entries:
        yield _csv_line([_cell(value) for value in as_json(entry).values()])


def json_lines(entries: Iterable[Entry]) -> Iterator[str]:
    """Yield the entries as one JSON array, a line each."""
    before = "[\n"
    for entry in entries:
        yield before + jsontext.encode(as_json(entry)).decode()
        before = ",\n"
    yield "[]\n" if before == "[\n" else "\n]\n"


def _csv_line(cells: Iterable[str]) -> str:
    line = io.StringIO()
    csv.writer(line, lineterminator="\r\n").writerow(cells)
    return line.getvalue()


def _cell(value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, Mapping):
        return jsontext.encode(value).decode()
    cell = str(value)
    return "'" + cell if cell.startswith(FORMULA) else cell

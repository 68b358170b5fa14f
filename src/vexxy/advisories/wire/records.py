"""OSV records; source: OSV schema 1.7."""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from typing import Final, cast, get_args

import msgspec

from vexxy.advisories.rules import names, symbols
from vexxy.advisories.rules.ranges import uncovered
from vexxy.advisories.types import (
    Advisory,
    Affected,
    Details,
    Event,
    EventKind,
    Range,
    Rating,
)

_ID_LENGTH_MAX: Final = 200
_SUMMARY_LENGTH_MAX: Final = 300
_KINDS: Final[frozenset[str]] = frozenset(get_args(EventKind))


class MalformedRecord(ValueError):
    """Not an OSV record; the message says where and why. Never leaves the slice."""


class _Severity(msgspec.Struct):
    type: str
    score: str


class _Package(msgspec.Struct):
    ecosystem: str
    name: str


class _Range(msgspec.Struct):
    type: str
    events: list[dict[str, str]]


class _Affected(msgspec.Struct):
    package: _Package | None = None
    ranges: list[_Range] | None = None
    versions: list[str] | None = None
    severity: list[_Severity] | None = None
    ecosystem_specific: dict[str, object] | None = None
    database_specific: dict[str, object] | None = None


class _Record(msgspec.Struct):
    id: str
    withdrawn: str | None = None
    aliases: list[str] | None = None
    upstream: list[str] | None = None
    summary: str | None = None
    severity: list[_Severity] | None = None
    affected: list[_Affected] | None = None
    database_specific: dict[str, object] | None = None


_DECODER: Final = msgspec.json.Decoder(_Record)


class Parsed(msgspec.Struct, frozen=True):
    """A record that was read; `advisory` is None where `withdrawn` is true."""

    advisory: Advisory | None
    withdrawn: bool = False


def parse(content: bytes) -> Parsed:
    """Return the record in `content`.

    Dates are not read: sources write years that are yet to come, or the year 1.

    Raises:
        MalformedRecord: It is not JSON, not an OSV record, or nested beyond reason.
    """
    try:
        record = _DECODER.decode(content)
    except msgspec.ValidationError as problem:
        raise MalformedRecord(f"not an OSV record: {problem}") from problem
    except (msgspec.DecodeError, UnicodeDecodeError) as problem:
        raise MalformedRecord(f"not JSON: {problem}") from problem
    except RecursionError as problem:
        raise MalformedRecord("nested too deeply to be an OSV record") from problem
    if not 0 < len(record.id) <= _ID_LENGTH_MAX or not record.id.isprintable():
        raise MalformedRecord("the id is empty, too long or not printable")
    if record.withdrawn is not None:
        return Parsed(None, withdrawn=True)
    return Parsed(Advisory(record.id, _details(record), _packages(record)))


def _details(record: _Record) -> Details:
    word = (record.database_specific or {}).get("severity")
    return Details(
        aliases=_distinct(record.aliases),
        upstream=_distinct(record.upstream),
        summary=" ".join((record.summary or "").split())[:_SUMMARY_LENGTH_MAX],
        ratings=_ratings(record.severity),
        words=(word,) if isinstance(word, str) else (),
    )


def _packages(record: _Record) -> tuple[tuple[str, str, Affected], ...]:
    found = []
    for one in record.affected or ():
        if one.package is None:
            continue
        ecosystem, name = one.package.ecosystem.strip(), one.package.name.strip()
        if not ecosystem or not name:
            raise MalformedRecord("an affected package has no ecosystem or no name")
        affected = _affected(ecosystem, one, record_id=record.id)
        found.append((ecosystem, names.normalize(ecosystem, name), affected))
    return tuple(found)


def _affected(ecosystem: str, one: _Affected, *, record_id: str) -> Affected:
    specific = one.ecosystem_specific or {}
    ranges = _ranges(one.ranges)
    return Affected(
        ranges=ranges,
        # The rest the ranges say already: hundreds a record, in OSV's exports.
        versions=uncovered(ecosystem, ranges, versions=_distinct(one.versions)),
        symbols=symbols.record_symbols(
            ecosystem, specific, record_id=f"advisory {record_id}"
        ),
        ratings=_ratings(one.severity),
        urgency=_urgency(specific),
    )


def _urgency(specific: Mapping[str, object]) -> str:
    """Return Debian's urgency; `not yet assigned` says nothing."""
    word = specific.get("urgency")
    return word if isinstance(word, str) and word != "not yet assigned" else ""


def _ratings(severities: Iterable[_Severity] | None) -> tuple[Rating, ...]:
    return tuple(Rating(one.type, one.score) for one in severities or ())


def _distinct(values: Iterable[str] | None) -> tuple[str, ...]:
    return tuple(dict.fromkeys(values or ()))


def _ranges(ranges: Iterable[_Range] | None) -> tuple[Range, ...]:
    found: dict[str, list[tuple[Event, ...]]] = defaultdict(list)
    for one in ranges or ():
        if one.type == "GIT":
            continue
        events = tuple(
            Event(cast("EventKind", kind), version)
            for event in one.events
            for kind, version in event.items()
            if kind in _KINDS
        )
        if not any(event.kind == "introduced" for event in events):
            raise MalformedRecord("a range has no introduced event")
        found[one.type].append(events)
    return tuple(Range(kind, events) for kind, many in found.items() for events in many)

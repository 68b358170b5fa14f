"""Whether a version lies in an advisory's ranges; OSV schema 1.7, "evaluation"."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import groupby
from operator import itemgetter
from typing import Final, NamedTuple

from vexxy.advisories.errors import InvalidVersion
from vexxy.advisories.rules.distributions import Key
from vexxy.advisories.rules.order import find_order
from vexxy.advisories.types import Event, Range

BEGINNING: Final = "0"
_LOWEST: Final = (0,)
_BEGUN: Final = Event("introduced", BEGINNING)
_PAIR: Final = 2
Order = Callable[[str], Key]


def _position(event: Event, order: Order) -> tuple[object, ...]:
    """Place an event; the literal 0 is below every version, pre-releases included.

    That holds for `fixed` as well: distributions write `fixed: 0` for "never affected".
    """
    if event.version == BEGINNING and event.kind in {"introduced", "fixed"}:
        return _LOWEST
    return (1, order(event.version))


class Interval(NamedTuple):
    """Affected positions from `low` on; up to `high`, which belongs to it if `closed`."""

    low: tuple[object, ...]
    high: tuple[object, ...] | None = None
    closed: bool = False


class Extent(NamedTuple):
    """Where one range lies: its intervals, below the highest of its limits."""

    intervals: tuple[Interval, ...]
    limit: tuple[object, ...] | None = None


def extent(events: Sequence[Event], order: Order) -> Extent:
    """Return where the events say that versions are affected.

    Where an interval ends and another begins at one version, they are one; an interval
    that ends where it begins is empty, unless `last_affected` ends it.

    Raises:
        InvalidVersion: An event is not of this order.
    """
    if len(events) == _PAIR and events[0] == _BEGUN:
        simple = _from_the_beginning(events[1], order)
        if simple is not None:
            return simple
    placed = sorted(
        (
            (_position(event, order), event.kind)
            for event in events
            if event.kind != "limit"
        ),
        key=itemgetter(0),
    )
    found: list[Interval] = []
    low: tuple[object, ...] | None = None
    for position, group in groupby(placed, key=itemgetter(0)):
        kinds = {kind for _, kind in group}
        opens, ends = "introduced" in kinds, kinds - {"introduced"}
        if low is None and opens and ends == {"last_affected"}:
            found.append(Interval(position, position, closed=True))
        elif low is None and opens and not ends:
            low = position
        elif low is not None and ends and not opens:
            found.append(Interval(low, position, closed="fixed" not in ends))
            low = None
    if low is not None:
        found.append(Interval(low))
    return Extent(tuple(found), _highest_limit(events, order))


def _from_the_beginning(end: Event, order: Order) -> Extent | None:
    """Return the extent of introduced 0, fixed X: nearly all that there are."""
    if end.kind != "fixed" or end.version == BEGINNING:
        return None
    return Extent((Interval(_LOWEST, (1, order(end.version))),))


def _highest_limit(events: Sequence[Event], order: Order) -> tuple[object, ...] | None:
    limits = [event.version for event in events if event.kind == "limit"]
    if not limits or "*" in limits:
        return None
    return max((1, order(limit)) for limit in limits)


def contains(where: Extent, key: Key) -> bool:
    """Tell whether a version, given by its sort key, is affected."""
    here = (1, key)
    if where.limit is not None and not here < where.limit:
        return False
    for low, high, closed in where.intervals:
        if low <= here and (high is None or here < high or (closed and here == high)):
            return True
    return False


def in_range(version: str, *, events: Sequence[Event], order: Order) -> bool:
    """Tell whether the version is affected by these events.

    Raises:
        InvalidVersion: The version or an event is not of this order.
    """
    return contains(extent(events, order), order(version))


def uncovered(
    ecosystem: str, ranges: Iterable[Range], *, versions: Sequence[str]
) -> tuple[str, ...]:
    """Return the versions that no range covers, and those that have no order."""
    extents = [
        (where, order)
        for one in ranges
        if (order := find_order(ecosystem, one.type)) is not None
        and (where := _find_extent(one.events, order)) is not None
    ]
    return tuple(
        version
        for version in versions
        if not any(_covers(where, order, version) for where, order in extents)
    )


def _find_extent(events: Sequence[Event], order: Order) -> Extent | None:
    try:
        return extent(events, order)
    except ValueError:
        return None


def _covers(where: Extent, order: Order, version: str) -> bool:
    try:
        return contains(where, order(version))
    except ValueError:
        return False


def is_affected(
    version: str, *, ecosystem: str, ranges: Iterable[Range], versions: Iterable[str]
) -> bool:
    """Tell whether a version is enumerated or lies in any range.

    Raises:
        InvalidVersion: It is not enumerated, lies in no range that could be evaluated,
            and at least one range could not be: nobody knows.
    """
    if _is_enumerated(version, versions, find_order(ecosystem)):
        return True
    unknown: ValueError | None = None
    for one in ranges:
        order = find_order(ecosystem, one.type)
        if order is None:
            unknown = InvalidVersion(f"{ecosystem} has no version order here")
            continue
        try:
            if in_range(version, events=one.events, order=order):
                return True
        except ValueError as problem:
            unknown = problem
    if unknown is not None:
        raise InvalidVersion(str(unknown)) from unknown
    return False


def _is_enumerated(version: str, versions: Iterable[str], order: Order | None) -> bool:
    """Tell whether a version is listed, also under another spelling of it."""
    listed = tuple(versions)
    if version in listed:
        return True
    if order is None or not listed:
        return False
    try:
        here = order(version)
    except ValueError:
        return False
    return any(here == key for key in _keys(listed, order))


def _keys(versions: Iterable[str], order: Order) -> Iterator[Key]:
    for version in versions:
        try:
            yield order(version)
        except ValueError:
            continue


def fixed_versions(
    version: str, *, ecosystem: str, ranges: Iterable[Range]
) -> tuple[str, ...]:
    """Return the versions above this one that end an interval, ascending."""
    found: dict[str, Key] = {}
    for one in ranges:
        order = find_order(ecosystem, one.type)
        if order is None:
            continue
        for event in one.events:
            if event.kind != "fixed":
                continue
            try:
                key = order(event.version)
                if key > order(version):
                    found[event.version] = key
            except ValueError:
                continue
    return tuple(sorted(found, key=lambda fixed: found[fixed]))

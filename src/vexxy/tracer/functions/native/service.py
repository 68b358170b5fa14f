"""Watching functions of compiled code in a recording: probes to set, and what they say.

A function counts as watched only where a probe stood at each of its places from before
the first process until the end. Anything less is told as unwatched, with the reason.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from vexxy.tracer.functions.native import places
from vexxy.tracer.functions.native.errors import Unreadable
from vexxy.tracer.functions.native.types import (
    Hit,
    Place,
    PlaceKind,
    ProbesSeen,
    UnwatchedFunction,
    Uprobe,
    Watchable,
)
from vexxy.tracer.types import (
    FunctionCall,
    FunctionRecording,
    Runtime,
    Source,
    Trace,
    WatchedFunction,
)

PROBES_MAX = 1 << 16
Wanted = tuple[str, str]
"""Path and name of a function."""


@dataclass(frozen=True, slots=True)
class _Waiting:
    """A function that a probe waits for; one probe may wait for several."""

    path: str
    name: str
    place: Place


class FunctionWatch:
    """The functions that one recording waits for.

    Args:
        on_host: Paths are of this machine, not of the container's root.
    """

    def __init__(self, *, on_host: bool = False) -> None:
        self._on_host = on_host
        self._read: dict[str, places.Functions] = {}
        self._watched: dict[Wanted, Watchable] = {}
        self._unwatched: dict[Wanted, UnwatchedFunction] = {}
        self._numbers: dict[tuple[str, int], int] = {}
        self._waiting: dict[int, list[_Waiting]] = {}

    def add(self, path: str, content: bytes, *, names: Iterable[str]) -> tuple[Uprobe, ...]:
        """Return the probes to set for functions of a file.

        They are for `Recorder.start` or `Recording.add_probes`; set all of them, for
        what is not set counts as watched otherwise. A file that cannot be read gives
        none, and its functions are told as unwatched.

        Args:
            path: Canonical path in the container.
            content: The file as the image holds it.
            names: As `places.resolve` takes them.
        """
        wanted = [name for name in names if (path, name) not in self._watched]
        try:
            functions = self._read.get(path) or places.read(content)
            found = functions.watch(wanted)
        except Unreadable as error:
            self._refuse(path, wanted, error.message)
            return ()
        self._read[path] = functions
        made: dict[int, Uprobe] = {}
        for name, watchable in found.items():
            self._watched[path, name] = watchable
            for place in watchable.places:
                self._add_place(_Waiting(path, name, place), made)
        return tuple(made.values())

    def results(self, trace: Trace) -> tuple[tuple[FunctionCall, ...], FunctionRecording]:
        """Return the calls that were seen, first called first, and how complete that is."""
        calls = self._calls(trace.probes.hits)
        watched, unwatched = self._watched_and_not(trace.probes)
        reasons: tuple[str, ...] = ()
        if self._waiting and not trace.probes.finished:
            reasons = ("the probes on functions were not watched until the end",)
        recording = FunctionRecording(
            runtime=Runtime.NATIVE,
            processes=len(trace.processes),
            reasons=reasons,
            watched=watched,
            unwatched=unwatched,
        )
        return calls, recording

    def _refuse(self, path: str, names: Iterable[str], reason: str) -> None:
        for name in names:
            self._unwatched[path, name] = UnwatchedFunction(path, name, reason)

    def _add_place(self, waiting: _Waiting, made: dict[int, Uprobe]) -> None:
        place = waiting.place
        key = (waiting.path, place.offset)
        number = self._numbers.get(key)
        if number is None:
            if len(self._numbers) >= PROBES_MAX:
                reason = "more functions were wanted than can be watched"
                self._refuse(waiting.path, [waiting.name], reason)
                return
            number = self._numbers[key] = len(self._numbers)
            made[number] = Uprobe(
                number=number,
                path=waiting.path,
                offset=place.offset,
                entry=place.kind is not PlaceKind.INLINED,
                code=place.code,
                on_host=self._on_host,
            )
        self._waiting.setdefault(number, []).append(waiting)

    def _calls(self, hits: Iterable[Hit]) -> tuple[FunctionCall, ...]:
        found: dict[Wanted, FunctionCall] = {}
        for hit in sorted(hits, key=_when):
            for waiting in self._waiting.get(hit.number, []):
                wanted = (waiting.path, waiting.name)
                if wanted not in found:
                    found[wanted] = self._call(waiting, hit)
        return tuple(found.values())

    def _call(self, waiting: _Waiting, hit: Hit) -> FunctionCall:
        module, name = split(waiting.path, waiting.name)
        place = waiting.place
        inlined = place.kind is PlaceKind.INLINED
        return FunctionCall(
            module=module,
            name=name,
            path=waiting.path,
            source=Source.UPROBE,
            process=hit.executable,
            process_id=hit.process_id,
            first_called_seconds=hit.seconds,
            stack=tuple(self._stack(waiting, hit)),
            inlined_into=place.holder if inlined else "",
        )

    def _stack(self, waiting: _Waiting, hit: Hit) -> Iterable[str]:
        """Yield the callers; an inlined copy's and a closure's holder comes first."""
        skipped = waiting.place.kind is PlaceKind.ENTRY
        own = hit.frames[0] if hit.frames else None
        for number, frame in enumerate(hit.frames):
            if number < skipped or own is None:
                continue
            back = 1 if number else 0  # a return address lies behind its call
            if frame.path in {own.path, ""}:
                offset = frame.address - own.address + waiting.place.offset - back
                described = self._read[waiting.path].describe(offset)
                if described:
                    yield described
            else:
                yield f"{frame.path}+{frame.offset - back:#x}"

    def _watched_and_not(
        self, seen: ProbesSeen
    ) -> tuple[tuple[WatchedFunction, ...], tuple[UnwatchedFunction, ...]]:
        refused: dict[Wanted, str] = {}
        for number, reason in seen.refused.items():
            for waiting in self._waiting.get(number, []):
                refused[waiting.path, waiting.name] = reason
        watched, unwatched = [], dict(self._unwatched)
        for (path, name), watchable in self._watched.items():
            reason = refused.get((path, name)) or _reason(watchable)
            if path in seen.changed:
                reason = "the file was replaced or written to while it was watched"
            if (path, name) in unwatched:
                continue
            if reason or not seen.finished:
                reason = reason or "the probes were not watched until the end"
                absent = watchable.absent
                unwatched[path, name] = UnwatchedFunction(path, name, reason, absent=absent)
            else:
                watched.append(WatchedFunction(path, name, len(watchable.places)))
        return tuple(watched), tuple(unwatched.values())


def split(path: str, name: str) -> tuple[str, str]:
    """Return a function's module and its name inside it, as `FunctionCall` has them."""
    start = name.rfind("/") + 1
    if "::" in name:
        module, _, rest = name.partition("::")
    elif "." in name[start:]:
        dot = name.index(".", start)
        module, rest = name[:dot], name[dot + 1 :]
    else:
        module, rest = path.rpartition("/")[2], name
    return module, rest


def _reason(watchable: Watchable) -> str:
    if watchable.absent:
        return "the file holds no code of it"
    return watchable.obstacle or ("" if watchable.places else "nothing of it was found")


def _when(hit: Hit) -> float:
    return float("inf") if hit.seconds is None else hit.seconds

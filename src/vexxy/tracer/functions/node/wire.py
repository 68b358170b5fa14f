"""The lines of `beside/node/record.cjs`, each a JSON array.

A file is named `node-PROCESS-BEGUN-THREAD`, with `-USER` where the first was another
user's; `.beat` holds when it was last written, and whether for good.

    ["H", pid, ppid, thread, seconds, version, run, executable, arguments, options]
    ["S", index, url]
    ["F", seconds, script, name, start, end, request]
    ["W", thread]      a thread was started
    ["B", path]        a file was run before anybody listened
    ["R", reason]
"""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

FILE: Final = re.compile(r"(node-(\d{1,10})-\d{1,20}-\d{1,10})(\.beat)?(?:-\d{1,10})?")
CONTROL: Final = re.compile(r"[\x00-\x1f\x7f]")
LINES_MAX: Final = 2_000_000
STOP_FILE: Final = "stop"


@dataclass(frozen=True, slots=True)
class Hello:
    """A thread began to be recorded.

    Attributes:
        thread: 0 for the first one of a process.
        run: Tells runs of programs by one process apart.
    """

    process_id: int
    thread: int
    seconds: float
    version: str
    run: str
    executable: str
    arguments: tuple[str, ...] = ()
    options: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Call:
    """A function was called since the last time somebody looked.

    Attributes:
        start, end: In UTF-16 code units of the script.
    """

    seconds: float
    url: str
    name: str
    start: int
    end: int
    request: str
    process_id: int
    executable: str


@dataclass(slots=True)
class Life:
    """One thread, as far as it told.

    Attributes:
        last_seconds: When it was last known that everything is told.
        final: Whether it said that nothing follows.
        started: Threads that it started.
    """

    hello: Hello
    last_seconds: float
    final: bool = False
    started: list[int] = field(default_factory=list)


@dataclass(slots=True)
class Told:
    """Everything that was written.

    Attributes:
        before: Files that were run before anybody listened.
        stop_seconds: When the recorders were asked for their last words.
        damaged: Lines that are none, or not whole.
    """

    lives: list[Life] = field(default_factory=list)
    calls: list[Call] = field(default_factory=list)
    before: dict[str, None] = field(default_factory=dict)
    reasons: dict[str, None] = field(default_factory=dict)
    stop_seconds: float | None = None
    damaged: int = 0

    @property
    def hellos(self) -> list[Hello]:
        """The threads that reported."""
        return [life.hello for life in self.lives]


def read(files: Mapping[str, bytes]) -> Told:
    """Return what the files of this recorder say; others are left alone."""
    told = Told()
    lives: dict[str, Life] = {}
    scripts: dict[tuple[str, int], str] = {}
    lines = 0
    for name in sorted(files):
        found = FILE.fullmatch(name)
        if found is None or found[3]:
            continue
        for line in _lines(files[name], told):
            lines += 1
            try:
                if lines > LINES_MAX:
                    raise ValueError  # noqa: TRY301  counted as any other that is unread
                _take(told, json.loads(line), key=found[1], lives=lives, scripts=scripts)
            except (ValueError, IndexError, KeyError, TypeError, RecursionError):
                told.damaged += 1
    told.lives = list(lives.values())
    _read_beats(files, lives)
    told.stop_seconds = _number(files.get(STOP_FILE, b""))
    return told


def _lines(content: bytes, told: Told) -> list[bytes]:
    lines = content.split(b"\n")
    if lines.pop():
        told.damaged += 1
    return lines


def _read_beats(files: Mapping[str, bytes], lives: Mapping[str, Life]) -> None:
    for name, content in files.items():
        found = FILE.fullmatch(name)
        life = lives.get(found[1]) if found else None
        if found is None or not found[3] or life is None:
            continue
        try:
            # A longer text that was there before follows the bracket.
            seconds, final = json.loads(content.partition(b"]")[0] + b"]")
            life.last_seconds = max(life.last_seconds, float(seconds))
            life.final = life.final or final is True
        except (ValueError, TypeError):
            continue


def _number(content: bytes) -> float | None:
    try:
        return float(content)
    except ValueError:
        return None


def plain(text: object) -> str:
    """Return a text that may be shown; a path may hold anything."""
    if not isinstance(text, str):
        raise TypeError(text)
    return CONTROL.sub("\N{REPLACEMENT CHARACTER}", text)


def _take(
    told: Told,
    fields: list[Any],
    *,
    key: str,
    lives: dict[str, Life],
    scripts: dict[tuple[str, int], str],
) -> None:
    kind = fields[0]
    if kind == "H":
        hello = _hello(fields)
        lives[key] = Life(hello, hello.seconds)
    elif kind == "S":
        scripts[key, int(fields[1])] = plain(fields[2])
    elif kind == "F":
        hello = lives[key].hello
        told.calls.append(_call(fields, hello, scripts[key, int(fields[2])]))
    elif kind == "W":
        lives[key].started.append(int(fields[1]))
    elif kind == "B":
        told.before.setdefault(plain(fields[1]))
    elif kind == "R":
        told.reasons.setdefault(plain(fields[1]))
    else:
        told.damaged += 1


def _hello(fields: list[Any]) -> Hello:
    _, process, _, thread, seconds, version, run, executable, arguments, options = fields
    return Hello(
        process_id=int(process),
        thread=int(thread),
        seconds=float(seconds),
        version=plain(version),
        run=plain(run),
        executable=plain(executable),
        arguments=tuple(plain(one) for one in arguments),
        options=tuple(plain(one) for one in options),
    )


def _call(fields: list[Any], hello: Hello, url: str) -> Call:
    _, seconds, _, name, start, end, request = fields
    return Call(
        seconds=float(seconds),
        url=url,
        name=plain(name),
        start=int(start),
        end=int(end),
        request=plain(request),
        process_id=hello.process_id,
        executable=hello.executable,
    )

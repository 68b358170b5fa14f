r"""The lines of `beside/python/_vexxy_recorder.py`.

Fields are separated by tabs, with `\`, tab and newline escaped by `\`. A file is named
`python-PROCESS-BEGUN`, with `-USER` where the first was another user's.

    H kind pid ppid seconds version mode run executable library argument...
    F seconds line path name request around caller...
    B path
    R reason
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Final

FILE: Final = re.compile(r"python-(\d{1,10})-(\d{1,20})(?:-\d{1,10})?")
ESCAPED: Final = re.compile(r"\\(.)")
CONTROL: Final = re.compile(r"[\x00-\x1f\x7f]")
LINES_MAX: Final = 2_000_000
STACK_MAX: Final = 30
HELLO_FIELDS: Final = 9
CALL_FIELDS: Final = 6


@dataclass(frozen=True, slots=True)
class Hello:
    """A process began to be recorded.

    Attributes:
        kind: `start` for a program that was started, `fork` for a copy of a process.
        mode: How it listens; `none` where it could not.
        run: Tells runs of programs by one process apart.
        library: Directory of the standard library.
    """

    kind: str
    process_id: int
    parent_process_id: int
    seconds: float
    version: tuple[int, int]
    mode: str
    run: str
    executable: str
    library: str
    arguments: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Call:
    """A function was called for the first time in a process.

    Attributes:
        name: Qualified from 3.11 on, else the bare name.
        around: File of the module whose names the code sees; only for code from text.
        hello: The process, None if it never said hello.
    """

    seconds: float
    line: int
    path: str
    name: str
    request: str
    around: str
    stack: tuple[str, ...]
    process_id: int
    hello: Hello | None


@dataclass(slots=True)
class Told:
    """Everything that was written.

    Attributes:
        before: Files that were run before anybody listened.
        reasons: As the recorders gave them.
        damaged: Lines that are none, or not whole.
    """

    hellos: list[Hello] = field(default_factory=list)
    calls: list[Call] = field(default_factory=list)
    before: dict[str, Hello | None] = field(default_factory=dict)
    reasons: dict[str, None] = field(default_factory=dict)
    damaged: int = 0


def read(files: Mapping[str, bytes]) -> Told:
    """Return what the files of this recorder say; others are left alone."""
    told = Told()
    latest: dict[tuple[str, str], Hello] = {}
    lines = 0
    for name in sorted(files):
        found = FILE.fullmatch(name)
        if found is None:
            continue
        key = (found[1], found[2])
        for fields in _lines(files[name], told):
            lines += 1
            if lines > LINES_MAX:
                told.damaged += 1
                return told
            try:
                _take(told, fields, latest=latest, key=key)
            except (ValueError, IndexError):
                told.damaged += 1
    return told


def _lines(content: bytes, told: Told) -> Iterator[list[str]]:
    lines = content.split(b"\n")
    if lines.pop():
        told.damaged += 1
    for line in lines:
        text = line.decode("utf-8", "surrogateescape")
        yield [_plain(part) for part in text.split("\t")]


def _plain(text: str) -> str:
    if "\\" in text:
        text = ESCAPED.sub(
            lambda found: {"t": "\t", "n": "\n"}.get(found[1], found[1]), text
        )
    # A path may hold anything; what is shown to people may not.
    return CONTROL.sub("\N{REPLACEMENT CHARACTER}", text)


def _take(
    told: Told,
    fields: list[str],
    *,
    latest: dict[tuple[str, str], Hello],
    key: tuple[str, str],
) -> None:
    kind, rest = fields[0], fields[1:]
    if kind == "H":
        latest[key] = hello = _hello(rest)
        told.hellos.append(hello)
    elif kind == "F":
        told.calls.append(_call(rest, int(key[0]), latest.get(key)))
    elif kind == "B":
        told.before.setdefault(rest[0], latest.get(key))
    elif kind == "R":
        told.reasons.setdefault(rest[0])
    else:
        told.damaged += 1


def _hello(fields: list[str]) -> Hello:
    kind, process, parent, seconds, version, mode, run, executable, library = fields[
        :HELLO_FIELDS
    ]
    major, minor = version.split(".")
    return Hello(
        kind=kind,
        process_id=int(process),
        parent_process_id=int(parent),
        seconds=float(seconds),
        version=(int(major), int(minor)),
        mode=mode,
        run=run,
        executable=executable,
        library=library,
        arguments=tuple(fields[HELLO_FIELDS:]),
    )


def _call(fields: list[str], process_id: int, hello: Hello | None) -> Call:
    seconds, line, path, name, request, around = fields[:CALL_FIELDS]
    return Call(
        seconds=float(seconds),
        line=int(line),
        path=path,
        name=name,
        request=request,
        around=around,
        stack=tuple(fields[CALL_FIELDS : CALL_FIELDS + STACK_MAX]),
        process_id=process_id,
        hello=hello,
    )

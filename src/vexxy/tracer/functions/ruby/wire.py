r"""The lines of `beside/ruby/record.rb`.

Fields are separated by tabs, with `\`, tab and newline escaped by `\`. A file is named
`ruby-PROCESS-BEGUN`, with `-USER` where the first was another user's.

    H kind pid seconds version begun executable
    F seconds line path name caller...
    B path
    R reason
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

FILE: Final = re.compile(r"ruby-(\d{1,10})-(\d{1,20})(?:-\d{1,10})?")
ESCAPED: Final = re.compile(r"\\(.)")
CONTROL: Final = re.compile(r"[\x00-\x1f\x7f]")
LINES_MAX: Final = 2_000_000
STACK_MAX: Final = 30


@dataclass(frozen=True, slots=True)
class Hello:
    """A process began to be recorded; `kind` is `start` for a program, or `fork`."""

    kind: str
    process_id: int
    begun: str
    executable: str


@dataclass(frozen=True, slots=True)
class Call:
    """A method was called for the first time in a process."""

    seconds: float
    line: int
    path: str
    name: str
    stack: tuple[str, ...]
    process_id: int


@dataclass(slots=True)
class Told:
    """Everything that was written.

    Attributes:
        before: Files that were run before anybody listened.
        damaged: Lines that are none, or not whole.
    """

    hellos: list[Hello] = field(default_factory=list)
    calls: list[Call] = field(default_factory=list)
    before: dict[str, None] = field(default_factory=dict)
    reasons: dict[str, None] = field(default_factory=dict)
    damaged: int = 0


def read(files: Mapping[str, bytes]) -> Told:
    """Return what the files of this recorder say; others are left alone."""
    told = Told()
    count = 0
    for name in sorted(files):
        found = FILE.fullmatch(name)
        if found is None:
            continue
        lines = files[name].split(b"\n")
        told.damaged += bool(lines.pop())
        for line in lines:
            count += 1
            fields = [_plain(part) for part in line.decode("utf-8", "replace").split("\t")]
            try:
                if count > LINES_MAX:
                    raise ValueError  # noqa: TRY301  counted as any other that is unread
                _take(told, fields, int(found[1]))
            except (ValueError, IndexError):
                told.damaged += 1
    return told


def _plain(text: str) -> str:
    text = ESCAPED.sub(lambda one: {"t": "\t", "n": "\n"}.get(one[1], one[1]), text)
    return CONTROL.sub("\N{REPLACEMENT CHARACTER}", text)


def _take(told: Told, fields: list[str], process_id: int) -> None:
    kind, rest = fields[0], fields[1:]
    if kind == "H":
        told.hellos.append(Hello(rest[0], process_id, rest[4], rest[5]))
    elif kind == "F":
        seconds, line, path, name = rest[:4]
        stack = tuple(rest[4 : 4 + STACK_MAX])
        call = Call(float(seconds), int(line), path, name, stack, process_id)
        told.calls.append(call)
    elif kind == "B":
        told.before.setdefault(rest[0])
    elif kind == "R":
        told.reasons.setdefault(rest[0])
    else:
        told.damaged += 1

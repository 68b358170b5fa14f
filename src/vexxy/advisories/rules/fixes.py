"""From the lines that a fix changes to the functions that are vulnerable.

A function is named as it is called before the fix. One that only the fix brings cannot
be called in the vulnerable version and is left out; so are functions that merely call a
changed one.
"""

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple

from vexxy.advisories.rules.outlines import Outline

# How sure it is that the hole is in the function, by where its name is from. A reviewed
# record's own field is 1.0.
CONFIDENCE_ONE_FILE: Final = 0.9
CONFIDENCE_SEVERAL_FILES: Final = 0.7
CONFIDENCE_HEADER: Final = 0.6
CONFIDENCE_HANDED: Final = 0.7
CONFIDENCE_DATA: Final = 0.5
CONFIDENCE_MANY: Final = 0.5
# The same, where a person read it in the words of an advisory.
CONFIDENCE_WORDS: Final = 0.8

# A fix that changes more than this does other things besides.
FUNCTIONS_FOCUSED_MAX: Final = 8
FUNCTIONS_MAX: Final = 25
# A name that more functions use is too common to say who is vulnerable.
USERS_MAX: Final = 10

# Definitions that are made of each other are followed this far.
DATA_MAX: Final = 12

_TELLING_NOTHING: Final = re.compile(r"__\w+__|_?version(?:_info)?", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class ChangedFile:
    """One source file of a fix.

    Attributes:
        path: Its path before the fix.
        removed: Lines of it that the fix takes away or rewrites.
        added: Lines that the fix brings, numbered as after it.
        before: What it consisted of; None if nobody could read it.
        after: The same after the fix.
        named: Functions that the headers of the diff name, used where nothing else can.
    """

    path: str
    removed: tuple[int, ...]
    added: tuple[int, ...]
    before: Outline | None
    after: Outline | None
    named: tuple[str, ...] = ()


class Touched(NamedTuple):
    """A function that a fix touches; empty `name` for the module as a whole."""

    path: str
    name: str
    confidence: float


# Path and outline of each file that mentions a word, before the fix.
Mentions = Callable[[str], Iterable[tuple[str, Outline]]]


def touched(changed: Sequence[ChangedFile], mentions: Mentions) -> tuple[Touched, ...]:
    """Return the vulnerable functions of a fix; none if it changes too many to tell.

    Args:
        changed: Its source files, tests and the like left out already.
        mentions: The other files of the project, for what is changed outside functions.
    """
    found: list[Touched] = []
    for file in changed:
        found += _in_file(file, mentions)
    best: dict[tuple[str, str], Touched] = {}
    for one in found:
        known = best.setdefault((one.path, one.name), one)
        if known.confidence < one.confidence:
            best[one.path, one.name] = one
    certain = [one for one in best.values() if one.confidence > CONFIDENCE_HEADER]
    if len(certain) > FUNCTIONS_MAX:
        return ()
    limit = _limit(len({one.path for one in certain}), len(certain))
    return tuple(
        one._replace(confidence=min(limit, one.confidence)) for one in best.values()
    )


def _limit(files: int, functions: int) -> float:
    if functions > FUNCTIONS_FOCUSED_MAX:
        return CONFIDENCE_MANY
    return CONFIDENCE_ONE_FILE if files <= 1 else CONFIDENCE_SEVERAL_FILES


def _in_file(file: ChangedFile, mentions: Mentions) -> list[Touched]:
    if file.before is None:
        return [Touched(file.path, name, CONFIDENCE_HEADER) for name in file.named]
    names = changed_functions(file)
    found = [Touched(file.path, name, CONFIDENCE_ONE_FILE) for name in names]
    handed = _handed(file)
    found += [Touched(file.path, name, CONFIDENCE_HANDED) for name in handed]
    data = changed_data(file)
    for name in data:
        if not name and handed:
            continue
        users, whole = _users(name, mentions) if name else ([], False)
        found += users if whole else [*users, Touched(file.path, "", CONFIDENCE_DATA)]
    if not found and file.before.broken:
        found = [Touched(file.path, name, CONFIDENCE_HEADER) for name in file.named]
    return found


def changed_functions(file: ChangedFile) -> tuple[str, ...]:
    """Return the functions, by their names before the fix, whose lines it changes."""
    before = file.before or Outline()
    names = [
        name
        for line in file.removed
        if not before.is_quiet(line)
        for name in before.functions_at(line)
    ]
    if file.after is not None:
        known = before.names()
        names += [
            name
            for line in file.added
            if not file.after.is_quiet(line)
            for name in _existing(file.after, line, known)
        ]
    return tuple(dict.fromkeys(names))


def _existing(after: Outline, line: int, known: frozenset[str]) -> Iterable[str]:
    """Return the functions around an added line that were there before.

    Innermost first: what is inside a new inner function changes the one around it.
    """
    inner = [name for name in after.functions_at(line) if name in known]
    if inner:
        return inner
    around = [span for span in after.functions if span.holds(line) and span.name in known]
    return [min(around, key=lambda span: span.last - span.first).name] if around else []


def changed_data(file: ChangedFile) -> tuple[str, ...]:
    """Return what is changed outside functions by its name; `""` for code without one.

    Names that only the fix brings, versions and lists of exports are left out.
    """
    before = file.before or Outline()
    names = [
        name
        for line in file.removed
        if not before.is_quiet(line) and not before.functions_at(line)
        for name in before.data_at(line)
    ]
    if file.after is not None:
        names += [
            name
            for line in file.added
            if not file.after.is_quiet(line) and not file.after.functions_at(line)
            for name in _existing_data(file.after, line, before)
        ]
    return tuple(
        name
        for name in dict.fromkeys(names)
        if _TELLING_NOTHING.fullmatch(name.rpartition(".")[2]) is None
    )


def _handed(file: ChangedFile) -> tuple[str, ...]:
    """Return the functions that a statement hands on which the fix takes away.

    A registration (`add_constructor(tag, Loader.construct_it)`) is code without a name.
    """
    before = file.before or Outline()
    lines = {
        line
        for line in file.removed
        if not before.is_quiet(line)
        and not before.functions_at(line)
        and before.data_at(line) == ("",)
    }
    return tuple(
        span.name
        for span in before.functions
        if _is_mentioned(span.name.rpartition(".")[2], before, lines)
    )


def _is_mentioned(word: str, outline: Outline, lines: set[int]) -> bool:
    return any(
        line in lines and (word, line) not in outline.calls
        for line in outline.words.get(word, ())
    )


def _existing_data(after: Outline, line: int, before: Outline) -> Iterable[str]:
    """Return the data around an added line that was there before: a table, no class."""
    known = {span.name for span in before.data if span.name}
    around = [span for span in after.data if span.holds(line) and span.name in known]
    data = [
        span
        for span in around
        if not any(one.name.startswith(f"{span.name}.") for one in after.functions)
    ]
    return [min(data, key=lambda span: span.last - span.first).name] if data else []


def _users(name: str, mentions: Mentions) -> tuple[list[Touched], bool]:
    """Return the functions that use a name, through other data too, and if that is all.

    Only those that mention it themselves if others are too many to mean much.
    """
    word = name.rpartition(".")[2]
    waiting, seen = [word], {word}
    found: dict[Touched, None] = {}
    direct: list[Touched] | None = None
    while waiting and len(seen) <= DATA_MAX:
        current = waiting.pop(0)
        for path, outline in mentions(current):
            users = outline.users(current)
            found |= dict.fromkeys(Touched(path, user, CONFIDENCE_DATA) for user in users)
            others = {one.rpartition(".")[2] for one in outline.data_users(current)}
            waiting += sorted(others - seen - {""})
            seen |= others
        direct = list(found) if direct is None else direct
    if len(found) > USERS_MAX:
        few = direct is not None and len(direct) <= USERS_MAX
        return direct or [] if few else [], False
    unused = word.startswith("_") and len(seen) == 1
    return list(found), not waiting and (bool(found) or unused)

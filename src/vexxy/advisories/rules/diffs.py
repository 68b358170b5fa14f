"""Unified diffs: which lines of which file change."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

_HUNK: Final = re.compile(r"@@ -(\d+)(?:,(\d+))? \+(\d+)(?:,(\d+))? @@")
NOWHERE: Final = "/dev/null"


@dataclass(frozen=True, slots=True)
class FileDiff:
    """What a diff does to one file.

    Attributes:
        before: Its path without the first folder, empty for a file that is added.
        after: The same afterwards, empty for a file that is removed.
        removed: Lines, 1-based, of the file before.
        added: Lines of the file after.
        text: The diff of this file.
    """

    before: str
    after: str
    removed: tuple[int, ...] = ()
    added: tuple[int, ...] = ()
    text: str = ""


def files(text: str) -> Iterator[FileDiff]:
    """Yield the files of a unified diff, of git or of `diff -u`; other text is skipped."""
    block: list[str] = []
    for line in text.split("\n"):
        starts = line.startswith("--- ") and not _is_removal(block)
        if (starts or line.startswith(("diff ", "Index: "))) and _has_hunk(block):
            yield _file(block)
            block = []
        block.append(line)
    if _has_hunk(block):
        yield _file(block)


def _has_hunk(block: list[str]) -> bool:
    return any(line.startswith("@@ ") for line in block)


def _is_removal(block: list[str]) -> bool:
    """Whether a line `--- x` is a removed line `-- x` of the hunk that is being read."""
    for place in range(len(block) - 1, -1, -1):
        found = _HUNK.match(block[place])
        if found:
            wanted = int(found[2] or 1)
            taken = sum(line[:1] in {"-", " ", ""} for line in block[place + 1 :])
            return taken < wanted
    return False


def _file(block: list[str]) -> FileDiff:
    before = after = ""
    removed: list[tuple[int, str]] = []
    added: list[tuple[int, str]] = []
    old = new = old_left = new_left = 0
    for line in block:
        found = _HUNK.match(line)
        if found and old_left <= 0 and new_left <= 0:
            old, new = int(found[1]), int(found[3])
            old_left, new_left = int(found[2] or 1), int(found[4] or 1)
        elif old_left > 0 or new_left > 0:
            sign = line[:1]
            if sign == "-":
                removed.append((old, line[1:]))
            elif sign == "+":
                added.append((new, line[1:]))
            if sign != "\\":
                old, old_left = old + (sign != "+"), old_left - (sign != "+")
                new, new_left = new + (sign != "-"), new_left - (sign != "-")
        elif line.startswith("--- "):
            before = _path(line)
        elif line.startswith("+++ "):
            after = _path(line)
    text = "\n".join(block)
    return FileDiff(before, after, *_without_punctuation(removed, added), text)


def _without_punctuation(
    removed: list[tuple[int, str]], added: list[tuple[int, str]]
) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Return the lines, but for those where only a final comma or semicolon changes."""
    old = {text.strip().rstrip(",;"): text.strip() for _, text in removed}
    same = {
        bare
        for _, text in added
        if (bare := text.strip().rstrip(",;")) in old and old[bare] != text.strip()
    }
    return (
        tuple(line for line, text in removed if text.strip().rstrip(",;") not in same),
        tuple(line for line, text in added if text.strip().rstrip(",;") not in same),
    )


def _path(line: str) -> str:
    """Return the path of a `---` or `+++` line without its first folder."""
    path = line[4:].partition("\t")[0].strip().strip('"')
    return "" if path == NOWHERE else path.partition("/")[2] or path

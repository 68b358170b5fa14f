"""What a source file consists of, by lines: functions, classes, data, words."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import NamedTuple


class Span(NamedTuple):
    """A named part of a source file; lines are 1-based and inclusive."""

    name: str
    first: int
    last: int

    def holds(self, line: int) -> bool:
        """Whether the line belongs to it."""
        return self.first <= line <= self.last


@dataclass(frozen=True, slots=True)
class Outline:
    """The parts of a source file, whatever its language.

    Attributes:
        functions: Every function with a name, qualified as its language's runtime
            writes it (`Class.method`, `outer.inner`, `module.exports`, Go `T.M`).
        data: Statements outside functions; the name is what they define (`LIMIT`,
            `Class.limit`), empty for statements that define nothing.
        code: Lines that hold something else than comments and documentation.
        imports: Lines of imports; they change with every refactoring.
        words: Lines on which an identifier stands.
        calls: Those of them, with their line, that are called there.
        broken: The parser met something that it does not understand.
    """

    functions: tuple[Span, ...] = ()
    data: tuple[Span, ...] = ()
    code: frozenset[int] = frozenset()
    imports: frozenset[int] = frozenset()
    words: Mapping[str, tuple[int, ...]] = field(default_factory=dict)
    calls: frozenset[tuple[str, int]] = frozenset()
    broken: bool = False

    def names(self) -> frozenset[str]:
        """Return the name of every function."""
        return frozenset(span.name for span in self.functions)

    def functions_at(self, line: int) -> tuple[str, ...]:
        """Return the innermost functions around a line.

        Several where a line holds several; which of them changed is then not known.
        """
        around = [span for span in self.functions if span.holds(line)]
        long = [span for span in around if span.first != span.last]
        found = [span.name for span in around if span.first == span.last]
        if long:
            found.append(min(long, key=lambda span: span.last - span.first).name)
        return tuple(dict.fromkeys(found))

    def data_at(self, line: int) -> tuple[str, ...]:
        """Return what the innermost statements around a line define."""
        around = [span for span in self.data if span.holds(line)]
        if not around:
            return ()
        least = min(span.last - span.first for span in around)
        found = (span.name for span in around if span.last - span.first == least)
        names = tuple(dict.fromkeys(found))
        return tuple(name for name in names if name) or names

    def users(self, word: str) -> tuple[str, ...]:
        """Return the functions that mention an identifier, in the file's order."""
        found = (
            name for line in self.words.get(word, ()) for name in self.functions_at(line)
        )
        return tuple(dict.fromkeys(found))

    def data_users(self, word: str) -> tuple[str, ...]:
        """Return what is defined outside functions by means of an identifier."""
        found = (
            name
            for line in self.words.get(word, ())
            if not self.functions_at(line)
            for name in self.data_at(line)
        )
        return tuple(dict.fromkeys(found))

    def is_quiet(self, line: int) -> bool:
        """Whether a change of the line cannot change what the program does."""
        return line not in self.code or line in self.imports

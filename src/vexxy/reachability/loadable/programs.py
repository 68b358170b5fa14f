"""Which programs of the image a written word can mean.

A word is a name, the end of a path (`$H/bin/tool`), or a name with parts that only the run
knows (`tool-$kind`).
"""

import re
from collections.abc import Iterator
from typing import Final

from vexxy.reachability.loadable.tree import NO_PROGRAMS, Tree

# What stands for a value: of a shell, of a template, of a format.
VALUE: Final = re.compile(
    r"\$\{[^{}]*\}|\$\([^()]*\)|#\{[^{}]*\}|\{\{[^{}]*\}\}|\{[^{}\s]*\}|\$[\w@*#?!]+"
    r"|%\([\w.]+\)s|%[-\d.]*[a-zA-Z]|`[^`]*`"
)
WITH_VALUE: Final = re.compile(
    r"(?:[\w.+@/-]|\$\{[^{}\s]*\}|\$\([^()\n]*\)|#\{[^{}\n]*\}|\{[^{}\s]*\}|\$\w+"
    r"|%\([\w.]+\)s|%[sdv])+"
)
# A pattern with less than this fixed would fit too many names to say anything.
FIXED_LENGTH_MIN: Final = 4
WORD_LENGTH_MAX: Final = 256


class Programs:
    """Looks written words up among the programs of one image."""

    def __init__(self, tree: Tree) -> None:
        self._tree: Final = tree
        self._patterns: dict[str, tuple[str, ...]] = {}

    def meant(self, word: str, *, everywhere: bool = False) -> Iterator[str]:
        """Yield the files that a word without values names as a program.

        A path that is there means itself, which is the reader's of paths; of one that is
        not (it is assembled, or relative) the last component is a name, anywhere.
        `everywhere` says so of bare names too, where PATH is changed.
        """
        name = word.rpartition("/")[2]
        if not name or (word.startswith("/") and self._tree.resolve(word) is not None):
            return
        target = self._tree.programs.get(name)
        if target is not None:
            yield target
        if everywhere or name != word:
            tail = "/".join(("", *word.split("/")[-2:])) if name != word else "/"
            for path in self._tree.files_named(name):
                ordinary = not path.startswith(NO_PROGRAMS) or path.endswith(tail)
                if path != target and ordinary and self._tree.executable(path):
                    yield path

    def fitting(self, word: str) -> tuple[str, ...]:
        """Return the programs whose name fits a word with values in it."""
        written = VALUE.sub("\0", word)
        name = written.rpartition("/")[2]
        if "\0" not in name:
            return tuple(self.meant(written)) if name != written else ()
        if name not in self._patterns:
            self._patterns[name] = tuple(self._fit(name))
        return self._patterns[name]

    def _fit(self, name: str) -> Iterator[str]:
        parts = name.split("\0")
        fixed = sum(one.isalnum() for part in parts for one in part)
        # `lib%s` is a library, which others look for.
        if parts[0] == "lib" or fixed < FIXED_LENGTH_MIN:
            return
        pattern = re.compile(".*".join(re.escape(part) for part in parts))
        for program, target in self._tree.programs.items():
            if pattern.fullmatch(program):
                yield target


def with_values(text: str) -> set[str]:
    """Return the words of a text that have values in them."""
    return {
        word
        for word in WITH_VALUE.findall(text)
        if len(word) <= WORD_LENGTH_MAX and VALUE.search(word)
    }

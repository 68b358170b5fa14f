"""Programs and libraries that Python code names by a value, or by part of a name.

Where something is fixed, names of the image are matched with it. Where nothing is, an
application could start or load any; of a library, only words said elsewhere count.
"""

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from functools import cached_property
from typing import Final

from vexxy.reachability.loadable.linker import Linker
from vexxy.reachability.loadable.tree import Lead, Tree
from vexxy.reachability.wire import pyvalues, tokens

# Its own modules load for their callers.
STANDARD: Final = re.compile(r".*/lib(64)?/(python|pypy)[\d.]+/(?!(site|dist)-packages/)")
SOURCE: Final = "import_graph"
LIBRARY: Final = re.compile(r"lib(.+?)(?:-[\d.]+)?\.so[\d.]*")
BARE: Final = re.compile(r"[\w.+-]{1,40}")
FIXED_MIN: Final = 3
# Parts that every library has.
ORDINARY: Final = re.compile(r"\Alib|\.so[\d.]*\Z|\.dylib\Z|\.dll\Z|\*|\W")
LITERAL_PATTERN: Final = re.compile(r"[\w.+-]*(?:\{[^{}]*\}|%s)[\w.+{}%-]*\.so[\w.{}%]*")


class Values:
    """Follows names that are computed, in one image."""

    def __init__(self, tree: Tree, linker: Linker) -> None:
        self._tree: Final = tree
        self._linker: Final = linker
        self._said: set[str] = set()
        self._asking = ""

    def programs(self, text: str) -> Iterator[Lead]:
        """Yield the programs that an application's file can start by a value."""
        for pattern in sorted(pyvalues.commands(text)):
            if len(pattern.replace("*", "")) < FIXED_MIN:
                how = "starts programs by a name known only at run time, perhaps"
                for target in sorted(set(self._tree.programs.values())):
                    yield Lead(target, how, "command")
                return
            expression = _expression(pattern)
            for name, target in self._tree.programs.items():
                if expression.fullmatch(name):
                    yield Lead(target, f"starts programs like {pattern}, hence", "command")

    def libraries(self, text: str, *, path: str, own: bool) -> Iterator[Lead]:
        """Yield the libraries that a file using `ctypes` or `cffi` can load."""
        literals = set(tokens.literals(text))
        yield from self._constant(literals)
        if STANDARD.match(path) and not own:
            return
        patterns = set(pyvalues.libraries(text))
        patterns |= {
            re.sub(r"\{[^{}]*\}|%s", "*", found)
            for literal in literals
            for found in LITERAL_PATTERN.findall(literal)
        }
        for pattern in sorted(patterns):
            if len(ORDINARY.sub("", ORDINARY.sub("", pattern))) >= FIXED_MIN:
                yield from self._matching(pattern, f"loads libraries like {pattern}, hence")
            elif own:
                how = "loads libraries by a name known only at run time, perhaps"
                yield from self._matching(pattern, how)
        if patterns and not self._asking:
            self._asking = path
            yield from self._named(self._said, "may load, as the run names it,")

    def said(self, words: Iterable[str]) -> Iterator[Lead]:
        """Take words of configuration, arguments and variables; yield what they name."""
        new = {word for word in words if BARE.fullmatch(word)} - self._said
        self._said |= new
        if self._asking:
            how = f"has the word for a library, which {self._asking} may load,"
            yield from self._named(new, how)

    def _named(self, words: Iterable[str], how: str) -> Iterator[Lead]:
        for word in words:
            for target in self._by_short_name.get(word, ()):
                yield Lead(target, how, SOURCE)

    def _constant(self, literals: Iterable[str]) -> Iterator[Lead]:
        for literal in literals:
            if ".so" in literal:
                for name in tokens.libraries(literal.encode("utf-8", "surrogateescape")):
                    for target in self._linker.find(name):
                        yield Lead(target, "may load the library", SOURCE)
            elif BARE.fullmatch(literal):
                for target in self._by_short_name.get(literal, ()):
                    yield Lead(target, f"may load the library {literal},", SOURCE)

    def _matching(self, pattern: str, how: str) -> Iterator[Lead]:
        expression = _expression(pattern.rpartition("/")[2])
        for name, paths in self._tree.names.items():
            found = LIBRARY.fullmatch(name) or (".so" in name and name.startswith("lib"))
            if ".so" in name and (
                expression.match(name) or (found and expression.fullmatch(_short(name)))
            ):
                yield from (Lead(path, how, SOURCE) for path in paths)

    @cached_property
    def _by_short_name(self) -> Mapping[str, list[str]]:
        """Shared libraries by the name that `find_library` takes (`magic`)."""
        found: dict[str, list[str]] = defaultdict(list)
        for name, paths in self._tree.names.items():
            match = LIBRARY.fullmatch(name)
            if match is not None:
                found[match[1]] += paths
        return found


def _short(name: str) -> str:
    found = LIBRARY.fullmatch(name)
    return "" if found is None else found[1]


def _expression(pattern: str) -> re.Pattern[str]:
    return re.compile(".*".join(re.escape(part) for part in pattern.split("*")))

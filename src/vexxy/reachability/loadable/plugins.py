"""Libraries that native code opens by a name which it puts together at run time.

What is fixed in a name is matched with the image's files. What is not may come from the
code's own strings, from arguments, variables and configuration, or from outside: then a
library that nothing in the image needs is there for someone who opens it by name.
"""

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache, cached_property
from typing import Final

from vexxy.reachability.loadable.linker import Linker
from vexxy.reachability.loadable.tree import Lead, Tree
from vexxy.reachability.wire import elf, tokens
from vexxy.reachability.wire.elf import Elf

SOURCE: Final = "elf"
OPENS: Final = re.compile(
    r"(dlm?open|lt_dl\w*open\w*|g_module_open\w*|uv_dlopen|apr_dso_load|SDL_LoadObject|"
    r"_ZN\d+QLibrary\w*|_ZN\d+QPluginLoader\w*)"
)

# Libraries that build the path of their plugins piece by piece.
PLUGINS: Final = (
    (re.compile(r"libpam\.so"), "security"),
    (re.compile(r"libsasl2\.so"), "sasl2"),
    (re.compile(r"libcrypto\.so"), "ossl-modules"),
    (re.compile(r"libcrypto\.so"), "engines-3"),
    (re.compile(r"libcrypto\.so"), "engines-1.1"),
    (re.compile(r"libkrb5\.so|libgssapi"), "krb5"),
    (re.compile(r"libgio-2"), "gio"),
)
# Its `lib%s.so` takes names from configuration, which is read for itself; the words in
# its own data are no library names.
OPENSSL: Final = re.compile(r"libcrypto\.so")

# How a program asks its surroundings for a name, beside those that it holds.
ASKS: Final = frozenset({"getenv", "secure_getenv", "__secure_getenv"})

FORMAT: Final = r"%-?\d*\.?\d*[a-z]+"
VERSION: Final = ".0123456789"
FIXED_MIN: Final = 2
STEM_MIN: Final = 3
# What a language or a framework loads by rules of its own, which are followed.
OWN_RULES: Final = re.compile(
    r".*/((site|dist)-packages|lib-dynload|node_modules|gconv|security|perl[\d.]*|perl5|"
    r"perl-base|ruby|php|jvm|lua|ossl-modules|engines-[\d.]+|krb5|sasl2|gio)/|.*/libnss_\w+\.so"
)


@dataclass(frozen=True, slots=True)
class Opener:
    """A file that opens libraries by a value.

    Attributes:
        patterns: What is fixed in their names; nothing is when there are none.
        any_spare: Nothing that it could mean was found: it may mean what nobody needs.
    """

    path: str
    patterns: tuple[str, ...]
    any_spare: bool


class Plugins:
    """Follows the opening of libraries by values, in one image.

    Attributes:
        words: Words of arguments, variables and configuration; add to them at any time.
    """

    def __init__(self, tree: Tree, linker: Linker) -> None:
        self._tree: Final = tree
        self._linker: Final = linker
        self._openers: Final[list[Opener]] = []
        self.words: Final[set[str]] = set()

    def of_framework(self, name: str) -> Iterator[Lead]:
        """Yield the plugins of a library that is known to load some."""
        for library, directory in PLUGINS:
            if library.match(name):
                for target in in_directories(self._tree, directory):
                    yield Lead(target, "loads plugins, among them", SOURCE)

    def leads(self, path: str, parsed: Elf, data: bytes) -> Iterator[Lead]:
        """Yield the libraries that the file's data names in part."""
        name = path.rpartition("/")[2]
        if OPENSSL.match(name):
            return
        named = tokens.libraries(data) - {parsed.interpreter}
        patterns = sorted({one.rpartition("/")[2] for one in named if "%" in one})
        found = [lead for one in patterns for lead in self._pattern(one, data)]
        found += [lead for one in sorted(named) for lead in self._beside(one)]
        opens = any(OPENS.fullmatch(one) for one in parsed.imports)
        if opens:
            found += self._stems(path, data)
        yield from found
        bare = sorted(f"%s{one}" for one in named if one.startswith(".so"))
        loose = tuple(one for one in (*patterns, *bare) if len(_fixed(one)) < FIXED_MIN)
        whole = not any("%" not in one for one in named - {one[2:] for one in bare})
        asks = bool(parsed.imports & ASKS)
        if opens and self.is_built(path) and (loose or whole or asks):
            spare = asks or (not found and whole)
            self._openers.append(Opener(path, loose if whole else (), any_spare=spare))
        elif opens and patterns:
            self._openers.append(Opener(path, loose, any_spare=False))

    def late(self) -> Iterator[tuple[str, Lead]]:
        """Yield (file, lead) for names that come from elsewhere; ask when all is read."""
        for opener in self._openers:
            for name, paths in self._libraries.items():
                stems = _stems(name, opener.patterns)
                said = next((one for one in stems if one in self.words), None)
                if said is not None and (opener.patterns or len(said) >= STEM_MIN):
                    how = f"opens libraries by name, and {said} is said elsewhere, hence"
                    yield from ((opener.path, Lead(one, how, SOURCE)) for one in paths)
                elif stems and opener.any_spare:
                    how = "opens libraries by a name known only at run time, perhaps"
                    spare = (one for one in paths if one in self._spare)
                    yield from ((opener.path, Lead(one, how, SOURCE)) for one in spare)

    def is_built(self, path: str) -> bool:
        """Whether a file is the image's own and loads by no language's rules."""
        return path not in self._tree.distributed and not OWN_RULES.match(path)

    def _pattern(self, pattern: str, data: bytes) -> Iterator[Lead]:
        """Follow `mod_%s.so`; where nothing but `lib` is fixed, the words are names."""
        expression, fixed = _expression(pattern), _fixed(pattern)
        for name, paths in self._tree.names.items():
            found = expression.match(name) if ".so" in name else None
            if found is None or name[found.end() :].strip(VERSION):
                continue
            words = [one for one in found.groups() if not one.isdigit()]
            if len(fixed) >= FIXED_MIN or all(ends_a_string(one, data) for one in words):
                for target in paths:
                    yield Lead(target, f"loads libraries like {pattern}, hence", SOURCE)

    def _beside(self, pattern: str) -> Iterator[Lead]:
        """Follow `%s/plugins/%s.so` to any directory of that name."""
        parent, _, name = pattern.rpartition("/")
        directory = parent.rpartition("/")[2]
        if "%" not in name or "%" in directory or len(directory) < STEM_MIN:
            return
        for path in in_directories(self._tree, directory, below=""):
            file = path.rpartition("/")[2]
            match = _expression(name).match(file)
            if match is not None and not file[match.end() :].strip(VERSION):
                yield Lead(path, f"loads libraries like {pattern}, hence", SOURCE)

    def _stems(self, path: str, data: bytes) -> Iterator[Lead]:
        """Follow names without an ending, to which the caller adds `.so`."""
        built = self.is_built(path)
        strings = frozenset(data.split(b"\0"))
        for name, paths in self._libraries.items():
            for stem in _stems(name, ()):
                if len(stem) < STEM_MIN or stem.encode("utf-8", "replace") not in strings:
                    continue
                for target in paths:
                    usual = target.rpartition("/")[0] in self._linker.directories
                    if built or not usual:
                        how = f"opens libraries and holds the word {stem}, hence may load"
                        yield Lead(target, how, SOURCE)

    @cached_property
    def _libraries(self) -> Mapping[str, list[str]]:
        """By file name, the libraries that no language's or framework's rules load."""
        found: dict[str, list[str]] = defaultdict(list)
        for name, paths in self._tree.names.items():
            if ".so" in name and not name.rpartition(".so")[2].strip(VERSION):
                kept = [one for one in paths if not OWN_RULES.match(one)]
                if kept:
                    found[name] += kept
        return found

    @cached_property
    def _spare(self) -> frozenset[str]:
        """Libraries that no file in the image needs by name.

        Those in a directory of the distribution's own programs are these programs'.
        """
        needed = {name for path in self._native for name in self._needed(path)}
        usual = set(self._linker.directories)
        spare = set()
        for name, paths in self._libraries.items():
            stem = name.partition(".so")[0]
            for path in paths:
                own = path not in self._tree.distributed
                reached = own or path.rpartition("/")[0] in usual
                if reached and not any(one.partition(".so")[0] == stem for one in needed):
                    spare.add(path)
        return frozenset(spare)

    @cached_property
    def _native(self) -> list[str]:
        return [
            path
            for path in self._tree.entries
            if self._tree.executable(path) or ".so" in path.rpartition("/")[2]
        ]

    def _needed(self, path: str) -> tuple[str, ...]:
        if self._tree.read_start(path, len(elf.MAGIC)) != elf.MAGIC:
            return ()
        return elf.needed(self._tree.read(path) or b"")


def in_directories(tree: Tree, name: str, *, below: str = "/lib") -> Iterator[str]:
    """Yield the libraries in directories of a name, as `gconv`, anywhere below `lib`."""
    for directory in tree.directories:
        if f"/{name}/" in f"{directory}/" and below in directory:
            yield from (
                path
                for path in tree.files_in(directory)
                if ".so" in path.rpartition("/")[2]
            )


def ends_a_string(word: str, data: bytes) -> bool:
    """Whether a string is, or ends with, the word.

    Linkers keep one copy of strings with the same end: "cp" may be the end of "tcp".
    """
    return word.encode("utf-8", "surrogateescape") + b"\0" in data


@cache
def _expression(pattern: str) -> re.Pattern[str]:
    parts = re.split(FORMAT, pattern)
    return re.compile("(.*)".join(re.escape(part) for part in parts))


def _fixed(pattern: str) -> str:
    """Return what is fixed in a pattern, without what every library has."""
    fixed = "".join(re.split(FORMAT, pattern))
    return fixed.replace("lib", "", 1).partition(".so")[0]


def _stems(name: str, patterns: Iterable[str]) -> list[str]:
    """Return what would have to be said to mean the library of this name.

    Without a pattern that is its name, with or without `lib`; empty if none fits.
    """
    if not patterns:
        stem = name.partition(".so")[0]
        return [stem, stem.removeprefix("lib")]
    found = []
    for pattern in patterns:
        match = _expression(pattern).match(name)
        if match is not None and not name[match.end() :].strip(VERSION):
            words = [one for one in match.groups() if not one.isdigit()]
            found += [word for word in words[:1] if word]
            found += [word.removeprefix("lib") for word in words[:1] if word]
    return found

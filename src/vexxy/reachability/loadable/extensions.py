"""What a Python extension module can import or start.

Its machine code says nothing here; its constants do. Of code that was Python they lie
joined together, or compressed, and then any part of the text may be a name.
"""

import re
from collections.abc import Iterable, Iterator
from typing import Final

from vexxy.reachability.loadable.tree import Tree
from vexxy.reachability.wire import elf, pyextension

DOTTED: Final = re.compile(rb"\w+(?:\.[A-Za-z_]\w*)+")
# Shorter ones are part of too many words.
MODULE_LENGTH_MIN: Final = 3
RUST_LENGTH_MIN: Final = 4
PROGRAM_LENGTH_MIN: Final = 4
RUST: Final = b"pyo3"
# Python's ways to start a program, as constants of code that was Python.
STARTS: Final = re.compile(
    rb"subprocess|posix_spawn|popen|check_output|create_subprocess|pexpect"
    rb"|os\.system|exec[lv]pe?|spawn[lv]"
)


class Constants:
    """The constants of one extension module.

    Raises:
        Unparsable: The file is damaged, or keeps them where nobody can read them.
    """

    def __init__(self, content: bytes) -> None:
        data = b"\0".join((b"", *elf.read(content).data, b""))
        tables = pyextension.unpacked(data) if pyextension.is_extension(content) else b""
        self._data: Final = data + tables
        self._joined: Final = bool(tables) or pyextension.is_compiled_python(data)
        rust = RUST in data and not tables
        self._length_min: Final = RUST_LENGTH_MIN if rust else MODULE_LENGTH_MIN

    def modules(self, known: Iterable[str]) -> set[str]:
        """Return the names of modules among the constants.

        They are looked for one by one: an expression that tries every position of
        megabytes takes many times as long.
        """
        found: set[str] = set()
        for name in known:
            word = name.encode("utf-8", "surrogateescape")
            if word not in self._data:
                continue
            joined = self._joined and len(name) >= self._length_min
            # The end of a longer string counts: linkers keep one copy of both.
            if joined or word + b"\0" in self._data:
                found.add(name)
            found |= self._dotted(word)
        return found

    def programs(self, tree: Tree) -> Iterator[tuple[str, str]]:
        """Yield (name, file) of programs, where the code was Python and starts some."""
        if not self._joined or STARTS.search(self._data) is None:
            return
        for name, target in tree.programs.items():
            word = name.encode("utf-8", "surrogateescape")
            if len(name) >= PROGRAM_LENGTH_MIN and word in self._data:
                yield name, target

    def _dotted(self, top: bytes) -> set[str]:
        """Return the dotted names below a top-level module."""
        found = set()
        data = self._data
        at = data.find(top + b".")
        while at >= 0:
            name = DOTTED.match(data, at)
            alone = self._joined or not data[max(0, at - 1) : at].isalnum()
            if name is not None and alone:
                found.add(name[0].decode("ascii", "replace"))
            at = data.find(top + b".", at + 1)
        return found

"""The log of `-Xlog:class+load` (JEP 158), decorated with monotonic nanoseconds.

[123456789ns] org.example.App source: file:/app/app.jar
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final
from urllib.parse import unquote

FILE: Final = re.compile(r"jvm-(\d{1,10})(?:-[\w.-]+)?\.log")
LINE: Final = re.compile(r"\[(\d{1,20})ns\s*\] (\S+) source: (.+)")
NESTED: Final = re.compile(r"!/|/!")
HIDDEN: Final = re.compile(r"[/+]0x[0-9a-f]+$|\$\$(Lambda|InjectedInvoker|FastClass)")
CLASSES_MAX: Final = 1_000_000


@dataclass(frozen=True, slots=True)
class Loaded:
    """A class was loaded.

    Attributes:
        name: With dots, as the machine names it.
        path: File or archive that it came from, empty for the machine's own and for
            what was made at run time.
        made: Whether it was made at run time by another class.
    """

    seconds: float
    name: str
    path: str
    made: bool
    process_id: int


def processes(files: Mapping[str, bytes]) -> list[int]:
    """Return the process of each log."""
    return [int(found[1]) for name in sorted(files) if (found := FILE.fullmatch(name))]


def read(files: Mapping[str, bytes]) -> Iterator[Loaded]:
    """Yield what the logs say; lines of another kind are passed over."""
    left = CLASSES_MAX
    for name in sorted(files):
        found = FILE.fullmatch(name)
        for line in files[name].split(b"\n") if found else ():
            told = LINE.fullmatch(line.decode("utf-8", "replace").rstrip())
            if told is None or found is None:
                continue
            left -= 1
            if left < 0:
                return
            yield Loaded(
                seconds=int(told[1]) / 1e9,
                name=told[2],
                path=_path(told[3]),
                made=HIDDEN.search(told[2]) is not None or told[3].startswith("__"),
                process_id=int(found[1]),
            )


def _path(source: str) -> str:
    """Return the outermost archive: one in an archive is a file of the image only so."""
    text = source.removeprefix("jar:").removeprefix("nested:")
    if text.startswith("file:"):
        text = "/" + unquote(text[5:]).lstrip("/")
    if not text.startswith("/"):
        return ""
    return NESTED.split(text, maxsplit=1)[0]

"""Paths, library names and words inside text and binary data."""

import re
from collections.abc import Iterator
from typing import Final

TOKEN_BYTES_MAX: Final = 512

# Two components at least: a single one ("/usr", "/bin") says nothing, and those that
# are files (`/entrypoint.sh`) are looked for by name.
PATHS: Final = re.compile(rb"/[\w.+@~%:-]+(?:/[\w.+@~%:-]*)+")
LIBRARY_ENDS: Final = re.compile(rb"\.so(?:\.\d+)*(?![\w])")
LIBRARY_START: Final = re.compile(rb"[\w.+/%@~:$()-]*\Z")
WORDS: Final = re.compile(r"[A-Za-z0-9_.+@\[/-]+")
MARKS: Final = re.compile(r"[|;&<>$`%]|(?:^|\s)[-/~.]{1,2}\w|\{")
SEPARATORS: Final = re.compile(r"\|\|?|&&?|;|`|\$\(|\bthen\b|\bdo\b|\belse\b|\bif\b|!")
ENDS: Final = re.compile(r"[;|&]")
RUNNERS: Final = frozenset(
    {
        "sudo", "exec", "env", "nohup", "nice", "ionice", "xargs", "time", "timeout", "sh",
        "bash", "dash", "setsid", "chroot", "su", "gosu", "su-exec", "stdbuf", "command",
        "eval", "start-stop-daemon", "flock", "unshare", "nsenter", "find", "watch",
    }
)  # fmt: skip
LITERALS: Final = re.compile(
    r"""(?s)\"\"\".*?\"\"\"|'''.*?'''"""
    r"""|"(?:\\.|[^"\\\n])*"|'(?:\\.|[^'\\\n])*'|`(?:\\.|[^`\\])*`"""
)


def paths(data: bytes) -> set[str]:
    """Return what looks like an absolute path of two components or more."""
    return {
        found.decode("utf-8", "surrogateescape").rstrip(":.")
        for found in set(PATHS.findall(data))
        if len(found) <= TOKEN_BYTES_MAX
    }


def libraries(data: bytes) -> set[str]:
    """Return what looks like the name or path of a shared library, `%s` included."""
    found = set()
    for end in LIBRARY_ENDS.finditer(data):
        window = data[max(0, end.start() - TOKEN_BYTES_MAX) : end.start()]
        start = LIBRARY_START.search(window)
        stem = b"" if start is None else start[0]
        found.add((stem + end[0]).decode("utf-8", "surrogateescape"))
    return found


def words(text: str) -> set[str]:
    """Return every word that could name a program or a file."""
    return {word.rstrip(".") for word in WORDS.findall(text)}


def literals(text: str) -> Iterator[str]:
    """Yield the contents of quoted strings, lexically; comments are not told apart."""
    for found in LITERALS.finditer(text):
        literal = found[0]
        quote = 3 if literal[:3] in {'"""', "'''"} else 1
        yield literal[quote:-quote]


def commands(text: str) -> set[str]:
    """Return the words of a string that stand where a command stands.

    A sole word counts. Several words count as a command line only with an option, a
    path, a placeholder or a sign of the shell's; then the first word of each part does,
    and what follows a word that runs another.
    """
    found = set()
    for line in text.splitlines():
        parts = line.split()
        if len(parts) == 1:
            found |= {parts[0], *ENDS.split(parts[0])}
        elif parts and MARKS.search(line):
            for segment in SEPARATORS.split(line):
                found |= _first_words(segment.split())
    return found


def _first_words(parts: list[str]) -> set[str]:
    found = set()
    for part in parts:
        word = part.strip("'\"(){}[],")
        if "=" in word or word.startswith("-"):
            continue
        found.add(word)
        if word.rpartition("/")[2] not in RUNNERS:
            break
    return found

"""Paths, library names and words inside text and binary data."""

import re
from collections.abc import Iterable, Iterator
from functools import lru_cache
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

END_BYTES: Final = 3
LONG_QUOTES: Final = ('"""', "'''")


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


def starting(
    pattern: re.Pattern[str], words: Iterable[str], text: str
) -> Iterator[re.Match[str]]:
    """Yield the matches that start with one of the words, in no order.

    Looking for the words first is many times faster than trying every position.
    """
    for word in words:
        at = text.find(word)
        while at >= 0:
            found = pattern.match(text, at)
            if found is not None:
                yield found
            at = text.find(word, at + 1)


def ends(strings: Iterable[bytes]) -> frozenset[bytes]:
    """Return the last bytes of each string; see `may_end`."""
    return frozenset(one[-END_BYTES:] for one in strings)


def may_end(word: str, found: frozenset[bytes]) -> bool:
    """Return whether a string can end with the word; always true of a short word.

    `found` are the `ends` of the strings: one look-up instead of a search in all data.
    """
    last = word.encode("utf-8", "surrogateescape")[-END_BYTES:]
    return len(last) < END_BYTES or last in found


def words(text: str) -> set[str]:
    """Return every word that could name a program or a file."""
    return {word.rstrip(".") for word in WORDS.findall(text)}


@lru_cache(maxsize=2)  # several rules ask for those of one text, one after the other
def literals(text: str) -> tuple[str, ...]:
    """Return the contents of quoted strings, lexically; comments are not told apart."""
    return tuple(
        one[3:-3] if one.startswith(LONG_QUOTES) else one[1:-1]
        for one in LITERALS.findall(text)
    )


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

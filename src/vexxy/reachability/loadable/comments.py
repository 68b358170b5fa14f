"""Text without the lines that its language takes for comments, and without its quotes.

What is a comment in one language is a command in another: `;; b) tool` of a shell.
"""

import re
from collections.abc import Iterator
from typing import Final

LINE: Final = {
    "script": re.compile(r"\s*#(?!!)"),
    "configuration": re.compile(r"\s*(#(?!!)|;(?!;)|//)"),
    "c": re.compile(r"\s*(#(?!!)|//)"),
    "lisp": re.compile(r"\s*;"),
    "percent": re.compile(r"\s*%"),
}
C_LIKE: Final = (
    ".php", ".phtml", ".inc", ".groovy", ".jsp", ".java", ".cs", ".csx", ".fsx", ".js",
    ".ts", ".mjs", ".cjs", ".kts", ".scala",
)  # fmt: skip
LISP: Final = (".clj", ".cljc", ".cljs", ".edn", ".scm", ".el", ".lisp")
PERCENT: Final = (".erl", ".hrl", ".escript")
HEREDOC: Final = re.compile(r"<<[-~]?[ \t]*[\"'\\]?([A-Za-z_]\w*)")

CONTINUED: Final = re.compile(r"\\\r?\n")
# Quotes and backslashes inside of a word (`'plant'"tool"`, `pl\anttool`).
INSIDE: Final = re.compile(
    r"[\w./}-][\"'\\]+[\w./$-]|\\\n|[\"'\\][\w./-]+[\"'][\"'][\w./-]"
)
QUOTES: Final = re.compile(r"[\"']|\\(?=[\w./-])")


def without_comments(text: str, kind: str = "script") -> str:
    """Return the text without lines that are comments; `#!` lines are kept.

    `kind` is one of `LINE`. In a script the lines of a here-document are none.
    """
    comment = LINE[kind]
    if kind == "script" and "<<" in text:
        return "\n".join(_outside_heredocs(text, comment))
    return "\n".join(line for line in text.splitlines() if not comment.match(line))


def kind_of(path: str) -> str:
    """Return which comments a file of a programming language has, by its suffix."""
    for kind, suffixes in (("c", C_LIKE), ("lisp", LISP), ("percent", PERCENT)):
        if path.endswith(suffixes):
            return kind
    return "script"


def unquoted(text: str) -> str:
    """Return a shell's text with continued lines joined, and without its quotes."""
    return QUOTES.sub("", CONTINUED.sub("", text)) if INSIDE.search(text) else text


def _outside_heredocs(text: str, comment: re.Pattern[str]) -> Iterator[str]:
    ends: list[str] = []
    for line in text.splitlines():
        if ends:
            if line.strip() == ends[0]:
                ends.pop(0)
            yield line
        elif not comment.match(line):
            ends += HEREDOC.findall(line)
            yield line

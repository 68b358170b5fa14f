"""A JavaScript or TypeScript file's syntax tree, read for what it defines and mentions.

The parser recovers from what it does not know; a file with more errors than that, or a
minified one whose names mean nothing, falls back to its words.
"""

import re
from functools import cache
from typing import Final

import tree_sitter
import tree_sitter_javascript
import tree_sitter_typescript

from vexxy.reachability.calls.javascript.facts import (
    BODY,
    FileFacts,
    Function,
)
from vexxy.reachability.wire import jssource
from vexxy.reachability.wire.jsplaces import Place
from vexxy.reachability.wire.jsreader import Reader

WORD: Final = re.compile(rb"[A-Za-z_$][\w$]{1,99}")
SOURCE_BYTES_MAX: Final = 16 * 1024 * 1024


@cache
def _parser(kind: str) -> tree_sitter.Parser:
    languages = {
        "js": tree_sitter_javascript.language,
        "ts": tree_sitter_typescript.language_typescript,
        "tsx": tree_sitter_typescript.language_tsx,
    }
    return tree_sitter.Parser(tree_sitter.Language(languages[kind]()))


def parse(path: str, content: bytes) -> FileFacts:
    """Return what a file defines and mentions; never raises for what is in it."""
    if len(content) > SOURCE_BYTES_MAX:
        return words_only(path, content)
    suffix = path.rpartition(".")[2]
    kind = {"ts": "ts", "mts": "ts", "cts": "ts", "tsx": "tsx"}.get(suffix, "js")
    root = _parser(kind).parse(content).root_node
    facts = FileFacts(path)
    facts.functions.append(Function("", 1, 0, len(content), BODY))
    try:
        Reader(facts).visit(root, Place(BODY))
    except RecursionError:
        return words_only(path, content)
    _note_evaluated(facts, content)
    if root.has_error:
        # What the parser skipped may mention anything that is written in it.
        facts.words = frozenset(_words(content))
    return facts


def _note_evaluated(facts: FileFacts, content: bytes) -> None:
    """Note where text shows that code is made of a value, which no name of a call says."""
    text = content.decode("utf-8", "replace")
    for at in jssource.evaluated(text):
        offset, line = len(text[:at].encode()), text.count("\n", 0, at) + 1
        around = [one for one in facts.functions if one.start <= offset < one.end]
        # The innermost starts last.
        inner = max(around, key=lambda one: one.start, default=facts.functions[BODY])
        inner.evaluates = inner.evaluates or line


def words_only(path: str, content: bytes) -> FileFacts:
    """Return the facts of a file of which only its words are known."""
    facts = FileFacts(path, words=frozenset(_words(content)))
    facts.functions.append(Function("", 1, 0, len(content), BODY))
    return facts


def _words(content: bytes) -> set[str]:
    return {one.decode("ascii", "replace") for one in set(WORD.findall(content))}

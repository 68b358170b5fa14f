"""What functions are called, in each language that fixes are read in."""

import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vexxy.advisories.rules.outlines import Outline
from vexxy.advisories.wire.sources import c, golang, python, script

PYTHON = """\
import os
LIMIT = 5

class Session(Base):
    \"\"\"Keeps things.\"\"\"
    blocked = {"a": 1}

    @property
    def name(self):
        def inner():
            return LIMIT  # never more
        return inner

async def main(x=LIMIT):
    return x
"""

SCRIPT = """\
'use strict';
var has = require('has');
module.exports = function (x) {
  return x;
};
exports.parse = function parse(a) {
  return a;
};
Stream.prototype.redirect = function redirect(path) {
  return path;
};
class Server extends Base {
  constructor() {
    super();
  }
  upgrade(a) {
    return [1].map(function (b) {
      return b;
    });
  }
}
const rules = {
  def: /x+/,
  code: function () {
    return 1;
  },
};
;(function () {
  function baseSet() {
    return 2;
  }
  res.location = function location(url) {
    return url;
  };
}.call(this));
module.exports = function pathtoRegexp() {
  return 3;
};
"""

GO = """\
package x

import "fmt"

const limit = 4

func (t *Tree[K]) Insert(k K) {
\tf := func() {
\t\tfmt.Println(k)
\t}
\tf()
}

func Plain() int { return limit }
"""

C = """\
#include <string.h>
#define LIMIT 4
static int check(int a);

static char *copy(struct buffer *b, int n)
{
    return b->data + LIMIT;
}

int (*handler(void))(int)
{
    return 0;
}
"""


def names(outline: Outline) -> list[str]:
    return [span.name for span in outline.functions]


def test_python_names_are_qualified() -> None:
    outline = python.outline(PYTHON)
    assert names(outline) == ["Session.name", "Session.name.inner", "main"]
    assert outline.functions_at(8) == ("Session.name",)  # its decorator
    assert outline.functions_at(11) == ("Session.name.inner",)
    assert outline.data_at(6) == ("Session.blocked",)
    assert outline.users("LIMIT") == ("Session.name.inner", "main")
    assert [line for line in range(1, 16) if outline.is_quiet(line)] == [1, 3, 5, 7, 13]


def test_python_2_is_read_too() -> None:
    outline = python.outline("class A:\n    def f(self):\n        print 'x'\n")
    assert outline.functions_at(3) == ("A.f",)


def test_script_names_are_those_that_v8_gives_with_their_owner() -> None:
    outline = script.outline(SCRIPT, path="lib/x.js")
    assert names(outline) == [
        "module.exports",
        "exports.parse",
        "Stream.redirect",
        "Server",
        "Server.upgrade",
        "rules.code",
        "baseSet",
        "res.location",
        "pathtoRegexp",
    ]
    assert outline.functions_at(18) == ("Server.upgrade",)  # a callback without a name
    assert outline.data_at(23) == ("rules.def",)
    assert outline.is_quiet(2)


def test_typescript_is_read_by_its_own_grammar() -> None:
    text = "interface A { b(): void }\nexport class C<T> {\n  m(x: T): T { return x }\n}\n"
    outline = script.outline(text, path="src/c.ts")
    assert names(outline) == ["C.m"]
    assert not outline.broken
    assert outline.is_quiet(1)


def test_go_names_have_no_star_and_no_type_parameters() -> None:
    outline = golang.outline(GO)
    assert names(outline) == ["Tree.Insert", "Plain"]
    assert outline.functions_at(9) == ("Tree.Insert",)
    assert outline.users("limit") == ("Plain",)


def test_c_functions_are_found_behind_pointers_and_parentheses() -> None:
    outline = c.outline(C)
    assert names(outline) == ["copy", "handler"]
    assert outline.is_quiet(3)
    assert outline.users("LIMIT") == ("copy",)


READERS = {
    "python": python.outline,
    "go": golang.outline,
    "c": c.outline,
    "script": lambda text: script.outline(text, path="x.js"),
    "typed": lambda text: script.outline(text, path="x.tsx"),
}
SOURCES = {"python": PYTHON, "go": GO, "c": C, "script": SCRIPT, "typed": SCRIPT}


@pytest.mark.parametrize("language", READERS)
@given(data=st.data())
def test_broken_sources_have_an_outline_all_the_same(
    language: str, data: st.DataObject
) -> None:
    source = SOURCES[language]
    cut = data.draw(st.integers(0, len(source)))
    noise = data.draw(st.text(string.printable + "é\ud800\x00", max_size=20))
    outline = READERS[language](source[:cut] + noise + source[cut + 3 :])
    for span in (*outline.functions, *outline.data):
        assert 1 <= span.first <= span.last


def test_deep_nesting_ends() -> None:
    assert python.outline("(" * 20_000).functions == ()
    assert script.outline("[" * 20_000, path="x.js").functions == ()


WORD = st.from_regex(r"fx[a-z]{1,6}", fullmatch=True)


@given(
    functions=st.lists(
        st.tuples(WORD, st.integers(1, 5)), min_size=1, unique_by=lambda x: x[0]
    ),
    data=st.data(),
)
@pytest.mark.parametrize("language", ["python", "script", "go", "c"])
def test_the_function_around_a_line_is_found(
    language: str, functions: list[tuple[str, int]], data: st.DataObject
) -> None:
    """Goal: no changed line is missed. Method: functions of known lines, one line drawn."""
    head, body, tail = {
        "python": ("def {}(a):", "    a = a + {}", "    return a"),
        "script": ("function {}(a) {{", "  a = a + {};", "}}"),
        "go": ("func {}(a int) {{", "\ta = a + {}", "}}"),
        "c": ("int {}(int a) {{", "  a = a + {};", "}}"),
    }[language]
    lines = ["package x"] if language == "go" else []
    owner: dict[int, str] = {}
    for name, size in functions:
        block = [head.format(name), *(body.format(n) for n in range(size)), tail.format()]
        owner |= dict.fromkeys(range(len(lines) + 1, len(lines) + 1 + len(block)), name)
        lines += block
    line = data.draw(st.sampled_from(sorted(owner)))
    assert READERS[language]("\n".join(lines) + "\n").functions_at(line) == (owner[line],)

"""From the lines of a fix to the functions that are vulnerable."""

import difflib
from collections.abc import Iterable

from hypothesis import given
from hypothesis import strategies as st

from vexxy.advisories.rules import diffs, fixes, placing
from vexxy.advisories.rules.fixes import ChangedFile
from vexxy.advisories.rules.outlines import Outline
from vexxy.advisories.wire.sources import python, script

BEFORE = """\
LIMIT = 5

class Pool:
    blocked = ("a",)

    def send(self, url):
        return url

    def other(self):
        return LIMIT

def helper():
    return 1
"""


def a_change(before: str, after: str, text: str, path: str = "lib.py") -> ChangedFile:
    (diff,) = diffs.files(f"--- a/{path}\n+++ b/{path}\n{text}")
    return ChangedFile(
        path, diff.removed, diff.added, python.outline(before), python.outline(after)
    )


def nowhere(_word: str) -> Iterable[tuple[str, Outline]]:
    return ()


def itself(word: str) -> Iterable[tuple[str, Outline]]:
    return [("lib.py", python.outline(BEFORE))] if word else []


def found(change: ChangedFile, mentions: fixes.Mentions = nowhere) -> dict[str, float]:
    return {one.name: one.confidence for one in fixes.touched([change], mentions)}


def test_a_rewritten_line_names_its_function() -> None:
    after = BEFORE.replace("return url", "return clean(url)")
    text = "@@ -7 +7 @@ class Pool:\n-        return url\n+        return clean(url)\n"
    assert found(a_change(BEFORE, after, text)) == {"Pool.send": 0.9}


def test_a_line_that_is_only_added_names_the_function_around_it() -> None:
    after = BEFORE.replace("        return url", "        check(url)\n        return url")
    text = "@@ -6,0 +7 @@ class Pool:\n+        check(url)\n"
    assert found(a_change(BEFORE, after, text)) == {"Pool.send": 0.9}


def test_a_function_that_the_fix_brings_is_not_in_the_vulnerable_version() -> None:
    after = BEFORE + "\ndef check(url):\n    return bool(url)\n"
    text = "@@ -13,0 +14,3 @@ def helper():\n+\n+def check(url):\n+    return bool(url)\n"
    assert found(a_change(BEFORE, after, text)) == {}


def test_an_inner_function_that_is_added_changes_the_one_around_it() -> None:
    after = BEFORE.replace("    return 1\n", "    def g():\n        pass\n    return 1\n")
    text = "@@ -12,0 +13,2 @@ def helper():\n+    def g():\n+        pass\n"
    assert found(a_change(BEFORE, after, text)) == {"helper": 0.9}


def test_a_constant_leads_to_the_functions_that_use_it() -> None:
    after = BEFORE.replace("LIMIT = 5", "LIMIT = 4")
    text = "@@ -1 +1 @@\n-LIMIT = 5\n+LIMIT = 4\n"
    assert found(a_change(BEFORE, after, text), itself) == {"Pool.other": 0.5}


def test_a_constant_that_nothing_uses_leaves_the_module() -> None:
    after = BEFORE.replace('("a",)', '("a", "b")')
    text = '@@ -4 +4 @@\n-    blocked = ("a",)\n+    blocked = ("a", "b")\n'
    assert found(a_change(BEFORE, after, text), itself) == {"": 0.5}


def test_comments_imports_and_versions_are_no_fix() -> None:
    before = "import a\n__version__ = '1'\n# one\ndef f():\n    '''Old.'''\n    return 1\n"
    after = "import b\n__version__ = '2'\n# two\ndef f():\n    '''New.'''\n    return 1\n"
    text = (
        "@@ -1,3 +1,3 @@\n-import a\n-__version__ = '1'\n-# one\n+import b\n"
        "+__version__ = '2'\n+# two\n@@ -5 +5 @@\n-    '''Old.'''\n+    '''New.'''\n"
    )
    assert found(a_change(before, after, text)) == {}


def test_many_functions_say_little_of_each_and_too_many_nothing() -> None:
    def many(count: int) -> ChangedFile:
        before = "".join(f"def f{n}():\n    return {n}\n" for n in range(count))
        lines = tuple(range(2, 2 * count + 1, 2))
        outline = python.outline(before)
        return ChangedFile("lib.py", lines, lines, outline, outline)

    assert set(found(many(fixes.FUNCTIONS_FOCUSED_MAX)).values()) == {0.9}
    assert set(found(many(fixes.FUNCTIONS_FOCUSED_MAX + 1)).values()) == {0.5}
    assert found(many(fixes.FUNCTIONS_MAX + 1)) == {}


def test_several_files_are_less_sure_than_one() -> None:
    outline = python.outline("def f():\n    return 1\n")
    change = [ChangedFile(path, (2,), (2,), outline, outline) for path in ("a.py", "b.py")]
    assert {one.confidence for one in fixes.touched(change, nowhere)} == {0.7}


def test_without_the_file_only_the_header_can_be_asked() -> None:
    change = ChangedFile("a.cc", (2,), (2,), None, None, named=("parse",))
    assert found(change) == {"parse": 0.6}


def test_a_name_that_everybody_uses_says_nothing() -> None:
    users = "".join(f"def f{n}():\n    return LIMIT\n" for n in range(fixes.USERS_MAX + 1))
    text = "@@ -1 +1 @@\n-LIMIT = 5\n+LIMIT = 4\n"
    change = a_change(BEFORE, BEFORE.replace("= 5", "= 4"), text)
    everybody = [("u.py", python.outline(users))]
    assert found(change, lambda _word: everybody) == {"": 0.5}


def test_a_pattern_in_a_table_leads_to_its_users_in_other_files() -> None:
    rules = "const block = {\n  def: /a+/,\n};\n"
    change = ChangedFile(
        "src/rules.js",
        (2,),
        (2,),
        script.outline(rules, path="rules.js"),
        script.outline(rules, path="rules.js"),
    )
    tokenizer = "class T {\n  def(src) {\n    return this.rules.def.exec(src);\n  }\n}\n"
    used = [("src/T.js", script.outline(tokenizer, path="T.js"))]
    assert found(change, lambda word: used if word == "def" else []) == {"T.def": 0.5}


def test_diffs_of_several_files_are_parted() -> None:
    text = (
        "diff --git a/x.py b/y.py\nrename from x.py\nrename to y.py\n--- a/x.py\n"
        "+++ b/y.py\n@@ -3,2 +3 @@ def f():\n--- not a header\n-two\n+one\n"
        "diff --git a/n.py b/n.py\n--- /dev/null\n+++ b/n.py\n@@ -0,0 +1 @@\n+new\n"
    )
    first, second = diffs.files(text)
    assert (first.before, first.after) == ("x.py", "y.py")
    assert (first.removed, first.added) == ((3, 4), (3,))
    assert (second.before, second.after, second.added) == ("", "n.py", (1,))


def test_a_comma_that_moves_is_no_change() -> None:
    text = "--- a/x.js\n+++ b/x.js\n@@ -1 +1,2 @@\n-var A = 1;\n+var A = 1,\n+    B = 2;\n"
    (one,) = diffs.files(text)
    assert (one.removed, one.added) == ((), (2,))


def test_what_is_no_code_of_the_package_is_passed_over() -> None:
    for path in (
        "tests/test_a.py", "test.js", "docs/conf.py", "src/pkg/_vendor/x.py", "setup.py",
        "dist/bundle.js", "lib/a.min.js", "lib/a.spec.ts", "types/index.d.ts",
        "pkg/_version.py", "README.md", "package.json", "examples/a.py",
    ):  # fmt: skip
        assert not placing.is_code(path, "Debian"), path
    for path in ("src/flask/app.py", "lib/parse.js", "index.js", "src/testament.py"):
        assert placing.is_code(path, "Debian"), path


def test_modules_are_named_as_they_are_imported() -> None:
    tree = {"src/flask/__init__.py", "src/flask/json/__init__.py", "PIL/__init__.py"}
    named = {
        "src/flask/sessions.py": "flask.sessions",
        "src/flask/json/__init__.py": "flask.json",
        "PIL/Image.py": "PIL.Image",
        "src/single.py": "single",
        "src/libImaging/Jpeg.c": "src/libImaging/Jpeg.c",
    }
    for path, module in named.items():
        assert placing.module_of(path, "PyPI", tree=tree) == module


def test_npm_modules_are_paths_inside_their_package() -> None:
    tree = {"package.json", "packages/a/package.json"}
    assert placing.module_of("packages/a/lib/x.js", "npm", tree=tree) == "lib/x.js"
    assert placing.module_of("lib/x.js", "npm", tree=tree) == "lib/x.js"
    assert placing.describes('{"name": "a"}', "a")
    assert not placing.describes('{"name": "b"}', "a")
    assert not placing.describes(None, "a")


LINES = st.lists(
    st.one_of(
        st.sampled_from(
            [
                "--- a/x.py",
                "+++ b/x.py",
                "@@ -1,2 +1 @@",
                "@@ -0,0 +1 @@ def f():",
                "-a",
                "+b",
                " c",
                "--- x",
                "\\ No newline at end of file",
                "diff --git a/x b/x",
                "",
            ]
        ),
        st.text(max_size=12),
    ),
    max_size=30,
)


@given(lines=LINES)
def test_any_text_can_be_read_as_a_diff(lines: list[str]) -> None:
    for one in diffs.files("\n".join(lines)):
        assert all(line >= 0 for line in (*one.removed, *one.added))
        outline = python.outline("def f():\n    return 1\n")
        change = ChangedFile("x.py", one.removed, one.added, outline, outline)
        assert {name.name for name in fixes.touched([change], nowhere)} <= {"f", ""}


@given(data=st.data())
def test_a_changed_line_always_names_the_function_around_it(data: st.DataObject) -> None:
    """Goal: no change is lost. Method: change one drawn line of a file, compare texts."""
    count = data.draw(st.integers(1, 6))
    before = [
        line
        for n in range(count)
        for line in (f"def f{n}(a):", f"    b = a + {n}", "    return b")
    ]
    place = data.draw(st.integers(0, len(before) - 1))
    after = list(before)
    if place % 3 == 0:
        after[place] = after[place].replace("(a)", "(a, c=1)")
    else:
        after[place] = after[place] + " + 1"
    old, new = "\n".join(before) + "\n", "\n".join(after) + "\n"
    text = "".join(
        difflib.unified_diff(
            old.splitlines(keepends=True), new.splitlines(keepends=True), "a/x.py", "b/x.py"
        )
    )
    assert set(found(a_change_of(old, new, text))) == {f"f{place // 3}"}


def a_change_of(before: str, after: str, text: str) -> ChangedFile:
    (diff,) = diffs.files(text)
    old, new = python.outline(before), python.outline(after)
    return ChangedFile("x.py", diff.removed, diff.added, old, new)

"""From records and commits to an overlay."""

import json
from collections.abc import Collection, Sequence

import pytest

from vexxy.advisories import derivation, knowledge
from vexxy.advisories.derivation import Fix
from vexxy.advisories.knowledge import Place
from vexxy.advisories.types import Match, Severity, Symbol
from vexxy.advisories.wire import fixes as records
from vexxy.sbom.types import Package

OLD = """\
BLOCKED = ("Cookie",)

class Session:
    def send(self, url):
        return url

    def strip(self, headers):
        return [one for one in headers if one not in BLOCKED]
"""
NEW = OLD.replace("return url", "return check(url)").replace(
    '"Cookie",', '"Cookie", "Auth"'
)
DIFF = """\
diff --git a/src/web/session.py b/src/web/session.py
--- a/src/web/session.py
+++ b/src/web/session.py
@@ -1 +1 @@
-BLOCKED = ("Cookie",)
+BLOCKED = ("Cookie", "Auth")
@@ -5 +5 @@ class Session:
-        return url
+        return check(url)
diff --git a/tests/test_session.py b/tests/test_session.py
--- a/tests/test_session.py
+++ b/tests/test_session.py
@@ -1 +1 @@
-def test_a(): pass
+def test_b(): pass
"""
COMMIT = "a" * 40


class FakeHistory:
    """A repository of two revisions and a log."""

    def __init__(
        self,
        before: dict[str, str],
        after: dict[str, str],
        *,
        diff: str = DIFF,
        log: dict[str, str] | None = None,
    ) -> None:
        self._trees = {f"{COMMIT}^1": before, COMMIT: after}
        self._diff = diff
        self._log = log or {}

    def diff(self, commit: str, *, suffixes: Sequence[str]) -> str | None:
        return self._diff if commit == COMMIT else None

    def read(self, revision: str, path: str) -> str | None:
        return self._trees[revision].get(path)

    def list_files(self, revision: str) -> frozenset[str]:
        return frozenset(self._trees.get(revision, ()))

    def find_files(
        self, revision: str, word: str, *, suffixes: Sequence[str]
    ) -> tuple[str, ...]:
        return tuple(path for path, text in self._trees[revision].items() if word in text)

    def find_commits(self, phrases: Collection[str]) -> tuple[str, ...]:
        return tuple(
            commit
            for commit, message in self._log.items()
            if any(phrase in message for phrase in phrases)
        )


class FakeHistories:
    def __init__(self, **known: FakeHistory) -> None:
        self._known = known

    def find(self, repository: str) -> FakeHistory | None:
        return self._known.get(repository.partition("/")[2])


def a_history(**given: dict[str, str]) -> FakeHistory:
    package = {"src/web/__init__.py": "", "setup.py": ""}
    before = package | {"src/web/session.py": OLD, "tests/test_session.py": "BLOCKED"}
    after = package | {"src/web/session.py": NEW, "tests/test_session.py": ""}
    return FakeHistory(before, after, **given)


def a_record(*urls: str, **given: object) -> bytes:
    record = {
        "id": "PYSEC-2099-1",
        "aliases": ["CVE-2099-1111"],
        "affected": [
            {
                "package": {"ecosystem": "PyPI", "name": "Web_Kit"},
                "ranges": [
                    {
                        "type": "ECOSYSTEM",
                        "events": [{"introduced": "0"}, {"fixed": "2.1"}],
                    }
                ],
            }
        ],
        "references": [{"type": "WEB", "url": url} for url in urls],
    }
    return json.dumps(record | given).encode()


def derived(content: bytes, history: FakeHistory) -> dict[str, Symbol]:
    record = records.parse(content)
    assert record is not None
    found = derivation.derive_records([record], histories=FakeHistories(web=history))
    assert {line.package for line in found.lines} <= {"web-kit"}
    assert {line.vulnerability_id for line in found.lines} <= {"CVE-2099-1111"}
    return {f"{one.symbol.module}:{one.symbol.name}": one.symbol for one in found.lines}


def test_a_commit_that_a_record_links_is_read() -> None:
    found = derived(a_record(f"https://github.com/a/web/commit/{COMMIT}"), a_history())
    assert {name: symbol.confidence for name, symbol in found.items()} == {
        "web.session:Session.send": 0.9,
        "web.session:Session.strip": 0.5,
    }
    provenance = found["web.session:Session.send"].provenance
    assert provenance == f"commit https://github.com/a/web/commit/{COMMIT}; affects <2.1"


def test_a_fix_of_which_a_commit_is_missing_is_known_in_part() -> None:
    urls = [f"https://github.com/a/web/commit/{one * 40}" for one in "ab"]
    found = derived(a_record(*urls), a_history())
    assert found["web.session:Session.send"].confidence == 0.7


def test_a_pull_request_leads_to_its_commit_and_is_less_sure() -> None:
    history = a_history(log={COMMIT: "Check addresses (#12)"})
    found = derived(a_record("https://github.com/a/web/pull/12"), history)
    assert found["web.session:Session.send"].confidence == 0.8
    assert "pull request 12" in found["web.session:Session.send"].provenance


def test_a_message_that_names_the_vulnerability_leads_to_it_too() -> None:
    history = a_history(log={COMMIT: "Fix CVE-2099-1111"})
    found = derived(a_record("https://github.com/a/web/security/advisories/x"), history)
    assert found["web.session:Session.send"].confidence == 0.8


@pytest.mark.parametrize(
    ("urls", "said"),
    [
        ((), "links no repository"),
        (("https://github.com/a/other/commit/" + COMMIT,), "not on this machine"),
        (("https://github.com/a/web/commit/" + "b" * 40,), "no commit"),
    ],
)
def test_a_record_that_leads_nowhere_is_named(urls: tuple[str, ...], said: str) -> None:
    record = records.parse(a_record(*urls))
    assert record is not None
    found = derivation.derive_records([record], histories=FakeHistories(web=a_history()))
    (problem,) = found.problems
    assert problem.path == "PYSEC-2099-1"
    assert said in problem.message


@pytest.mark.parametrize(
    "content",
    [
        b"{",
        b"[]",
        b"\xff",
        a_record(withdrawn="2099-01-01T00:00:00Z"),
        a_record(details="The vendor disputes this."),
    ],
)
def test_withdrawn_disputed_and_malformed_records_say_nothing(content: bytes) -> None:
    assert records.parse(content) is None


def test_a_script_of_another_package_of_the_repository_is_less_sure() -> None:
    text = "--- a/lib/x.js\n+++ b/lib/x.js\n@@ -2 +2 @@\n-  return 1;\n+  return 2;\n"
    old = "exports.f = function () {\n  return 1;\n};\n"
    tree = {"package.json": '{"name": "one"}', "lib/x.js": old}
    history = FakeHistory(tree, tree, diff=text)
    for package, confidence in (("one", 0.9), ("two", 0.6)):
        (symbol,) = derivation.commit_symbols(
            history, Fix(COMMIT, "seen"), ecosystem="npm", package=package
        )
        assert (symbol.module, symbol.name) == ("lib/x.js", "exports.f")
        assert symbol.confidence == confidence


def test_go_functions_are_named_by_import_path() -> None:
    text = "--- a/v2/pkg/x.go\n+++ b/v2/pkg/x.go\n@@ -4 +4 @@\n-\treturn 1\n+\treturn 2\n"
    old = "package x\n\nfunc (t *T) M() int {\n\treturn 1\n}\n"
    tree = {"v2/go.mod": "module example.org/mod/v2\n\ngo 1.21\n", "v2/pkg/x.go": old}
    history = FakeHistory(tree, tree, diff=text)
    (symbol,) = derivation.commit_symbols(history, Fix(COMMIT, "seen"), ecosystem="Go")
    assert (symbol.module, symbol.name) == ("example.org/mod/v2/pkg", "T.M")


def test_a_diff_alone_gives_what_its_headers_name() -> None:
    text = (
        "--- a/src/parse.c\n+++ b/src/parse.c\n@@ -9,2 +9,3 @@ int parse(char *s)\n"
        "     int n;\n+    n = 1;\n     return n;\n"
    )
    (symbol,) = derivation.diff_symbols(text, source="diff x")
    assert symbol == Symbol("src/parse.c", "parse", "diff x", 0.6)


def test_what_ships_is_listed_without_a_database() -> None:
    found = knowledge.list_symbols("CVE-2023-30861")
    assert ("flask.sessions", "SecureCookieSessionInterface.save_session") in {
        (line.symbol.module, line.symbol.name) for line in found
    }
    assert knowledge.list_symbols("Flask")
    assert knowledge.list_symbols("CVE-1999-99999") == ()


class FakeFiles:
    def __init__(self, **files: str) -> None:
        self._files = files

    def resolve(self, path: str) -> str | None:
        return path if path in self._files else None

    def read_bytes(self, path: str) -> bytes:
        return self._files[path].encode()


def a_match(kind: str, location: str, *symbols: Symbol) -> Match:
    package = Package(f"pkg:{kind}/web@1", kind, "web", "1", "PyPI", locations=(location,))
    return Match(
        "CVE-2099-1111",
        (),
        "CVE-2099-1111",
        (),
        package,
        Severity.HIGH,
        None,
        (),
        "",
        symbols,
    )


def test_names_are_looked_up_in_what_is_installed() -> None:
    files = FakeFiles(
        **{
            "/lib/site-packages/web/session.py": OLD,
            "/app/node_modules/web/lib/x.js": "exports.f = function () {\n};\n",
        }
    )
    python = a_match(
        "pypi",
        "/lib/site-packages/web-1.dist-info/METADATA",
        Symbol("web.session", "Session.send", ""),
        Symbol("web.session", "Session", ""),
        Symbol("web.session", "Session.new", ""),
        Symbol("web.other", "f", ""),
        Symbol("src/web.c", "f", ""),
    )
    script = a_match(
        "npm", "/app/node_modules/web/package.json", Symbol("lib/x.js", "exports.f", "")
    )
    found = [one.place for one in knowledge.check_names([python, script], files)]
    assert found == [
        Place.DEFINED,
        Place.DEFINED,
        Place.NO_SUCH_FUNCTION,
        Place.NO_SUCH_FILE,
        Place.UNCHECKED,
        Place.DEFINED,
    ]

"""`vexxy advisories symbols` on the command line."""

from pathlib import Path

import pytest
from typer.testing import CliRunner

from vexxy.advisories.wire import overlay
from vexxy.cli.app import app

DIFF = """\
--- a/src/parse.c
+++ b/src/parse.c
@@ -9,2 +9,3 @@ int parse(char *s)
     int n;
+    n = 1;
     return n;
"""
PACKAGE = "Metadata-Version: 2.1\nName: flask\nVersion: 1.1.2\n"


@pytest.fixture(autouse=True)
def _home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    monkeypatch.setenv("COLUMNS", "400")


def run(*arguments: object) -> str:
    done = CliRunner().invoke(app, ["advisories", "symbols", *map(str, arguments)])
    assert done.exit_code == 0, done.output
    return done.output


def derive(tmp_path: Path, *more: object) -> str:
    diff = tmp_path / "fix.patch"
    diff.write_text(DIFF)
    named = ("--package", "zlib", "--vulnerability", "CVE-2099-1111")
    return run("derive", diff, *named, "--ecosystem", "Debian", "--affects", "<2", *more)


def test_a_diff_becomes_an_overlay_file(tmp_path: Path) -> None:
    derive(tmp_path, "--output", tmp_path / "out.tsv")
    (line,) = overlay.parse((tmp_path / "out.tsv").read_text(), source="out.tsv")
    assert (line.package, line.symbol.module, line.symbol.name) == (
        "zlib",
        "src/parse.c",
        "parse",
    )
    assert line.symbol.provenance == "diff fix.patch; affects <2"
    assert line.symbol.confidence == 0.6


def test_what_was_derived_is_stored_and_listed(tmp_path: Path) -> None:
    derive(tmp_path)
    said = run("list", "zlib")
    assert "src/parse.c:parse" in said
    assert "0.60" in said


def test_the_list_shows_what_a_hole_further_needs() -> None:
    said = run("list", "CVE-2025-66221")
    assert "werkzeug.security:safe_join" in said
    assert "needs: The application runs on Windows. (platform windows)" in said
    assert "functions that call these are not included" in said


def test_a_folder_needs_a_commit(tmp_path: Path) -> None:
    named = ["--package", "x", "--vulnerability", "CVE-1", "--ecosystem", "PyPI"]
    done = CliRunner().invoke(
        app, ["advisories", "symbols", "derive", str(tmp_path), *named]
    )
    assert done.exit_code != 0


def test_names_are_checked_against_a_root(tmp_path: Path) -> None:
    site = tmp_path / "root/usr/lib/python3/dist-packages"
    (site / "flask-1.1.2.dist-info").mkdir(parents=True)
    (site / "flask-1.1.2.dist-info/METADATA").write_text(PACKAGE)
    (site / "flask").mkdir()
    (site / "flask/sessions.py").write_text(
        "class SecureCookieSessionInterface:\n    def save_session(self):\n        pass\n"
    )
    records = tmp_path / "osv"
    records.mkdir()
    (records / "a.json").write_text(
        '{"id": "PYSEC-2023-62", "aliases": ["CVE-2023-30861"], "modified": '
        '"2024-01-01T00:00:00Z", "affected": [{"package": {"ecosystem": "PyPI", "name": '
        '"flask"}, "ranges": [{"type": "ECOSYSTEM", "events": [{"introduced": "0"}]}]}]}'
    )
    said = run("check", tmp_path / "root", "--advisories", records)
    assert "sessions.py:2" in said
    assert "1 defined" in said

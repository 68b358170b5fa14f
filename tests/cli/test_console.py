"""What a terminal is given."""

import io
from pathlib import Path

import pytest
from rich.console import Console

from tests.fakes.values import a_package, a_result, a_verdict
from vexxy.__main__ import main
from vexxy.cli import console, table
from vexxy.cli.exit import ExitCode
from vexxy.kit.progress import Progress
from vexxy.vex.types import Status

HOSTILE = "lib\x1b[2J\x1b]0;owned\x07\x9b31m[bold]x[/bold]"


def shown(*verdicts: object, everything: bool = False) -> str:
    stream = io.StringIO()
    wide = Console(file=stream, width=200, highlight=False)
    table.show(a_result(*verdicts), wide, everything=everything)  # type: ignore[arg-type]
    return stream.getvalue()


def test_an_image_cannot_steer_the_terminal() -> None:
    text = shown(a_verdict(package=a_package(HOSTILE), reason=HOSTILE))

    assert "\x1b" not in text
    assert "\x9b" not in text
    assert "[bold]x[/bold]" in text


def test_progress_cannot_steer_the_terminal_either() -> None:
    stream = io.StringIO()

    console.PlainLines(stream)(Progress("Pulling", 15, HOSTILE))

    assert "\x1b" not in stream.getvalue()


def test_no_line_of_the_table_ends_in_spaces() -> None:
    lines = shown(a_verdict(reason="why")).splitlines()

    assert any("why" in line for line in lines)
    assert [line for line in lines if line != line.rstrip()] == []


def test_findings_of_one_package_share_a_row_unless_everything_is_asked_for() -> None:
    many = [a_verdict(vulnerability_id=f"CVE-2026-000{n}") for n in range(1, 6)]

    assert "CVE-2026-0001, CVE-2026-0002, CVE-2026-0003 and 2 more" in shown(*many)
    assert "CVE-2026-0005" in shown(*many, everything=True)


def test_what_is_not_affected_is_counted_and_listed_only_on_request() -> None:
    cleared = a_verdict(Status.NOT_AFFECTED, vulnerability_id="CVE-2026-0009")

    assert "1 not affected (100.0 % removed)" in shown(cleared)
    assert "CVE-2026-0009" not in shown(cleared)
    assert "CVE-2026-0009" in shown(cleared, everything=True)


def test_plain_progress_says_each_phase_once() -> None:
    stream = io.StringIO()
    listener = console.PlainLines(stream)

    for _ in range(3):
        listener(Progress("Observing", 40, "", 12.0))
    listener(Progress("Extracting", 80))

    assert stream.getvalue().splitlines() == [
        "[ 40 %] Observing · 12 s left",
        "[ 80 %] Extracting",
    ]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["analyze"], "error: Missing argument"),
        (["analyze", "x", "--port", "first"], "error: Invalid value for '--port'"),
        (["nothing"], "error: No such command 'nothing'"),
    ],
)
def test_what_was_typed_wrong_is_told_as_any_other_error(
    arguments: list[str],
    said: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr("sys.argv", ["vexxy", *arguments])
    with pytest.raises(SystemExit) as ended:
        main()

    assert ended.value.code == ExitCode.USAGE
    told = capsys.readouterr().err
    assert told.startswith(said)
    assert "--help` lists the options" in told


def test_a_document_that_is_none_is_named(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "not-vex.json"
    path.write_text("{}")
    monkeypatch.setattr("sys.argv", ["vexxy", "vex", "diff", str(path), str(path)])
    with pytest.raises(SystemExit) as ended:
        main()

    assert ended.value.code == ExitCode.USAGE
    assert str(path) in capsys.readouterr().err

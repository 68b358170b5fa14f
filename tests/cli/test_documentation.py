"""What the documents say of the command line is what the command line has."""

import re
from pathlib import Path

import pytest
import typer.main
from typer.testing import CliRunner

from vexxy.cli.app import app
from vexxy.cli.exit import ExitCode
from vexxy.settings import PREFIX, Settings

ROOT = Path(__file__).parents[2]
MANUAL = (ROOT / "docs" / "cli.md").read_text()
COMMANDS = typer.main.get_command(app).commands  # type: ignore[attr-defined]


def options(name: str) -> set[str]:
    """Return every long option of a command, without the negative of a pair."""
    return {
        word
        for parameter in COMMANDS[name].params
        for word in parameter.opts
        if word.startswith("--")
    }


@pytest.mark.parametrize("option", sorted(options("analyze")))
def test_every_option_of_analyze_is_explained(option: str) -> None:
    assert f"`{option}" in MANUAL or f", `{option}`" in MANUAL


def test_the_manual_explains_no_option_that_is_not_there() -> None:
    rows = [line for line in MANUAL.splitlines() if line.startswith("| `--")]
    explained = {word for row in rows for word in re.findall(r"`(--[a-z-]+)", row)}

    assert explained <= options("analyze")


@pytest.mark.parametrize("name", sorted(Settings.model_fields))
def test_every_setting_is_explained(name: str) -> None:
    assert f"`{PREFIX}{name.upper()}`" in MANUAL


def test_every_exit_code_is_explained() -> None:
    rows = {line.split("|")[1].strip() for line in MANUAL.splitlines() if "|" in line}

    assert {str(int(code)) for code in ExitCode} <= rows


@pytest.mark.parametrize("name", sorted(COMMANDS))
def test_every_command_is_in_the_manual_and_has_help(name: str) -> None:
    assert f"`vexxy {name}" in MANUAL
    done = CliRunner().invoke(app, [name, "--help"])
    assert done.exit_code == 0


@pytest.mark.parametrize("document", ["README.md", "scripts/demo", "docs/cli.md"])
def test_commands_in_documents_exist(document: str) -> None:
    text = (ROOT / document).read_text()
    called = re.compile(
        r"(?:^    \.venv/bin/vexxy|`vexxy|\"\$vexxy\") ([a-z]+)", re.MULTILINE
    )
    named = called.findall(text)

    assert named
    assert set(named) <= set(COMMANDS)


def test_targets_in_the_readme_exist() -> None:
    makefile = (ROOT / "Makefile").read_text()
    readme = (ROOT / "README.md").read_text()
    named = re.findall(r"^    make ([a-z]+)", readme, re.MULTILINE)

    assert named
    assert all(f"\n{name}:" in makefile for name in named)


def test_links_in_the_readme_lead_somewhere() -> None:
    links = re.findall(r"\]\(([^)]+)\)", (ROOT / "README.md").read_text())

    assert links
    assert [link for link in links if not (ROOT / link).exists()] == []

"""The page of settings and the example file say what the settings are."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from vexxy.settings import Environment, ServiceSettings

ROOT = Path(__file__).parents[2]
EXAMPLE = ROOT / ".env.example"
SECRETS = {"JWT_SECRET_KEY", "SECRETS_KEY", "CORE_SERVICE_KEY"}


def example() -> dict[str, str]:
    lines = EXAMPLE.read_text().splitlines()
    pairs = [line.split("=", 1) for line in lines if re.match(r"[A-Z_]+=", line)]
    return {name: value for name, value in pairs}  # noqa: C416  pairs are lists


def test_the_page_lists_what_there_is() -> None:
    """When this fails: python scripts/settings_page.py."""
    done = subprocess.run(
        [sys.executable, str(ROOT / "scripts" / "settings_page.py"), "--check"],
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.stderr == ""
    assert done.returncode == 0


@pytest.mark.parametrize("name", sorted(ServiceSettings.model_fields))
def test_every_setting_says_what_it_is_for(name: str) -> None:
    assert ServiceSettings.model_fields[name].description


def test_the_example_names_only_what_there_is() -> None:
    known = {name.upper() for name in ServiceSettings.model_fields}

    assert set(example()) <= known


def test_the_example_gives_no_secret_away_and_leaves_none_out() -> None:
    assert {name for name, value in example().items() if not value} == SECRETS


def test_the_example_is_a_production_that_reads(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [
        name for name in os.environ if name.lower() in ServiceSettings.model_fields
    ]:
        monkeypatch.delenv(name)
    for name, value in example().items():
        monkeypatch.setenv(name, value)

    assert ServiceSettings().environment is Environment.PRODUCTION

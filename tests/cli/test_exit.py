"""Every kind of failure has an exit code."""

import pytest

from vexxy.cli.exit import CODES, ExitCode, code_of
from vexxy.kit import errors
from vexxy.settings import Settings, unknown_names

KINDS = errors.VexxyError.__subclasses__()


@pytest.mark.parametrize(
    "kind", [k for k in KINDS if k.__module__ == errors.__name__], ids=lambda k: k.__name__
)
def test_every_kind_of_error_has_an_exit_code(kind: type[errors.VexxyError]) -> None:
    assert CODES[kind] in {ExitCode.USAGE, ExitCode.FAILED, ExitCode.PREREQUISITES}


def test_a_slices_error_answers_as_its_kind() -> None:
    class Missing(errors.NotFound):
        pass

    assert code_of(Missing("gone")) is ExitCode.USAGE


def test_a_misspelled_setting_is_noticed() -> None:
    assert unknown_names(["VEXXY_ENGNE", "VEXXY_ENGINE", "PATH"]) == ("VEXXY_ENGNE",)


def test_settings_have_defaults_for_everything(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_DATA_HOME", "/data")

    assert str(Settings().database_path) == "/data/vexxy/advisories.db"

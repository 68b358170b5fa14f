"""What the process of an analysis is asked for, and what is told of its failures."""

from pathlib import Path

import pytest

from tests.fakes.values import a_result
from vexxy.analysis.attempts import rules
from vexxy.analysis.attempts.types import Order
from vexxy.analysis.errors import AdvisoriesMissing
from vexxy.analysis.submission import rules as submission
from vexxy.analysis.submission.types import Config, Given
from vexxy.analysis.types import Profile
from vexxy.billing.types import Options
from vexxy.kit import ids
from vexxy.kit.errors import Unavailable
from vexxy.sandbox.errors import (
    DigestMismatch,
    DiskFull,
    EngineFailed,
    ImageExited,
    ImageMissing,
    ImageUnsuitable,
    PortNeverOpened,
)
from vexxy.sbom.errors import SbomMismatch

DIGEST = "sha256:" + "d" * 64


def a_config(**given: object) -> Config:
    return submission.config_of(Profile.CUSTOM, Given(**given))  # type: ignore[arg-type]


def an_order(**given: object) -> Order:
    return Order(ids.new_id(), "web:1", DIGEST, a_config(**given), {"A": "b"})


def test_every_field_of_a_submission_reaches_the_pipeline(tmp_path: Path) -> None:
    """Script, coverage, SBOM and time limits of an earlier service had no function."""
    order = an_order(
        test_script="true",
        test_timeout=600,
        analysis_duration=45,
        enable_fuzzing=True,
        enable_code_coverage=True,
        ports=(80, 443),
        command=("/bin/web", "-v"),
        health_check_path="/up",
        health_check_timeout=7,
    )
    (tmp_path / rules.SBOM_NAME).write_text("{}")

    request = rules.request_of(order, tmp_path)

    assert request.digest == DIGEST
    assert request.job_id == str(order.analysis_id)
    assert request.settings.duration_seconds == 45
    assert request.settings.script_timeout_seconds == 600
    assert request.settings.ready_timeout_seconds == 7
    assert request.settings.fuzz
    assert request.settings.coverage
    assert request.ports == (80, 443)
    assert request.command == ("/bin/web", "-v")
    assert request.environment == {"A": "b"}
    assert request.test_script == "true"
    assert request.seed_paths == ("/up",)
    assert request.sbom_path == tmp_path / rules.SBOM_NAME
    assert not request.files_allowed
    assert not request.network_allowed


def test_without_an_sbom_the_image_is_read(tmp_path: Path) -> None:
    assert rules.request_of(an_order(), tmp_path).sbom_path is None


@pytest.mark.parametrize(
    "error",
    [
        DigestMismatch("another image"),
        SbomMismatch("another image"),
        PortNeverOpened("port 80 did not answer", exit_code=None, logs=""),
        DiskFull("the image wrote too much"),
    ],
)
def test_a_fault_of_what_was_submitted_is_told_in_its_own_words(error: Exception) -> None:
    failure = rules.failure_of(error)
    assert failure.lasting
    assert failure.message.startswith(str(error))


@pytest.mark.parametrize(
    "error",
    [
        EngineFailed("unix:///run/secret.sock refused"),
        Unavailable("the file /srv/secret is missing", hint="ask secret"),
        AdvisoriesMissing("the advisory database /srv/secret is empty"),
        KeyError("secret"),
        OSError(28, "secret", "/srv/secret"),
    ],
)
def test_a_fault_of_ours_is_told_without_paths_and_tried_again(error: Exception) -> None:
    failure = rules.failure_of(error)
    assert not failure.lasting
    assert "secret" not in failure.message
    assert "secret" in failure.traceback


@pytest.mark.parametrize(
    "error",
    [
        ImageUnsuitable("no command", hint="give one with --command"),
        ImageMissing("no image", hint="run `vexxy doctor`"),
        PortNeverOpened("no answer", exit_code=None, logs="", hint="check --port"),
        ImageExited("it exited", exit_code=1, logs="", hint="see --env"),
    ],
)
def test_nobody_is_told_of_options_that_a_submission_does_not_have(
    error: Exception,
) -> None:
    told = rules.failure_of(error).message
    assert "--" not in told
    assert "vexxy" not in told


def test_what_is_told_has_an_end() -> None:
    logs = "x" * 1_000_000
    failure = rules.failure_of(PortNeverOpened("no answer", exit_code=None, logs=logs))
    assert len(failure.message) <= rules.MESSAGE_LENGTH_MAX
    assert len(failure.traceback) <= rules.TRACEBACK_LENGTH_MAX


@pytest.mark.parametrize(
    ("given", "result", "ran"),
    [
        ({"enable_fuzzing": True}, {"fuzzed": False}, Options(profiling=True)),
        ({"enable_fuzzing": True}, {"fuzzed": True}, Options(True, True)),
        ({"enable_code_coverage": True}, {}, Options(profiling=True, coverage=True)),
        (
            {"enable_code_coverage": True},
            {"skipped_features": ("code_coverage",)},
            Options(profiling=True),
        ),
        ({"enable_profiling": False, "enable_code_coverage": True}, {}, Options()),
    ],
)
def test_only_what_ran_is_charged(
    given: dict[str, object], result: dict[str, object], ran: Options
) -> None:
    assert rules.ran(a_config(**given), a_result(**result)) == ran


def test_who_names_an_inner_host_as_a_registry_learns_nothing_of_it() -> None:
    failure = rules.failure_of(ImageMissing("dial tcp 10.0.0.5:6379: connection refused"))

    assert failure.message == rules.IMAGE_MISSING
    assert failure.lasting

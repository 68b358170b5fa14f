"""What a failure means for a job."""

import pytest

from vexxy.jobs import rules
from vexxy.jobs.errors import RetryLater
from vexxy.kit import errors
from vexxy.kit.errors import VexxyError


@pytest.mark.parametrize(
    "error",
    [
        errors.InvalidInput("no"),
        errors.NotFound("no"),
        errors.Conflict("no"),
        errors.PermissionDenied("no"),
        errors.QuotaExceeded("no"),
        errors.TooLarge("no"),
    ],
)
def test_what_no_repetition_mends_fails_at_once(error: VexxyError) -> None:
    assert rules.judge(error, attempt=1, max_attempts=5).delay_seconds is None


@pytest.mark.parametrize(
    ("error", "delay"),
    [
        (errors.ExternalFailure("no"), 2.0),
        (errors.TimedOut("no"), 10.0),
        (errors.Unavailable("no"), 5.0),
        (KeyError("bug"), 5.0),
        (errors.RateLimited("no", retry_after_seconds=17), 17.0),
        (RetryLater("no", delay_seconds=1.0), 1.0),
    ],
)
def test_what_may_pass_is_tried_again_after_a_delay_of_its_kind(
    error: Exception, delay: float
) -> None:
    assert rules.judge(error, attempt=1, max_attempts=5).delay_seconds == delay


def test_the_delay_doubles_up_to_an_hour() -> None:
    delays = [
        rules.judge(errors.ExternalFailure("no"), attempt=n, max_attempts=99).delay_seconds
        for n in (1, 2, 3, 11, 12, 50)
    ]
    assert delays == [2, 4, 8, 2048, 3600, 3600]


def test_the_last_attempt_is_the_last() -> None:
    error = RetryLater("no", delay_seconds=1)
    assert rules.judge(error, attempt=5, max_attempts=5).delay_seconds is None


def test_a_text_that_is_not_ours_is_not_kept() -> None:
    verdict = rules.judge(ValueError("password=hunter2"), attempt=1, max_attempts=5)
    assert verdict.error == "unexpected failure (ValueError)"


def test_a_long_text_is_cut() -> None:
    verdict = rules.judge(errors.NotFound("x" * 9000), attempt=1, max_attempts=5)
    assert len(verdict.error) == rules.ERROR_LENGTH_MAX


def test_a_text_that_the_database_cannot_hold_is_made_one_it_can() -> None:
    verdict = rules.judge(errors.NotFound("a\0b\udc80c"), attempt=1, max_attempts=5)
    assert verdict.error == "ab?c"


def test_every_kind_of_error_has_an_answer() -> None:
    for kind in VexxyError.__subclasses__():
        error = (
            errors.RateLimited("no", retry_after_seconds=1)
            if kind is errors.RateLimited
            else kind("no")
        )
        verdict = rules.judge(error, attempt=1, max_attempts=5)
        assert (verdict.delay_seconds is None) == isinstance(error, rules.HOPELESS)

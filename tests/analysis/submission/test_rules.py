"""What a submission becomes: presets, bounds, what a plan skips, states, prices."""

import itertools
from dataclasses import fields
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.fakes.values import a_completeness
from vexxy.analysis.submission import rules
from vexxy.analysis.submission.errors import SubmissionRefused
from vexxy.analysis.submission.types import TERMINAL, Given, Status, Submission
from vexxy.analysis.types import Profile
from vexxy.billing.catalog.service import load
from vexxy.billing.types import Feature, Options, Tier

PLANS = load().plans
DIGEST = "sha256:" + "d" * 64
OTHER = "sha256:" + "e" * 64
DURATIONS = {
    Profile.MINIMAL: 120,
    Profile.STANDARD: 300,
    Profile.COMPREHENSIVE: 900,
    Profile.CUSTOM: 300,
}


def a_submission(image: str = "nginx:1.25", **config: object) -> Submission:
    return Submission(image, config=Given(**config))  # type: ignore[arg-type]


@pytest.mark.parametrize(("profile", "seconds"), list(DURATIONS.items()))
def test_a_profile_decides_what_was_not_given(profile: Profile, seconds: int) -> None:
    config = rules.config_of(profile, Given())

    assert config.analysis_duration == seconds
    assert config.enable_code_coverage is (profile is Profile.COMPREHENSIVE)
    assert config.enable_profiling
    assert (config.test_timeout, config.health_check_timeout) == (300, 60)


SETTABLE = {
    "test_timeout": 600,
    "analysis_duration": 45,
    "enable_fuzzing": True,
    "enable_profiling": False,
    "enable_code_coverage": True,
    "ports": (80,),
    "health_check_path": "/up",
    "health_check_timeout": 9,
    "command": ("/bin/true",),
    "test_script": "true",
}


@pytest.mark.parametrize(
    ("profile", "name"), list(itertools.product(DURATIONS, SETTABLE)), ids=str
)
def test_a_field_overrides_its_own_and_no_other(profile: Profile, name: str) -> None:
    """An earlier service ran 300 s for `minimal` as soon as any port was given."""
    preset = rules.config_of(profile, Given())
    config = rules.config_of(profile, Given(**{name: SETTABLE[name]}))  # type: ignore[arg-type]

    changed = {
        field.name
        for field in fields(config)
        if getattr(config, field.name) != getattr(preset, field.name)
    }
    assert changed <= {name}
    assert getattr(config, name) == SETTABLE[name]


def test_a_plan_without_a_feature_skips_it_and_says_so() -> None:
    wanted = rules.config_of(Profile.COMPREHENSIVE, Given())

    config, skipped = rules.allowed(wanted, PLANS[Tier.FREE].features)

    assert skipped == (Feature.REACHABILITY_ANALYSIS, Feature.SECURITY_FUZZING)
    assert not config.enable_code_coverage
    assert not config.enable_fuzzing
    assert rules.options(config) == Options(profiling=True)


@pytest.mark.parametrize(
    ("tier", "skipped"),
    [
        (Tier.STARTER, (Feature.SECURITY_FUZZING,)),
        (Tier.PROFESSIONAL, ()),
        (Tier.ENTERPRISE, ()),
    ],
)
def test_a_plan_keeps_what_it_includes(tier: Tier, skipped: tuple[Feature, ...]) -> None:
    wanted = rules.config_of(Profile.COMPREHENSIVE, Given())

    config, left_out = rules.allowed(wanted, PLANS[tier].features)

    assert left_out == skipped
    assert config.enable_code_coverage


def test_what_was_not_asked_for_is_not_skipped() -> None:
    wanted = rules.config_of(Profile.MINIMAL, Given())

    assert rules.allowed(wanted, PLANS[Tier.FREE].features) == (wanted, ())


@pytest.mark.parametrize(
    "reference", ["nginx", "nginx:1.25", f"registry.test:5000/a/b@{DIGEST}", "d" * 64]
)
def test_references_are_taken(reference: str) -> None:
    rules.check(Submission(reference))


@pytest.mark.parametrize(
    "reference",
    ["", "-v", "--privileged", "-x.test/y", "Nginx", "a b", "a\n", "../x", "/etc/passwd",
     "./image.tar", "x" * 2000, "nginx@sha256:1", "nginx:", "\x00"],
)  # fmt: skip
def test_what_is_no_reference_is_refused(reference: str) -> None:
    with pytest.raises(SubmissionRefused) as caught:
        rules.check(Submission(reference))
    assert caught.value.details["errors"][0]["loc"] == ["body", "image_ref"]


def test_an_archive_is_taken_only_where_the_operator_allows_it() -> None:
    rules.check(Submission("/srv/image.tar"), files_allowed=True)
    for relative in ("./image.tar", "../image.tar"):
        with pytest.raises(SubmissionRefused):
            rules.check(Submission(relative), files_allowed=True)


@pytest.mark.parametrize(
    "digest", ["", "d" * 64, "sha256:abc", "sha256:" + "D" * 64, "sha512:" + "d" * 128]
)
def test_a_digest_has_one_form(digest: str) -> None:
    with pytest.raises(SubmissionRefused, match="64 lower-case"):
        rules.check(Submission("nginx", digest))


def test_two_digests_that_disagree_are_refused() -> None:
    rules.check(Submission(f"nginx@{DIGEST}", DIGEST))
    with pytest.raises(SubmissionRefused, match="another digest"):
        rules.check(Submission(f"nginx@{DIGEST}", OTHER))


@pytest.mark.parametrize(
    ("submission", "digest"),
    [
        (Submission("nginx"), None),
        (Submission("nginx", DIGEST), DIGEST),
        (Submission(f"nginx:1@{DIGEST}"), DIGEST),
        (Submission("d" * 64), DIGEST),
    ],
)
def test_a_digest_is_taken_from_wherever_it_was_named(
    submission: Submission, digest: str | None
) -> None:
    assert rules.digest_of(submission) == digest


@pytest.mark.parametrize("name", ["analysis_duration", "test_timeout"])
@pytest.mark.parametrize("seconds", [29, 3601, 0, -1])
def test_durations_have_bounds(name: str, seconds: int) -> None:
    with pytest.raises(SubmissionRefused, match="30 to 3600"):
        rules.check(a_submission(**{name: seconds}))


@pytest.mark.parametrize("seconds", [30, 3600])
def test_the_bounds_belong_to_the_range(seconds: int) -> None:
    rules.check(a_submission(analysis_duration=seconds, test_timeout=seconds))


@pytest.mark.parametrize(
    "config",
    [
        {"ports": tuple(range(1, 34))},
        {"ports": (0,)},
        {"ports": (65536,)},
        {"ports": (-1,)},
        {"environment": {f"N{n}": "x" for n in range(65)}},
        {"environment": {"1A": "x"}},
        {"environment": {"A=B": "x"}},
        {"environment": {"": "x"}},
        {"environment": {"A": "x\0"}},
        {"environment": {"A": "x\ud800"}},
        {"environment": {"A": "x" * 40_000}},
        {"test_script": "x" * 65_537},
        {"test_script": "é" * 40_000},
        {"test_script": "a\0"},
        {"command": ()},
        {"command": ("",)},
        {"command": ("a",) * 65},
        {"command": ("a", "b\0")},
        {"health_check_timeout": 0},
        {"health_check_timeout": 3601},
    ],
    ids=str,
)
def test_what_is_outside_its_bounds_is_refused(config: dict[str, object]) -> None:
    with pytest.raises(SubmissionRefused):
        rules.check(a_submission(**config))


def test_the_limits_themselves_are_taken() -> None:
    rules.check(
        a_submission(
            ports=tuple(range(1, 33)),
            environment={f"N{n}": "x" for n in range(64)},
            test_script="x" * 65_536,
            command=("a",) * 64,
        )
    )


def test_a_refused_variable_is_not_repeated() -> None:
    with pytest.raises(SubmissionRefused) as caught:
        rules.check(a_submission(environment={"hunter2 secret": "hunter2"}))
    assert "hunter2" not in str(caught.value)


@pytest.mark.parametrize(
    "path",
    [
        "@169.254.169.254/x", "//169.254.169.254/", "/\\169.254.169.254", "\\\\host\\x",
        "http://169.254.169.254/", "", "health", "?x", "#x", "/a#b", "/a b", "/a\r\nX: y",
        "/a\nb", "/a\tb", "/\x00", "/é", "/" + "a" * 1024, ":80/x", "/a\u2028b",
    ],
)  # fmt: skip
def test_a_health_check_cannot_name_another_host(path: str) -> None:
    with pytest.raises(SubmissionRefused):
        rules.check(a_submission(health_check_path=path))


@pytest.mark.parametrize(
    "path", ["/", "/health", "/a/b.html", "/x?y=1&z=%20", "/a//b", "/@me", "/a:b", "/~u"]
)
def test_ordinary_paths_are_taken(path: str) -> None:
    rules.check(a_submission(health_check_path=path))


@given(st.text(max_size=40))
def test_whatever_is_taken_as_a_path_stays_behind_the_host(path: str) -> None:
    from urllib.parse import urlsplit  # noqa: PLC0415  only here

    try:
        rules.check_path(path)
    except SubmissionRefused:
        return
    parts = urlsplit(f"http://sandbox.test:8080{path}")
    assert (parts.hostname, parts.port) == ("sandbox.test", 8080)


def test_a_terminal_state_never_changes() -> None:
    for now, then in itertools.product(TERMINAL, Status):
        assert not rules.can_become(now, then)


def test_every_state_is_reached_and_every_other_can_fail_or_be_cancelled() -> None:
    for now in set(Status) - TERMINAL:
        assert rules.can_become(now, Status.FAILED)
        assert rules.can_become(now, Status.CANCELLED)
    reached = set().union(*rules.TRANSITIONS.values())
    assert reached == set(Status) - {Status.QUEUED}
    assert rules.before(Status.COMPLETE) == {Status.ANALYZING}


@given(
    st.sampled_from(Profile),
    st.integers(30, 3600),
    st.integers(1, 3600),
    st.tuples(st.booleans(), st.booleans()),
)
def test_nothing_costs_more_than_was_told_at_submission(
    profile: Profile, seconds: int, ready: int, parts: tuple[bool, bool]
) -> None:
    config = rules.config_of(
        profile,
        Given(
            analysis_duration=seconds,
            health_check_timeout=ready,
            enable_fuzzing=parts[0],
            enable_code_coverage=parts[1],
        ),
    )
    most = rules.worst_case_credits(config)
    longest = timedelta(seconds=3 * rules.deadline_seconds(config))

    cost = rules.cost_credits(rules.options(config), longest, most=most, success=True)

    assert cost <= most
    assert rules.deadline_seconds(config) > seconds + ready


def test_a_long_analysis_may_take_as_long_as_it_was_asked_to() -> None:
    """An earlier service took 3600 s and ended every job after 1800."""
    config = rules.config_of(Profile.CUSTOM, Given(analysis_duration=3600))
    assert rules.deadline_seconds(config) > 3600 + 60
    assert rules.estimated_minutes(config) == 61


def test_an_observation_with_holes_is_free() -> None:
    config = rules.config_of(Profile.STANDARD, Given())
    whole, holed = a_completeness(), a_completeness(partial=True)

    assert rules.is_success(config, whole)
    assert not rules.is_success(config, holed)
    ran = Options(profiling=True)
    assert rules.cost_credits(ran, timedelta(), most=99, success=False) == 0


def test_a_look_without_a_run_is_what_was_asked_for() -> None:
    config = rules.config_of(Profile.STANDARD, Given(enable_profiling=False))

    assert rules.is_success(config, a_completeness(partial=True))
    assert rules.options(config) == Options()


def test_a_completion_is_estimated_only_of_what_runs() -> None:
    noon = datetime(2026, 11, 21, 12, tzinfo=UTC)
    expected = noon + timedelta(minutes=6)
    assert rules.estimated_completion(Status.RUNNING, noon, 6) == expected
    assert rules.estimated_completion(Status.QUEUED, None, 6) is None
    assert rules.estimated_completion(Status.COMPLETE, noon, 6) is None


@pytest.mark.parametrize(
    "reference", ["nginx:1.25", "registry.example/team/app:1", "docker.io/library/nginx"]
)
def test_an_image_of_a_registry_that_is_set_is_taken(reference: str) -> None:
    registries = frozenset({"docker.io", "registry.example"})
    rules.check(a_submission(reference), registries=registries)


@pytest.mark.parametrize(
    "reference", ["127.0.0.1:5000/app", "localhost/app", "evil.example/app", "a" * 64]
)
def test_an_image_of_another_registry_is_refused(reference: str) -> None:
    with pytest.raises(SubmissionRefused, match="image_ref"):
        rules.check(a_submission(reference), registries={"docker.io"})

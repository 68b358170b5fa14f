"""Decisions about submissions: presets, bounds, what a plan skips, price, states."""

import math
import re
import shlex
from collections.abc import Collection, Iterable, Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Final

from vexxy.analysis import rules as analysis_rules
from vexxy.analysis.submission.errors import SubmissionRefused
from vexxy.analysis.submission.types import (
    TERMINAL,
    Config,
    Given,
    Status,
    Submission,
)
from vexxy.analysis.types import Profile
from vexxy.billing import pricing
from vexxy.billing.types import Feature, Options
from vexxy.images import rules as images
from vexxy.images.errors import InvalidReference
from vexxy.tracer.types import Completeness

DURATION_SECONDS: Final = analysis_rules.DURATION_SECONDS
READY_SECONDS: Final = (1, 3600)
PORTS_MAX: Final = analysis_rules.PORTS_MAX
ENVIRONMENT_MAX: Final = analysis_rules.ENVIRONMENT_MAX
SCRIPT_BYTES_MAX: Final = analysis_rules.SCRIPT_BYTES_MAX
VALUE_BYTES_MAX: Final = 32 * 1024
NAME_LENGTH_MAX: Final = 256
COMMAND_WORDS_MAX: Final = 64
WORD_LENGTH_MAX: Final = 4096
PATH_LENGTH_MAX: Final = 1024
PORT_MAX: Final = 65535

TEST_SECONDS_DEFAULT: Final = 300
READY_SECONDS_DEFAULT: Final = 60
# Pulling, reading the image, deciding; a sandbox that had to be loosened starts again.
OVERHEAD_SECONDS: Final = 900
USUAL_OVERHEAD_SECONDS: Final = 60
SANDBOXES: Final = 2

DIGEST: Final = re.compile(r"sha256:[0-9a-f]{64}")
# RFC 3986: an absolute path with a query, of characters that mean only themselves.
_PATH: Final = re.compile(r"/(?!/)[A-Za-z0-9._~!$&'()*+,;=:@%/?-]*")

TRANSITIONS: Final[Mapping[Status, frozenset[Status]]] = {
    Status.QUEUED: frozenset({Status.RUNNING, Status.FAILED, Status.CANCELLED}),
    Status.RUNNING: frozenset({Status.ANALYZING, Status.FAILED, Status.CANCELLED}),
    Status.ANALYZING: frozenset({Status.COMPLETE, Status.FAILED, Status.CANCELLED}),
    **dict.fromkeys(TERMINAL, frozenset()),
}


def can_become(now: Status, then: Status) -> bool:
    """Return whether an analysis may go from one state to another."""
    return then in TRANSITIONS[now]


def before(then: Status) -> frozenset[Status]:
    """Return the states from which an analysis may come to another."""
    return frozenset(now for now in Status if can_become(now, then))


def config_of(profile: Profile, given: Given) -> Config:
    """Return the profile's settings with the given fields on top, and no other."""
    preset = analysis_rules.settings_for(
        profile,
        duration_seconds=given.analysis_duration,
        coverage=given.enable_code_coverage,
        fuzz=given.enable_fuzzing,
    )
    return Config(
        test_script=given.test_script,
        test_timeout=_or(given.test_timeout, TEST_SECONDS_DEFAULT),
        analysis_duration=preset.duration_seconds,
        enable_fuzzing=preset.fuzz,
        enable_profiling=given.enable_profiling is not False,
        enable_code_coverage=preset.coverage,
        ports=tuple(dict.fromkeys(given.ports)),
        environment_names=tuple(sorted(given.environment)),
        command=given.command,
        health_check_path=given.health_check_path,
        health_check_timeout=_or(given.health_check_timeout, READY_SECONDS_DEFAULT),
    )


def _or(given: int | None, preset: int) -> int:
    return preset if given is None else given


def allowed(config: Config, features: frozenset[str]) -> tuple[Config, tuple[Feature, ...]]:
    """Return what of it the plan includes, and the features it would have needed."""
    skipped: list[Feature] = []
    if config.enable_code_coverage and Feature.REACHABILITY_ANALYSIS not in features:
        config = replace(config, enable_code_coverage=False)
        skipped.append(Feature.REACHABILITY_ANALYSIS)
    if config.enable_fuzzing and Feature.SECURITY_FUZZING not in features:
        config = replace(config, enable_fuzzing=False)
        skipped.append(Feature.SECURITY_FUZZING)
    return config, tuple(skipped)


def deadline_seconds(config: Config) -> int:
    """Return how long one attempt may take; beyond it is ended and failed."""
    if not config.enable_profiling:
        return OVERHEAD_SECONDS
    watched = config.health_check_timeout + config.analysis_duration
    return SANDBOXES * watched + OVERHEAD_SECONDS


def estimated_minutes(config: Config) -> int:
    """Return how long it usually takes, rounded up."""
    watched = config.analysis_duration if config.enable_profiling else 0
    return math.ceil((watched + USUAL_OVERHEAD_SECONDS) / 60)


def options(config: Config) -> Options:
    """Return the parts of it that have a price."""
    ran = config.enable_profiling
    return Options(
        fuzzing=config.enable_fuzzing and ran,
        profiling=ran,
        coverage=config.enable_code_coverage and ran,
    )


def worst_case_credits(config: Config) -> int:
    """Return what it costs at most: everything ran, up to the deadline."""
    duration = timedelta(seconds=deadline_seconds(config))
    return pricing.analysis_credits(options(config), duration)


def cost_credits(ran: Options, duration: timedelta, *, most: int, success: bool) -> int:
    """Return what a complete analysis costs.

    An observation with holes is not what was paid for, and is free. Nothing costs more
    than the worst case that was told at submission, however often it was begun.
    """
    return min(pricing.analysis_credits(ran, duration), most) if success else 0


def is_success(config: Config, completeness: Completeness) -> bool:
    """Return whether the analysis did what was asked, so that it may be charged."""
    return not config.enable_profiling or not completeness.partial


def estimated_completion(
    status: Status, started_at: datetime | None, minutes: int
) -> datetime | None:
    """Return when a running analysis should be complete, None of any other."""
    if started_at is None or status in TERMINAL:
        return None
    return started_at + timedelta(minutes=minutes)


def check(
    submission: Submission,
    *,
    files_allowed: bool = False,
    registries: Collection[str] = (),
) -> None:
    """Refuse a submission that is malformed or outside the bounds of the contract.

    Args:
        submission: As it was given.
        files_allowed: Whether `image_ref` may be the absolute path of an archive.
        registries: Hosts that images may be of; empty means any.

    Raises:
        SubmissionRefused: Names the field and what is wrong with it.
    """
    _check_image(submission, files_allowed=files_allowed, registries=registries)
    given = submission.config
    _check_range("config.analysis_duration", given.analysis_duration, DURATION_SECONDS)
    _check_range("config.test_timeout", given.test_timeout, DURATION_SECONDS)
    _check_range("config.health_check_timeout", given.health_check_timeout, READY_SECONDS)
    if given.test_script is not None:
        size = len(given.test_script.encode())
        _demand(
            size <= SCRIPT_BYTES_MAX,
            "config.test_script",
            f"it has {size} bytes; at most {SCRIPT_BYTES_MAX}",
        )
        _demand("\0" not in given.test_script, "config.test_script", "it contains NUL")
    _check_ports(given.ports)
    _check_environment(given.environment)
    _check_command(given.command)
    if given.health_check_path is not None:
        check_path(given.health_check_path)


def check_path(path: str) -> None:
    r"""Refuse a health check that is anything but a path.

    It is put behind `http://<sandbox>:<port>`: with `@host`, `//host`, a backslash or a
    line break in front or inside it could name another host or smuggle a header.

    Raises:
        SubmissionRefused: It is no absolute path of printable ASCII.
    """
    field = "config.health_check_path"
    _demand(len(path) <= PATH_LENGTH_MAX, field, f"longer than {PATH_LENGTH_MAX}")
    _demand(
        _PATH.fullmatch(path) is not None,
        field,
        "it must be a path such as /health: one leading slash, no host, no backslash, "
        "no white space, no fragment",
    )


def _check_image(
    submission: Submission, *, files_allowed: bool, registries: Collection[str]
) -> None:
    digest = submission.image_digest
    if digest is not None:
        _demand(
            DIGEST.fullmatch(digest) is not None,
            "image_digest",
            "it must be sha256: and 64 lower-case hexadecimal digits",
        )
    if files_allowed and submission.image_ref.startswith("/"):
        return
    try:
        reference = images.parse_reference(submission.image_ref)
    except InvalidReference as error:
        raise SubmissionRefused("image_ref", error.message, hint=error.hint) from error
    # The engine asks whatever host is named, also one that only it can reach.
    _demand(
        not registries or reference.domain in registries,
        "image_ref",
        "images of this registry are not taken here",
    )
    named = reference.digest or reference.image_id
    if digest is not None and named is not None:
        _demand(digest == named, "image_digest", "image_ref names another digest")


def words_of(command: str) -> tuple[str, ...]:
    """Return the words of a command line as a shell splits it; nothing is expanded.

    Raises:
        SubmissionRefused: A quotation is not closed.
    """
    try:
        return tuple(shlex.split(command))
    except ValueError as error:
        raise SubmissionRefused("config.command", str(error)) from error


def digest_of(submission: Submission) -> str | None:
    """Return the digest that was named, in either field."""
    if submission.image_digest is not None or submission.image_ref.startswith("/"):
        return submission.image_digest
    reference = images.parse_reference(submission.image_ref)
    return reference.digest or reference.image_id


def _check_range(field: str, value: int | None, bounds: tuple[int, int]) -> None:
    low, high = bounds
    _demand(
        value is None or low <= value <= high,
        field,
        f"{value} is not from {low} to {high} seconds",
    )


def _check_ports(ports: tuple[int, ...]) -> None:
    field = "config.ports"
    _demand(len(ports) <= PORTS_MAX, field, f"{len(ports)} given; at most {PORTS_MAX}")
    for port in ports:
        _demand(1 <= port <= PORT_MAX, field, f"{port} is not a TCP port")


def _check_environment(environment: Mapping[str, str]) -> None:
    field = "config.environment"
    count = len(environment)
    _demand(count <= ENVIRONMENT_MAX, field, f"{count} given; at most {ENVIRONMENT_MAX}")
    for name, value in environment.items():
        known = analysis_rules.VARIABLE_NAME.fullmatch(name) is not None
        # Neither is shown: somebody may have mixed up name and value.
        _demand(known and len(name) <= NAME_LENGTH_MAX, field, "a name is malformed")
        _demand("\0" not in value, field, f"the value of {name} contains NUL")
        _demand(_is_text(value), field, f"the value of {name} is no well-formed Unicode")
        _demand(
            len(value.encode()) <= VALUE_BYTES_MAX,
            field,
            f"the value of {name} has more than {VALUE_BYTES_MAX} bytes",
        )


def _is_text(value: str) -> bool:
    """Tell text from half of a character: JSON may hold a lone surrogate."""
    return all(not "\ud800" <= one <= "\udfff" for one in value)


def _check_command(command: tuple[str, ...] | None) -> None:
    if command is None:
        return
    field = "config.command"
    _demand(bool(command) and bool(command[0]), field, "it names no program")
    _demand(len(command) <= COMMAND_WORDS_MAX, field, f"over {COMMAND_WORDS_MAX} words")
    _check_words(field, command)


def _check_words(field: str, words: Iterable[str]) -> None:
    for word in words:
        _demand(len(word) <= WORD_LENGTH_MAX, field, f"a word is over {WORD_LENGTH_MAX}")
        _demand("\0" not in word, field, "it contains NUL")


def _demand(holds: bool, field: str, message: str) -> None:  # noqa: FBT001  reads as a sentence
    if not holds:
        raise SubmissionRefused(field, message)

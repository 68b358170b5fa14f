"""Decisions about an analysis as a whole: presets, bounds, counts, the CI gate."""

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from vexxy.advisories.types import Severity
from vexxy.analysis.errors import RequestRefused
from vexxy.analysis.types import Profile, Request, Settings
from vexxy.reachability.types import Verdict
from vexxy.vex.types import Status

DURATION_SECONDS: Final = (30, 3600)
PORTS_MAX: Final = 32
ENVIRONMENT_MAX: Final = 64
SCRIPT_BYTES_MAX: Final = 64 * 1024
VARIABLE_NAME: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")

PRESETS: Final[Mapping[Profile, Settings]] = {
    Profile.MINIMAL: Settings(120, coverage=False, fuzz=False),
    Profile.STANDARD: Settings(300, coverage=False, fuzz=True),
    Profile.COMPREHENSIVE: Settings(900, coverage=True, fuzz=True),
    Profile.CUSTOM: Settings(300, coverage=False, fuzz=False),
}

# Ascending, so that the position is the rank.
SEVERITIES: Final = (
    Severity.UNKNOWN,
    Severity.NONE,
    Severity.LOW,
    Severity.MEDIUM,
    Severity.HIGH,
    Severity.CRITICAL,
)


def settings_for(
    profile: Profile,
    *,
    duration_seconds: int | None = None,
    coverage: bool | None = None,
    fuzz: bool | None = None,
    ready_timeout_seconds: int | None = None,
) -> Settings:
    """Return the profile's settings with the given fields on top, and no other."""
    preset = PRESETS[profile]
    return Settings(
        duration_seconds=(
            preset.duration_seconds if duration_seconds is None else duration_seconds
        ),
        coverage=preset.coverage if coverage is None else coverage,
        fuzz=preset.fuzz if fuzz is None else fuzz,
        ready_timeout_seconds=ready_timeout_seconds or preset.ready_timeout_seconds,
        script_timeout_seconds=preset.script_timeout_seconds,
    )


def check_request(request: Request) -> None:
    """Refuse a request that is outside the contract's bounds (section 3).

    Raises:
        RequestRefused: Names the field and its bounds.
    """
    low, high = DURATION_SECONDS
    if not low <= request.settings.duration_seconds <= high:
        raise RequestRefused(
            f"the duration is {request.settings.duration_seconds} s; it must be from "
            f"{low} to {high} s"
        )
    if len(request.ports) > PORTS_MAX:
        raise RequestRefused(f"{len(request.ports)} ports given; at most {PORTS_MAX}")
    for port in request.ports:
        if not 1 <= port <= 65535:  # noqa: PLR2004  the range of a TCP port, RFC 9293
            raise RequestRefused(f"{port} is not a TCP port")
    _check_environment(request.environment)
    if request.test_script is not None:
        size = len(request.test_script.encode())
        if size > SCRIPT_BYTES_MAX:
            raise RequestRefused(
                f"the test script has {size} bytes; at most {SCRIPT_BYTES_MAX}"
            )


def _check_environment(environment: Mapping[str, str]) -> None:
    if len(environment) > ENVIRONMENT_MAX:
        raise RequestRefused(
            f"{len(environment)} variables given; at most {ENVIRONMENT_MAX}"
        )
    for name, value in environment.items():
        if not VARIABLE_NAME.fullmatch(name):
            raise RequestRefused(f"{name!r} is not the name of a variable")
        if "\0" in value:
            raise RequestRefused(f"the value of {name} contains a NUL byte")


@dataclass(frozen=True, slots=True)
class Summary:
    """Counts over all verdicts.

    Attributes:
        remaining: Findings somebody still has to look at: affected or under
            investigation.
        removed_percent: Share of findings that are not affected, 1 decimal.
    """

    findings: int
    by_status: Mapping[str, int]
    remaining_by_severity: Mapping[str, int]
    remaining: int
    removed_percent: float


def summarize(verdicts: Sequence[Verdict]) -> Summary:
    """Count verdicts by status, and what remains by severity."""
    statuses = Counter(verdict.status for verdict in verdicts)
    rest = [verdict for verdict in verdicts if verdict.status is not Status.NOT_AFFECTED]
    severities = Counter(verdict.severity for verdict in rest)
    removed = len(verdicts) - len(rest)
    return Summary(
        findings=len(verdicts),
        by_status={status.value: statuses[status] for status in Status},
        remaining_by_severity={
            severity.value: severities[severity] for severity in reversed(SEVERITIES)
        },
        remaining=len(rest),
        removed_percent=round(100 * removed / len(verdicts), 1) if verdicts else 0.0,
    )


@dataclass(frozen=True, slots=True)
class Gate:
    """One clause of `--fail-on`."""

    statuses: frozenset[Status]
    severity: Severity
    fixable: bool

    def holds(self, verdict: Verdict) -> bool:
        """Tell whether the verdict should stop a pipeline.

        An unknown severity passes no severity threshold but the lowest; a gate that
        must also stop those says `STATUS` without a severity.
        """
        return (
            verdict.status in self.statuses
            and SEVERITIES.index(verdict.severity) >= SEVERITIES.index(self.severity)
            and (bool(verdict.fixed_versions) or not self.fixable)
        )


def parse_gates(text: str) -> tuple[Gate, ...]:
    """Return the clauses of a `--fail-on` rule.

    Shape: `STATUS[:SEVERITY][:fixable]`, several separated by commas; STATUS is an
    OpenVEX status, or `remaining` (affected or under investigation), or `any`.
    SEVERITY means this or worse.

    Raises:
        RequestRefused: Says which word is unknown and what is possible.
    """
    return tuple(_parse_gate(clause) for clause in text.split(","))


def _parse_gate(clause: str) -> Gate:
    first, *rest = clause.strip().lower().split(":")
    groups = {
        "any": frozenset(Status),
        "remaining": frozenset({Status.AFFECTED, Status.UNDER_INVESTIGATION}),
        **{status.value: frozenset({status}) for status in Status},
    }
    if first not in groups:
        raise RequestRefused(
            f"{first!r} is no status of a --fail-on rule",
            hint="use one of " + ", ".join(sorted(groups)),
        )
    severity = Severity.UNKNOWN
    fixable = False
    for word in rest:
        if word == "fixable":
            fixable = True
        elif word in {known.value for known in SEVERITIES}:
            severity = Severity(word)
        else:
            raise RequestRefused(
                f"{word!r} is no severity of a --fail-on rule",
                hint="use one of fixable, " + ", ".join(s.value for s in SEVERITIES),
            )
    return Gate(groups[first], severity, fixable)


def failing(verdicts: Iterable[Verdict], gates: Sequence[Gate]) -> tuple[Verdict, ...]:
    """Return the verdicts that any gate holds for, in their order."""
    return tuple(v for v in verdicts if any(gate.holds(v) for gate in gates))


def in_reading_order(verdicts: Iterable[Verdict]) -> tuple[Verdict, ...]:
    """Sort for people: what needs work first, then by severity, then by name."""
    urgency = (
        Status.AFFECTED,
        Status.UNDER_INVESTIGATION,
        Status.FIXED,
        Status.NOT_AFFECTED,
    )
    return tuple(
        sorted(
            verdicts,
            key=lambda v: (
                urgency.index(v.status),
                -SEVERITIES.index(v.severity),
                v.package.name,
                v.vulnerability_id,
                v.package.purl,
                v.package.locations,
            ),
        )
    )

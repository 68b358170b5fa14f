"""What the silence of an observation is worth.

"Not observed" is a fact only if somebody looked, long enough, while the image was
exercised, and nothing escaped. Anything else is a gap, and a gap forbids every claim
that rests on silence.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from vexxy.reachability.types import Settings
from vexxy.tracer.types import Access, Completeness, ExecutionProfile, Source

CODE_ACCESSES: Final = frozenset({Access.EXECUTED, Access.MAPPED, Access.CODE})

# These show what is there at one moment or in one runtime; what came and went between
# two looks is missing, so their silence proves nothing.
SNAPSHOT_SOURCES: Final = frozenset({Source.PROC_MAPS, Source.COVERAGE})


@dataclass(frozen=True, slots=True)
class Observation:
    """One run, weighed.

    Attributes:
        gaps: Why silence proves nothing, as sentences; empty means it does.
        late_share: How far into the window the last new code file appeared, 0-1.
        late_files: New code files in the second half of the window.
    """

    gaps: tuple[str, ...]
    observed_seconds: float
    traffic_requests: int
    late_share: float = 0.0
    late_files: int = 0

    @property
    def complete(self) -> bool:
        """Whether "not observed" may be used as an argument at all."""
        return not self.gaps


def weigh(
    profile: ExecutionProfile,
    *,
    driven: bool,
    settings: Settings,
    inconsistencies: Sequence[str] = (),
) -> Observation:
    """Return what the silence of this profile is worth."""
    completeness = profile.completeness
    late_share, late_files = novelty(profile)
    return Observation(
        gaps=(
            *_gaps_of_window(completeness, driven=driven, settings=settings),
            *_gaps_of_recording(profile),
            *inconsistencies,
        ),
        observed_seconds=max(0.0, completeness.observed_seconds),
        traffic_requests=max(0, completeness.traffic_requests),
        late_share=late_share,
        late_files=late_files,
    )


def novelty(profile: ExecutionProfile) -> tuple[float, int]:
    """Return how late the last new code file came, 0-1, and how many came late.

    Code loaded before readiness counts as early. A run that still brings new code near
    its end would bring more if it went on.
    """
    window = profile.completeness.observed_seconds
    if window <= 0:
        return 1.0, 0
    start = profile.completeness.ready_seconds or 0.0
    shares = [
        (access.first_seen_seconds - start) / window
        for access in profile.files_accessed
        if access.access in CODE_ACCESSES
    ]
    late = max(shares, default=0.0)
    half = 0.5
    return min(1.0, max(0.0, late)), sum(share > half for share in shares)


def _gaps_of_window(
    completeness: Completeness, *, driven: bool, settings: Settings
) -> list[str]:
    gaps = []
    if completeness.ready_seconds is None:
        gaps.append("the image never became ready")
    if not driven:
        gaps.append("nothing exercised the image: no request was answered")
    if completeness.observed_seconds < settings.observed_seconds_min:
        gaps.append(
            f"only {completeness.observed_seconds:.0f} s were observed, at least "
            f"{settings.observed_seconds_min:.0f} s are needed"
        )
    return gaps


def _gaps_of_recording(profile: ExecutionProfile) -> list[str]:
    completeness = profile.completeness
    gaps = []
    if completeness.lost_events > 0:
        gaps.append(f"{completeness.lost_events} events were lost")
    if completeness.partial:
        reasons = "; ".join(completeness.reasons) or "no reason was recorded"
        gaps.append(f"the observation is partial ({reasons})")
    if not set(profile.sources) - SNAPSHOT_SOURCES:
        gaps.append("nothing recorded continuously, only single moments were seen")
    if not any(one.access is Access.EXECUTED for one in profile.files_accessed):
        gaps.append("the recording holds no executed program, so it saw nothing")
    return gaps

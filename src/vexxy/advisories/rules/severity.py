"""How bad a vulnerability is, out of what its records say."""

from collections.abc import Collection, Iterable
from functools import lru_cache
from typing import Final

from cvss import CVSS2, CVSS3, CVSS4  # type: ignore[import-untyped]
from cvss.exceptions import CVSSError  # type: ignore[import-untyped]

from vexxy.advisories.types import Rating, Severity

_KINDS: Final = {"CVSS_V4": (4, CVSS4), "CVSS_V3": (3, CVSS3), "CVSS_V2": (2, CVSS2)}
# Words of GitHub, Debian's urgency, Ubuntu's priority, Red Hat and SUSE.
_WORDS: Final = {
    "critical": Severity.CRITICAL,
    "high": Severity.HIGH,
    "important": Severity.HIGH,
    "moderate": Severity.MEDIUM,
    "medium": Severity.MEDIUM,
    "low": Severity.LOW,
    "negligible": Severity.LOW,
    "unimportant": Severity.LOW,
    "none": Severity.NONE,
}
# CVSS 3.1 section 5 and CVSS 4.0 section 6; 2.0 has no words of its own, NVD uses these.
_BANDS: Final = (
    (9.0, Severity.CRITICAL),
    (7.0, Severity.HIGH),
    (4.0, Severity.MEDIUM),
    (0.1, Severity.LOW),
)


@lru_cache(maxsize=1 << 14)
def cvss_score(kind: str, vector: str) -> float | None:
    """Return the base score, or None for a vector that the specification refuses."""
    found = _KINDS.get(kind)
    if found is None:
        return None
    try:
        return float(found[1](vector).scores()[0])
    except (CVSSError, ValueError, KeyError, ArithmeticError):
        return None


def qualitative(score: float) -> Severity:
    """Return the word for a base score."""
    return next((word for least, word in _BANDS if score >= least), Severity.NONE)


def judge(
    ratings: Collection[Rating], words: Iterable[str] = ()
) -> tuple[Severity, float | None]:
    """Return severity and score of a vulnerability that several records rate.

    The newest CVSS version decides, the highest score where it is given twice, and a
    vendor's word only where there is no valid vector.
    """
    rated = [
        (_KINDS[rating.type][0], score)
        for rating in ratings
        if (score := cvss_score(rating.type, rating.score)) is not None
    ]
    if rated:
        _, score = max(rated)
        return qualitative(score), score
    said = [*words, *(rating.score for rating in ratings if rating.type not in _KINDS)]
    known = [_WORDS[word.lower()] for word in said if word.lower() in _WORDS]
    order = list(Severity)
    return min(known, key=order.index, default=Severity.UNKNOWN), None

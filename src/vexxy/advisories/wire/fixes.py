"""What an OSV record says of its fix: links to commits and pull requests, GIT ranges."""

import re
from typing import Final, NamedTuple

import msgspec

from vexxy.advisories.rules import grouping, names

_COMMIT: Final = re.compile(
    r"https://github\.com/([\w.-]+/[\w.-]+)/(?:pull/\d+/)?commits?/([0-9a-f]{7,40})"
)
_PULL: Final = re.compile(r"https://github\.com/([\w.-]+/[\w.-]+)/pull/(\d+)")
_HOME: Final = re.compile(r"https://github\.com/([\w.-]+/[\w.-]+)")
_NO_HOME: Final = ("advisories/", "github/advisory-database", "pypa/advisory-database")
# Where it is in doubt whether there is a hole, no function can be called vulnerable.
_DISPUTED: Final = re.compile(r"\bdisputed?s?\b|\bvendor's position\b", re.IGNORECASE)
_RANGES_SHOWN: Final = 4


class _Reference(msgspec.Struct):
    url: str
    type: str = ""


class _Package(msgspec.Struct):
    ecosystem: str
    name: str


class _Range(msgspec.Struct):
    type: str
    events: list[dict[str, str]]
    repo: str = ""


class _Affected(msgspec.Struct):
    package: _Package | None = None
    ranges: list[_Range] = []


class _Record(msgspec.Struct):
    id: str
    affected: list[_Affected] = []
    aliases: list[str] = []
    references: list[_Reference] = []
    withdrawn: str | None = None
    details: str = ""


class Subject(NamedTuple):
    """A package of a record and, in words, the versions that it calls affected."""

    ecosystem: str
    name: str
    versions: str


class FixRecord(NamedTuple):
    """What a record tells of its fix.

    Attributes:
        shown: The id under which the overlay files it: the CVE, if there is one.
        ids: Every id of it.
        commits: `owner/name` and commit of each link.
        pulls: `owner/name` and number of each linked pull request.
        fixed: `owner/name` and commit of each GIT range's end.
        homes: Every repository that it links.
    """

    shown: str
    ids: tuple[str, ...]
    subjects: tuple[Subject, ...]
    commits: tuple[tuple[str, str], ...]
    pulls: tuple[tuple[str, str], ...]
    fixed: tuple[tuple[str, str], ...]
    homes: tuple[str, ...]


def parse(content: bytes) -> FixRecord | None:
    """Return what a record tells of its fix.

    None if it is withdrawn, disputed or no record.
    """
    try:
        record = msgspec.json.decode(content, type=_Record)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None
    if record.withdrawn is not None or _DISPUTED.search(record.details):
        return None
    urls = [one.url for one in record.references]
    ranges = [one for affected in record.affected for one in affected.ranges]
    shown, _ = grouping.display_id({record.id, *record.aliases}, [record.id])
    homes = _found(_HOME, [*urls, *(one.repo for one in ranges)])
    return FixRecord(
        shown=shown,
        ids=(record.id, *record.aliases),
        subjects=tuple(dict.fromkeys(_subjects(record.affected))),
        commits=tuple(dict.fromkeys((one[1], one[2]) for one in _matches(_COMMIT, urls))),
        pulls=tuple(dict.fromkeys((one[1], one[2]) for one in _matches(_PULL, urls))),
        fixed=tuple(dict.fromkeys(_ends(ranges))),
        homes=tuple(home for home in homes if not home.lower().startswith(_NO_HOME)),
    )


def _matches(pattern: re.Pattern[str], urls: list[str]) -> list[re.Match[str]]:
    return [found for url in urls if (found := pattern.match(url)) is not None]


def _found(pattern: re.Pattern[str], urls: list[str]) -> tuple[str, ...]:
    found = (one[1].removesuffix(".git") for one in _matches(pattern, urls))
    return tuple(dict.fromkeys(found))


def _subjects(affected: list[_Affected]) -> list[Subject]:
    merged: dict[tuple[str, str], list[str]] = {}
    for one in affected:
        if one.package is None:
            continue
        ecosystem = names.family(one.package.ecosystem)
        key = ecosystem, names.normalize(ecosystem, one.package.name)
        texts = merged.setdefault(key, [])
        texts += [_versions(one) for one in one.ranges if one.type != "GIT"]
    return [
        Subject(*key, " or ".join(dict.fromkeys(texts[:_RANGES_SHOWN])))
        for key, texts in merged.items()
    ]


def _versions(one: _Range) -> str:
    signs = {"introduced": ">=", "fixed": "<", "last_affected": "<=", "limit": "<"}
    parts = [
        f"{signs[kind]}{version}"
        for event in one.events
        for kind, version in event.items()
        if kind in signs and (kind, version) != ("introduced", "0")
    ]
    return " ".join(parts) or "all"


def _ends(ranges: list[_Range]) -> list[tuple[str, str]]:
    return [
        (home[1].removesuffix(".git"), event["fixed"])
        for one in ranges
        if one.type == "GIT" and (home := _HOME.match(one.repo)) is not None
        for event in one.events
        if "fixed" in event
    ]

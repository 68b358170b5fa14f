"""Vulnerable functions from fixes: commits of a history, or diffs alone."""

from collections.abc import Iterable, Iterator, Sequence
from functools import lru_cache
from typing import Final, NamedTuple

from vexxy.advisories.ports import Histories, History
from vexxy.advisories.rules import diffs, fixes, patches, placing
from vexxy.advisories.rules.fixes import ChangedFile
from vexxy.advisories.rules.outlines import Outline
from vexxy.advisories.types import Derivation, OverlayLine, Symbol
from vexxy.advisories.wire.fixes import FixRecord, Subject
from vexxy.advisories.wire.sources import c, golang, python, script
from vexxy.kit.errors import VexxyError
from vexxy.kit.progress import Listener, Progress, silent
from vexxy.sbom.types import Problem

_FILES_MAX: Final = 60
_CANDIDATES_MAX: Final = 4


class Fix(NamedTuple):
    """A commit that mends a vulnerability of a package, and how that is known.

    Attributes:
        source: One line for the provenance, with the commit's address.
        certainty: Limits the confidence of what is found in it.
    """

    commit: str
    source: str
    certainty: float = 1.0


def outline(path: str, content: str | None) -> Outline | None:
    """Return what a source consists of; None where there is no grammar for it."""
    if content is None:
        return None
    if path.endswith(placing.PYTHON):
        return python.outline(content)
    if path.endswith(placing.SCRIPT):
        return script.outline(content, path=path)
    if path.endswith(placing.GO):
        return golang.outline(content)
    return c.outline(content) if path.endswith(placing.C) else None


def commit_symbols(
    history: History, fix: Fix, *, ecosystem: str, package: str = ""
) -> tuple[Symbol, ...]:
    """Return the functions that a fix changes, as they were called before it.

    A repository that makes several npm packages is of little certainty for those whose
    `package.json` is not around the file.
    """
    suffixes = placing.SOURCES.get(ecosystem, placing.SOURCES["Debian"])
    text = history.diff(fix.commit, suffixes=suffixes)
    if text is None:
        return ()
    parent = f"{fix.commit}^1"
    every = [one for one in diffs.files(text) if placing.is_code(one.before, ecosystem)]
    changed = [_changed(history, fix.commit, one) for one in every[:_FILES_MAX]]
    if len(every) > _FILES_MAX:
        return ()
    mentions = _Mentions(history, parent, ecosystem)
    found = fixes.touched(changed, mentions)
    places = _Places(history, parent, ecosystem=ecosystem, package=package)
    return tuple(
        Symbol(
            places.module(one.path),
            one.name,
            fix.source,
            min(fix.certainty, one.confidence, places.certainty(one.path)),
        )
        for one in found
    )


class _Places:
    """What the files of one revision are called by those who install the package."""

    def __init__(
        self, history: History, revision: str, *, ecosystem: str, package: str
    ) -> None:
        self._history = history
        self._revision = revision
        self._ecosystem = ecosystem
        self._package = package
        self._tree = history.list_files(revision)

    def module(self, path: str) -> str:
        if self._ecosystem == "Go" and path.endswith(placing.GO):
            described = self._description(path, "go.mod")
            return placing.import_path(path, described, self._tree)
        return placing.module_of(path, self._ecosystem, tree=self._tree)

    def certainty(self, path: str) -> float:
        """Less where the file may be of another package of the same repository."""
        if self._ecosystem != "npm" or not self._package:
            return 1.0
        described = self._description(path, "package.json")
        own = placing.describes(described, self._package)
        return 1.0 if own else fixes.CONFIDENCE_HEADER

    def _description(self, path: str, name: str) -> str | None:
        place = placing.description_of(path, self._tree, name=name)
        return self._history.read(self._revision, place)


def _changed(history: History, commit: str, one: diffs.FileDiff) -> ChangedFile:
    named = tuple(name for _, name in patches.functions_of(one.text))
    return ChangedFile(
        path=one.before,
        removed=one.removed,
        added=one.added,
        before=outline(one.before, history.read(f"{commit}^1", one.before)),
        after=outline(one.after, history.read(commit, one.after)) if one.after else None,
        named=tuple(dict.fromkeys(named)),
    )


class _Mentions:
    """Outlines of the files that mention a word."""

    def __init__(self, history: History, revision: str, ecosystem: str) -> None:
        self._history = history
        self._revision = revision
        self._ecosystem = ecosystem
        self._outline = lru_cache(maxsize=64)(self._read)

    def __call__(self, word: str) -> Iterator[tuple[str, Outline]]:
        suffixes = placing.SOURCES.get(self._ecosystem, placing.SOURCES["Debian"])
        for path in self._history.find_files(self._revision, word, suffixes=suffixes):
            if placing.is_code(path, self._ecosystem):
                found = self._outline(path)
                if found is not None:
                    yield path, found

    def _read(self, path: str) -> Outline | None:
        return outline(path, self._history.read(self._revision, path))


def diff_symbols(text: str, *, source: str) -> tuple[Symbol, ...]:
    """Return the functions that the headers of a diff's hunks name.

    Without the files themselves nothing better can be known.
    """
    found = dict.fromkeys(patches.functions_of(text))
    return tuple(
        Symbol(path, name, source, fixes.CONFIDENCE_HEADER) for path, name in found
    )


def derive_records(
    records: Sequence[FixRecord], *, histories: Histories, progress: Listener = silent
) -> Derivation:
    """Return the functions that the fixes of records change.

    A record whose repository or commit is not on this machine is a problem of the
    result; nothing is downloaded.
    """
    lines: list[OverlayLine] = []
    packages: dict[str, None] = {}
    problems: list[Problem] = []
    for place, record in enumerate(records):
        progress(
            Progress("Reading fixes", 100 * place // max(1, len(records)), record.shown)
        )
        try:
            found = list(_record_lines(record, histories))
        except VexxyError as problem:
            problems.append(Problem(record.ids[0], problem.message))
            continue
        lines += found
        packages |= dict.fromkeys(line.package for line in found)
        if not found:
            problems.append(Problem(record.ids[0], _why_nothing(record, histories)))
    vulnerabilities = len({line.vulnerability_id for line in lines})
    return Derivation(_best(lines), tuple(packages), vulnerabilities, tuple(problems))


def _why_nothing(record: FixRecord, histories: Histories) -> str:
    if not record.homes:
        return "the record links no repository"
    if not any(histories.find(home) for home in record.homes):
        return f"{', '.join(record.homes[:3])} is not on this machine"
    return "no commit of it tells which functions it mends"


def _record_lines(record: FixRecord, histories: Histories) -> Iterator[OverlayLine]:
    for subject in record.subjects:
        if subject.ecosystem not in placing.SOURCES:
            continue
        for symbol in _subject_symbols(record, subject, histories):
            origin = symbol.provenance
            if subject.versions:
                origin = f"{origin}; affects {subject.versions}"
            kept = Symbol(symbol.module, symbol.name, origin, symbol.confidence)
            yield OverlayLine(subject.ecosystem, subject.name, record.shown, kept)


def _subject_symbols(
    record: FixRecord, subject: Subject, histories: Histories
) -> list[Symbol]:
    """Return what the surest kind of hint at the fix leads to."""
    for hints in (_linked, _pulled, _ended, _mentioned):
        found = [
            symbol
            for history, fix in hints(record, histories)
            for symbol in commit_symbols(
                history, fix, ecosystem=subject.ecosystem, package=subject.name
            )
        ]
        if found:
            return found
    return []


_Hints = Iterable[tuple[History, Fix]]


def _linked(record: FixRecord, histories: Histories) -> _Hints:
    """Yield the commits that a record links; where one is missing, the rest is a part."""
    found = [
        hint
        for repository, commit in record.commits
        for hint in _fix(histories, repository, commit, how="")
    ]
    known = [(history, fix) for history, fix in found if history.list_files(fix.commit)]
    whole = len(known) == len(record.commits)
    for history, fix in known:
        certainty = 1.0 if whole else fixes.CONFIDENCE_SEVERAL_FILES
        yield history, fix._replace(certainty=certainty)


def _pulled(record: FixRecord, histories: Histories) -> _Hints:
    for repository, number in record.pulls:
        history = histories.find(repository)
        phrases = {f"(#{number})", f"Merge pull request #{number} "}
        found = history.find_commits(phrases) if history else ()
        for commit in found[:_CANDIDATES_MAX]:
            how = f" (pull request {number} of the record)"
            yield from _fix(histories, repository, commit, how=how)


def _ended(record: FixRecord, histories: Histories) -> _Hints:
    for repository, commit in record.fixed[:_CANDIDATES_MAX]:
        yield from _fix(histories, repository, commit, how=" (end of the record's range)")


def _mentioned(record: FixRecord, histories: Histories) -> _Hints:
    for repository in record.homes:
        history = histories.find(repository)
        found = history.find_commits(record.ids) if history else ()
        for commit in found if len(found) <= _CANDIDATES_MAX else ():
            how = " (its message names the vulnerability)"
            yield from _fix(histories, repository, commit, how=how)


def _fix(histories: Histories, repository: str, commit: str, *, how: str) -> _Hints:
    history = histories.find(repository)
    if history is not None:
        address = f"https://github.com/{repository}/commit/{commit}"
        certainty = fixes.CONFIDENCE_WORDS if how else 1.0
        yield history, Fix(commit, f"commit {address}{how}", certainty)


def _best(lines: Iterable[OverlayLine]) -> tuple[OverlayLine, ...]:
    """Return each function once, from where it is known best."""
    best: dict[tuple[str, str, str, str, str], OverlayLine] = {}
    for line in lines:
        symbol = line.symbol
        key = (
            *(line.ecosystem, line.package, line.vulnerability_id),
            *(symbol.module, symbol.name),
        )
        known = best.setdefault(key, line)
        if known.symbol.confidence < symbol.confidence:
            best[key] = line
    return tuple(best.values())

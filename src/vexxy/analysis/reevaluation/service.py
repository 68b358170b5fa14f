"""Keep what a run said, and decide again whenever the advisories change."""

from collections import defaultdict
from collections.abc import Sequence
from typing import Any, Final
from uuid import UUID

from sqlalchemy.orm import Session

from vexxy.advisories import service as advisories
from vexxy.advisories.repository import Index
from vexxy.advisories.types import Match
from vexxy.analysis.reevaluation import repository, rules, wire
from vexxy.analysis.reevaluation.errors import ChangeNotFound, NothingKept
from vexxy.analysis.reevaluation.types import (
    Current,
    Pass,
    Place,
    Revision,
    Spread,
    Statement,
    Stored,
)
from vexxy.analysis.types import Result
from vexxy.jobs import service as jobs
from vexxy.jobs.types import NewJob
from vexxy.kit import ids
from vexxy.reachability.grounds import Ground
from vexxy.sbom.types import Inventory, Package

KIND: Final = "reevaluation"
FIRST: Final = "the analysis was completed"
BATCH_PACKAGES: Final = 2_000
UNPUBLISHED_MAX: Final = 50
# A version that is installed a thousand times is asked about once.
_CACHED_MAX: Final = 50_000


class Examiner:
    """Asks one index about stored packages, about each version once."""

    def __init__(self, index: Index) -> None:
        self._index = index
        self._known: dict[tuple[object, ...], tuple[Match, ...]] = {}

    def matches(self, ground: Ground) -> tuple[Match, ...]:
        """Return what the advisories say of the package."""
        key = (*_identity(ground.package), ground.owner and _identity(ground.owner))
        if key not in self._known:
            if len(self._known) >= _CACHED_MAX:
                self._known.clear()
            self._known[key] = self._ask(ground)
        return self._known[key]

    def _ask(self, ground: Ground) -> tuple[Match, ...]:
        packages = (ground.package, *((ground.owner,) if ground.owner else ()))
        found = advisories.match(self._index, Inventory(None, packages))
        return tuple(one for one in found if one.package is ground.package)


def _identity(package: Package) -> tuple[object, ...]:
    return (
        package.purl,
        package.ecosystem,
        package.source_name,
        package.source_version,
        package.version,
    )


def keep(
    session: Session, *, organization_id: UUID, analysis_job_id: UUID, result: Result
) -> None:
    """Keep what a result made with `keep_grounds` will be judged by later.

    The same analysis again changes nothing.
    """
    if not result.grounds or repository.exists(session, analysis_job_id):
        return
    kept = wire.kept_of(result)
    repository.begin_revisions(session, organization_id, analysis_job_id)
    repository.add_packages(
        session,
        kept.packages,
        organization_id=organization_id,
        analysis_id=analysis_job_id,
    )
    rows = [
        _row(organization_id, analysis_job_id, one, revision=1, cause=FIRST)
        for one in kept.statements
    ]
    repository.add_statements(session, rows)
    # The advisories may have changed while the image ran, and that change may have been
    # applied to everything that was stored by then.
    request(session, organization_id=organization_id, analysis_job_id=analysis_job_id)


def current(session: Session, analysis_job_id: UUID) -> Current | None:
    """Return the findings that hold now; None when nothing was kept of the analysis."""
    return repository.find_current(session, analysis_job_id)


def history(session: Session, analysis_job_id: UUID) -> Sequence[Revision]:
    """Return the steps in which statements were decided, newest first, at most 200."""
    return repository.list_revisions(session, analysis_job_id)


def forget(session: Session, analysis_job_id: UUID) -> None:
    """Remove what was kept; the analysis can then not be decided again."""
    repository.remove(session, analysis_job_id)


def request(session: Session, *, organization_id: UUID, analysis_job_id: UUID) -> UUID:
    """Have one analysis decided again with today's advisories; return the job's id.

    Nothing is run. Asked for twice before it began, it happens once.

    Raises:
        NothingKept: It is not finished, or ran before anything was kept.
    """
    if not repository.exists(session, analysis_job_id):
        raise NothingKept(analysis_job_id)
    new = NewJob(
        kind=KIND,
        organization_id=organization_id,
        payload={"analysis_id": str(analysis_job_id)},
        key=f"{KIND}:{analysis_job_id}",
    )
    return jobs.enqueue(session, new)


def spread(session: Session, index: Index) -> Spread:
    """Queue deciding again wherever the answer to a question changed; as SYSTEM.

    Each organization gets one job, in the transaction that also notes the answers as
    applied: jobs are never lost, so neither is a change.
    """
    newest = max((one.imported_at for one in index.list_ecosystems()), default=None)
    changed: dict[str, bytes] = {}
    for question, state in repository.list_states(session).items():
        # Another machine's advisories may be older: what they say was true once.
        if state.known_at is not None and newest is not None and newest < state.known_at:
            continue
        ecosystem, name = rules.question_parts(question)
        digest = advisories.fingerprint(index, ecosystem, name)
        if digest != state.digest:
            changed[question] = digest
    organizations = repository.list_organizations(session, list(changed))
    if organizations:
        change_id = ids.new_id()
        repository.add_change(session, change_id, list(changed))
        for one in organizations:
            payload = {"change_id": str(change_id)}
            jobs.enqueue(session, NewJob(KIND, one, payload, key=f"{KIND}:{change_id}"))
    repository.note_applied(session, changed, known_at=newest)
    return Spread(questions=len(changed), organizations=len(organizations))


def get_change(session: Session, change_id: UUID) -> Sequence[str]:
    """Return the questions whose answers changed.

    Raises:
        ChangeNotFound: There is no such change.
    """
    found = repository.find_change(session, change_id)
    if found is None:
        raise ChangeNotFound(change_id)
    return found


def decide_batch(
    session: Session,
    examiner: Examiner,
    *,
    organization_id: UUID,
    questions: Sequence[str] | None,
    analysis_job_id: UUID | None = None,
    after: Place | None = None,
    cause: str,
) -> Pass:
    """Decide about the next stored packages of one organization; store what changed.

    A batch that is done twice adds nothing the second time.

    Args:
        session: Bound to the organization.
        examiner: Today's advisories.
        organization_id: The organization.
        questions: Which packages; None for all.
        analysis_job_id: Of which analysis; None for all.
        after: Where the last batch ended; None begins.
        cause: Why, a sentence for the history.
    """
    found = repository.list_stored(
        session, questions, analysis_id=analysis_job_id, after=after, limit=BATCH_PACKAGES
    )
    news: dict[UUID, list[Statement]] = defaultdict(list)
    for one in found:
        news[one.analysis_id] += rules.decide(one, examiner.matches(one.ground))
    changed = {key: statements for key, statements in news.items() if statements}
    revisions = repository.next_revisions(session, changed)
    rows = [
        _row(organization_id, key, one, revision=revisions[key], cause=cause)
        for key, statements in changed.items()
        for one in statements
    ]
    repository.add_statements(session, rows)
    return Pass(
        packages=len(found),
        changed={key: len(statements) for key, statements in changed.items()},
        after=_end(found),
    )


def _end(found: Sequence[Stored]) -> Place | None:
    if len(found) < BATCH_PACKAGES:
        return None
    return Place(found[-1].analysis_id, found[-1].ordinal)


def _row(
    organization_id: UUID,
    analysis_job_id: UUID,
    statement: Statement,
    *,
    revision: int,
    cause: str,
) -> dict[str, Any]:
    return {
        "organization_id": organization_id,
        "analysis_job_id": analysis_job_id,
        "ordinal": statement.ordinal,
        "vulnerability_id": statement.vulnerability_id,
        "revision": revision,
        "cause": cause,
        "match_digest": statement.match_digest,
        "finding": statement.finding,
    }


def list_unpublished(session: Session, *, after: UUID | None) -> Sequence[UUID]:
    """Return the next analyses whose document is behind, by id, at most 50."""
    return repository.list_unpublished(session, after=after, limit=UNPUBLISHED_MAX)

"""Bring an analysis's results and VEX document up to the statements that hold."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, Final
from uuid import UUID

import msgspec
from sqlalchemy.orm import Session

from vexxy.analysis import publication, rules, wire
from vexxy.analysis.documents import service as documents
from vexxy.analysis.documents.errors import VexNotFound
from vexxy.analysis.publication import Publisher
from vexxy.analysis.reevaluation import repository
from vexxy.analysis.reevaluation.errors import NothingKept
from vexxy.analysis.reevaluation.types import Published
from vexxy.kit import clock
from vexxy.vex import service as vex
from vexxy.vex.types import Claim, Document, Issuance

REASON: Final = "the advisories changed"


def publish(
    session: Session,
    *,
    organization_id: UUID,
    analysis_job_id: UUID,
    publisher: Publisher,
) -> Published:
    """Publish what holds and return what is new; done twice it publishes once.

    An analysis whose last finding was withdrawn keeps its last edition: OpenVEX cannot
    state nothing.

    Raises:
        NothingKept: There is nothing to publish.
    """
    current = repository.find_current(session, analysis_job_id)
    row = repository.lock_results(session, analysis_job_id)
    if current is None or row is None:
        raise NothingKept(analysis_job_id)
    statements = repository.count_unpublished(session, analysis_job_id)
    data = {**row, "reachability_results": list(current.findings)}
    verdicts = rules.in_reading_order(wire.verdicts(data))
    counts = msgspec.to_builtins(rules.summarize(verdicts))
    repository.write_results(
        session,
        analysis_job_id,
        findings=[wire.verdict_object(one) for one in verdicts],
        summary={**(row["summary"] or {}), **counts},
    )
    version = _edition(
        session,
        analysis_job_id,
        publication.claims(verdicts, ()),
        organization_id=organization_id,
        data=data,
        publisher=publisher,
    )
    repository.note_published(session, analysis_job_id, current.revision)
    return Published(analysis_job_id, current.revision, statements, version)


def _edition(
    session: Session,
    analysis_job_id: UUID,
    claims: Sequence[Claim],
    *,
    organization_id: UUID,
    data: Mapping[str, Any],
    publisher: Publisher,
) -> int | None:
    vex_id = documents.vex_id_of(analysis_job_id)
    try:
        previous = documents.document_of(documents.get_vex(session, vex_id))
    except VexNotFound:
        previous = None
    stated = vex.build_document(
        _described(claims, previous),
        target=vex.target_of(wire.image(data)),
        issuance=_issuance(publisher, analysis_job_id, previous),
        previous=previous,
    )
    if stated is None:
        return None
    if previous is not None:
        return documents.publish_edition(session, vex_id, stated, reason=REASON)
    documents.issue(
        session, stated, organization_id=organization_id, analysis_id=analysis_job_id
    )
    repository.name_document(session, analysis_job_id, vex_id)
    return stated.version


def _issuance(
    publisher: Publisher, analysis_job_id: UUID, previous: Document | None
) -> Issuance:
    given = publisher.namespace
    own = f"{given.rstrip('/')}/{analysis_job_id}" if given else None
    return Issuance(
        author=publisher.author,
        timestamp=clock.now(),
        id=previous.id if previous is not None else own,
        tooling=publication.TOOLING,
    )


def _described(claims: Sequence[Claim], previous: Document | None) -> Sequence[Claim]:
    """Take descriptions over from the last edition: findings do not hold them."""
    known = {
        one.vulnerability.name: one.vulnerability.description or ""
        for one in (() if previous is None else previous.statements)
    }
    return [
        replace(one, description=known.get(one.vulnerability, one.description))
        for one in claims
    ]

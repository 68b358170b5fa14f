"""What an analysis publishes: the results object and VEX, in the formats asked for."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from importlib import metadata
from typing import Any, Final

import msgspec

from vexxy.advisories.types import Match
from vexxy.analysis import wire
from vexxy.analysis.errors import NothingToState
from vexxy.analysis.types import Result
from vexxy.kit import jsontext
from vexxy.reachability.types import Verdict
from vexxy.vex import service as vex
from vexxy.vex.service import Format
from vexxy.vex.types import Claim, Document, Extras, Issuance
from vexxy.vex.wire import openvex

TOOLING: Final = f"vexxy/{metadata.version('vexxy-enterprise')}"


@dataclass(frozen=True, slots=True)
class Publisher:
    """Who publishes, and under which IRI.

    Attributes:
        author: Named in every document.
        namespace: Documents are `<namespace>/<job id>`; None gives each the id that
            OpenVEX derives from its content.
    """

    author: str
    namespace: str | None = None


def claims(verdicts: Iterable[Verdict], matches: Iterable[Match]) -> tuple[Claim, ...]:
    """Return what the verdicts say, in the order given."""
    summaries = {match.vulnerability_id: match.summary for match in matches}
    return tuple(
        Claim(
            vulnerability=verdict.vulnerability_id,
            purl=verdict.package.purl,
            status=verdict.status,
            reason=verdict.reason,
            confidence_score=verdict.confidence_score,
            justification=verdict.justification,
            aliases=verdict.aliases,
            description=summaries.get(verdict.vulnerability_id, ""),
            fixed_versions=verdict.fixed_versions,
            severity=verdict.severity.value,
            locations=verdict.package.locations,
        )
        for verdict in verdicts
    )


def document(result: Result, publisher: Publisher) -> Document | None:
    """Return the VEX document of a result, None when there is nothing to state."""
    namespace = publisher.namespace
    issuance = Issuance(
        author=publisher.author,
        timestamp=result.completed_at,
        id=f"{namespace.rstrip('/')}/{result.job_id}" if namespace else None,
        tooling=TOOLING,
    )
    return vex.build_document(
        claims(result.verdicts, result.matches),
        target=vex.target_of(result.image),
        issuance=issuance,
    )


def render(result: Result, form: Format | None, *, publisher: Publisher) -> bytes:
    """Return the result as a VEX format, or as the results object when None.

    Raises:
        NothingToState: The image has no findings and the format cannot say that.
    """
    stated = document(result, publisher)
    if form is None:
        return jsontext.encode(results_object(result, stated), indented=True)
    if stated is None:
        raise NothingToState(
            f"no advisory matches a package of {result.image.reference}, and a VEX "
            "document must state something",
            hint="--format json tells the same without a statement",
        )
    said = claims(result.verdicts, result.matches)
    return vex.render(
        stated,
        form,
        extras=Extras(said, sbom=result.sbom_link, namespace=publisher.namespace),
    )


def export(data: Mapping[str, Any], form: Format, *, namespace: str | None) -> bytes:
    """Return the VEX of a saved results object in a format.

    Raises:
        NothingToState: The result has no document.
        UnreadableDocument: It has something else in its place.
    """
    if data.get("vex_document") is None:
        raise NothingToState("the result has no findings, so there is no VEX document")
    stated = openvex.read(msgspec.json.encode(data["vex_document"])).document
    said = claims(wire.verdicts(data), ())
    return vex.render(stated, form, extras=Extras(said, namespace=namespace))


def results_object(result: Result, stated: Document | None) -> dict[str, Any]:
    """Return the results object with the VEX document inside."""
    written = (
        None if stated is None else msgspec.json.decode(vex.render(stated, Format.OPENVEX))
    )
    return wire.results_object(result, vex=written, scan=result.scan)

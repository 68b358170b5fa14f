"""The results object of the contract (section 3), written and read."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import msgspec
from packageurl import PackageURL

from vexxy.advisories.types import Severity
from vexxy.analysis import rules
from vexxy.analysis.errors import ResultUnreadable
from vexxy.analysis.types import Result
from vexxy.images.types import Image, ImageConfig, Platform
from vexxy.kit import clock
from vexxy.reachability.types import Evidence, Level, Verdict
from vexxy.sbom.types import Package
from vexxy.tracer.types import ExecutionProfile
from vexxy.vex.types import Justification, Status

RESULT_BYTES_MAX: Final = 512 * 1024 * 1024


def results_object(
    result: Result, *, vex: Mapping[str, Any] | None, scan: Mapping[str, Any] | None
) -> dict[str, Any]:
    """Return the results object, ready for JSON.

    Args:
        result: A finished analysis.
        vex: The OpenVEX document, or None when there is nothing to state.
        scan: Findings of a scanner that ran, or None.
    """
    ordered = rules.in_reading_order(result.verdicts)
    return {
        "job_id": result.job_id,
        "status": result.status.value,
        "image_ref": result.image.reference,
        "image_digest": result.image.digest,
        "vex_document": vex,
        "generated_vex_id": None if vex is None else vex["@id"],
        "execution_profile": msgspec.to_builtins(result.profile),
        "reachability_results": [verdict_object(verdict) for verdict in ordered],
        "security_findings": scan,
        "summary": _summary(result),
        # Nothing is charged for an analysis on one's own machine.
        "cost_credits": 0,
        "created_at": clock.rfc3339(result.created_at),
        "started_at": clock.rfc3339(result.started_at),
        "completed_at": clock.rfc3339(result.completed_at),
        "error_message": None,
        "skipped_features": list(result.skipped_features),
    }


def _summary(result: Result) -> dict[str, Any]:
    counts = rules.summarize(result.verdicts)
    return {
        **msgspec.to_builtins(counts),
        "packages": len(result.inventory.packages),
        "inventory_problems": msgspec.to_builtins(result.inventory.problems),
        "driven": result.driven,
        "script": msgspec.to_builtins(result.script),
        "relaxations": list(result.relaxations),
        "advisories": msgspec.to_builtins(result.advisories),
        "image": {
            "name": result.image.name,
            "image_id": result.image.image_id,
            "manifest_digest": result.image.manifest_digest,
            "index_digest": result.image.index_digest,
            "repo_digests": list(result.image.repo_digests),
            "platform": str(result.image.platform),
            "size_bytes": result.image.size_bytes,
        },
        "timings": msgspec.to_builtins(result.timings),
        "container_exit_code": result.exit_code,
    }


def verdict_object(verdict: Verdict) -> dict[str, Any]:
    """Return one entry of `reachability_results`, ready for JSON."""
    package = verdict.package
    return {
        "vulnerability_id": verdict.vulnerability_id,
        "aliases": list(verdict.aliases),
        "cve_id": verdict.cve_id,
        "package": {
            "purl": package.purl,
            "version": package.version,
            "locations": list(package.locations),
        },
        "severity": verdict.severity.value,
        "fixed_versions": list(verdict.fixed_versions),
        "status": verdict.status.value,
        "justification": verdict.justification and verdict.justification.value,
        "level": verdict.level.name.lower(),
        "confidence_score": verdict.confidence_score,
        "reason": verdict.reason,
        "evidence": [
            {
                "kind": fact.kind,
                "level": fact.level.name.lower(),
                "detail": fact.detail,
                "source": fact.source,
            }
            for fact in verdict.evidence
        ],
    }


def read_results(path: Path) -> dict[str, Any]:
    """Return a saved results object.

    Raises:
        ResultUnreadable: Not there, too large, not JSON, or not a results object.
    """
    try:
        if path.stat().st_size > RESULT_BYTES_MAX:
            raise ResultUnreadable(f"{path} is larger than {RESULT_BYTES_MAX} bytes")
        data = msgspec.json.decode(path.read_bytes())
    except OSError as error:
        raise ResultUnreadable(
            f"{path} cannot be read: {error.strerror}",
            hint="save one with: vexxy analyze IMAGE --format json --output FILE",
        ) from error
    except msgspec.DecodeError as error:
        raise ResultUnreadable(f"{path} is not JSON: {error}") from error
    if not isinstance(data, dict) or "reachability_results" not in data:
        raise ResultUnreadable(
            f"{path} is not a results object",
            hint="save one with: vexxy analyze IMAGE --format json --output FILE",
        )
    return data


def verdicts(data: Mapping[str, Any]) -> tuple[Verdict, ...]:
    """Return the verdicts of a results object, as they were decided.

    Raises:
        ResultUnreadable: A finding lacks a field or has an unknown value.
    """
    found = data.get("reachability_results") or []
    try:
        return tuple(_verdict_from(item) for item in found)
    except (KeyError, TypeError, ValueError) as error:
        raise ResultUnreadable(f"a finding of the result is malformed: {error}") from error


def _verdict_from(item: Mapping[str, Any]) -> Verdict:
    purl = PackageURL.from_string(item["package"]["purl"])
    name = f"{purl.namespace}/{purl.name}" if purl.type == "npm" else purl.name
    return Verdict(
        vulnerability_id=item["vulnerability_id"],
        aliases=tuple(item["aliases"]),
        cve_id=item["cve_id"],
        package=Package(
            purl=item["package"]["purl"],
            type=purl.type,
            name=name.removeprefix("None/"),
            version=item["package"]["version"],
            ecosystem="",
            locations=tuple(item["package"]["locations"]),
        ),
        severity=Severity(item["severity"]),
        fixed_versions=tuple(item["fixed_versions"]),
        status=Status(item["status"]),
        justification=item["justification"] and Justification(item["justification"]),
        level=Level[item["level"].upper()],
        confidence_score=item["confidence_score"],
        reason=item["reason"],
        evidence=tuple(
            Evidence(
                kind=fact["kind"],
                level=Level[fact["level"].upper()],
                detail=fact["detail"],
                source=fact["source"],
            )
            for fact in item["evidence"]
        ),
    )


def image(data: Mapping[str, Any]) -> Image:
    """Return the identity of the image that a results object is about.

    Raises:
        ResultUnreadable: The identity is absent or malformed.
    """
    try:
        known = data["summary"]["image"]
        os, architecture, *variant = known["platform"].split("/")
        return Image(
            reference=data["image_ref"],
            name=known["name"],
            image_id=known["image_id"],
            manifest_digest=known["manifest_digest"],
            index_digest=known["index_digest"],
            repo_digests=tuple(known["repo_digests"]),
            platform=Platform(os, architecture, variant[0] if variant else None),
            config=ImageConfig(),
            size_bytes=known["size_bytes"],
        )
    except (KeyError, TypeError, ValueError) as error:
        raise ResultUnreadable(f"the result does not name its image: {error}") from error


def profile(data: Mapping[str, Any]) -> ExecutionProfile:
    """Return the execution profile of a results object.

    Raises:
        ResultUnreadable: The profile is absent or malformed.
    """
    try:
        return msgspec.convert(data.get("execution_profile"), ExecutionProfile)
    except msgspec.ValidationError as error:
        raise ResultUnreadable(f"the execution profile is malformed: {error}") from error

"""Builders of values; every argument that a test does not name has a sober default."""

from datetime import UTC, datetime

from vexxy.advisories.types import Match, Severity, Symbol
from vexxy.analysis.types import AdvisoryOrigin, JobStatus, Request, Result, Settings
from vexxy.images.types import Image, ImageConfig, Platform
from vexxy.reachability.types import Evidence, Level, Verdict
from vexxy.sbom.types import Distribution, Inventory, Package
from vexxy.tracer.types import Completeness, ExecutionProfile, Source
from vexxy.vex.types import Justification, Status

NOON = datetime(2026, 11, 21, 12, tzinfo=UTC)
DIGEST = "sha256:" + "d" * 64


def a_package(name: str = "libfoo1", version: str = "1.0-1", **given: object) -> Package:
    values: dict[str, object] = {
        "purl": f"pkg:deb/debian/{name}@{version}?arch=amd64&distro=debian-12",
        "type": "deb",
        "name": name,
        "version": version,
        "ecosystem": "Debian:12",
        "source_name": name,
        "source_version": version,
        "architecture": "amd64",
        "locations": ("/var/lib/dpkg/status",),
        "files": (f"/usr/lib/{name}.so.1",),
    }
    return Package(**(values | given))  # type: ignore[arg-type]


def a_match(package: Package | None = None, **given: object) -> Match:
    values: dict[str, object] = {
        "vulnerability_id": "CVE-2026-0001",
        "aliases": (),
        "cve_id": "CVE-2026-0001",
        "advisory_ids": ("VXTEST-1",),
        "package": package or a_package(),
        "severity": Severity.HIGH,
        "cvss_score": 7.5,
        "fixed_versions": ("1.0-2",),
        "summary": "A planted hole",
        "symbols": (),
    }
    return Match(**(values | given))  # type: ignore[arg-type]


def a_symbol(module: str = "foo.bar", name: str = "baz") -> Symbol:
    return Symbol(module, name, provenance="a reviewed record")


def a_verdict(status: Status = Status.AFFECTED, **given: object) -> Verdict:
    cleared = status is Status.NOT_AFFECTED
    values: dict[str, object] = {
        "vulnerability_id": "CVE-2026-0001",
        "aliases": ("GHSA-aaaa-bbbb-cccc",),
        "cve_id": "CVE-2026-0001",
        "package": a_package(),
        "severity": Severity.HIGH,
        "fixed_versions": ("1.0-2",),
        "status": status,
        "justification": (
            Justification.VULNERABLE_CODE_NOT_IN_EXECUTE_PATH if cleared else None
        ),
        "level": Level.PRESENT if cleared else Level.LOADED,
        "confidence_score": 0.8,
        "reason": "libfoo1 was mapped by the server.",
        "evidence": (
            Evidence("file_access", Level.LOADED, "/usr/lib/libfoo1.so.1", "ebpf"),
        ),
    }
    return Verdict(**(values | given))  # type: ignore[arg-type]


def a_completeness(**given: object) -> Completeness:
    values: dict[str, object] = {
        "observed_seconds": 120.0,
        "ready_seconds": 1.0,
        "traffic_requests": 200,
        "lost_events": 0,
        "partial": False,
        "reasons": (),
    }
    return Completeness(**(values | given))  # type: ignore[arg-type]


def a_profile(**given: object) -> ExecutionProfile:
    values: dict[str, object] = {
        "sandbox_id": "s-1",
        "duration_seconds": 121.0,
        "files_accessed": (),
        "executed_binaries": (),
        "loaded_libraries": (),
        "syscalls": (),
        "network_connections": (),
        "completeness": a_completeness(),
        "sources": (Source.EBPF, Source.PROC_MAPS),
    }
    return ExecutionProfile(**(values | given))  # type: ignore[arg-type]


def an_image(**given: object) -> Image:
    values: dict[str, object] = {
        "reference": "registry.test/shop/web:1.2",
        "name": "web",
        "image_id": "sha256:" + "c" * 64,
        "manifest_digest": DIGEST,
        "index_digest": None,
        "repo_digests": (f"registry.test/shop/web@{DIGEST}",),
        "platform": Platform("linux", "amd64"),
        "config": ImageConfig(exposed_ports=(8080,)),
        "size_bytes": 120_000_000,
    }
    return Image(**(values | given))  # type: ignore[arg-type]


def a_request(**given: object) -> Request:
    values: dict[str, object] = {
        "image": "web:1.2",
        "settings": Settings(duration_seconds=120, coverage=False, fuzz=False),
    }
    return Request(**(values | given))  # type: ignore[arg-type]


def a_result(*verdicts: Verdict, **given: object) -> Result:
    values: dict[str, object] = {
        "job_id": "7f0c3a52-6b1d-4e6c-9a57-8f1c2f6f0001",
        "status": JobStatus.COMPLETE,
        "image": an_image(),
        "inventory": Inventory(Distribution("debian", "12", "bookworm"), (a_package(),)),
        "profile": a_profile(),
        "matches": (),
        "verdicts": verdicts,
        "advisories": AdvisoryOrigin("planted", records=1),
        "created_at": NOON,
        "started_at": NOON,
        "completed_at": NOON,
        "driven": True,
    }
    return Result(**(values | given))  # type: ignore[arg-type]

"""Grype and Trivy with a database of planted findings, so that they need no network."""

import json
import os
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.conformance.images import FINDINGS
from tests.conformance.tools import Installed

_TIMEOUT_SECONDS = 300


@dataclass(frozen=True)
class Databases:
    """Where the planted databases are."""

    folder: Path

    @property
    def grype(self) -> Path:
        return self.folder / "grype"

    @property
    def trivy(self) -> Path:
        return self.folder / "trivy"


class Scanners:
    """Runs the tools; a tool that could not be installed skips the test and says why."""

    def __init__(self, installed: dict[str, Installed], databases: Databases) -> None:
        self._installed = installed
        self._databases = databases

    def path(self, name: str) -> Path:
        found = self._installed[name]
        if found.path is None:
            pytest.skip(f"{name} {found.tool.version} could not be installed: {found.why}")
        return found.path

    def run(self, name: str, *arguments: str, given: bytes = b"") -> bytes:
        """Run a tool; return what it wrote, or fail with what it said."""
        done = subprocess.run(
            [self.path(name), *arguments],
            input=given,
            capture_output=True,
            check=False,
            timeout=_TIMEOUT_SECONDS,
            env={**os.environ, **self._environment()},
        )
        assert done.returncode == 0, done.stderr.decode()[-2000:]
        return done.stdout

    def _environment(self) -> dict[str, str]:
        return {
            "GRYPE_DB_CACHE_DIR": str(self._databases.grype),
            "GRYPE_DB_AUTO_UPDATE": "false",
            "GRYPE_DB_VALIDATE_AGE": "false",
            "GRYPE_CHECK_FOR_APP_UPDATE": "false",
            "GRYPE_REGISTRY_INSECURE_USE_HTTP": "true",
            "SYFT_REGISTRY_INSECURE_USE_HTTP": "true",
            "SYFT_CHECK_FOR_APP_UPDATE": "false",
            "TRIVY_NO_PROGRESS": "true",
            "TRIVY_INSECURE": "true",
        }

    def grype(
        self, source: str, vex: Path | None = None, *, name: str = "grype"
    ) -> set[str]:
        """Return the planted findings that Grype shows, by CVE."""
        if not self._databases.grype.exists():
            planted = [finding.for_grype() for finding in FINDINGS]
            folder = self._databases.grype / "6"
            self.run("grypedb", str(folder), given=json.dumps(planted).encode())
        options = [] if vex is None else ["--vex", str(vex)]
        report = json.loads(self.run(name, source, "-o", "json", *options))
        cves = {alias: f.cve for f in FINDINGS for alias in (f.cve, *f.aliases)}
        return {cves[match["vulnerability"]["id"]] for match in report["matches"]}

    def trivy(self, *source: str, vex: Path | None = None) -> set[str]:
        """Return the planted findings that Trivy shows."""
        if not self._databases.trivy.exists():
            planted = [finding.for_trivy() for finding in FINDINGS]
            given = json.dumps(planted).encode()
            self.run("trivydb", str(self._databases.trivy), given=given)
        report = json.loads(self.run("trivy", *self._trivy_arguments(source, vex)))
        return {
            vulnerability["VulnerabilityID"]
            for result in report.get("Results", [])
            for vulnerability in result.get("Vulnerabilities", [])
        }

    def _trivy_arguments(self, source: Sequence[str], vex: Path | None) -> list[str]:
        arguments = [*source, "--skip-db-update", "--skip-java-db-update", "--offline-scan"]
        arguments += ["--cache-dir", str(self._databases.trivy), "--format", "json"]
        if source[0] == "image":
            arguments += ["--scanners", "vuln"]
        return arguments if vex is None else [*arguments, "--vex", str(vex)]

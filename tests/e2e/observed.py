"""Real images, each analyzed once for all the tests that look at its result."""

import json
import subprocess
import sys
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from bench.images import build, recipe

ECOSYSTEMS: Final = {"deb": "Debian:12", "pypi": "PyPI", "npm": "npm", "golang": "Go"}
AT_ONCE: Final = 2
SECONDS: Final = 30


@dataclass(frozen=True, slots=True)
class Subject:
    """An image and the packages that get a planted advisory, as `type:name`.

    Debian's advisories name source packages, so those stand here.
    """

    name: str
    port: int
    planted: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Analysis:
    """What one analysis answered."""

    exit_code: int
    errors: str
    result: dict[str, Any]

    def findings(self, purl: str) -> list[dict[str, Any]]:
        """Return the findings of the package whose purl starts so, version apart."""
        return [
            finding
            for finding in self.result["reachability_results"]
            if finding["package"]["purl"].startswith(f"{purl}@")
        ]

    def finding(self, purl: str, location: str = "") -> dict[str, Any]:
        """Return the one finding of a package, of the copy that lies at `location`."""
        found = [
            finding
            for finding in self.findings(purl)
            if any(path.startswith(location) for path in finding["package"]["locations"])
        ]
        assert len(found) == 1, f"{purl} {location}: {found}"
        return found[0]

    def shows(self, purl: str, *words: str, location: str = "") -> bool:
        """Return whether it is affected, and one fact of its evidence has all words."""
        finding = self.finding(purl, location)
        facts = [fact["detail"] for fact in finding["evidence"]]
        seen = any(all(word in fact for word in words) for fact in facts)
        assert seen, f"{purl}: no fact has {words}: {facts}"
        return bool(finding["status"] == "affected")

    @property
    def profile(self) -> dict[str, Any]:
        """What was observed."""
        profile: dict[str, Any] = self.result["execution_profile"]
        return profile


def analyze_all(subjects: Sequence[Subject], folder: Path) -> dict[str, Future[Analysis]]:
    """Build and analyze the images, two at a time, in the order given."""
    pool = ThreadPoolExecutor(AT_ONCE)
    futures = {s.name: pool.submit(analyze, s, folder / s.name) for s in subjects}
    pool.shutdown(wait=False)
    return futures


def analyze(subject: Subject, folder: Path) -> Analysis:
    """Build one image and analyze it with the command."""
    reference = build.build(subject.name)
    advisories = folder / "advisories"
    advisories.mkdir(parents=True)
    for package in subject.planted:
        record = osv(package)
        (advisories / f"{record['id']}.json").write_text(json.dumps(record))
    saved = folder / "result.json"
    command = [sys.executable, "-m", "vexxy", "analyze", reference, "--no-fuzz"]
    command += ["--port", str(subject.port), "--duration", str(SECONDS)]
    command += ["--test-script", str(recipe.load(subject.name).driver)]
    command += ["--advisories", str(advisories), "--format", "json", "--output", str(saved)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=300)
    result = json.loads(saved.read_text()) if saved.exists() else {}
    return Analysis(done.returncode, done.stderr, result)


def osv(package: str) -> dict[str, Any]:
    """Return a record that says every version of the package is vulnerable."""
    kind, name = package.split(":", 1)
    ranged = "SEMVER" if kind in ("npm", "golang") else "ECOSYSTEM"
    safe = "".join(letter if letter.isalnum() else "-" for letter in package)
    return {
        "schema_version": "1.6.0",
        "id": f"VXTEST-{safe}",
        "modified": "2026-11-01T00:00:00Z",
        "summary": "planted for a test",
        "affected": [
            {
                "package": {"ecosystem": ECOSYSTEMS[kind], "name": name},
                "ranges": [{"type": ranged, "events": [{"introduced": "0"}]}],
            }
        ],
    }

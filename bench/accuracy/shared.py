"""A second opinion: six images, drivers and truth that somebody else made.

They lie in `../shared/images` of the workplace and nowhere else. Their truth is per
advisory: whether a file of the package was loaded, and, where a function is named, whether
it ran, each found without vexxy.
"""

import json
import shutil
import subprocess
import sys
from collections import Counter
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Final

from bench.images import engine

SHARED: Final = Path(__file__).parents[3] / "shared"
PORTS: Final = {
    "a-nginx": 8080,
    "b-flask": 8080,
    "c-express": 8080,
    "d-redis": 6379,
    "e-multi": 8080,
    "f-static": 8080,
}
SECONDS: Final = 60
# Their drivers start the container and talk to this machine; here that is done already.
PRELUDE: Final = """#!/bin/bash
start() { :; }
waitport() { :; }
curl() { command curl "${@//127.0.0.1/$HOST}"; }
podman() { printf 'supervisord\\ncron\\nmemcached\\npython3\\n'; }
"""
OWN_DRIVER: Final = {"d-redis": "redis"}


def main() -> None:
    """Build, analyze and score the images that can be built here."""
    if not SHARED.is_dir():
        print("../shared is not here; the second opinion is left out")
        return
    for image, port in PORTS.items():
        saved = engine.cache().parent / "accuracy" / f"shared-{image}.json"
        if not saved.exists() and not analyze(image, port, saved):
            continue
        score(image, json.loads(saved.read_text()))


def scratch() -> Path:
    """Return a copy of the recipes that may be written to."""
    folder = engine.cache() / "shared"
    if not folder.exists():
        shutil.copytree(SHARED / "images", folder / "recipes")
        subprocess.run(["chmod", "-R", "u+w", str(folder)], check=True)
    return folder


def analyze(image: str, port: int, saved: Path) -> bool:
    """Build and analyze one image; return whether there is a result."""
    folder = scratch()
    reference = f"localhost/dev-{image}"
    if not engine.exists(reference):
        engine.say(f"building {reference} ...")
        recipe = folder / "recipes" / image / "build.sh"
        environment = {"ROOT": str(folder / "root"), "PYTHON": sys.executable}
        engine.run(["bash", str(recipe)], step=f"building {image}", env=environment)
    driver = folder / f"driver-{image}.sh"
    driver.write_text(driver_text(folder / "recipes", image))
    command = [sys.executable, "-m", "vexxy", "analyze", reference, "--no-fuzz"]
    command += ["--port", str(port), "--duration", str(SECONDS)]
    command += ["--test-script", str(driver), "--advisories", str(SHARED / "data" / "osv")]
    command += ["--format", "json", "--output", str(saved)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    engine.say(f"{image}: exit code {done.returncode}")
    if not saved.exists():
        engine.say(done.stderr[-2000:])
    return saved.exists()


def driver_text(recipes: Path, image: str) -> str:
    """Return their driver, made to drive a container that runs already."""
    if image in OWN_DRIVER:
        own = Path(__file__).parents[1] / "images" / "recipes" / OWN_DRIVER[image]
        return (own / "test.sh").read_text()
    lines = (recipes / image / "test.sh").read_text().splitlines()
    return PRELUDE + "\n".join(line for line in lines if "common.sh" not in line) + "\n"


def truths(image: str) -> Iterable[tuple[set[str], str, str]]:
    """Yield (ids, package, what is true) of one image.

    What is true is `ran` (the vulnerable function did), `loaded` or `not loaded`.
    """
    folder = SHARED / "images" / image
    for name in ("truth.json", "truth-debian.json"):
        path = folder / name
        rows = json.loads(path.read_text())["advisories"] if path.exists() else []
        for row in rows:
            ids = {row["id"], row.get("cve") or row["id"], *row.get("aliases", ())}
            package = row.get("package") or row.get("source") or row.get("module")
            ran = row.get("vulnerable_function_called") or row.get("symbol_ran")
            loaded = row.get("package_loaded", row.get("package_linked"))
            yield ids, str(package), "ran" if ran else "loaded" if loaded else "not loaded"


def score(image: str, result: Mapping[str, Any]) -> None:
    """Print how the verdicts of one result stand to the truth."""
    counts: Counter[tuple[str, str]] = Counter()
    wrong = []
    for ids, package, true in truths(image):
        found = [f for f in result["reachability_results"] if ids & names(f)]
        status = worst(found, package)
        counts[true, status] += 1
        if true == "ran" and status == "not_affected":
            wrong.append(f"{min(ids)} in {package}: {found[0]['reason']}")
    total = sum(counts.values())
    completeness = result["execution_profile"]["completeness"]
    limits = "; ".join(completeness["reasons"]) or "complete"
    print(f"\n{image}: {total} advisories with a known truth ({limits})")
    for true in ("ran", "loaded", "not loaded"):
        row = {status: n for (known, status), n in counts.items() if known == true}
        print(f"  {true:11} {row}")
    print(f"  false not_affected: {len(wrong)}")
    for line in wrong:
        print(f"    {line}")


def names(finding: Mapping[str, Any]) -> set[str]:
    """Return every id of a finding."""
    return {finding["vulnerability_id"], *finding["aliases"]}


def worst(findings: Iterable[Mapping[str, Any]], package: str) -> str:
    """Return the strongest status of the package's findings: one that runs decides."""
    wanted = package.lower()
    statuses = {
        finding["status"]
        for finding in findings
        if wanted in finding["package"]["purl"].lower()
        or ":deb/" in finding["package"]["purl"]
    }
    order = ("affected", "under_investigation", "not_affected")
    return next((one for one in order if one in statuses), "no finding")


if __name__ == "__main__":
    main()

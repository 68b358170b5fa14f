"""What an analysis costs outside the window in which it watches, next to Syft.

    python bench/analysis.py [--image nginx] [--runs 3] [--install-syft]

Syft reads the same image from an archive, in turns with us: it takes an inventory and
does nothing else, so it is a floor for tools that look at an image. Ours is the whole
process less the time it waited for and watched the image, the database loaded.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from bench import inventory
from bench.images import build
from vexxy.advisories import service as advisories

AIM_SECONDS = 5.0
WINDOW_SECONDS = 30


@dataclass(frozen=True)
class Measured:
    """One analysis: seconds outside the window, and what they went to."""

    outside_seconds: float
    phases: dict[str, float]
    size_bytes: int
    findings: int


def main() -> int:
    """Print the figures; return 1 when the aim was missed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--image", default="nginx")
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--install-syft", action="store_true")
    given = parser.parse_args()
    reference = build.build(given.image)
    syft = inventory.found_syft(install=given.install_syft)
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder)
        archive = home / "image.tar"
        build.archive(given.image, archive)
        advisories.import_path(home / "advisories.db", advisories.bundled_path())
        ours, theirs = [], []
        for number in range(given.runs):
            print(f"run {number + 1} of {given.runs} ...", flush=True)
            ours.append(analyzed(reference, home))
            if syft is not None:
                theirs.append(listed(syft, archive))
    report(ours, theirs)
    return int(statistics.median(one.outside_seconds for one in ours) > AIM_SECONDS)


def analyzed(reference: str, home: Path) -> Measured:
    """Analyze once, as a user does."""
    output = home / "result.json"
    command = [
        *(sys.executable, "-m", "vexxy", "analyze", reference, "--no-fuzz"),
        *("--duration", str(WINDOW_SECONDS), "--format", "json", "--output", str(output)),
    ]
    environment = {**os.environ, "VEXXY_DATA_DIRECTORY": str(home)}
    started = time.monotonic()
    subprocess.run(command, check=True, capture_output=True, env=environment)
    whole = time.monotonic() - started
    result = json.loads(output.read_text())["summary"]
    phases = {
        one["phase"]: one["seconds"] for one in result["timings"] if not one["observation"]
    }
    watching = sum(one["seconds"] for one in result["timings"] if one["observation"])
    return Measured(
        outside_seconds=whole - watching,
        phases=phases,
        size_bytes=result["image"]["size_bytes"],
        findings=result["findings"],
    )


def listed(syft: Path, archive: Path) -> float:
    """Take Syft's inventory of the archive once."""
    environment = {**os.environ, "SYFT_CHECK_FOR_APP_UPDATE": "false"}
    started = time.monotonic()
    subprocess.run(
        [str(syft), f"oci-archive:{archive}", "-q", "-o", "json"],
        check=True,
        stdout=subprocess.DEVNULL,
        env=environment,
    )
    return time.monotonic() - started


def report(ours: list[Measured], theirs: list[float]) -> None:
    """Print minimum, median and maximum, and the ratio of the medians."""
    outside = [one.outside_seconds for one in ours]
    last = ours[-1]
    print(f"{last.size_bytes / 1e6:.0f} MB unpacked, {last.findings} findings")
    show("vexxy, outside the window", outside)
    for phase in last.phases:
        show(f"  {phase.lower()}", [one.phases[phase] for one in ours])
    named = [sum(one.phases.values()) for one in ours]
    rest = [whole - inside for whole, inside in zip(outside, named, strict=True)]
    show("  start, engine, cleaning up", rest)
    print(f"aim {AIM_SECONDS} s")
    if not theirs:
        print("syft not measured: run again with --install-syft")
        return
    show("syft, inventory alone", theirs)
    ratio = statistics.median(outside) / statistics.median(theirs)
    print(f"vexxy / syft: {ratio:.2f}")


def show(name: str, seconds: list[float]) -> None:
    """Print one row."""
    middle = statistics.median(seconds)
    print(
        f"{name:30} min {min(seconds):6.2f}  median {middle:6.2f}  max {max(seconds):6.2f}"
    )


if __name__ == "__main__":
    sys.exit(main())

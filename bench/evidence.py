"""Keeping and reading evidence, next to bare zstd and a file, in the same run.

Bare: compress with the same level and write the file, or read and unpack it, with no
digest, no fsync, no row. What the store adds is two SHA-256, the write-through to disk
(also measured alone) and, when reading, the comparison before the first byte.
"""

import hashlib
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final
from uuid import uuid4

import zstandard

from vexxy.evidence import service
from vexxy.evidence.types import Evidence, EvidenceType, NewEvidence, Staged
from vexxy.integrations.object_storage.local import LocalDisk
from vexxy.kit import clock

ROUNDS: Final = 7
MIB: Final = 1024 * 1024
RATIOS: Final = (
    ("put", "bare write"),
    ("put", "bare write + fsync"),
    ("get", "bare read"),
)
LINE: Final = (
    b'{"path": "/usr/lib/x86_64-linux-gnu/lib%06d.so.3", "opened_at": %d, "pid": %d}\n'
)


def trace(size: int) -> bytes:
    """Return text as a tracer writes it; it packs about as well as real traces do."""
    lines = bytearray()
    number = 0
    while len(lines) < size:
        number = (number * 1103515245 + 12345) % 2**31
        lines += LINE % (number % 4001, number, number % 97)
    return bytes(lines[:size])


def as_kept(staged: Staged) -> Evidence:
    """Return what the row of a staged blob would say."""
    new = staged.new
    return Evidence(
        id=uuid4(),
        organization_id=new.organization_id,
        analysis_job_id=new.analysis_job_id,
        evidence_type=new.evidence_type,
        content_type=new.content_type,
        description=None,
        summary=None,
        created_at=clock.now(),
        blob=staged.blob,
    )


def new_evidence(content: bytes | Path) -> NewEvidence:
    """Return content as an analysis would hand it over."""
    return NewEvidence(
        organization_id=uuid4(),
        analysis_job_id=uuid4(),
        evidence_type=EvidenceType.EXECUTION_TRACE,
        content=content,
    )


class Ways:
    """Each way to write or read the same content once."""

    def __init__(self, content: bytes, folder: Path) -> None:
        self._content = content
        self._bare = folder / "bare.zst"
        self._store = LocalDisk(folder / "evidence")
        self.kept = as_kept(service.stage(self._store, new_evidence(content)))

    def bare_write(self) -> None:
        """Pack and write a file."""
        self._bare.unlink(missing_ok=True)
        self._bare.write_bytes(zstandard.ZstdCompressor(level=3).compress(self._content))

    def bare_write_fsync(self) -> None:
        """Pack, write a file, and wait for the disk."""
        self._bare.unlink(missing_ok=True)
        with self._bare.open("wb") as file:
            file.write(zstandard.ZstdCompressor(level=3).compress(self._content))
            file.flush()
            os.fsync(file.fileno())

    def bare_read(self) -> None:
        """Read a file and unpack it."""
        zstandard.ZstdDecompressor().decompress(self._bare.read_bytes())

    def sha256_alone(self) -> None:
        """Digest the content, which both directions of the store do."""
        hashlib.sha256(self._content).digest()

    def put(self) -> None:
        """Keep the content; always a new organization, so nothing is skipped."""
        service.stage(self._store, new_evidence(self._content))

    def get(self) -> None:
        """Read what was kept, to its end."""
        drain(self._store, self.kept)


def drain(store: LocalDisk, kept: Evidence) -> int:
    """Read evidence to its end; return how many bytes it had."""
    with service.open_content(store, kept) as opened:
        return sum(len(piece) for piece in opened.pieces())


def seconds(act: Callable[[], object], repeat: int) -> float:
    """Return how long so many rounds of an act take."""
    started = time.perf_counter()
    for _ in range(repeat):
        act()
    return time.perf_counter() - started


def measure(content: bytes, folder: Path, repeat: int) -> None:
    """Print the ratios for one size; the ways take turns, so that load hits all alike."""
    ways = Ways(content, folder)
    acts = {
        "bare write": ways.bare_write,
        "bare write + fsync": ways.bare_write_fsync,
        "bare read": ways.bare_read,
        "sha-256 alone": ways.sha256_alone,
        "put": ways.put,
        "get": ways.get,
    }
    taken: dict[str, list[float]] = {name: [] for name in acts}
    for _ in range(ROUNDS):
        for name, act in acts.items():
            taken[name].append(seconds(act, repeat))
    median = {name: statistics.median(each) for name, each in taken.items()}
    size = len(content) * repeat / MIB
    packed = ways.kept.blob.sums.stored_bytes / len(content)
    print(f"{len(content) / 1024:g} KiB of trace, packed to {packed:.0%}")
    for name, each in median.items():
        print(f"  {name:<20} {size / each:8.1f} MiB/s {repeat / each:9.0f} a second")
    for one, other in RATIOS:
        print(f"  {one} : {other} = {median[other] / median[one]:.2f}")


def peak_mib(*, anew: bool = False) -> float:
    """Return the most memory this process had, from now on when `anew`."""
    if anew:
        # getrusage's figure is inherited from the parent and never falls.
        Path("/proc/self/clear_refs").write_text("5")
    status = Path("/proc/self/status").read_text()
    return int(status.partition("VmHWM:")[2].split()[0]) / 1024


def memory() -> None:
    """Print how far this process grows while it keeps and reads a GiB from a file."""
    with tempfile.TemporaryDirectory(prefix="vexxy-bench-") as name:
        path, store = Path(name) / "large", LocalDisk(Path(name) / "evidence")
        with path.open("wb") as file:
            for _ in range(1024):
                file.write(os.urandom(MIB))
        before = peak_mib(anew=True)
        kept = as_kept(service.stage(store, new_evidence(path)))
        assert drain(store, kept) == path.stat().st_size
        grown = peak_mib() - before
    print(f"1 GiB that does not pack, kept and read: {grown:.0f} MiB of memory")


def main() -> None:
    """Measure small and large evidence, then memory in a process of its own."""
    if sys.argv[1:] == ["memory"]:
        memory()
        return
    with tempfile.TemporaryDirectory(prefix="vexxy-bench-") as folder:
        measure(trace(16 * 1024), Path(folder), 50)
        measure(trace(MIB), Path(folder), 10)
        measure(trace(64 * MIB), Path(folder), 1)
    subprocess.run([sys.executable, "-m", "bench.evidence", "memory"], check=True)


if __name__ == "__main__":
    main()

"""Targets that wait in a pid namespace of their own, as a created container does."""

import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from vexxy.tracer.types import Trace, Use

WAIT = 'echo waiting; read -r go; exec "$@"'
TIMEOUT_SECONDS = 60
UNSHARE = ["unshare", "--pid", "--mount", "--mount-proc", "--fork", "--kill-child"]


@dataclass
class Waiting:
    """A process that executes its command once it is told to go."""

    parent: subprocess.Popen[bytes]
    process_id: int

    def run(self) -> bytes:
        """Let it go and return what it wrote when it ended."""
        output, errors = self.parent.communicate(b"go\n", timeout=TIMEOUT_SECONDS)
        assert self.parent.returncode == 0, errors.decode()
        return output


@contextmanager
def waiting(command: Sequence[str]) -> Iterator[Waiting]:
    """Yield the target; whatever is left of it is killed afterwards."""
    parent = subprocess.Popen(
        [*UNSHARE, "sh", "-c", WAIT, "sh", *command],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    try:
        assert parent.stdout is not None
        assert parent.stdout.readline() == b"waiting\n"
        children = Path(f"/proc/{parent.pid}/task/{parent.pid}/children").read_text()
        yield Waiting(parent, int(children.split()[0]))
    finally:
        parent.kill()
        parent.wait()
        for stream in (parent.stdin, parent.stdout, parent.stderr):
            if stream is not None:
                stream.close()


def uses_of(trace: Trace, path: Path | str) -> set[Use]:
    return {file.use for file in trace.files if file.path == str(path)}


def gaps_of(trace: Trace) -> set[str]:
    return {gap.kind for gap in trace.gaps}

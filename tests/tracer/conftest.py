"""Recordings of real processes by the real agent."""

import os
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from tests.fakes.waiting_targets import waiting
from vexxy.tracer import service
from vexxy.tracer.errors import AgentMissing
from vexxy.tracer.types import Source, Target, Trace

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="session")
def agent() -> Path:
    if os.geteuid() != 0:
        pytest.skip("recording the kernel needs root")
    built = ROOT / "native" / "build" / "vexxy-trace"
    if built.exists():
        return built
    try:
        return service.find_agent()
    except AgentMissing as error:
        pytest.skip(error.message)


@pytest.fixture
def record(agent: Path) -> Callable[..., Trace]:
    def run(command: Sequence[str], *, source: Source | None = None) -> Trace:
        with waiting(command) as target:
            recorder = service.AgentRecorder(agent)
            recording = recorder.start(Target(process_id=target.process_id), source=source)
            try:
                target.run()
            finally:
                trace = recording.stop()
        return trace

    return run


@pytest.fixture(scope="session")
def python() -> Callable[..., list[str]]:
    """A command that runs a program text in the plainest interpreter there is."""
    interpreter = os.path.realpath(sys.executable)

    def command(program: str, *arguments: object) -> list[str]:
        return [interpreter, "-I", "-S", "-c", program, *map(str, arguments)]

    return command

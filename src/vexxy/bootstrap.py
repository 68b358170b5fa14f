"""Puts the adapters together."""

from collections.abc import Iterator
from contextlib import contextmanager

from vexxy.analysis.ports import Tools
from vexxy.integrations.container_engine import connection
from vexxy.integrations.http_driver.generator import HttpTraffic
from vexxy.sandbox.ports import ContainerEngine
from vexxy.settings import Settings
from vexxy.tracer.service import AgentRecorder


@contextmanager
def engine(settings: Settings, *, runtime: str | None = None) -> Iterator[ContainerEngine]:
    """Provide a container engine; one that was started for this ends with it."""
    found = connection.open_engine(settings.engine, runtime=runtime)
    try:
        yield found
    finally:
        found.close()


@contextmanager
def tools(settings: Settings, *, runtime: str | None = None) -> Iterator[Tools]:
    """Provide everything an analysis needs."""
    with engine(settings, runtime=runtime) as found:
        yield Tools(
            engine=found,
            recorder=AgentRecorder(settings.tracer),
            traffic=HttpTraffic(),
            database_path=settings.database_path,
        )

"""The container engine that tests run against, real or in memory."""

import os
from collections.abc import Iterator

import pytest

from tests.fakes.container_engine import FakeEngine
from vexxy.integrations.container_engine.adapter import Engine
from vexxy.integrations.container_engine.connection import open_engine
from vexxy.sandbox.errors import EngineUnavailable
from vexxy.sandbox.ports import ContainerEngine

ADDRESS = "VEXXY_TEST_ENGINE"


def real_engine() -> Iterator[Engine]:
    """Yield the engine at VEXXY_TEST_ENGINE, else one that is found or started here."""
    if os.geteuid() != 0:
        pytest.skip("only root can enter a sandbox's network and trace what runs in it")
    try:
        engine = open_engine(os.environ.get(ADDRESS))
    except EngineUnavailable as error:
        pytest.skip(f"no container engine on this machine: {error.message}")
    yield engine
    engine.close()


def fake_engine() -> ContainerEngine:
    return FakeEngine()

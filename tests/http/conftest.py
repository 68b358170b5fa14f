"""The floor of the service over nothing: routes that a test brings."""

from collections.abc import Iterator
from contextlib import ExitStack
from types import SimpleNamespace
from typing import Any

import pytest
from starlette.testclient import TestClient

from tests.http.floors import Floor, Routes
from vexxy.http import app as floor
from vexxy.kit import metrics
from vexxy.kit.sealing import Sealer
from vexxy.settings import ServiceSettings


@pytest.fixture(autouse=True)
def _counts_are_not_kept() -> Iterator[None]:
    before = metrics._installed.recorder
    yield
    metrics.install(before)


@pytest.fixture
def a_floor() -> Iterator[Floor]:
    """Make a client of an application with these routes and settings."""
    with ExitStack() as open_clients:

        def make(
            *routes: Routes,
            peer: tuple[str, int] = ("203.0.113.9", 4711),
            base_url: str = "http://testserver",
            **settings: object,
        ) -> TestClient:
            service: Any = SimpleNamespace(
                settings=ServiceSettings.model_validate(settings),
                sealer=Sealer([b"k" * 32]),
            )
            app = floor.create(service)
            for add in routes:
                add(app)
            client = TestClient(app, base_url=base_url, client=peer)
            return open_clients.enter_context(client)

        yield make

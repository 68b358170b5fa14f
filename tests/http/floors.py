"""What a test of the floor asks for."""

from collections.abc import Callable
from typing import Protocol

from fastapi import FastAPI
from starlette.testclient import TestClient

Routes = Callable[[FastAPI], object]


class Floor(Protocol):
    """Makes a client of an application with these routes and settings."""

    def __call__(
        self,
        *routes: Routes,
        peer: tuple[str, int] = ("203.0.113.9", 4711),
        base_url: str = "http://testserver",
        **settings: object,
    ) -> TestClient: ...

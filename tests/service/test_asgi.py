"""The application that any ASGI server finds by its name."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from starlette.testclient import TestClient

from tests.service import serving
from vexxy import asgi
from vexxy.kit import logging


def test_the_environment_makes_an_application(
    database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(logging, "configure", lambda **_: None)
    for name in set(os.environ) & set(serving.FOREIGN):
        monkeypatch.delenv(name)
    monkeypatch.setenv("DATABASE_URL", database_url)
    monkeypatch.setenv("VEXXY_DATA_DIRECTORY", str(tmp_path))

    with TestClient(asgi.FromEnvironment()) as client:
        answer = client.get("/health/ready")
        front = client.get("/", follow_redirects=False)

    assert answer.status_code == 200
    assert front.headers["location"] == "/docs"


def test_a_server_without_a_lifespan_is_told(tmp_path: Path) -> None:
    client = TestClient(asgi.FromEnvironment())

    with pytest.raises(RuntimeError, match="--lifespan on"):
        client.get("/health/live")


def test_what_is_missing_is_told_by_any_server(tmp_path: Path) -> None:
    done = subprocess.run(
        [*(sys.executable, "-m", "uvicorn"), "vexxy.asgi:app", "--port", "0"],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        env=serving.environment(VEXXY_DATA_DIRECTORY=str(tmp_path)),
    )

    assert done.returncode != 0
    assert "DATABASE_URL is not set" in done.stderr
    assert "Traceback" not in done.stderr

"""The page about the API names what there is, and nothing else."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.api import running

PAGE = Path(__file__).parents[2] / "docs" / "api.md"
ROW = re.compile(r"^\| (GET|POST|DELETE) \| `([^`]+)` \| ([a-z.]+) \|", re.MULTILINE)
FIELD = re.compile(r"`([a-z_]+)`")


@pytest.fixture(scope="module")
def described(database_url: str) -> Iterator[dict[str, Any]]:
    with running.a_service(database_url) as service, running.a_client(service) as client:
        yield client.get("/openapi.json").json()


def test_every_endpoint_of_the_page_is_there_and_the_other_way_round(
    described: dict[str, Any],
) -> None:
    told = {(method, path) for method, path, _ in ROW.findall(PAGE.read_text())}
    there = {
        (method.upper(), path.removeprefix("/api/v1"))
        for path, methods in described["paths"].items()
        for method, operation in methods.items()
        if set(operation.get("tags", ())) & {"analysis", "documents"}
    }
    assert told == there


def test_every_field_of_a_submission_is_explained(described: dict[str, Any]) -> None:
    text = PAGE.read_text()
    told = set(FIELD.findall(text))
    schemas = described["components"]["schemas"]
    for name in ("SubmitBody", "ConfigBody"):
        assert set(schemas[name]["properties"]) - {"config"} <= told

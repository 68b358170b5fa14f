"""Fixtures of the conformance run; it is left out of an ordinary test run.

`make conformance` (or `pytest tests/conformance`) asks for it by name: it builds the
real tools, which needs the Go toolchain, a network and, the first time, many minutes.
"""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conformance import registry, tools
from tests.conformance.images import Layout, write_layout
from tests.conformance.scanners import Databases, Scanners
from tests.conformance.table import Table

TABLE = Table()


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """Leave this folder out unless it was named."""
    named = any("conformance" in str(argument) for argument in config.args)
    return None if named or collection_path.name == "conftest.py" else True


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Print what each tool made of each form."""
    for line in TABLE.lines():
        terminalreporter.write_line(line)


@pytest.fixture(scope="session")
def table() -> Table:
    return TABLE


@pytest.fixture(scope="session")
def installed() -> dict[str, tools.Installed]:
    tools.cache_folder().mkdir(parents=True, exist_ok=True)
    found = {name: tools.install(tool) for name, tool in tools.TOOLS.items()}
    for name, one in found.items():
        TABLE.tool(name, one.tool.version, one.why)
    return found


@pytest.fixture(scope="session")
def scanners(
    installed: dict[str, tools.Installed], tmp_path_factory: pytest.TempPathFactory
) -> Scanners:
    folder = tmp_path_factory.mktemp("databases")
    return Scanners(installed, Databases(folder))


@pytest.fixture(scope="session")
def layouts(
    installed: dict[str, tools.Installed], tmp_path_factory: pytest.TempPathFactory
) -> dict[str, Layout]:
    """Give two images with the same packages and different digests."""
    probe = installed["govex"].path
    go_binary = probe.read_bytes() if probe else b""
    folder = tmp_path_factory.mktemp("layouts")
    return {
        "team/web": write_layout(folder / "web", go_binary=go_binary),
        "team/other": write_layout(folder / "other", go_binary=go_binary, marker="other"),
    }


@pytest.fixture(scope="session")
def host(layouts: dict[str, Layout]) -> Iterator[str]:
    with registry.serving(layouts) as address:
        yield address

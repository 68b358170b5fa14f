"""Whether a recorded call is a call of a vulnerable function."""

import pytest

from vexxy.advisories.types import Symbol
from vexxy.reachability.rules import symbols
from vexxy.tracer.types import FunctionCall, Source

PYTHON = ("/s/yaml/constructor.py", Source.COVERAGE)
NODE = ("/app/node_modules/express/lib/response.js", Source.COVERAGE)
BINARY = ("/mirror", Source.UPROBE)
LIBRARY = ("/usr/lib/libz.so.1", Source.UPROBE)


@pytest.mark.parametrize(
    ("where", "call", "symbol", "same"),
    [
        (PYTHON, ("m", "Loader.get"), ("m", "Loader.get"), True),
        (PYTHON, ("m", "Loader.get.<locals>.inner"), ("m", "Loader.get"), True),
        (PYTHON, ("m", "Other.get"), ("m", "Loader.get"), False),
        (PYTHON, ("m", "Loader"), ("m", "Loader"), False),
        (PYTHON, ("m", "Loader.get"), ("m", "Loader"), True),
        (PYTHON, ("m", "load"), ("m", "load"), True),
        (PYTHON, ("m", "load"), ("m", ""), False),
        (NODE, ("m", "redirect"), ("lib/response.js", "res.redirect"), True),
        (NODE, ("m", "Response.redirect"), ("lib/response.js", "redirect"), True),
        (NODE, ("m", "location"), ("lib/response.js", "res.redirect"), False),
        (BINARY, ("net/url", "Parse"), ("net/url", "Parse"), True),
        (BINARY, ("golang.org/x/net/html", "Parse"), ("net/url", "Parse"), False),
        (BINARY, ("net/http", "Server.Serve"), ("net/http", "Server.Serve"), True),
        (BINARY, ("net/http", "Serve"), ("net/http", "Server.Serve"), False),
        (BINARY, ("time", "parse::local"), ("", "time::parse::local"), True),
        (BINARY, ("time", "parse::utc"), ("time", "time::parse::local"), False),
        (LIBRARY, ("libz.so.1", "inflate"), ("inflate.c", "inflate"), True),
    ],
)
def test_a_call_is_one_of_the_function_that_an_advisory_names(
    where: tuple[str, Source],
    call: tuple[str, str],
    symbol: tuple[str, str],
    same: bool,  # noqa: FBT001  a table's last column
) -> None:
    path, source = where
    recorded = FunctionCall(*call, path, source)
    assert symbols.is_call_of(recorded, Symbol(*symbol, "a test")) is same

"""Requests bent out of shape, for `--fuzz`: code for bad input is code, too."""

import random
from collections.abc import Iterator
from typing import Final
from urllib.parse import quote

from vexxy.integrations.http_driver.targets import JSON, Target

# One of each kind of trouble that parsers, templates and shells are known to have.
PAYLOADS: Final = (
    "'", '"', "<b>x</b>", "{{7*7}}", "${7*7}", "%00", "../../../../etc/hostname", "-1",
    "99999999999999999999", "1e309", "A" * 4096, "\u202e\u0000\ud7ff", "'; SELECT 1 --",
    "`id`", "$(id)", "!!python/object:x.y {}", 'O:8:"stdClass":0:{}', "(((((((((a*)*)*",
    "<?xml version='1.0'?><!DOCTYPE a [<!ENTITY b 'c'>]><a>&b;</a>", "data:,x", "[]",
)  # fmt: skip
BROKEN_BODIES: Final = ("{", "[" * 2000, '{"a":' * 500, "null", '"\\ud800"', "\x00\x01\x02")
HEADERS: Final = (
    ("Accept", "application/xml, */*;q=0.1"),
    ("Accept-Encoding", "gzip, br, deflate, zstd"),
    ("Accept-Language", "tr-TR,x;q=-1"),
    ("Authorization", "Bearer eyJhbGciOiJub25lIn0.e30."),
    ("Authorization", "Basic !!!!"),
    ("Content-Type", "multipart/form-data; boundary=x"),
    ("Cookie", "session=eyJhIjoxfQ.x.y; a=;b"),
    ("Host", "[::1"),
    ("If-Modified-Since", "Thu, 32 Foo 2026 25:61:61 GMT"),
    ("Range", "bytes=0-0,1-1,5-,-5"),
    ("Transfer-Encoding", "identity"),
    ("X-Forwarded-For", "127.0.0.1, ::1, x"),
    ("X-HTTP-Method-Override", "PATCH"),
)


def mutated(
    target: Target, chance: random.Random
) -> Iterator[tuple[Target, dict[str, str]]]:
    """Yield three variants of a request, each with extra headers."""
    payload = chance.choice(PAYLOADS)
    path, _, query = target.path.partition("?")
    fields = [part.partition("=")[0] for part in query.split("&") if part] or ["q"]
    bent = "&".join(f"{name}={quote(payload, safe='')}" for name in fields)
    yield Target(target.method, f"{path}?{bent}", target.body, target.content_type), {}
    if target.method in {"POST", "PUT", "PATCH"}:
        body = chance.choice(
            (payload, *BROKEN_BODIES, target.body[: len(target.body) // 2])
        )
        yield Target(target.method, target.path, body, target.content_type or JSON), {}
    else:
        yield Target(target.method, f"{path}/{quote(payload, safe='')}"), {}
    name, value = chance.choice(HEADERS)
    yield target, {name: value}

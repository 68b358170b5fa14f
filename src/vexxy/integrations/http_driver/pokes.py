"""A few words of protocols other than HTTP."""

import socket
import struct
from collections.abc import Iterator
from typing import Final

from vexxy.sandbox.types import LOOPBACK

ANSWER_SECONDS_MAX: Final = 2.0
READ_BYTES: Final = 65536

_REDIS: Final = (
    b"PING", b"INFO", b"COMMAND COUNT", b"CONFIG GET maxmemory", b"SET vexxy 1",
    b"GET vexxy", b"INCR vexxy", b"EXPIRE vexxy 60", b"LPUSH vexxy:l a b c",
    b"LRANGE vexxy:l 0 -1", b"SADD vexxy:s a b", b"SMEMBERS vexxy:s", b"HSET vexxy:h a 1",
    b"HGETALL vexxy:h", b"ZADD vexxy:z 1 a 2 b", b"ZRANGE vexxy:z 0 -1 WITHSCORES",
    b"XADD vexxy:x * a 1", b"XRANGE vexxy:x - +", b"SETBIT vexxy:b 7 1", b"PFADD vexxy:p a",
    b"GEOADD vexxy:g 13.3 38.1 a", b"SORT vexxy:l ALPHA", b"KEYS vexxy*", b"SCAN 0",
    b'EVAL "return cjson.encode({1,2})" 0', b"MULTI", b"EXEC", b"OBJECT ENCODING vexxy:h",
    b"DUMP vexxy", b"MEMORY USAGE vexxy", b"DEBUG SLEEP 0", b"BGSAVE", b"CLIENT LIST",
    b"NOSUCHCOMMAND", b"DEL vexxy vexxy:l vexxy:s vexxy:h",
)  # fmt: skip
_MEMCACHED: Final = (
    b"version", b"set vexxy 0 60 1\r\n1", b"get vexxy", b"incr vexxy 1", b"gets vexxy",
    b"append vexxy 0 60 1\r\n2", b"stats", b"stats items", b"touch vexxy 10",
    b"delete vexxy", b"flush_all", b"verbosity 1", b"nosuch",
)  # fmt: skip
_SQL: Final = (
    b"SELECT version()",
    b"CREATE TEMPORARY TABLE vexxy (id int PRIMARY KEY, body text, data jsonb)",
    b"INSERT INTO vexxy SELECT n, md5(n::text), '{}' FROM generate_series(1, 100) n",
    b"SELECT count(*), max(body) FROM vexxy WHERE body ~ 'a.*b' AND data @> '{}'",
    b"EXPLAIN ANALYZE SELECT * FROM vexxy a JOIN vexxy b USING (id) ORDER BY a.body",
    b"SELECT 1/0",
)
# Frontend/backend protocol 3.0, "StartupMessage".
_POSTGRESQL_VERSION: Final = 196608


def poke(port: int, protocol: str) -> Iterator[tuple[str, bool]]:
    """Yield each thing said and whether an answer came."""
    if protocol == "redis":
        yield from _lines(port, protocol, _REDIS)
    elif protocol == "memcached":
        yield from _lines(port, protocol, _MEMCACHED)
    elif protocol == "postgresql":
        yield from _postgresql(port)
    else:
        yield from _lines(port, protocol, (b"", b"HELP", b"QUIT"))


def _lines(
    port: int, protocol: str, lines: tuple[bytes, ...]
) -> Iterator[tuple[str, bool]]:
    connection = _connect(port)
    for line in lines:
        name = f"{protocol} {line.split(b' ')[0].decode() or 'newline'}"
        if connection is None:
            yield name, False
            connection = _connect(port)
            continue
        answer = _exchange(connection, line + b"\r\n")
        yield name, bool(answer)
        if not answer:
            connection.close()
            connection = _connect(port)
    if connection is not None:
        connection.close()


def _postgresql(port: int) -> Iterator[tuple[str, bool]]:
    connection = _connect(port)
    if connection is None:
        yield "postgresql startup", False
        return
    with connection:
        pairs = b"user\0postgres\0database\0postgres\0\0"
        start = struct.pack(">II", len(pairs) + 8, _POSTGRESQL_VERSION) + pairs
        answer = _exchange(connection, start)
        yield "postgresql startup", bool(answer)
        # 'R' with code 0: no password was wanted.
        if not answer.startswith(b"R\0\0\0\x08\0\0\0\0"):
            return
        for query in _SQL:
            text = query + b"\0"
            message = b"Q" + struct.pack(">I", len(text) + 4) + text
            name = query.split(b" ")[0].decode()
            yield f"postgresql {name}", bool(_exchange(connection, message))


def _connect(port: int) -> socket.socket | None:
    for address in (LOOPBACK, "::1"):
        try:
            return socket.create_connection((address, port), ANSWER_SECONDS_MAX)
        except OSError:
            continue
    return None


def _exchange(connection: socket.socket, words: bytes) -> bytes:
    try:
        connection.sendall(words)
        return connection.recv(READ_BYTES)
    except OSError:
        return b""

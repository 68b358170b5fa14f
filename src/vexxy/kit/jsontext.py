"""JSON of values whose texts may hold anything a file system allows in a name."""

from typing import Any

import msgspec


def encode(value: Any, *, indented: bool = False) -> bytes:  # noqa: ANN401  any value
    r"""Return the value as JSON.

    Linux names are bytes. One that is no UTF-8 reaches us with surrogates, which JSON
    in UTF-8 cannot hold: such bytes are written as `\xff`, so that the name can be read
    and nothing else of the result is lost.
    """
    try:
        content = msgspec.json.encode(value)
    except UnicodeEncodeError:
        content = msgspec.json.encode(_readable(msgspec.to_builtins(value)))
    return msgspec.json.format(content) if indented else content


def _readable(value: Any) -> Any:  # noqa: ANN401  the builtins of JSON
    if isinstance(value, str):
        return value.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")
    if isinstance(value, dict):
        return {_readable(key): _readable(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_readable(item) for item in value]
    return value

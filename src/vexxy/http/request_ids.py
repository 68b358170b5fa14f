"""A name for every request, in its answer and on every line of the log about it."""

import re
import uuid
from typing import Final

HEADER: Final = "X-Request-ID"
# Letters, digits and a few marks: nothing that a log or a header could be split with.
WELL_FORMED: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:-]{7,63}")


def accepted(sent: bytes | None) -> str:
    """Return what the client sent where it is well-formed, else a name of our own."""
    if sent is not None:
        text = sent.decode("latin-1")
        if WELL_FORMED.fullmatch(text):
            return text
    return str(uuid.uuid4())

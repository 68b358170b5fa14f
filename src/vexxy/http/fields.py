"""Field types that every door shares."""

from datetime import datetime
from typing import Annotated

from pydantic import AfterValidator, PlainSerializer, StringConstraints

from vexxy.kit import clock


def _storable(text: str) -> str:
    """Refuse what PostgreSQL cannot keep: NUL and lone surrogates."""
    if "\x00" in text:
        raise ValueError("must not hold the character NUL")
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise ValueError("must be well-formed Unicode") from error
    return text


Text = Annotated[str, StringConstraints(max_length=10_000), AfterValidator(_storable)]
Name = Annotated[
    str,
    StringConstraints(min_length=1, max_length=200, strip_whitespace=True),
    AfterValidator(_storable),
]
Instant = Annotated[datetime, PlainSerializer(clock.rfc3339, return_type=str)]

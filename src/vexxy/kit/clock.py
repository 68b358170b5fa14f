"""Time as the product writes it: RFC 3339, UTC, with `Z`."""

from datetime import UTC, datetime


def now() -> datetime:
    """Return the current instant, in UTC, without sub-second digits."""
    return datetime.now(UTC).replace(microsecond=0)


def instant() -> datetime:
    """Return the current instant, in UTC, as exactly as the machine knows it."""
    return datetime.now(UTC)


def rfc3339(instant: datetime) -> str:
    """Return the instant as `2026-11-21T08:00:00Z`; refuses naive datetimes."""
    if instant.tzinfo is None:
        raise ValueError("an instant without a time zone cannot be written")
    return instant.astimezone(UTC).isoformat().replace("+00:00", "Z")


def parse_rfc3339(text: str) -> datetime:
    """Return the instant that `text` names, in UTC.

    Raises:
        ValueError: The text is not RFC 3339 or has no offset.
    """
    instant = datetime.fromisoformat(text)
    if instant.tzinfo is None:
        raise ValueError(f"{text!r} has no offset from UTC")
    return instant.astimezone(UTC)

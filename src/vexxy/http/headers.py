"""Headers that keep a browser from doing more with an answer than reading it."""

from typing import Final

# An answer of the API is data: it loads nothing, runs nothing and is framed by nobody.
DATA_POLICY: Final = "default-src 'none'; frame-ancestors 'none'; base-uri 'none'"
# The pages of the documentation run their own scripts, from here only.
PAGE_POLICY: Final = (
    "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; "
    "img-src 'self' data:; font-src 'self' data:; connect-src 'self'; "
    "worker-src 'self' blob:; frame-ancestors 'none'; base-uri 'none'; form-action 'self'"
)
POLICY_HEADER: Final = b"content-security-policy"
STRICT_TRANSPORT: Final = (
    b"strict-transport-security",
    b"max-age=31536000; includeSubDomains",
)

ALWAYS: Final[tuple[tuple[bytes, bytes], ...]] = (
    (b"x-content-type-options", b"nosniff"),
    (b"x-frame-options", b"DENY"),
    (b"referrer-policy", b"no-referrer"),
    (b"cross-origin-opener-policy", b"same-origin"),
    (b"cross-origin-resource-policy", b"same-origin"),
    (b"permissions-policy", b"camera=(), geolocation=(), microphone=(), payment=()"),
)
# Answers name what one organization may see; none may rest in a cache between us.
DEFAULTS: Final[tuple[tuple[bytes, bytes], ...]] = (
    (POLICY_HEADER, DATA_POLICY.encode()),
    (b"cache-control", b"no-store"),
)


def secured(
    headers: list[tuple[bytes, bytes]], *, scheme: str
) -> list[tuple[bytes, bytes]]:
    """Return the headers of an answer with ours; a route's own policy is kept."""
    present = {name for name, _ in headers}
    added = [*headers, *ALWAYS]
    added += [item for item in DEFAULTS if item[0] not in present]
    if scheme == "https":
        added.append(STRICT_TRANSPORT)
    return added

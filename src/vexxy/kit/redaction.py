"""What must not be read in a log, found by its name and by its looks."""

import re
from collections.abc import Mapping
from typing import Any, Final

REDACTED: Final = "[redacted]"
DEPTH_MAX: Final = 8

# Words of a name (split at `_`, `-`, `.` and before capitals) that mark a secret.
SECRET_WORDS: Final = frozenset(
    {
        *("password", "passwords", "passwd", "passphrase", "otp", "signature"),
        *("secret", "secrets", "token", "tokens", "jwt", "key", "keys", "apikey"),
        *("authorization", "credential", "credentials", "cookie", "cookies", "dsn"),
        *("environment", "environ", "env", "script"),
    }
)
# Names that have such a word and are no secret.
PLAIN_NAMES: Final = frozenset({"key_id", "token_id", "token_type", "key_prefix"})

_WORDS: Final = re.compile(r"[A-Z]?[a-z0-9]+|[A-Z]+(?![a-z])")
# What is logged may be a stranger's, such as a path of 60 kB: every pattern begins at the
# beginning of a word and gives nothing back (`++`), so it takes a time linear in the text.
_LOOKS: Final = (
    # Bearer and basic credentials, wherever they stand in a text.
    (re.compile(r"(?i)\b(bearer|basic)\s++[\w.~+/=-]{8,}+"), rf"\1 {REDACTED}"),
    # JSON web tokens.
    (
        re.compile(
            r"(?<![\w-])(?=(?:[\w-]*-)?eyJ[\w-]{5})[\w-]++\.[\w-]++\.[\w-]*+",
        ),
        REDACTED,
    ),
    # Our API keys; keys of Stripe.
    (re.compile(r"\bvxy_[\w-]{6,}+"), f"vxy_{REDACTED}"),
    (re.compile(r"\b(sk|rk|whsec)_[\w]{6,}+"), rf"\1_{REDACTED}"),
    # The password in an address.
    (
        re.compile(r"(?<![\w+.-])([\w+.-]++://[^\s:/@]*+):[^\s/@]++@"),
        rf"\1:{REDACTED}@",
    ),
    # name=value in a text, such as a query or a shell's environment.
    (
        re.compile(
            r"(?i)(?<![\w-])((?=[\w-]*"
            r"(?:password|passwd|secret|token|api_?key|authorization|cookie))"
            r"[\w-]++[\"']?+\s*+[=:]\s*+[\"']?+)(?!\s|\[redacted)[^\s&\"',;]++"
        ),
        rf"\1{REDACTED}",
    ),
    # What SQLAlchemy and PostgreSQL add to an error: the values of a statement.
    (
        re.compile(r"\[parameters: (?:.*?\](?=\s|$)|.*)", re.DOTALL),
        f"[parameters: {REDACTED}]",
    ),
    (re.compile(r"(?m)^(DETAIL:).*+$"), rf"\1 {REDACTED}"),
)
# None of the looks can match a text that has none of these; most texts have none.
_SUSPECT: Final = re.compile(
    r"(?i)bearer|basic|eyJ|vxy_|sk_|rk_|whsec_|://|passw|secret|token|key|authoriz|cookie"
    r"|parameters|DETAIL"
)


def redacted_event(
    _logger: object, _method: str, event: Mapping[str, Any]
) -> dict[str, Any]:
    """Return the event of a log without what must not be read."""
    return {name: _by_name(name, value, depth=0) for name, value in event.items()}


def redacted_text(text: str) -> str:
    """Return the text with everything that looks like a secret replaced."""
    if _SUSPECT.search(text) is None:
        return text
    for look, instead in _LOOKS:
        text = look.sub(instead, text)
    return text


def names_a_secret(name: str) -> bool:
    """Tell whether a value with this name is a secret, whatever it looks like."""
    if name.lower() in PLAIN_NAMES:
        return False
    return any(word.lower() in SECRET_WORDS for word in _WORDS.findall(name))


def _by_name(name: object, value: Any, *, depth: int) -> Any:  # noqa: ANN401  any event
    if isinstance(name, str) and names_a_secret(name):
        return None if value is None else REDACTED
    return _by_looks(value, depth=depth)


def _by_looks(value: Any, *, depth: int) -> Any:  # noqa: ANN401  any event
    if value is None or isinstance(value, bool | int | float):
        return value
    if depth > DEPTH_MAX or isinstance(value, bytes | bytearray | memoryview):
        return REDACTED
    if isinstance(value, Mapping):
        return {
            str(name): _by_name(name, item, depth=depth + 1) for name, item in value.items()
        }
    if isinstance(value, list | tuple | set | frozenset):
        return [_by_looks(item, depth=depth + 1) for item in value]
    return redacted_text(str(value))

"""Which passwords are good enough (NIST SP 800-63B, section 5.1.1.2)."""

from typing import Final

from vexxy.identity.errors import WeakPassword

CHARACTERS_MIN: Final = 10
# Long enough for every pass phrase; without a bound one request could hash a gigabyte.
CHARACTERS_MAX: Final = 256
DISTINCT_MIN: Final = 4
# What is tried first. Length and distinct characters refuse most other lists.
COMMON: Final = frozenset(
    {
        "0123456789",
        "1234567890",
        "12345678910",
        "1q2w3e4r5t",
        "1q2w3e4r5t6y",
        "1qaz2wsx3edc",
        "administrator",
        "changeme123",
        "iloveyou123",
        "letmein123",
        "p@ssw0rd123",
        "passw0rd123",
        "password12",
        "password123",
        "password1234",
        "password12345",
        "qwerty1234",
        "qwerty12345",
        "qwerty123456",
        "qwertyuiop",
        "welcome123",
    }
)


def check(password: str, *, email: str) -> None:
    """Refuse a password that would be guessed.

    No rule about classes of characters: they make passwords worse, says NIST.

    Raises:
        WeakPassword: Too short, too long, or among the first guesses.
    """
    if not CHARACTERS_MIN <= len(password) <= CHARACTERS_MAX:
        raise WeakPassword(
            f"a password has {CHARACTERS_MIN} to {CHARACTERS_MAX} characters"
        )
    folded = password.casefold()
    local = email.partition("@")[0]
    if len(set(folded)) < DISTINCT_MIN or folded in COMMON or folded in {email, local}:
        raise WeakPassword(
            "this password is among the first that are tried",
            hint="a few unrelated words make a good one",
        )

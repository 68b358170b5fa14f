"""Keys and settings of tokens."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

import jwt


class Algorithm(StrEnum):
    """The signatures that are accepted; `none` is not among them."""

    HS256 = "HS256"
    RS256 = "RS256"
    ES256 = "ES256"


@dataclass(frozen=True, slots=True)
class VerificationKey:
    """A key and the one algorithm it is for.

    The token's header never chooses the algorithm of a key: that confusion lets whoever
    knows a public key sign with it as if it were a shared secret.
    """

    algorithm: Algorithm
    key: jwt.PyJWK
    kid: str | None = None


@dataclass(frozen=True, slots=True)
class TokenSettings:
    """What the operator configured.

    Attributes:
        secrets: Shared with base VEXxy (HS256); the first signs, all of them verify.
        public_keys: PEM, for RS256 (RSA) or ES256 (P-256).
        private_key: PEM that signs instead of the first secret.
        issuers: Accepted `iss`; empty accepts every one. The first is ours.
        audiences: Accepted `aud`; empty accepts only tokens without one.
        lifetime_seconds: How long a token of ours holds.
        production: Whether secrets that everybody knows are refused.
    """

    secrets: Sequence[str] = ()
    public_keys: Sequence[str] = ()
    private_key: str | None = None
    issuers: Sequence[str] = ()
    audiences: Sequence[str] = ()
    lifetime_seconds: int = 3600
    production: bool = False

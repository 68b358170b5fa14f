"""Signing and checking tokens; no database is asked here."""

import hashlib
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Sequence
from typing import Any, Final
from uuid import UUID

import jwt

from vexxy.identity.errors import NoSigningKey, NotSignedIn, UnusableKey
from vexxy.identity.ports import KeySetSource
from vexxy.identity.tokens import rules
from vexxy.identity.tokens.published import PublishedKeys
from vexxy.identity.tokens.types import Algorithm, TokenSettings, VerificationKey
from vexxy.identity.types import Claims, Issued

TOKEN_CHARACTERS_MAX: Final = 8192
LEEWAY_SECONDS: Final = 10
# Both bounds of the memory of tokens whose signature held: how many, and how long a
# withdrawn verification key goes unnoticed.
REMEMBERED_MAX: Final = 10_000
REMEMBERED_SECONDS: Final = 30
GENERATION: Final = "vexxy_gen"
_REQUIRED: Final = ["sub", "org_id", "exp", "iat"]


class Tokens:
    """Checks tokens against every key that is configured, and signs with the first.

    Args:
        settings: Keys and expectations.
        sources: Where key sets are published.
        clock: Seconds since 1970.
    """

    def __init__(
        self,
        settings: TokenSettings,
        *,
        sources: Sequence[KeySetSource] = (),
        clock: Callable[[], float] = time.time,
    ) -> None:
        for secret in settings.secrets:
            rules.check_secret(
                secret, name="JWT_SECRET_KEY", production=settings.production
            )
        self._settings = settings
        self._clock = clock
        self._keys = [rules.secret_key(secret) for secret in settings.secrets]
        self._keys += [rules.public_key(pem) for pem in settings.public_keys]
        self._published = [PublishedKeys(source) for source in sources]
        self._signing = self._signing_key()
        if not self._keys and not self._published:
            raise UnusableKey(
                "no key checks tokens",
                hint="set JWT_SECRET_KEY, JWT_PUBLIC_KEY or JWT_JWKS_URL",
            )
        self._held = _Memory(clock)

    def _signing_key(self) -> tuple[Algorithm, Any] | None:
        if self._settings.private_key is not None:
            algorithm, key = rules.signing_key(self._settings.private_key)
            pem = key.public_key().public_bytes(*rules.PUBLIC_PEM).decode()
            self._keys.append(rules.public_key(pem))
            return algorithm, key
        if self._settings.secrets:
            return Algorithm.HS256, self._settings.secrets[0]
        return None

    @property
    def signs(self) -> bool:
        """Whether there is a key to sign with; without one nobody signs in here."""
        return self._signing is not None

    def issue(
        self, *, user_id: UUID, organization_id: UUID, email: str, generation: int
    ) -> Issued:
        """Sign a token for a user.

        It carries the claims of the contract. `is_admin` is always false: nothing reads
        it here, and no other program should take a token's word for it either.
        """
        if self._signing is None:
            raise NoSigningKey
        algorithm, key = self._signing
        now = int(self._clock())
        claims: dict[str, Any] = {
            "sub": str(user_id),
            "org_id": str(organization_id),
            "email": email,
            "is_admin": False,
            "iat": now,
            "exp": now + self._settings.lifetime_seconds,
            GENERATION: generation,
        }
        if self._settings.issuers:
            claims["iss"] = self._settings.issuers[0]
        if self._settings.audiences:
            claims["aud"] = self._settings.audiences[0]
        token = jwt.encode(claims, key, algorithm=algorithm.value)
        return Issued(token, self._settings.lifetime_seconds)

    def verify(self, token: str) -> Claims:
        """Return what a token says.

        A signature that held is remembered for seconds. What the token's user may do is
        never remembered: the database is asked about them at every request.

        Raises:
            NotSignedIn: It does not hold, for whatever reason.
        """
        if len(token) > TOKEN_CHARACTERS_MAX or not token.isascii():
            raise NotSignedIn
        digest = hashlib.sha256(token.encode()).digest()
        claims = self._held.get(digest)
        if claims is None:
            claims = self._verified(token)
            self._held.put(digest, claims)
        return claims

    def _verified(self, token: str) -> Claims:
        try:
            header = jwt.get_unverified_header(token)
        except jwt.PyJWTError as error:
            raise NotSignedIn from error
        if "crit" in header:  # extensions that we do not know must be refused
            raise NotSignedIn
        for key in self._candidates(header):
            try:
                return self._claims(token, key)
            except jwt.InvalidSignatureError:
                continue
            except (jwt.PyJWTError, ValueError, OverflowError) as error:
                raise NotSignedIn from error
        raise NotSignedIn

    def _candidates(self, header: dict[str, Any]) -> Sequence[VerificationKey]:
        algorithm, kid = header.get("alg"), header.get("kid")
        if not isinstance(algorithm, str) or algorithm not in set(Algorithm):
            return ()
        own = [key for key in self._keys if key.algorithm == algorithm]
        if algorithm == Algorithm.HS256:
            return own
        for published in self._published:
            own += [key for key in published.keys(kid) if key.algorithm == algorithm]
        return [key for key in own if key.kid is None or kid is None or key.kid == kid]

    def _claims(self, token: str, key: VerificationKey) -> Claims:
        settings = self._settings
        content = jwt.decode(
            token,
            key.key,
            algorithms=[key.algorithm.value],
            audience=list(settings.audiences) or None,
            issuer=list(settings.issuers) or None,
            leeway=LEEWAY_SECONDS,
            options={"require": _REQUIRED, "verify_aud": True},
        )
        return _claims(content)


def _claims(content: dict[str, Any]) -> Claims:
    organization, generation = content["org_id"], content.get(GENERATION)
    if not isinstance(organization, str) or isinstance(generation, bool):
        raise NotSignedIn
    if generation is not None and not isinstance(generation, int):
        raise NotSignedIn
    return Claims(
        user_id=UUID(content["sub"]),
        organization_id=UUID(organization),
        issued_at=int(content["iat"]),
        expires_at=int(content["exp"]),
        generation=generation,
    )


class _Memory:
    """Tokens that held, by digest: bounded, and for seconds."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._held: OrderedDict[bytes, tuple[float, Claims]] = OrderedDict()

    def get(self, digest: bytes) -> Claims | None:
        found = self._held.get(digest)
        return found[1] if found is not None and self._clock() < found[0] else None

    def put(self, digest: bytes, claims: Claims) -> None:
        until = min(self._clock() + REMEMBERED_SECONDS, claims.expires_at)
        with self._lock:
            self._held[digest] = (until, claims)
            self._held.move_to_end(digest)
            while len(self._held) > REMEMBERED_MAX:
                self._held.popitem(last=False)

"""Which secrets and keys may be used."""

import json
import math
from collections import Counter
from typing import Any, Final

import jwt
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa

from vexxy.identity.errors import UnusableKey, WeakSecret
from vexxy.identity.tokens.types import Algorithm, VerificationKey

SECRET_BYTES_MIN: Final = 32  # RFC 7518, section 3.2
ENTROPY_BITS_MIN: Final = 96
RSA_BITS_MIN: Final = 2048  # RFC 7518, section 3.3
KEYS_MAX: Final = 20
# What documentation, templates and earlier services of this kind shipped.
KNOWN: Final = (
    "change-me",
    "change_me",
    "changeme",
    "default",
    "example",
    "insecure",
    "must match",
    "not-secret",
    "notsecret",
    "password",
    "placeholder",
    "replace-me",
    "secret-key",
    "secret_key",
    "secretkey",
    "supersecret",
    "your-secret",
    "your_secret",
)
PUBLIC_PEM: Final = (
    serialization.Encoding.PEM,
    serialization.PublicFormat.SubjectPublicKeyInfo,
)
_ALGORITHM_OF_TYPE: Final = {"RSA": Algorithm.RS256, "EC": Algorithm.ES256}


def check_secret(secret: str, *, name: str, production: bool) -> None:
    """Refuse a shared secret that could be guessed; never say what it is.

    Args:
        secret: What is shared with base VEXxy.
        name: The setting it comes from.
        production: Whether well-known and repetitive ones are refused too.

    Raises:
        WeakSecret: With the sentence that mends it.
    """
    hint = f"set {name} to the output of `openssl rand -base64 48`"
    if len(secret.encode()) < SECRET_BYTES_MIN:
        raise WeakSecret(f"{name} is shorter than {SECRET_BYTES_MIN} bytes", hint=hint)
    if not production:
        return
    folded = secret.casefold()
    if any(word in folded for word in KNOWN):
        raise WeakSecret(f"{name} is a word from documentation", hint=hint)
    if _entropy_bits(secret) < ENTROPY_BITS_MIN:
        raise WeakSecret(f"{name} repeats itself and could be guessed", hint=hint)


def _entropy_bits(text: str) -> float:
    """Return Shannon's estimate from the text's own frequencies; an upper bound."""
    counts = Counter(text).values()
    total = len(text)
    return -sum(count * math.log2(count / total) for count in counts)


def secret_key(secret: str) -> VerificationKey:
    """Return a shared secret as a key."""
    return VerificationKey(
        Algorithm.HS256,
        jwt.PyJWK(
            {"kty": "oct", "k": _base64url(secret.encode()), "alg": "HS256"}, "HS256"
        ),
    )


def _base64url(content: bytes) -> str:
    return jwt.utils.base64url_encode(content).decode()


def public_key(pem: str) -> VerificationKey:
    """Return the public key of a PEM text.

    Raises:
        UnusableKey: Not PEM, a private key, or neither RSA of 2048 bits nor P-256.
    """
    try:
        key = serialization.load_pem_public_key(pem.encode())
    except (ValueError, UnsupportedAlgorithm) as error:
        raise UnusableKey(
            "JWT_PUBLIC_KEY is no public key in PEM",
            hint="it begins with -----BEGIN PUBLIC KEY-----",
        ) from error
    match key:
        case rsa.RSAPublicKey():
            jwk = jwt.algorithms.RSAAlgorithm.to_jwk(key, as_dict=True)
        case ec.EllipticCurvePublicKey():
            jwk = jwt.algorithms.ECAlgorithm.to_jwk(key, as_dict=True)
        case _:
            raise UnusableKey("JWT_PUBLIC_KEY is neither RSA nor P-256")
    found = _from_jwk(jwk)
    if found is None:
        raise UnusableKey("JWT_PUBLIC_KEY is neither RSA of 2048 bits or more nor P-256")
    return found


def pem_texts(text: str) -> tuple[str, ...]:
    """Return each key of a text that holds several, one after another."""
    return tuple(
        f"-----BEGIN{part}" for part in text.split("-----BEGIN")[1:] if part.strip()
    )


def key_set(document: bytes) -> tuple[VerificationKey, ...]:
    """Return the keys of a JSON Web Key Set that may verify tokens.

    Keys for encryption, of other kinds and too short ones are passed over, and secret
    ones always: a set is published, so a secret in it is none.

    Raises:
        UnusableKey: Not a key set, or none of its keys can be used.
    """
    try:
        content = json.loads(document)
    except (ValueError, RecursionError) as error:
        raise UnusableKey("the key set is not JSON") from error
    listed = content.get("keys") if isinstance(content, dict) else None
    if not isinstance(listed, list):
        raise UnusableKey("the key set has no list `keys`")
    found = [_from_jwk(item) for item in listed[:KEYS_MAX] if isinstance(item, dict)]
    keys = tuple(key for key in found if key is not None)
    if not keys:
        raise UnusableKey("the key set has no key for RS256 or ES256")
    return keys


def _from_jwk(item: dict[str, Any]) -> VerificationKey | None:
    algorithm = _ALGORITHM_OF_TYPE.get(str(item.get("kty")))
    if (
        algorithm is None
        or item.get("alg", algorithm) != algorithm
        or item.get("use", "sig") != "sig"
        or (algorithm is Algorithm.ES256 and item.get("crv") != "P-256")
        or "d" in item
    ):
        return None
    try:
        key = jwt.PyJWK(item, algorithm.value)
    except (jwt.PyJWTError, ValueError, TypeError):
        return None
    if isinstance(key.key, rsa.RSAPublicKey) and key.key.key_size < RSA_BITS_MIN:
        return None
    kid = item.get("kid")
    return VerificationKey(algorithm, key, kid if isinstance(kid, str) else None)


def signing_key(
    pem: str,
) -> tuple[Algorithm, rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey]:
    """Return the private key of a PEM text and its algorithm.

    Raises:
        UnusableKey: Not PEM, encrypted, or neither RSA of 2048 bits nor P-256.
    """
    try:
        key = serialization.load_pem_private_key(pem.encode(), password=None)
    except (ValueError, TypeError, UnsupportedAlgorithm) as error:
        raise UnusableKey("JWT_PRIVATE_KEY is no private key in PEM") from error
    if isinstance(key, rsa.RSAPrivateKey) and key.key_size >= RSA_BITS_MIN:
        return Algorithm.RS256, key
    if isinstance(key, ec.EllipticCurvePrivateKey) and key.curve.name == "secp256r1":
        return Algorithm.ES256, key
    raise UnusableKey("JWT_PRIVATE_KEY is neither RSA of 2048 bits or more nor P-256")

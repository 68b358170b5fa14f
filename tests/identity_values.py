"""Keys, tokens and people that tests of identity start from."""

import time
from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

import jwt
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa

from vexxy.identity.passwords.service import Passwords
from vexxy.identity.ports import Mail, Tools
from vexxy.identity.tokens.service import Tokens
from vexxy.identity.tokens.types import TokenSettings
from vexxy.identity.types import Limits, Policy

PrivateKey = rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey
SECRET = "of tests: long enough for HMAC with SHA-256"  # noqa: S105  of tests
OTHER_SECRET = "another of tests, and long enough for HMAC"  # noqa: S105  of tests
PASSWORD = "four unrelated plain words"  # noqa: S105  of tests
# Argon2id at the least it takes: what is tested is not how slow it is.
CHEAP = Passwords(memory_kib=8, passes=1)


def tools(
    *,
    secrets: Sequence[str] = (SECRET,),
    mail: Mail | None = None,
    limits: Limits | None = None,
    registration_open: bool = True,
) -> Tools:
    """Return what the use-cases work with."""
    return Tools(
        tokens=Tokens(TokenSettings(secrets=secrets)),
        passwords=CHEAP,
        mail=mail,
        service_keys=("service key of tests number one ....",),
        policy=Policy(registration_open=registration_open, limits=limits or Limits()),
    )


def claims(
    user_id: UUID | str, organization_id: UUID | str, **changed: object
) -> dict[str, Any]:
    """Return claims as base VEXxy makes them; None leaves one out."""
    now = int(time.time())
    found = {
        "sub": str(user_id),
        "org_id": str(organization_id),
        "email": "somebody@example.com",
        "is_admin": False,
        "exp": now + 600,
        "iat": now - 5,
        **changed,
    }
    return {name: value for name, value in found.items() if value is not None}


def token(
    content: Mapping[str, Any],
    *,
    key: str | PrivateKey = SECRET,
    algorithm: str = "HS256",
    headers: dict[str, Any] | None = None,
) -> str:
    """Return the claims signed."""
    return jwt.encode(dict(content), key, algorithm=algorithm, headers=headers)


def rsa_key(bits: int = 2048) -> rsa.RSAPrivateKey:
    """Return a fresh RSA key."""
    return rsa.generate_private_key(public_exponent=65537, key_size=bits)


def ec_key(curve: ec.EllipticCurve | None = None) -> ec.EllipticCurvePrivateKey:
    """Return a fresh key on P-256, or on another curve."""
    return ec.generate_private_key(curve or ec.SECP256R1())


def public_pem(key: PrivateKey) -> str:
    """Return the public half in PEM."""
    return (
        key.public_key()
        .public_bytes(
            serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
        )
        .decode()
    )


def private_pem(key: PrivateKey) -> str:
    """Return the private half in PEM."""
    return key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    ).decode()


def jwk(key: PrivateKey, **changed: object) -> dict[str, Any]:
    """Return the public half as a JSON Web Key."""
    public = key.public_key()
    if isinstance(public, rsa.RSAPublicKey):
        made = jwt.algorithms.RSAAlgorithm.to_jwk(public, as_dict=True)
    else:
        made = jwt.algorithms.ECAlgorithm.to_jwk(public, as_dict=True)
    return {**made, **changed}

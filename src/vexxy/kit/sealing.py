"""Secrets at rest: authenticated encryption with keys that can be rotated."""

import hashlib
import os
from collections.abc import Sequence
from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from vexxy.kit.errors import InvalidInput

KEY_BYTES: Final = 32
_NAME_BYTES: Final = 4
_NONCE_BYTES: Final = 12


def _name(key: bytes) -> bytes:
    return hashlib.sha256(b"vexxy sealing key" + key).digest()[:_NAME_BYTES]


class Sealer:
    """Seals with the first key and opens with any (AES-256-GCM).

    Args:
        keys: 32 bytes each, the newest first; old ones stay until nothing needs them.
    """

    def __init__(self, keys: Sequence[bytes]) -> None:
        if not keys or any(len(key) != KEY_BYTES for key in keys):
            raise InvalidInput(f"a sealing key has {KEY_BYTES} bytes, and one is needed")
        self._first = _name(keys[0])
        self._ciphers = {_name(key): AESGCM(key) for key in keys}

    def seal(self, secret: bytes, *, context: str) -> bytes:
        """Return the sealed secret, which opens only with the same context.

        The context names the row (`analysis:<id>`), so that a sealed value that was
        copied to another row is refused.
        """
        nonce = os.urandom(_NONCE_BYTES)
        sealed = self._ciphers[self._first].encrypt(nonce, secret, context.encode())
        return self._first + nonce + sealed

    def open(self, sealed: bytes, *, context: str) -> bytes:
        """Return what was sealed.

        Raises:
            InvalidInput: The key is not among ours, or the value was altered.
        """
        name, rest = sealed[:_NAME_BYTES], sealed[_NAME_BYTES:]
        cipher = self._ciphers.get(name)
        if cipher is None:
            raise InvalidInput("sealed with a key that is not configured here")
        try:
            return cipher.decrypt(
                rest[:_NONCE_BYTES], rest[_NONCE_BYTES:], context.encode()
            )
        except InvalidTag as error:
            raise InvalidInput("a sealed value was altered or belongs elsewhere") from error

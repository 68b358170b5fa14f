"""What a server says of a file's content, and whether that holds."""

import base64
import binascii
import hashlib
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Final

# RFC 9530 `Repr-Digest: sha-256=:BASE64:` and Google Cloud Storage's `x-goog-hash: md5=..`.
# Both are of the whole file also where only a part of it is sent.
_STANDARD: Final = re.compile(r"(sha-256|sha-512)=:([A-Za-z0-9+/=]+):")
_GOOGLE: Final = re.compile(r"\b(md5)=([A-Za-z0-9+/=]+)")
_ALGORITHMS: Final = {"sha-256": "sha256", "sha-512": "sha512", "md5": "md5"}
_READ_BYTES: Final = 1 << 20


def announced(headers: Mapping[str, str]) -> dict[str, str]:
    """Return hexadecimal digests of the whole file, by hashlib's name of the algorithm."""
    found = _STANDARD.findall(headers.get("repr-digest", ""))
    found += _GOOGLE.findall(headers.get("x-goog-hash", ""))
    digests = {}
    for name, encoded in found:
        try:
            digest = base64.b64decode(encoded, validate=True)
        except binascii.Error:
            continue
        digests[_ALGORITHMS[name]] = digest.hex()
    return digests


def find_mismatch(path: Path, digests: Mapping[str, str]) -> str | None:
    """Return the name of the first algorithm whose digest differs, else None."""
    running = {name: hashlib.new(name, usedforsecurity=False) for name in digests}
    with path.open("rb") as stream:
        while block := stream.read(_READ_BYTES):
            for one in running.values():
                one.update(block)
    wrong = (name for name, one in running.items() if one.hexdigest() != digests[name])
    return next(wrong, None)

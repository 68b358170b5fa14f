"""A folder with a file for each secret."""

import base64
import os
import secrets
import stat
from pathlib import Path
from typing import Final

from vexxy.kit.errors import Unavailable

SECRET_BYTES: Final = 32


class SecretsUnsafe(Unavailable):
    """A secret's file can be read by others, or not by us."""


def kept(folder: Path, name: str) -> str:
    """Return the secret of that name, making it the first time: base64 of 32 bytes.

    Several processes that ask for a new one at the same time get the same.

    Raises:
        SecretsUnsafe: Its file is open to others, cannot be read or is empty.
    """
    path = folder / name
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        if not path.exists():
            _make(path)
        mode = path.stat().st_mode
        text = path.read_text().strip()
    except OSError as error:
        raise SecretsUnsafe(
            f"the secret in {path} cannot be read: {error.strerror}",
            hint="make it readable for this user only, or set it in the environment",
        ) from error
    if mode & (stat.S_IRWXG | stat.S_IRWXO):
        raise SecretsUnsafe(f"{path} is open to others", hint=f"chmod 600 {path}")
    if not text:
        raise SecretsUnsafe(
            f"{path} is empty", hint="bring it back from a backup, or remove the file"
        )
    return text


def _make(path: Path) -> None:
    made = base64.b64encode(secrets.token_bytes(SECRET_BYTES))
    fresh = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
    descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(made + b"\n")
        file.flush()
        os.fsync(descriptor)
    try:
        # Unlike a rename, a link does not replace what another process just made.
        os.link(fresh, path)
    except FileExistsError:
        pass
    finally:
        fresh.unlink()

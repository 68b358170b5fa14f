"""Writing files so that nobody ever reads half of one."""

import os
import tempfile
from pathlib import Path

from vexxy.kit import errors


class NotWritable(errors.ExternalFailure):
    """A file could not be written; what was there before is still there."""


def write_whole(path: Path, content: bytes) -> None:
    """Replace the file's content in one step, or leave it as it was.

    Raises:
        NotWritable: No folder, no permission, no space.
    """
    try:
        descriptor, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
        try:
            with os.fdopen(descriptor, "wb") as stream:
                stream.write(content)
            # mkstemp makes it private; an ordinary file follows the umask.
            umask = os.umask(0)
            os.umask(umask)
            Path(temporary).chmod(0o666 & ~umask)
            Path(temporary).replace(path)
        finally:
            # Gone already where it took the other's place.
            Path(temporary).unlink(missing_ok=True)
    except OSError as error:
        raise NotWritable(
            f"{path} could not be written: {error.strerror}",
            kept="the file that was there, if any",
            hint="choose another --output",
        ) from error

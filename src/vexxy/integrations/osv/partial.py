"""A download that may be gone on with later: the bytes so far, and of what."""

import re
from pathlib import Path
from typing import Final, Self

import msgspec

_UNSAFE: Final = re.compile(r"[^A-Za-z0-9._-]+")


class State(msgspec.Struct, frozen=True):
    """What the bytes so far belong to.

    Attributes:
        validator: The server's ETag; None where it gave none.
        total_bytes: Size of the whole file, if announced.
        digests: Of the whole file, by algorithm.
    """

    url: str
    validator: str | None = None
    total_bytes: int | None = None
    digests: dict[str, str] = {}


class Partial:
    """A file in the making, with its state beside it."""

    def __init__(self, path: Path, state: State) -> None:
        self.path = path
        self.state = state

    @classmethod
    def open(cls, folder: Path, ecosystem: str, *, url: str) -> Self:
        """Return what an earlier download left, or an empty one.

        Bytes of another address, or without a state that can be read, are discarded.
        """
        folder.mkdir(parents=True, exist_ok=True)
        partial = cls(folder / f"{_UNSAFE.sub('_', ecosystem)}.zip.part", State(url=url))
        try:
            state = msgspec.json.decode(partial.note.read_bytes(), type=State)
        except (OSError, msgspec.MsgspecError):
            partial.discard()
            return partial
        if state.url != url or not partial.path.is_file():
            partial.discard()
            return partial
        partial.state = state
        return partial

    @property
    def note(self) -> Path:
        """Where the state is written."""
        return self.path.with_name(f"{self.path.name}.json")

    @property
    def size_bytes(self) -> int:
        """How much is there."""
        return self.path.stat().st_size if self.path.is_file() else 0

    @property
    def is_complete(self) -> bool:
        """Whether all that was announced is there."""
        return self.state.total_bytes is not None and (
            self.size_bytes == self.state.total_bytes
        )

    @property
    def resumable(self) -> str | None:
        """The validator to resume with; RFC 9110, section 13.1.5 wants a strong one."""
        validator = self.state.validator
        if not self.size_bytes or validator is None or validator.startswith("W/"):
            return None
        return validator

    def begin(self, state: State) -> None:
        """Start an empty file of this state."""
        self.discard()
        self.state = state
        self.note.write_bytes(msgspec.json.encode(state))
        self.path.touch()

    def discard(self) -> None:
        """Remove what is there."""
        self.note.unlink(missing_ok=True)
        self.path.unlink(missing_ok=True)
        self.state = State(url=self.state.url)

    def finish(self) -> Path:
        """Give the complete file its final name and return it."""
        final = self.path.with_name(self.path.name.removesuffix(".part"))
        self.path.replace(final)
        self.note.unlink(missing_ok=True)
        return final

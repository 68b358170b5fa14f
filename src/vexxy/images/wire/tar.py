"""Reading a tar from front to back, nothing unpacked, nothing trusted.

The standard library's reader takes a header's word for how much to read into memory;
an archive from a stranger must not decide that. Source: POSIX `pax` and GNU tar.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import BinaryIO, Final

from vexxy.images.errors import InvalidArchive

BLOCK_BYTES: Final = 512
CHUNK_BYTES: Final = 1024 * 1024
EXTENSION_LIMIT_BYTES: Final = 1024 * 1024
EXTENSIONS_MAX: Final = 8
MEMBERS_MAX: Final = 1_000_000
_FILE: Final = frozenset({b"0", b"\0", b"7"})
_LINK: Final = frozenset({b"1", b"2"})
_EXTENSION: Final = frozenset({b"x", b"g", b"L", b"K"})


@dataclass(frozen=True, slots=True)
class Member:
    """One entry of a tar.

    Attributes:
        name: Path as written, `./` in front removed.
        link_target: For links, resolved against the archive's root; else None.
        is_file: True for regular files; their content follows.
    """

    name: str
    size_bytes: int
    is_file: bool
    link_target: str | None = None


class TarReader:
    """Walks through a tar; each member's content must be taken before the next one.

    Raises:
        InvalidArchive: While iterating, when the tar is damaged, cut off or hostile.
    """

    def __init__(self, stream: BinaryIO) -> None:
        self._stream: Final = stream
        self._left_bytes = 0
        self._padding_bytes = 0

    def __iter__(self) -> Iterator[Member]:
        for _ in range(MEMBERS_MAX):
            member = self._next()
            if member is None:
                return
            yield member
        raise InvalidArchive(f"the tar has more than {MEMBERS_MAX} members")

    def content(self) -> Iterator[bytes]:
        """Yield the rest of the current member's content in chunks."""
        while self._left_bytes:
            chunk = self._stream.read(min(self._left_bytes, CHUNK_BYTES))
            if not chunk:
                raise _cut_off()
            self._left_bytes -= len(chunk)
            yield chunk

    def _next(self) -> Member | None:
        overrides: dict[str, str] = {}
        for _ in range(EXTENSIONS_MAX):
            header = self._header()
            if header is None:
                return None
            kind = header[156:157]
            self._left_bytes = _number(header[124:136])
            self._padding_bytes = -self._left_bytes % BLOCK_BYTES
            if kind not in _EXTENSION:
                return self._member(header, kind, overrides)
            if self._left_bytes > EXTENSION_LIMIT_BYTES:
                raise InvalidArchive(f"a header of {self._left_bytes} bytes in the tar")
            extension = b"".join(self.content())
            overrides |= _overrides(kind, extension)
        raise InvalidArchive("a member of the tar has too many extended headers")

    def _member(self, header: bytes, kind: bytes, overrides: dict[str, str]) -> Member:
        name = overrides.get("path") or _name(header)
        if overrides.get("size"):
            self._left_bytes = _decimal(overrides["size"])
            self._padding_bytes = -self._left_bytes % BLOCK_BYTES
        member = Member(_inside(name), self._left_bytes, is_file=kind in _FILE)
        if kind in _FILE:
            return member
        if kind not in _LINK:
            return replace(member, is_file=False)
        target = overrides.get("linkpath") or _text(header[157:257])
        if kind == b"2":  # symbolic: relative to the folder of the link
            target = _joined(member.name, target)
        return replace(member, link_target=_inside(target))

    def _header(self) -> bytes | None:
        """Return the next header, None at the end of the archive."""
        for _ in self.content():
            pass
        if self._padding_bytes and len(self._read(self._padding_bytes)) == 0:
            raise _cut_off()
        self._padding_bytes = 0
        header = self._read(BLOCK_BYTES)
        if not header or header.count(0) == BLOCK_BYTES:
            return None
        if len(header) < BLOCK_BYTES:
            raise _cut_off()
        if not _is_sound(header):
            raise InvalidArchive("this is no tar, or one of its headers is damaged")
        return header

    def _read(self, size_bytes: int) -> bytes:
        parts = []
        while size_bytes:
            part = self._stream.read(size_bytes)
            if not part:
                break
            parts.append(part)
            size_bytes -= len(part)
        return b"".join(parts)


def _cut_off() -> InvalidArchive:
    return InvalidArchive(
        "the archive is cut off before its end",
        hint="it was probably not copied or downloaded to its end; fetch it again",
    )


def _is_sound(header: bytes) -> bool:
    """Check the header's sum, which counts its own field as blanks."""
    digits = header[148:156].strip(b" \0")
    expected = sum(header) - sum(header[148:156]) + 8 * 0x20
    return (
        digits.isdigit()
        and digits.strip(b"01234567") == b""
        and (int(digits, 8) == expected)
    )


def _number(field: bytes) -> int:
    """Return a number field: octal text, or base 256 for what does not fit."""
    if field[0] & 0x80:
        value = int.from_bytes(field, "big") & ~(0xFF << (8 * (len(field) - 1)))
        if field[0] != 0x80:  # noqa: PLR2004  any other bit makes it negative or absurd
            raise InvalidArchive("a size in the tar makes no sense")
        return value
    text = field.strip(b" \0")
    try:
        return int(text, 8) if text else 0
    except ValueError as error:
        raise InvalidArchive("this is no tar, or a number in it is damaged") from error


def _decimal(text: str) -> int:
    if not text.isdecimal():
        raise InvalidArchive("a size in the tar is no number")
    return int(text)


def _name(header: bytes) -> str:
    prefix = _text(header[345:500]) if header[257:262] == b"ustar" else ""
    name = _text(header[0:100])
    return f"{prefix}/{name}" if prefix and header[257:263] == b"ustar\0" else name


def _text(field: bytes) -> str:
    return field.partition(b"\0")[0].decode("utf-8", "surrogateescape")


def _overrides(kind: bytes, content: bytes) -> dict[str, str]:
    """Return what an extended header says about the next member."""
    if kind in {b"L", b"K"}:
        return {"path" if kind == b"L" else "linkpath": _text(content)}
    if kind == b"g":
        return {}
    records: dict[str, str] = {}
    while content:
        digits, blank, _ = content.partition(b" ")
        if (
            not blank
            or not digits.isdigit()
            or not len(digits) < int(digits) <= len(content)
        ):
            raise InvalidArchive("an extended header of the tar is damaged")
        record = content[len(digits) + 1 : int(digits) - 1]
        key, _, value = record.partition(b"=")
        records[key.decode("utf-8", "replace")] = value.decode("utf-8", "surrogateescape")
        content = content[int(digits) :]
    return records


def _joined(name: str, target: str) -> str:
    if target.startswith("/"):
        return target
    parts = name.split("/")[:-1]
    for part in target.split("/"):
        if part == ".." and parts:
            parts.pop()
        elif part not in {"", "."}:
            parts.append(part)
    return "/".join(parts)


def _inside(name: str) -> str:
    """Return the path without `./`; refuse one that leads out of the archive."""
    parts = [part for part in name.split("/") if part not in {"", "."}]
    if ".." in parts or name.startswith("/"):
        raise InvalidArchive(f"the archive has a path that leads out of it: {name!r}")
    return "/".join(parts)

import hashlib
import io
import os
import tracemalloc
from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st

from vexxy.evidence import wire
from vexxy.evidence.errors import EvidenceDamaged, EvidenceTooLarge
from vexxy.evidence.types import Sums

MIB = 1024 * 1024


def packed(content: Iterable[bytes], *, bytes_max: int = 64 * MIB) -> tuple[bytes, Sums]:
    into = io.BytesIO()
    sums = wire.pack(content, into, bytes_max=bytes_max)
    return into.getvalue(), sums


def unpacked(stored: bytes, sums: Sums) -> bytes:
    return b"".join(wire.unpack(io.BytesIO(stored), sums=sums))


@given(st.lists(st.binary(max_size=5000), max_size=20))
def test_content_comes_back_however_it_was_cut(pieces: list[bytes]) -> None:
    stored, sums = packed(pieces)
    whole = b"".join(pieces)
    assert unpacked(stored, sums) == whole
    assert sums.size_bytes == len(whole)
    assert sums.checksum == hashlib.sha256(whole).hexdigest()
    assert sums.stored_bytes == len(stored)
    assert sums.stored_checksum == hashlib.sha256(stored).hexdigest()


def test_what_is_stored_is_an_ordinary_zstd_file() -> None:
    stored, _ = packed([b"anybody can read this"])
    with zstandard.ZstdDecompressor().stream_reader(stored) as reader:
        assert reader.read() == b"anybody can read this"


def test_content_may_be_bytes_a_file_or_pieces(tmp_path: Path) -> None:
    content = os.urandom(3 * MIB + 17)
    path = tmp_path / "trace"
    path.write_bytes(content)
    assert b"".join(wire.pieces(content)) == content
    assert b"".join(wire.pieces(path)) == content
    assert b"".join(wire.pieces([content[:5], content[5:]])) == content
    assert max(map(len, wire.pieces(content))) <= wire.PIECE_BYTES


def test_content_over_the_limit_stops_being_read_there() -> None:
    read = 0

    def endless() -> Iterator[bytes]:
        nonlocal read
        while True:
            read += 1000
            yield bytes(1000)

    with pytest.raises(EvidenceTooLarge):
        packed(endless(), bytes_max=10_000)
    assert read == 11_000


def test_content_of_the_limit_is_kept() -> None:
    _, sums = packed([bytes(10_000)], bytes_max=10_000)
    assert sums.size_bytes == 10_000


def test_large_content_passes_through_bounded_memory() -> None:
    """Goal: 256 MiB of content never lie in memory. Method: count what is allocated."""
    noise = os.urandom(MIB)
    with wire.spool() as stored:
        tracemalloc.start()
        sums = wire.pack((noise for _ in range(256)), stored, bytes_max=1024 * MIB)
        stored.seek(0)
        size = sum(len(piece) for piece in wire.unpack(stored, sums=sums))
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
    assert size == 256 * MIB
    assert peak < 32 * MIB


@given(st.data())
def test_one_altered_bit_is_never_received(data: st.DataObject) -> None:
    stored, sums = packed([b"every bit of evidence counts" * 10])
    place = data.draw(st.integers(0, len(stored) - 1))
    bit = data.draw(st.integers(0, 7))
    altered = bytearray(stored)
    altered[place] ^= 1 << bit
    with pytest.raises(EvidenceDamaged):
        wire.receive([bytes(altered)], io.BytesIO(), sums=sums)


@pytest.mark.parametrize("left", [0, 1, 100, -1])
def test_a_truncated_blob_is_never_received(left: int) -> None:
    stored, sums = packed([os.urandom(1000)])
    with pytest.raises(EvidenceDamaged):
        wire.receive([stored[:left]], io.BytesIO(), sums=sums)


def test_a_longer_blob_is_refused_before_it_is_read_whole() -> None:
    stored, sums = packed([b"short"])
    read = 0

    def longer() -> Iterator[bytes]:
        nonlocal read
        for piece in [stored, *([bytes(MIB)] * 100)]:
            read += 1
            yield piece

    into = io.BytesIO()
    with pytest.raises(EvidenceDamaged):
        wire.receive(longer(), into, sums=sums)
    assert read == 2
    assert len(into.getvalue()) == len(stored)


def other_content(size: int) -> tuple[bytes, Sums]:
    """A genuine blob of other content of the same size."""
    return packed([os.urandom(size)])


@pytest.mark.parametrize("size", [1, 1000, MIB, 3 * MIB])
def test_a_row_that_names_other_content_never_ends_as_if_it_were_whole(size: int) -> None:
    """Goal: not one whole wrong download. Method: swap blobs and the sums of storage."""
    _, sums = packed([os.urandom(size)])
    stored, others = other_content(size)
    mixed = replace(
        sums, stored_bytes=others.stored_bytes, stored_checksum=others.stored_checksum
    )
    handed: list[bytes] = []
    with pytest.raises(EvidenceDamaged):
        handed.extend(wire.unpack(io.BytesIO(stored), sums=mixed))
    given_out = sum(map(len, handed))
    assert given_out < size
    assert size > MIB or given_out == 0


def test_a_small_blob_cannot_unpack_to_more_than_was_kept() -> None:
    bomb, _ = packed([bytes(MIB)] * 64)
    _, sums = packed([bytes(MIB)])
    handed: list[bytes] = []
    with pytest.raises(EvidenceDamaged):
        handed.extend(wire.unpack(io.BytesIO(bomb), sums=sums))
    assert sum(map(len, handed)) <= MIB


@given(st.binary(max_size=300))
def test_bytes_that_are_no_blob_are_an_error(noise: bytes) -> None:
    _, sums = packed([b"content"])
    with pytest.raises(EvidenceDamaged):
        unpacked(noise, sums)

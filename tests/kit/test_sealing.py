import pytest

from vexxy.kit.errors import InvalidInput
from vexxy.kit.sealing import Sealer

OLD, NEW = bytes(range(32)), bytes(range(32, 64))


def test_what_was_sealed_opens_in_its_context() -> None:
    sealed = Sealer([OLD]).seal(b"secret", context="row:1")

    assert b"secret" not in sealed
    assert Sealer([NEW, OLD]).open(sealed, context="row:1") == b"secret"


def test_another_row_cannot_open_it() -> None:
    sealed = Sealer([OLD]).seal(b"secret", context="row:1")

    with pytest.raises(InvalidInput, match="belongs elsewhere"):
        Sealer([OLD]).open(sealed, context="row:2")


def test_an_unknown_key_is_named_as_such() -> None:
    sealed = Sealer([OLD]).seal(b"secret", context="row:1")

    with pytest.raises(InvalidInput, match="not configured"):
        Sealer([NEW]).open(sealed, context="row:1")


@pytest.mark.parametrize("position", [0, 5, 20, -1])
def test_an_altered_value_is_refused(position: int) -> None:
    sealed = bytearray(Sealer([OLD]).seal(b"secret", context="row:1"))
    sealed[position] ^= 1

    with pytest.raises(InvalidInput):
        Sealer([OLD]).open(bytes(sealed), context="row:1")


@pytest.mark.parametrize("keys", [[], [b"short"]])
def test_a_weak_key_is_refused(keys: list[bytes]) -> None:
    with pytest.raises(InvalidInput):
        Sealer(keys)

"""What lies on the host of a sandbox: its layers, and what it wrote."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from vexxy.integrations.container_engine import storage

MIB = 1024 * 1024
# A path of Docker's is as long as this.
LAYER_NAME = "0123456789abcdef" * 5
LAYERS = 120


@contextmanager
def below(place: Path, *names: str) -> Iterator[None]:
    """Make directories one in another, and be in the innermost."""
    before = os.open(".", os.O_RDONLY)
    os.chdir(place)
    try:
        for name in names:
            os.mkdir(name)  # noqa: PTH102  the path is too long for pathlib
            os.chdir(name)
        yield
    finally:
        os.fchdir(before)
        os.close(before)


def wrote(place: Path) -> tuple[int | None, bool]:
    return storage.written({"GraphDriver": {"Data": {"UpperDir": str(place)}}})


def test_what_lies_below_a_path_too_long_for_the_kernel_is_counted(tmp_path: Path) -> None:
    with below(tmp_path, *["d" * 250] * 30):
        Path("big").write_bytes(b"x" * MIB)

    size, is_all = wrote(tmp_path)

    assert size is not None
    assert size >= MIB
    assert is_all


def test_what_lies_too_deep_is_said_to_be_hidden(tmp_path: Path) -> None:
    with below(tmp_path, *["d"] * (storage.DIRECTORIES_DEEP_MAX + 10)):
        Path("big").write_bytes(b"x" * MIB)

    assert wrote(tmp_path) == (None, False)


def test_links_lead_nowhere_and_a_place_that_is_gone_holds_nothing(tmp_path: Path) -> None:
    upper, outside = tmp_path / "upper", tmp_path / "outside"
    upper.mkdir()
    outside.mkdir()
    (outside / "big").write_bytes(b"x" * MIB)
    (upper / "link").symlink_to(outside)
    found = {
        "GraphDriver": {"Data": {"UpperDir": str(upper)}},
        "Mounts": [{"Type": "volume", "Source": str(tmp_path / "gone")}],
    }

    size, is_all = storage.written(found)

    assert size is not None
    assert size < MIB
    assert is_all
    assert wrote(tmp_path / "gone") == (None, True)


@pytest.mark.kernel
def test_a_root_of_many_layers_is_mounted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if os.geteuid() != 0:
        pytest.skip("mounting needs root")
    monkeypatch.setattr(storage, "ROOTS_DIRECTORY", tmp_path / "roots")
    layers = [tmp_path / f"{LAYER_NAME}{number}" / "diff" for number in range(LAYERS)]
    for number, layer in enumerate(layers):
        layer.mkdir(parents=True)
        (layer / f"file{number}").touch()
        (layer / "top").write_text(str(number))
    upper, *lower = map(str, layers)
    data = {"UpperDir": upper, "LowerDir": ":".join(lower)}

    root = storage.mount_root("many", {"GraphDriver": {"Data": data}})

    try:
        assert root is not None
        assert (root / "top").read_text() == "0"
        assert {path.name for path in root.iterdir()} == {
            "top",
            *(f"file{number}" for number in range(LAYERS)),
        }
        with pytest.raises(OSError, match="Read-only"):
            (root / "new").touch()
    finally:
        storage.unmount_root("many")
    assert list((tmp_path / "roots").iterdir()) == []

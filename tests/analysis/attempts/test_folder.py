"""What lies between a worker and the process of an analysis, and for how long."""

import os
import stat
import tempfile
import time
from pathlib import Path

import pytest

from vexxy.kit import ids
from vexxy.worker import analysis_folder


@pytest.fixture(autouse=True)
def _own_place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))


def test_a_folder_is_nobody_elses_and_goes_at_the_end(tmp_path: Path) -> None:
    with analysis_folder.opened(ids.new_id()) as folder:
        assert stat.S_IMODE(folder.path.stat().st_mode) == 0o700
        assert list(tmp_path.iterdir()) == [folder.path]
    assert list(tmp_path.iterdir()) == []


def test_what_the_killed_left_goes_with_the_next_attempt_or_after_a_day(
    tmp_path: Path,
) -> None:
    mine = ids.new_id()
    own = tmp_path / f"{analysis_folder.PREFIX}{mine}-left"
    running = tmp_path / f"{analysis_folder.PREFIX}{ids.new_id()}-runs"
    dead = tmp_path / f"{analysis_folder.PREFIX}{ids.new_id()}-dead"
    foreign = tmp_path / "something-else"
    for folder in (own, running, dead, foreign):
        folder.mkdir()
    old = time.time() - analysis_folder.OLD_SECONDS - 60
    for folder in (dead, foreign):
        os.utime(folder, (old, old))

    with analysis_folder.opened(mine) as opened:
        left = set(tmp_path.iterdir()) - {opened.path}

    assert left == {running, foreign}

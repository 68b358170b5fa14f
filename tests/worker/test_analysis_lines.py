"""What the process of an analysis leaves and tells."""

import json
from pathlib import Path

import pytest

from vexxy.analysis.hiding import Hider
from vexxy.analysis.pipeline import UNOBSERVED
from vexxy.analysis.types import Observation
from vexxy.worker.analysis_folder import Folder
from vexxy.worker.analysis_lines import Teller

VALUE = "hunter2-hunter2"


@pytest.mark.parametrize(("log", "resumable"), [("ready", True), (f"I am {VALUE}", False)])
def test_nothing_is_decided_again_from_what_a_secret_was_hidden_in(
    tmp_path: Path,
    capfdbinary: pytest.CaptureFixture[bytes],
    *,
    log: str,
    resumable: bool,
) -> None:
    folder = Folder(tmp_path)
    seen = Observation("sha256:0", UNOBSERVED, driven=True, container_log=log)

    Teller(folder, hider=Hider({"TOKEN": VALUE})).observed(seen)

    told = json.loads(capfdbinary.readouterr().out)
    assert told == {"event": "observed", "resumable": resumable}
    assert VALUE not in folder.observation().container_log

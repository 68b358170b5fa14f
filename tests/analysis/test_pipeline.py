"""What of an analysis is done again, and what is taken from an earlier attempt."""

import json
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, cast

import pytest

from tests.fakes.container_engine import FakeEngine
from tests.fakes.values import a_completeness, a_profile, a_request, an_image
from vexxy.analysis import pipeline
from vexxy.analysis.errors import ObservedElsewhere
from vexxy.analysis.ports import Tools
from vexxy.analysis.types import Observation, Request, Settings, Timing
from vexxy.images.types import Image
from vexxy.kit import progress
from vexxy.sandbox import service as sandbox
from vexxy.vex.types import Status

STATUS = """\
Package: libplanted1
Status: install ok installed
Architecture: amd64
Version: 1.0-1
"""
RECORD = {
    "schema_version": "1.6.0",
    "id": "VXTEST-1",
    "modified": "2026-11-21T00:00:00Z",
    "aliases": ["CVE-2026-0001"],
    "affected": [
        {
            "package": {"ecosystem": "Debian:12", "name": "libplanted1"},
            "ranges": [{"type": "ECOSYSTEM", "events": [{"introduced": "0"}]}],
        }
    ],
}
IMAGE = an_image(reference="web:1.2")


@dataclass
class Kept:
    """Remembers what an analysis gave to be kept."""

    images: list[Image] = field(default_factory=list)
    observations: list[Observation] = field(default_factory=list)

    def resolved(self, image: Image) -> None:
        self.images.append(image)

    def observed(self, observation: Observation) -> None:
        self.observations.append(observation)


@pytest.fixture
def engine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> FakeEngine:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    root = tmp_path / "root"
    for name, text in {
        "etc/os-release": 'ID=debian\nVERSION_ID="12"\nVERSION_CODENAME=bookworm\n',
        "var/lib/dpkg/status": STATUS,
        "var/lib/dpkg/info/libplanted1.list": "/usr/lib/libplanted.so.1\n",
        "usr/lib/libplanted.so.1": "\x7fELF nobody loads this",
    }.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    names = {"web:1.2": IMAGE.image_id}
    return FakeEngine(images={IMAGE.image_id: IMAGE}, names=names, root=root)


@pytest.fixture
def request_(tmp_path: Path) -> Request:
    folder = tmp_path / "advisories"
    folder.mkdir()
    (folder / "1.json").write_text(json.dumps(RECORD))
    return a_request(advisory_paths=(folder,), job_id="an-analysis")


def tools(engine: FakeEngine) -> Tools:
    # Whoever records or drives here runs something, and nothing may be run.
    nobody = cast("Any", None)
    return Tools(engine, recorder=nobody, traffic=nobody, database_path=Path("none"))


def an_observation(**given: object) -> Observation:
    values: dict[str, object] = {
        "image_id": IMAGE.image_id,
        "profile": a_profile(),
        "driven": True,
        "timings": (Timing("Observing", 120.0, observation=True),),
        "container_log": "listening",
    }
    return Observation(**(values | given))  # type: ignore[arg-type]


def test_an_observation_that_is_at_hand_is_decided_and_nothing_is_run(
    engine: FakeEngine, request_: Request
) -> None:
    kept = Kept()
    observation = an_observation()

    result = pipeline.run(
        request_, tools(engine), progress.silent, keeper=kept, observation=observation
    )

    assert result.profile == observation.profile
    assert result.container_log == "listening"
    assert result.timings[0] == observation.timings[0]
    assert [verdict.vulnerability_id for verdict in result.verdicts] == ["CVE-2026-0001"]
    assert result.job_id == "an-analysis"
    assert kept.images == [IMAGE]
    assert kept.observations == []
    assert engine.containers == {}


def test_a_partial_observation_clears_nobody_however_often_it_is_decided(
    engine: FakeEngine, request_: Request
) -> None:
    profile = a_profile(completeness=a_completeness(partial=True, reasons=("lost",)))

    result = pipeline.run(
        request_,
        tools(engine),
        progress.silent,
        observation=an_observation(profile=profile),
    )

    assert {verdict.status for verdict in result.verdicts} == {Status.UNDER_INVESTIGATION}


def test_an_observation_of_another_image_is_refused(
    engine: FakeEngine, request_: Request
) -> None:
    other = an_observation(image_id="sha256:" + "9" * 64)

    with pytest.raises(ObservedElsewhere):
        pipeline.run(request_, tools(engine), progress.silent, observation=other)

    assert engine.containers == {}


def test_without_profiling_the_image_is_not_run_and_nobody_is_cleared(
    engine: FakeEngine, request_: Request
) -> None:
    kept = Kept()
    settings = Settings(120, coverage=False, fuzz=False, profiling=False)

    result = pipeline.run(
        replace(request_, settings=settings), tools(engine), progress.silent, keeper=kept
    )

    assert {verdict.status for verdict in result.verdicts} == {Status.UNDER_INVESTIGATION}
    assert result.profile.completeness.partial
    assert "profiling was switched off" in result.profile.completeness.reasons[0]
    assert len(kept.observations) == 1


def test_whatever_is_made_for_an_analysis_carries_its_name(
    engine: FakeEngine, request_: Request
) -> None:
    seen: list[str] = []

    class Looking(Kept):
        def resolved(self, image: Image) -> None:
            seen.extend(sandbox.list_jobs(engine))

    pipeline.run(
        request_,
        tools(engine),
        progress.silent,
        keeper=Looking(),
        observation=an_observation(),
    )

    assert seen == ["an-analysis"]

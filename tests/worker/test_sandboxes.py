"""Containers that no living job stands behind go; all others stay."""

from contextlib import ExitStack
from pathlib import Path
from uuid import UUID

import pytest
from sqlalchemy import text

from tests.fakes.container_engine import FakeEngine
from tests.fakes.values import DIGEST
from vexxy.images.types import Image, ImageConfig, Platform
from vexxy.jobs import service as jobs
from vexxy.jobs.repository import leases
from vexxy.jobs.types import NewJob
from vexxy.kit import ids
from vexxy.kit.db import Database
from vexxy.sandbox import service as containers
from vexxy.sandbox.service import Asked
from vexxy.worker import sandboxes

IMAGE = Image(
    reference="app:1",
    name="app",
    image_id="sha256:" + "a" * 64,
    manifest_digest=DIGEST,
    index_digest=None,
    repo_digests=(f"docker.io/library/app@{DIGEST}",),
    platform=Platform("linux", "amd64"),
    config=ImageConfig(command=("/bin/sh", "-c", "sleep 1")),
    size_bytes=1,
)


@pytest.fixture
def engine(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, db_system: Database
) -> FakeEngine:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    with db_system.transaction() as session:
        session.execute(text("delete from jobs"))
    return FakeEngine(
        images={IMAGE.image_id: IMAGE}, names={IMAGE.reference: IMAGE.image_id}
    )


def an_analysis(system: Database, *, running: bool) -> UUID:
    """Enqueue the job of an analysis, and begin it or not."""
    analysis_id = ids.new_id()
    new = NewJob("analysis", None, {}, key=f"analysis:{analysis_id}")
    with system.transaction() as session:
        jobs.enqueue(session, new)
    if running:
        with system.engine.connect() as connection:
            connection.execution_options(isolation_level="AUTOCOMMIT")
            lease = leases.claim(
                connection, {"analysis": None}, worker="w", lease_seconds=60
            )
        assert lease is not None
    return analysis_id


def labelled(engine: FakeEngine) -> set[str]:
    return set(containers.list_jobs(engine))


def test_only_sandboxes_of_ended_analyses_are_removed(
    engine: FakeEngine, db_system: Database
) -> None:
    """Each belongs to a process that lives, so only the queue can tell."""
    running = an_analysis(db_system, running=True)
    ended = an_analysis(db_system, running=False)
    strangers = ids.new_id()
    with ExitStack() as stack:
        for analysis_id in (running, ended, strangers):
            asked = Asked(job_id=str(analysis_id))
            stack.enter_context(containers.open_image(engine, "app:1", asked=asked))

        removed = sandboxes.sweep(engine, db_system)

        assert removed == 1
        assert labelled(engine) == {str(running), str(strangers)}
        assert sandboxes.sweep(engine, db_system) == 0


def test_a_lease_that_ran_out_keeps_its_sandbox_until_it_is_swept(
    engine: FakeEngine, db_system: Database
) -> None:
    analysis_id = an_analysis(db_system, running=True)
    with db_system.transaction() as session:
        session.execute(text("update jobs set lease_expires_at = now() - interval '1 h'"
                             " where state = 'running'"))  # fmt: skip
    asked = Asked(job_id=str(analysis_id))
    with containers.open_image(engine, "app:1", asked=asked):
        assert sandboxes.sweep(engine, db_system) == 0
        assert labelled(engine) == {str(analysis_id)}

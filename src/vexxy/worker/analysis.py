"""Jobs of the kind `analysis`: one is run in a process of its own, and written down.

The parent writes every row: the process that meets the image has no database, no keys
and no other organization's anything.
"""

import os
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, suppress
from dataclasses import dataclass, field, replace
from functools import lru_cache
from typing import Any, Final, TypeVar
from uuid import UUID

from sqlalchemy.orm import Session

from vexxy import bootstrap
from vexxy.analysis.attempts import service as attempts
from vexxy.analysis.attempts.errors import AnalysisImpossible, AttemptFailed
from vexxy.analysis.attempts.service import Completion
from vexxy.analysis.attempts.types import Failure, Order
from vexxy.analysis.hiding import Hider
from vexxy.analysis.publication import Publisher
from vexxy.analysis.reuse import service as reuse
from vexxy.analysis.submission.errors import AnalysisOver
from vexxy.analysis.submission.types import Work
from vexxy.analysis.types import Result
from vexxy.evidence import service as evidence
from vexxy.evidence.ports import BlobStore
from vexxy.jobs.errors import JobCancelled, LeaseLost
from vexxy.jobs.ports import JobContext
from vexxy.kit import logging, metrics, tracing
from vexxy.kit.errors import Unavailable, VexxyError
from vexxy.kit.progress import Progress
from vexxy.kit.sealing import Sealer
from vexxy.sandbox import service as sandboxes
from vexxy.sandbox.ports import ContainerEngine
from vexxy.settings import Settings, read_service
from vexxy.worker import analysis_evidence, analysis_folder, child
from vexxy.worker.analysis_folder import Folder

COMMAND: Final = (sys.executable, "-m", "vexxy.worker.analysis_child")
# Watching says many times a second how far it is; the row is written as often as read.
TELL_SECONDS: Final = 1.0
# Between two tries to write what an hour of watching gave, while the database is away.
AGAIN_SECONDS: Final = 1.0
# What the process gets of ours: nothing that the service keeps secret is among it.
_PASSED: Final = (
    "CONTAINER", "DBUS_", "DOCKER_", "HOME", "HTTPS_PROXY", "HTTP_PROXY", "LANG", "LC_",
    "LD_LIBRARY_PATH", "NO_PROXY", "PATH", "PODMAN_", "PYTHON", "REGISTRY_", "SSL_CERT_",
    "TMPDIR", "TZ", "USER", "VEXXY_", "XDG_", "https_proxy", "http_proxy", "no_proxy",
)  # fmt: skip

log = logging.logger(__name__)
OpenEngine = Callable[[], AbstractContextManager[ContainerEngine]]
Written = TypeVar("Written")


@dataclass(frozen=True, slots=True)
class Analyses:
    """Runs analyses.

    Attributes:
        store: Where evidence goes.
        open_engine: Provides the engine on which the process leaves its containers.
        files_allowed: Whether an image may be an archive on this machine.
        reuse_seconds: For how long a result answers the same request; 0 for never.
        evidence_bytes_max: Largest piece of evidence that is kept.
        command: The process; the folder is added as its last argument.
    """

    sealer: Sealer
    store: BlobStore
    publisher: Publisher
    open_engine: OpenEngine
    files_allowed: bool = False
    reuse_seconds: int = 0
    evidence_bytes_max: int = 1024**3
    command: Sequence[str] = COMMAND

    def handle(self, context: JobContext) -> None:
        """Make one attempt at an analysis; of one that is over, nothing is done.

        Raises:
            AnalysisImpossible: Another attempt would fail in the same way.
            AttemptFailed: Another attempt may not.
        """
        analysis_id = _analysis_of(context)
        attempt, sealer = context.job.attempt, self.sealer
        work = _patiently(
            context,
            lambda it: attempts.begin(it, analysis_id, attempt=attempt, sealer=sealer),
        )
        if work is None or self._reused(context, work):
            return
        if context.job.attempt > 1:
            self._remove_sandboxes(analysis_id)
        with suppress(AnalysisOver), analysis_folder.opened(analysis_id) as folder:
            self._run(context, work, folder)
            self._complete(context, work, folder.result())

    def _reused(self, context: JobContext, work: Work) -> bool:
        """Answer with an earlier result where there is one; return whether there was."""
        with context.database.transaction(work.organization_id) as session:
            reused = reuse.answer(
                session, work.analysis_id, within_seconds=self.reuse_seconds
            )
            if reused is None:
                return False
            context.finish(session)
        metrics.CREDITS.count(reused.cost_credits, kind="settled")
        log.info(
            "analysis.reused", analysis_id=work.analysis_id, source_id=reused.source_id
        )
        return True

    def _run(self, context: JobContext, work: Work, folder: Folder) -> None:
        order = Order(
            analysis_id=work.analysis_id,
            image_ref=work.image_ref,
            image_digest=work.image_digest,
            config=work.config,
            environment=work.environment,
            files_allowed=self.files_allowed,
        )
        variables = folder.put_order(order, observation=work.observation, sbom=work.sbom)
        scribe = _Scribe(
            context,
            work,
            folder,
            store=self.store,
            answered=lambda: self._reused(context, work),
            bytes_max=self.evidence_bytes_max,
        )
        clean = False
        try:
            end = child.run(
                context,
                [*self.command, str(folder.path)],
                on_line=scribe.take,
                environment={**passed(os.environ), **variables},
            )
            clean = end.exit_code == 0
            if isinstance(end.ended_by, LeaseLost):
                raise end.ended_by
        except LeaseLost:
            # Who has the lease now removed ours before it began: what runs is its own.
            clean = True
            raise
        finally:
            if not clean:
                self._remove_sandboxes(work.analysis_id)
        if isinstance(end.ended_by, JobCancelled):
            # The API does it itself; whoever cancels the job alone does not.
            with context.database.transaction(work.organization_id) as session:
                attempts.cancelled(session, work.analysis_id)
        if end.ended_by is not None:
            raise end.ended_by
        if not clean:
            failure = _hidden(
                folder.failure(exit_code=end.exit_code, stderr=end.stderr_tail), work
            )
            metrics.SANDBOX_FAILURES.count(reason="image" if failure.lasting else "service")
            with context.database.transaction(work.organization_id) as session:
                attempts.note_failure(session, work.analysis_id, failure)
            raise (AnalysisImpossible if failure.lasting else AttemptFailed)(
                failure.message
            )

    def _complete(self, context: JobContext, work: Work, result: Result) -> None:
        """Write the result and end the job, in one commit."""
        document = analysis_evidence.stated(work, result, publisher=self.publisher)
        staged = [evidence.stage(self.store, new) for new in document]

        def write(session: Session) -> Completion:
            done = attempts.complete(
                session, work.analysis_id, result, publisher=self.publisher
            )
            for one in staged:
                evidence.record(session, one)
            context.finish(session)
            return done

        _count(result, _patiently(context, write))

    def abandoned(self, context: JobContext, reason: str) -> None:
        """End as failed the analysis of a job that nobody will try again."""
        analysis_id = _analysis_of(context)
        with context.database.transaction(context.job.organization_id) as session:
            attempts.fail(session, analysis_id, reason)
        self._remove_sandboxes(analysis_id)

    def _remove_sandboxes(self, analysis_id: UUID) -> None:
        """Remove what a process that is dead left on the engine.

        An engine that cannot be reached is left to the sweep: the analysis is over or
        goes on without it.
        """
        try:
            with self.open_engine() as engine:
                swept = sandboxes.remove_job(engine, str(analysis_id))
        except VexxyError as error:
            log.warning(
                "analysis.sandbox_left",
                analysis_id=analysis_id,
                error=type(error).__name__,
            )
            return
        if swept.containers:
            log.info(
                "analysis.sandbox_removed",
                analysis_id=analysis_id,
                containers=swept.containers,
            )


def handle(context: JobContext) -> None:
    """Make one attempt at an analysis with what the environment describes."""
    _analyses().handle(context)


def abandoned(context: JobContext, reason: str) -> None:
    """End as failed the analysis of a job that nobody will try again."""
    _analyses().abandoned(context, reason)


@lru_cache(maxsize=1)
def _analyses() -> Analyses:
    settings = Settings()
    service = bootstrap.completed(read_service(), settings.data_directory)
    return Analyses(
        sealer=Sealer(bootstrap.sealing_keys(service)),
        store=bootstrap.evidence_store(service),
        publisher=Publisher(settings.author, settings.vex_namespace),
        open_engine=lambda: bootstrap.engine(settings),
        files_allowed=service.image_archives_allowed,
        reuse_seconds=service.result_reuse_seconds,
        evidence_bytes_max=service.evidence_bytes_max,
    )


def _hidden(failure: Failure, work: Work) -> Failure:
    """Return the failure without the values of variables, which an image may print."""
    hider = Hider(work.environment)
    return replace(
        failure,
        message=hider.text(failure.message),
        traceback=hider.text(failure.traceback),
    )


def passed(environment: Mapping[str, str]) -> dict[str, str]:
    """Return the variables that the process of an analysis may know."""
    return {name: value for name, value in environment.items() if name.startswith(_PASSED)}


def _analysis_of(context: JobContext) -> UUID:
    return UUID(str(context.job.payload["analysis_id"]))


@dataclass(slots=True)
class _Scribe:
    """Writes down what the process tells, as it comes."""

    context: JobContext
    work: Work
    folder: Folder
    store: BlobStore
    answered: Callable[[], bool]
    bytes_max: int
    _phase: str = field(default="", init=False)
    _told_at: float = field(default=0.0, init=False)

    def take(self, line: Mapping[str, Any]) -> None:
        """Write one line down.

        Raises:
            AnalysisOver: The analysis was ended, so the process may be as well.
        """
        match line.get("event"):
            case "progress":
                self._progress(str(line["phase"]), int(line["percent"]))
            case "resolved":
                self._resolved()
            case "observed":
                self._observed(resumable=line.get("resumable") is True)

    def _resolved(self) -> None:
        """Note which image a tag means, and whether that was analyzed already.

        Raises:
            AnalysisOver: It was ended, or an earlier result answered it.
        """
        image = self.folder.image()
        self._write(lambda it: attempts.note_image(it, self._id, image))
        if self.work.image_digest is None and self.answered():
            raise AnalysisOver(self._id)

    @property
    def _id(self) -> UUID:
        return self.work.analysis_id

    def _write(self, act: Callable[[Session], None]) -> None:
        _patiently(self.context, act)

    def _progress(self, phase: str, percent: int) -> None:
        now = time.monotonic()
        if phase == self._phase and now - self._told_at < TELL_SECONDS:
            return
        self._phase, self._told_at = phase, now
        # The next line tells it as well: watching goes on without the database.
        with (
            suppress(Unavailable),
            self.context.database.transaction(self.work.organization_id) as session,
        ):
            attempts.note_progress(session, self._id, Progress(phase, percent))

    def _observed(self, *, resumable: bool) -> None:
        observation = self.folder.observation()
        staged = [
            evidence.stage(self.store, new)
            for new in analysis_evidence.observed(
                self.work, self.folder, bytes_max=self.bytes_max
            )
        ]

        def keep(session: Session) -> None:
            attempts.keep_observation(session, self._id, observation, resumable=resumable)
            for one in staged:
                evidence.record(session, one)

        self._write(keep)


def _patiently(context: JobContext, act: Callable[[Session], Written]) -> Written:
    """Write in one transaction, and again as long as the database is away.

    Every act says by itself when it was done before: an answer may have been lost.

    Raises:
        DeadlinePassed, JobCancelled, LeaseLost, WorkerStopping: The attempt is over.
    """
    while True:
        try:
            with context.database.transaction(context.job.organization_id) as session:
                return act(session)
        except Unavailable:
            context.heartbeat()
            log.warning("analysis.database_away", job_id=context.job.job_id)
            time.sleep(AGAIN_SECONDS)


def _count(result: Result, done: Completion) -> None:
    ended = time.time()
    for timing in reversed(result.timings):
        metrics.PHASE_SECONDS.observe(timing.seconds, phase=timing.phase)
        # They ran in the child, one after the other.
        began = ended - timing.seconds
        tracing.past("phase", began=began, ended=ended, phase=timing.phase)
        ended = began
    metrics.LOST_EVENTS.count(result.profile.completeness.lost_events)
    metrics.CREDITS.count(done.cost_credits, kind="settled")
    log.info(
        "analysis.complete",
        analysis_id=done.analysis_id,
        cost_credits=done.cost_credits,
        partial=result.profile.completeness.partial,
    )

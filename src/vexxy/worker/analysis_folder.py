"""The folder through which a worker and the process of an analysis speak.

What is secret is sealed in it with a key that only the two processes have: whoever kills
both leaves nothing readable behind.
"""

import base64
import os
import shutil
import tempfile
import time
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from uuid import UUID

import msgspec

from vexxy.analysis.attempts import rules
from vexxy.analysis.attempts.types import Failure, Order
from vexxy.analysis.types import Observation, Result
from vexxy.images.types import Image
from vexxy.kit import jsontext
from vexxy.kit.sealing import KEY_BYTES, Sealer

KEY_VARIABLE: Final = "VEXXY_ORDER_KEY"
# Longer than the deadline of any attempt.
OLD_SECONDS: Final = 24 * 3600
PREFIX: Final = "vexxy-analysis-"
_CONTEXT: Final = "order"
_ORDER: Final = "order.sealed"
_OBSERVATION: Final = "observation.json"
_IMAGE: Final = "image.json"
_RESULT: Final = "result.json"
_FAILURE: Final = "failure.json"


@dataclass(frozen=True, slots=True)
class Folder:
    """One attempt's files."""

    path: Path

    @property
    def evidence(self) -> Path:
        """Where evidence is written."""
        return self.path / rules.EVIDENCE_NAME

    def put_order(
        self, order: Order, *, observation: Observation | None, sbom: bytes | None
    ) -> dict[str, str]:
        """Write what is wanted; return the variables the process needs to read it."""
        key = os.urandom(KEY_BYTES)
        sealed = Sealer([key]).seal(msgspec.json.encode(order), context=_CONTEXT)
        (self.path / _ORDER).write_bytes(sealed)
        if observation is not None:
            (self.path / _OBSERVATION).write_bytes(msgspec.json.encode(observation))
        if sbom is not None:
            (self.path / rules.SBOM_NAME).write_bytes(sbom)
        return {KEY_VARIABLE: base64.b64encode(key).decode()}

    def take_order(self) -> tuple[Order, Observation | None]:
        """Read what is wanted; the key is forgotten, so that no child of ours has it."""
        key = base64.b64decode(os.environ.pop(KEY_VARIABLE))
        sealed = (self.path / _ORDER).read_bytes()
        content = Sealer([key]).open(sealed, context=_CONTEXT)
        stored = self.path / _OBSERVATION
        observation = None
        if stored.exists():
            observation = msgspec.json.decode(stored.read_bytes(), type=Observation)
        return msgspec.json.decode(content, type=Order), observation

    def put_image(self, image: Image) -> None:
        """Write which image is meant."""
        (self.path / _IMAGE).write_bytes(jsontext.encode(image))

    def image(self) -> Image:
        """Read which image is meant."""
        return msgspec.json.decode((self.path / _IMAGE).read_bytes(), type=Image)

    def put_observation(self, observation: Observation) -> bool:
        """Write what was seen; return whether nothing of it was lost on the way.

        Names of files that are no UTF-8 become readable and are not found again: such
        an observation can be shown, but nothing may be decided from it a second time.
        """
        try:
            content = msgspec.json.encode(observation)
            whole = True
        except UnicodeEncodeError:
            content = jsontext.encode(observation)
            whole = False
        (self.path / _OBSERVATION).write_bytes(content)
        return whole

    def observation(self) -> Observation:
        """Read what was seen."""
        content = (self.path / _OBSERVATION).read_bytes()
        return msgspec.json.decode(content, type=Observation)

    def put_result(self, result: Result) -> None:
        """Write what came out."""
        (self.path / _RESULT).write_bytes(jsontext.encode(result))

    def result(self) -> Result:
        """Read what came out."""
        return msgspec.json.decode((self.path / _RESULT).read_bytes(), type=Result)

    def put_failure(self, error: Exception) -> None:
        """Write why nothing came out."""
        (self.path / _FAILURE).write_bytes(jsontext.encode(rules.failure_of(error)))

    def failure(self, *, exit_code: int, stderr: str) -> Failure:
        """Read why nothing came out; a process that was killed cannot say."""
        try:
            content = (self.path / _FAILURE).read_bytes()
            return msgspec.json.decode(content, type=Failure)
        except (OSError, msgspec.DecodeError):
            told = f"the process ended with {exit_code}\n{stderr}\n{traceback.format_exc()}"
            return Failure(
                "the process of the analysis was ended from outside",
                lasting=False,
                traceback=told[-rules.TRACEBACK_LENGTH_MAX :],
            )


@contextmanager
def opened(analysis_id: UUID) -> Iterator[Folder]:
    """Provide an empty folder nobody else can look into; it goes at the end.

    What an earlier attempt that was killed here left behind goes at once; what those of
    other analyses left goes when none of them can still be running.
    """
    prefix = f"{PREFIX}{analysis_id}-"
    for left in Path(tempfile.gettempdir()).glob(f"{PREFIX}*"):
        if left.name.startswith(prefix) or _is_old(left):
            shutil.rmtree(left, ignore_errors=True)
    with tempfile.TemporaryDirectory(prefix=prefix, ignore_cleanup_errors=True) as path:
        yield Folder(Path(path))


def _is_old(folder: Path) -> bool:
    try:
        return time.time() - folder.stat().st_mtime > OLD_SECONDS
    except FileNotFoundError:
        return False

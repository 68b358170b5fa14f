"""Values between a worker and the process that it runs an analysis in."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from uuid import UUID

from vexxy.analysis.submission.types import Config


@dataclass(frozen=True, slots=True)
class Order:
    """What the process is told; it knows neither the database nor whose analysis it is.

    Attributes:
        image_digest: What has to run, None where that is still open.
        files_allowed: Whether `image_ref` may be the path of an archive.
    """

    analysis_id: UUID
    image_ref: str
    image_digest: str | None
    config: Config
    environment: Mapping[str, str] = field(repr=False)
    files_allowed: bool = False


@dataclass(frozen=True, slots=True)
class Failure:
    """Why an attempt came to nothing.

    Attributes:
        message: A sentence for whoever submitted the analysis: no path of this machine,
            no address, no traceback.
        lasting: Whether another attempt would fail in the same way.
        traceback: For operators; never answered.
    """

    message: str
    lasting: bool
    traceback: str

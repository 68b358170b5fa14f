"""Which store, and how to reach it."""

from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path


class Backend(StrEnum):
    """Where evidence lies (contract, section 6)."""

    LOCAL = "local"
    S3 = "s3"
    GCS = "gcs"
    MINIO = "minio"


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """Where a store is. Credentials are not here.

    obstore takes them from the names its vendors gave them: AWS_ACCESS_KEY_ID,
    AWS_SECRET_ACCESS_KEY, AWS_SESSION_TOKEN, a role of the machine or pod;
    GOOGLE_APPLICATION_CREDENTIALS, GOOGLE_SERVICE_ACCOUNT_KEY, the metadata server.

    Attributes:
        directory: Of the local store.
        bucket: Of any other; it must exist.
        prefix: Folder inside the bucket, for a bucket that others use too.
        endpoint: Address of a server that speaks S3 or GCS; needed for MinIO.
        presigned: Whether `link` gives out URLs of the bucket.
    """

    backend: Backend
    directory: Path | None = None
    bucket: str | None = None
    prefix: str | None = None
    endpoint: str | None = None
    region: str | None = None
    presigned: bool = False

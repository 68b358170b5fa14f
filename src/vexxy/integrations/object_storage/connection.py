"""From settings to a store."""

from datetime import timedelta
from typing import TYPE_CHECKING, Final

from obstore.exceptions import BaseError
from obstore.store import GCSStore, S3Store

from vexxy.evidence.errors import StoreMisconfigured
from vexxy.evidence.ports import BlobStore
from vexxy.integrations.object_storage.bucket import Bucket
from vexxy.integrations.object_storage.local import LocalDisk
from vexxy.integrations.object_storage.options import Backend, Options

if TYPE_CHECKING:  # these two exist for type checkers only
    from obstore.store import ClientConfig, GCSConfig, RetryConfig, S3Config

_RETRY: Final["RetryConfig"] = {
    "max_retries": 4,
    "retry_timeout": timedelta(seconds=30),
}


def open_store(options: Options) -> BlobStore:
    """Return the store; neither a bucket nor a directory is touched yet.

    Raises:
        StoreMisconfigured: A setting is missing or contradicts another.
    """
    if options.backend is Backend.LOCAL:
        if options.directory is None:
            raise StoreMisconfigured("a local evidence store needs STORAGE_PATH")
        return LocalDisk(options.directory)
    if not options.bucket:
        raise StoreMisconfigured(
            f"STORAGE_BACKEND={options.backend} needs STORAGE_BUCKET",
            hint="name a bucket that exists",
        )
    if options.backend is Backend.MINIO and not options.endpoint:
        raise StoreMisconfigured(
            "STORAGE_BACKEND=minio needs STORAGE_ENDPOINT",
            hint="such as https://minio.example.com:9000",
        )
    try:
        store = _gcs(options) if options.backend is Backend.GCS else _s3(options)
    except (BaseError, OSError, ValueError) as error:
        # The library's text may repeat a key; it stays in the cause.
        raise StoreMisconfigured(
            "the evidence store's settings or credentials cannot be used",
            hint="see STORAGE_… and AWS_… or GOOGLE_… in docs/evidence.md",
        ) from error
    return Bucket(store, presigned=options.presigned)


def _client(options: Options) -> "ClientConfig":
    return {
        # Plain HTTP only where the operator wrote it.
        "allow_http": (options.endpoint or "").startswith("http://"),
        "connect_timeout": timedelta(seconds=5),
        "read_timeout": timedelta(seconds=30),
        "timeout": timedelta(seconds=300),
    }


def _s3(options: Options) -> S3Store:
    # The server compares what arrived with what was sent, and refuses the rest.
    config: S3Config = {"checksum_algorithm": "SHA256"}
    if options.endpoint:
        config["endpoint"] = options.endpoint
    if options.region:
        config["region"] = options.region
    return S3Store(
        options.bucket,
        prefix=options.prefix,
        client_options=_client(options),
        retry_config=_RETRY,
        config=config,
    )


def _gcs(options: Options) -> GCSStore:
    config: GCSConfig = {"base_url": options.endpoint} if options.endpoint else {}
    return GCSStore(
        options.bucket,
        prefix=options.prefix,
        client_options=_client(options),
        retry_config=_RETRY,
        config=config,
    )

"""Settings from the environment; with none set, the defaults serve."""

import os
from collections.abc import Iterable
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Final, Literal

from pydantic import BeforeValidator, Field, SecretStr, ValidationError
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from vexxy.integrations.object_storage.options import Backend
from vexxy.kit.errors import InvalidInput

PREFIX: Final = "VEXXY_"
# Read by tests, the setup script and the tracer's own loader, not by this class.
OTHER_NAMES: Final = frozenset(
    {
        "VEXXY_TEST_ENGINE",
        "VEXXY_TEST_KILLS",
        "VEXXY_TEST_STORAGE_GCS_BUCKET",
        "VEXXY_TEST_STORAGE_GCS_ENDPOINT",
        "VEXXY_TEST_STORAGE_S3_BUCKET",
        "VEXXY_TEST_STORAGE_S3_ENDPOINT",
        "VEXXY_TEST_STORAGE_TOOLS",
        "VEXXY_IN_HELPER",
        "VEXXY_HELPER_OWNER",
        "VEXXY_HELPER_FOLDERS",
    }
)


def _data_directory() -> Path:
    home = os.environ.get("XDG_DATA_HOME")
    return (Path(home) if home else Path.home() / ".local" / "share") / "vexxy"


class Settings(BaseSettings):
    """Named `VEXXY_…` in the environment.

    A misspelled name would be ignored silently, so `unknown_names` compares what is
    set with what is known, and the command line warns.
    """

    model_config = SettingsConfigDict(
        env_prefix=PREFIX, frozen=True, hide_input_in_errors=True
    )

    data_directory: Path = Field(
        default_factory=_data_directory,
        description="Where the advisory database lives",
    )
    engine: str | None = Field(
        default=None,
        description="Address of the container engine, such as unix:///run/docker.sock",
    )
    tracer: Path | None = Field(
        default=None, description="The vexxy-trace program, when it is not installed"
    )
    osv_url: str | None = Field(
        default=None, description="A mirror of OSV's exports, used by advisories update"
    )
    helper_image: str = Field(
        default="localhost/vexxy-enterprise:latest",
        description="The project's own image, for engines in a virtual machine",
    )
    author: str = Field(
        default="VEXxy Enterprise", description="Author named in VEX documents"
    )
    vex_namespace: str | None = Field(
        default=None,
        description="IRI that ids of VEX documents start with, such as your own site",
    )

    @property
    def database_path(self) -> Path:
        """The advisory database."""
        return self.data_directory / "advisories.db"


def unknown_names(names: Iterable[str]) -> tuple[str, ...]:
    """Return the `VEXXY_…` names that no setting has, sorted."""
    known = {PREFIX + name.upper() for name in Settings.model_fields} | OTHER_NAMES
    return tuple(
        sorted(name for name in names if name.startswith(PREFIX) and name not in known)
    )


class Environment(StrEnum):
    """How strict the service is about what it starts with."""

    DEVELOPMENT = "development"
    PRODUCTION = "production"


class LogLevel(StrEnum):
    """The least that is logged."""

    DEBUG = "DEBUG"
    INFO = "INFO"
    WARNING = "WARNING"
    ERROR = "ERROR"


class LogFormat(StrEnum):
    """How a line of the log looks."""

    JSON = "json"
    TEXT = "text"


def _by_commas(value: object) -> object:
    if isinstance(value, str):
        return tuple(part.strip() for part in value.split(",") if part.strip())
    return value


# Several names in one variable, divided by commas.
Names = Annotated[tuple[str, ...], NoDecode, BeforeValidator(_by_commas)]


class ServiceSettings(BaseSettings):
    """Of the service; named as contract, section 6 says, without a prefix.

    With none set the embedded defaults serve. A secret has no default: in development
    one is made and kept in the data directory, in production its absence stops the start.
    """

    model_config = SettingsConfigDict(
        frozen=True, hide_input_in_errors=True, env_ignore_empty=True
    )

    environment: Environment = Field(
        default=Environment.DEVELOPMENT,
        description="`production` refuses to start with a missing or weak secret",
    )
    database_url: SecretStr | None = Field(
        default=None,
        description="PostgreSQL, `postgresql://…`; unset, one is started by the program",
    )
    database_connections: int = Field(
        default=8, ge=1, le=100, description="Most connections a process opens for a role"
    )
    redis_url: SecretStr | None = Field(
        default=None,
        description="Redis for Celery, `redis://…`; unset, workers need no broker",
    )
    jwt_secret_key: SecretStr | None = Field(
        default=None,
        description="Secret shared with base VEXxy; several, newest first, by commas",
    )
    jwt_algorithm: Literal["HS256", "RS256", "ES256"] = Field(
        default="HS256",
        description="How base VEXxy signs; RS256 and ES256 need a public key or a key set",
    )
    jwt_public_key: str | None = Field(
        default=None,
        description="Public key in PEM, or the file of one; several may stand in a file",
    )
    jwt_private_key: SecretStr | None = Field(
        default=None, description="Private key in PEM, or its file, that signs our tokens"
    )
    jwt_jwks_url: str | None = Field(
        default=None, description="Key set of base VEXxy: https address, or a file"
    )
    jwt_issuer: Names = Field(
        default=(), description="Issuers whose tokens are taken; unset, any. First is ours"
    )
    jwt_audience: Names = Field(
        default=(), description="Audiences that tokens may be for; unset, those with none"
    )
    jwt_expiration_seconds: int = Field(
        default=3600, ge=60, le=86_400, description="How long a token of ours holds"
    )
    result_reuse_seconds: int = Field(
        default=86_400,
        ge=0,
        le=30 * 86_400,
        description="How long a result answers the very same request; 0 for never",
    )
    core_webhook_url: str | None = Field(
        default=None, description="Where base VEXxy hears of finished analyses"
    )
    core_webhook_secret: SecretStr | None = Field(
        default=None,
        description="Signs what base VEXxy hears, `whsec_` and base64; several by commas",
    )
    webhook_allowed_networks: str = Field(
        default="",
        description="Networks besides public ones that webhooks may call, by commas",
    )
    core_service_key: SecretStr | None = Field(
        default=None,
        description="What base VEXxy shows to synchronize; several by commas; unset, none",
    )
    registration_open: bool = Field(
        default=True, description="Whether a stranger may found an organization"
    )
    sign_in_limit_per_account: int = Field(
        default=10, ge=1, description="Failed sign-ins of an account in 15 minutes"
    )
    sign_in_limit_per_address: int = Field(
        default=100, ge=1, description="Failed sign-ins from an address in 15 minutes"
    )
    registration_limit_per_address: int = Field(
        default=20, ge=1, description="Organizations founded from an address in 15 minutes"
    )
    public_url: str = Field(
        default="http://127.0.0.1:8001", description="Where people reach the service"
    )
    mail_url: SecretStr | None = Field(
        default=None,
        description="Mail server, smtps://user:password@host; unset, operators give links",
    )
    mail_from: str = Field(
        default="vexxy@localhost", description="The address that mail comes from"
    )
    secrets_key: SecretStr | None = Field(
        default=None,
        description="Base64 of 32 bytes that seal secrets; several, newest first",
    )
    log_level: LogLevel = Field(
        default=LogLevel.INFO, description="DEBUG, INFO, WARNING or ERROR"
    )
    log_format: LogFormat = Field(
        default=LogFormat.JSON, description="`json`, or `text` for people"
    )
    trusted_hosts: Names = Field(
        default=(), description="Host names that are served, by commas; unset, any"
    )
    trusted_proxies: Names = Field(
        default=(),
        description="Addresses or networks whose X-Forwarded-For is believed; unset, none",
    )
    cors_origins: Names = Field(
        default=(), description="Origins whose pages may call the API; unset, none"
    )
    rate_limit_per_address: int = Field(
        default=600, ge=0, description="Requests a minute from one address; 0, any number"
    )
    rate_limit_per_organization: int = Field(
        default=1200, ge=0, description="Requests a minute of one organization; 0, any"
    )
    request_timeout_seconds: int = Field(
        default=30, ge=1, le=600, description="When a request without an answer gets 504"
    )
    billing_catalog: str = Field(
        default="vexxy",
        description="The plans: a TOML file, or `vexxy` or `agents`, which ship",
    )
    billing_seller: str = Field(
        default="",
        description="Who asks for the money, on invoices: name and address, lines by `|`",
    )
    default_tier: str | None = Field(
        default=None,
        description="The plan of who chose none; unset, the one that the catalog names",
    )
    billing_missed_periods_max: int = Field(
        default=24,
        ge=1,
        le=1200,
        description="How many missed periods of a subscription are booked by themselves; "
        "more wait for an operator, who raises this",
    )
    sbom_bytes_max: int = Field(
        default=32 * 1024 * 1024,
        ge=1024,
        le=64 * 1024 * 1024,
        description="The largest SBOM that is taken",
    )
    image_archives_allowed: bool = Field(
        default=False,
        description="Take `image_ref` as the path of an archive on the worker's machine; "
        "only where everybody who submits may read its files",
    )
    image_registries: str = Field(
        default="",
        description="Hosts that images may be pulled from, by commas; empty means any: "
        "then whoever submits has the engine ask any host it can reach",
    )
    event_streams_per_organization: int = Field(
        default=20, ge=1, le=1000, description="Live streams of progress at once"
    )
    metrics_token: SecretStr | None = Field(
        default=None, description="Bearer token that /metrics asks for; unset, none"
    )
    worker_metrics_listen: str | None = Field(
        default=None,
        description="`host:port` where a worker answers Prometheus; unset, nowhere",
    )
    storage_backend: Backend = Field(
        default=Backend.LOCAL, description="Where evidence lies: local, s3, gcs or minio"
    )
    storage_path: Path | None = Field(
        default=None,
        description="Directory of a local evidence store; unset, in the data directory",
    )
    storage_bucket: str | None = Field(
        default=None, description="Bucket of any other evidence store; it must exist"
    )
    storage_prefix: str | None = Field(
        default=None, description="Folder inside the bucket; unset, its top"
    )
    storage_endpoint: str | None = Field(
        default=None, description="Address of the store's server; MinIO needs one"
    )
    storage_region: str | None = Field(
        default=None, description="Region of the bucket; unset, AWS_REGION"
    )
    storage_presigned_links: bool = Field(
        default=False,
        description="Whether a download link leads on to the bucket's own URL",
    )
    evidence_retention_days: int = Field(
        default=90, ge=1, le=36_500, description="After how many days evidence is removed"
    )
    export_retention_days: int = Field(
        default=7, ge=1, le=365, description="After how many days an export is removed"
    )
    audit_retention_days: int = Field(
        default=7 * 365,
        ge=365,
        le=36_500,
        description="After how many days entries of the audit log are removed",
    )
    usage_late_days: int = Field(
        default=35, ge=1, le=60, description="How old a usage event may be when it is told"
    )
    usage_ahead_seconds: int = Field(
        default=300, ge=0, le=3600, description="How far ahead of us its clock may be"
    )
    usage_events_retention_days: int = Field(
        default=400,
        ge=62,
        le=36_500,
        description="After how many days usage events are removed; their totals stay",
    )
    evidence_link_seconds: int = Field(
        default=900, ge=30, le=604_800, description="How long a download link is valid"
    )
    evidence_bytes_max: int = Field(
        default=1024**3, ge=1024, description="Largest piece of evidence that is kept"
    )

    @property
    def registries(self) -> frozenset[str]:
        """The hosts that images may be pulled from; empty means any."""
        words = (word.strip() for word in self.image_registries.split(","))
        return frozenset(word for word in words if word)


def read_service() -> ServiceSettings:
    """Return the service's settings from the environment.

    Raises:
        InvalidInput: Some have values that cannot be; named, never shown.
    """
    try:
        return ServiceSettings()
    except ValidationError as error:
        wrong = "; ".join(
            f"{'.'.join(str(part) for part in item['loc']).upper()}: {item['msg']}"
            for item in error.errors(include_input=False, include_url=False)
        )
        raise InvalidInput(
            f"settings are not valid: {wrong}", hint="docs/settings.md lists them"
        ) from None

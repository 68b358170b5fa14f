"""Puts the adapters together."""

import base64
import binascii
import ipaddress
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from pydantic import SecretStr

from vexxy.analysis.ports import Tools
from vexxy.billing.catalog import service as catalog
from vexxy.billing.catalog.service import Plans
from vexxy.billing.invoices.types import Invoice
from vexxy.evidence import rules as evidence_rules
from vexxy.evidence.ports import BlobStore
from vexxy.identity.errors import UnusableKey
from vexxy.identity.passwords.service import Passwords
from vexxy.identity.ports import Tools as IdentityTools
from vexxy.identity.tokens import rules as token_rules
from vexxy.identity.tokens.service import Tokens
from vexxy.identity.tokens.types import TokenSettings
from vexxy.identity.types import Limits, Policy
from vexxy.integrations.container_engine import connection, helper
from vexxy.integrations.container_engine.adapter import Engine
from vexxy.integrations.container_engine.helper import HelperRun
from vexxy.integrations.http_driver.generator import HttpTraffic
from vexxy.integrations.key_set import source as key_sets
from vexxy.integrations.mail.smtp import SmtpMail
from vexxy.integrations.object_storage import connection as object_storage
from vexxy.integrations.object_storage.options import Options
from vexxy.integrations.redis_buckets.adapter import RedisBuckets
from vexxy.integrations.secret_files import folder as secret_files
from vexxy.integrations.webhooks.sender import HttpSender
from vexxy.kit.db import Database, Role
from vexxy.kit.errors import InvalidInput, Unavailable
from vexxy.kit.sealing import KEY_BYTES, Sealer
from vexxy.notifications import rules as notification_rules
from vexxy.notifications.types import Core
from vexxy.sandbox import rules as sandbox_rules
from vexxy.sandbox.ports import ContainerEngine
from vexxy.sandbox.types import Plan
from vexxy.settings import Environment, ServiceSettings, Settings, read_service
from vexxy.tracer import service as tracer
from vexxy.tracer.errors import AgentFailed, AgentMissing
from vexxy.tracer.service import AgentRecorder


@contextmanager
def engine(settings: Settings, *, runtime: str | None = None) -> Iterator[Engine]:
    """Provide a container engine; one that was started for this ends with it."""
    found = connection.open_engine(settings.engine, runtime=runtime)
    try:
        yield found
    finally:
        found.close()


def tools(settings: Settings, engine: ContainerEngine) -> Tools:
    """Return everything an analysis with this engine needs."""
    return Tools(
        engine=engine,
        recorder=AgentRecorder(settings.tracer),
        traffic=HttpTraffic(),
        database_path=settings.database_path,
    )


def placement(settings: Settings, engine: ContainerEngine) -> Plan:
    """Return where an analysis with this engine has to run."""
    try:
        tracing = tracer.probe(settings.tracer).obstacle
    except (AgentMissing, AgentFailed) as error:
        tracing = error.message
    return sandbox_rules.plan(
        engine.info(),
        root_here=os.geteuid() == 0,
        tracing=tracing,
        helper_image=engine.find_image(settings.helper_image) is not None,
    )


def run_in_helper(
    settings: Settings,
    engine: Engine,
    *,
    arguments: Sequence[str],
    readable: Sequence[Path],
    results: Sequence[Path],
) -> int:
    """Run the command line in the project's own image; return its exit code."""
    return helper.run(
        engine,
        HelperRun(
            image=settings.helper_image,
            arguments=arguments,
            data_directory=settings.data_directory,
            readable=readable,
            results=results,
        ),
    )


# What a development machine makes itself, and production has to be given.
SECRETS: Final = ("jwt_secret_key", "secrets_key")


@dataclass(frozen=True, slots=True)
class Service:
    """The adapters of the service; one a process.

    Attributes:
        request: PostgreSQL for the API, bound to one organization a transaction.
        worker: The same for background work.
        system: PostgreSQL across organizations: queue, sign-in, sweeps, operators.
        identity: Keys, password hashing and mail.
        plans: What can be subscribed to.
        evidence: Where the bytes of evidence lie.
        link_keys: What signs links to evidence, the newest first.
    """

    settings: ServiceSettings
    request: Database
    worker: Database
    system: Database
    sealer: Sealer
    identity: IdentityTools
    plans: Plans
    evidence: BlobStore
    link_keys: tuple[bytes, ...]


def identity_tools(settings: ServiceSettings) -> IdentityTools:
    """Return what checks and signs tokens, hashes passwords and sends mail.

    Raises:
        Unavailable: A secret is weak, or a key cannot be used; nothing may start so.
    """
    production = settings.environment is Environment.PRODUCTION
    service_keys = _secrets(settings.core_service_key)
    for key in service_keys:
        token_rules.check_secret(key, name="CORE_SERVICE_KEY", production=production)
    mail = settings.mail_url
    return IdentityTools(
        tokens=_tokens(settings, production=production),
        passwords=Passwords(),
        mail=SmtpMail(mail.get_secret_value(), sender=settings.mail_from) if mail else None,
        service_keys=service_keys,
        policy=Policy(
            public_url=settings.public_url.rstrip("/"),
            registration_open=settings.registration_open,
            limits=Limits(
                per_account=settings.sign_in_limit_per_account,
                per_address=settings.sign_in_limit_per_address,
                registrations_per_address=settings.registration_limit_per_address,
            ),
        ),
    )


def _tokens(settings: ServiceSettings, *, production: bool) -> Tokens:
    published = bool(settings.jwt_public_key or settings.jwt_jwks_url)
    if settings.jwt_algorithm != "HS256" and not published:
        raise UnusableKey(
            f"JWT_ALGORITHM is {settings.jwt_algorithm} and no public key is set",
            hint="set JWT_PUBLIC_KEY or JWT_JWKS_URL",
        )
    private = settings.jwt_private_key
    return Tokens(
        TokenSettings(
            secrets=_secrets(settings.jwt_secret_key),
            public_keys=token_rules.pem_texts(_text(settings.jwt_public_key)),
            private_key=_text(private.get_secret_value()) if private else None,
            issuers=settings.jwt_issuer,
            audiences=settings.jwt_audience,
            lifetime_seconds=settings.jwt_expiration_seconds,
            production=production,
        ),
        sources=[key_sets.source(settings.jwt_jwks_url)] if settings.jwt_jwks_url else [],
    )


def _secrets(setting: SecretStr | None) -> tuple[str, ...]:
    if setting is None:
        return ()
    words = (word.strip() for word in setting.get_secret_value().split(","))
    return tuple(word for word in words if word)


def _text(pem_or_file: str | None) -> str:
    """Return the PEM text itself, or that of the file that is named."""
    if not pem_or_file or "-----BEGIN" in pem_or_file:
        # Where a variable cannot hold lines, they are written as `\n`.
        return (pem_or_file or "").replace("\\n", "\n")
    try:
        return Path(pem_or_file).read_text(encoding="ascii")
    except (OSError, UnicodeDecodeError) as error:
        raise UnusableKey(
            "the file of a key cannot be read", hint="JWT_PUBLIC_KEY or JWT_PRIVATE_KEY"
        ) from error


@contextmanager
def service(
    settings: ServiceSettings, *, database_url: str, sealing_keys: Sequence[bytes]
) -> Iterator[Service]:
    """Provide the service's adapters; what they opened is closed at the end."""
    databases = {
        role: Database(database_url, role=role, connections=settings.database_connections)
        for role in Role
    }
    try:
        offered = plans(settings)
        catalog.announce(databases[Role.SYSTEM], offered)
        yield Service(
            settings=settings,
            request=databases[Role.REQUEST],
            worker=databases[Role.WORKER],
            system=databases[Role.SYSTEM],
            sealer=Sealer(sealing_keys),
            identity=identity_tools(settings),
            plans=offered,
            evidence=evidence_store(settings),
            link_keys=evidence_rules.link_keys(sealing_keys),
        )
    finally:
        for database in databases.values():
            database.close()


def plans(settings: ServiceSettings) -> Plans:
    """Return the plans that can be subscribed to.

    Raises:
        InvalidInput: BILLING_CATALOG or DEFAULT_TIER cannot be used.
    """
    return Plans(catalog.load(settings.billing_catalog), settings.default_tier)


def invoice_pdf(settings: ServiceSettings, invoice: Invoice) -> bytes:
    """Return an invoice as PDF."""
    from vexxy.integrations.invoice_pdf import page  # noqa: PLC0415  few ask for one

    lines = (line.strip() for line in settings.billing_seller.split("|"))
    return page.draw(invoice, seller=[line for line in lines if line])


def shared_buckets(settings: ServiceSettings) -> RedisBuckets | None:
    """Return the rate limits that processes share, None where there is no Redis."""
    if settings.redis_url is None:
        return None
    return RedisBuckets(settings.redis_url.get_secret_value())


def evidence_store(settings: ServiceSettings) -> BlobStore:
    """Return where evidence lies; nothing is touched or asked yet.

    Raises:
        InvalidInput: A setting of it is missing.
    """
    return object_storage.open_store(
        Options(
            backend=settings.storage_backend,
            directory=settings.storage_path or Settings().data_directory / "evidence",
            bucket=settings.storage_bucket,
            prefix=settings.storage_prefix,
            endpoint=settings.storage_endpoint,
            region=settings.storage_region,
            presigned=settings.storage_presigned_links,
        )
    )


def completed(settings: ServiceSettings, data_directory: Path) -> ServiceSettings:
    """Return the settings with the secrets that a development machine made itself.

    Raises:
        Unavailable: One is missing in production, or a kept one cannot be used.
    """
    made: dict[str, SecretStr] = {}
    for name in SECRETS:
        if getattr(settings, name) is not None:
            continue
        if settings.environment is Environment.PRODUCTION:
            if name == "jwt_secret_key" and (
                settings.jwt_public_key or settings.jwt_jwks_url
            ):
                continue
            raise Unavailable(
                f"{name.upper()} is not set",
                hint=f"production needs it: {name.upper()}=$(openssl rand -base64 32), "
                "the same for every process",
            )
        kept = secret_files.kept(data_directory / "secrets", name)
        made[name] = SecretStr(kept)
    return settings.model_copy(update=made)


def sealing_keys(settings: ServiceSettings) -> tuple[bytes, ...]:
    """Return the keys that seal secrets, the newest first.

    Raises:
        InvalidInput: SECRETS_KEY is no base64, or not of 32 bytes each.
    """
    if settings.secrets_key is None:
        raise InvalidInput("SECRETS_KEY is not set")
    words = settings.secrets_key.get_secret_value().split(",")
    try:
        keys = tuple(base64.b64decode(word.strip(), validate=True) for word in words)
    except binascii.Error:
        keys = ()
    if not keys or any(len(key) != KEY_BYTES for key in keys):
        raise InvalidInput(
            f"SECRETS_KEY is not base64 of {KEY_BYTES} bytes",
            hint="make one: openssl rand -base64 32; several, newest first, by commas",
        )
    if any(len(set(key)) < KEY_BYTES // 2 for key in keys):
        raise InvalidInput(
            "SECRETS_KEY repeats itself and could be guessed",
            hint="make one: openssl rand -base64 32",
        )
    return keys


@contextmanager
def opened() -> Iterator[Service]:
    """Provide the service's adapters as the environment describes them.

    Raises:
        InvalidInput: A setting has a value that cannot be.
        Unavailable: A setting is missing.
    """
    settings = completed(read_service(), Settings().data_directory)
    if settings.database_url is None:
        raise Unavailable(
            "DATABASE_URL is not set",
            hint="set it, or run `vexxy serve`, which brings a database along",
        )
    url = settings.database_url.get_secret_value()
    with service(settings, database_url=url, sealing_keys=sealing_keys(settings)) as made:
        yield made


def webhook_sender(settings: ServiceSettings) -> HttpSender:
    """Return what calls the endpoints of customers.

    Raises:
        InvalidInput: WEBHOOK_ALLOWED_NETWORKS names no network.
    """
    words = (word.strip() for word in settings.webhook_allowed_networks.split(","))
    try:
        return HttpSender([ipaddress.ip_network(word) for word in words if word])
    except ValueError as error:
        raise InvalidInput(f"WEBHOOK_ALLOWED_NETWORKS: {error}") from error


def core_endpoint(settings: ServiceSettings) -> Core | None:
    """Return where base VEXxy hears of events, None when it does not.

    Raises:
        InvalidInput: The address or a secret cannot be used.
    """
    if not settings.core_webhook_url:
        return None
    secrets = _secrets(settings.core_webhook_secret)
    if not secrets:
        raise InvalidInput("CORE_WEBHOOK_URL is set and CORE_WEBHOOK_SECRET is not")
    for secret in secrets:
        notification_rules.key_of(secret)
    plain = settings.environment is not Environment.PRODUCTION
    url = notification_rules.check_url(settings.core_webhook_url, plain_allowed=plain)
    return Core(url, secrets)

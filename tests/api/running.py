"""The whole service over a real database, in the process of a test."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from uuid import UUID

from starlette.testclient import TestClient

from tests import service_values
from vexxy import asgi, bootstrap
from vexxy.bootstrap import Service
from vexxy.kit import metrics
from vexxy.settings import ServiceSettings

SECRET = "a secret of tests that is long enough for HMAC-SHA-256"  # noqa: S105  of tests
SETTINGS = {
    "jwt_secret_key": SECRET,
    "core_service_key": "a service key of tests that is long enough as well",
    "rate_limit_per_address": 0,
    "rate_limit_per_organization": 0,
}


@dataclass(frozen=True, slots=True)
class Member:
    """Somebody who can sign in."""

    organization_id: UUID
    user_id: UUID
    headers: dict[str, str]


@contextmanager
def a_service(database_url: str, **settings: object) -> Iterator[Service]:
    """Provide the adapters, with these settings beside those of tests."""
    read = ServiceSettings.model_validate({**SETTINGS, **settings})
    recorder = metrics._installed.recorder
    with bootstrap.service(
        read, database_url=database_url, sealing_keys=[b"s" * 32]
    ) as made:
        yield made
    metrics.install(recorder)


@contextmanager
def a_client(service: Service) -> Iterator[TestClient]:
    """Provide a client of the application over these adapters."""
    app = asgi.build(service)
    with TestClient(app, client=("203.0.113.9", 4711)) as client:
        yield client


def a_member(
    service: Service,
    organization_id: UUID | None = None,
    *,
    role: str = "owner",
    is_admin: bool = False,
) -> Member:
    """Store a user, in a new organization where none is named, and sign a token."""
    if organization_id is None:
        organization_id = service_values.an_organization(service.system)
    user_id = service_values.a_user(
        service.system, organization_id, role=role, is_admin=is_admin
    )
    issued = service.identity.tokens.issue(
        user_id=user_id,
        organization_id=organization_id,
        email="somebody@example.com",
        generation=0,
    )
    return Member(
        organization_id, user_id, {"Authorization": f"Bearer {issued.access_token}"}
    )

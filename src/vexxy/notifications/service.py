"""Register endpoints, tell them of events, and deliver.

A delivery is staged in the transaction of what it tells about, so nothing is told that
did not happen and nothing happens untold.
"""

import base64
import secrets as randomness
from collections.abc import Mapping, Sequence
from typing import Any, Final
from uuid import UUID

import msgspec
from sqlalchemy.orm import Session

from vexxy.jobs import service as jobs
from vexxy.jobs.types import NewJob
from vexxy.kit import clock, ids
from vexxy.kit.sealing import Sealer
from vexxy.notifications import repository, rules
from vexxy.notifications.errors import (
    DeliveryNotDead,
    DeliveryNotFound,
    EndpointNotFound,
    TooManyEndpoints,
)
from vexxy.notifications.models import DeliveryRow, EndpointRow
from vexxy.notifications.ports import Sender
from vexxy.notifications.types import (
    Core,
    Delivery,
    DeliveryState,
    Endpoint,
    EventType,
    Parcel,
    Registered,
    Response,
)

KIND: Final = "webhook_delivery"
ENDPOINTS_MAX: Final = 20
# The new secret and the one before it, so that the other side can change over.
SECRETS_MAX: Final = 2
# Connecting, sending and waiting for an answer, with room for a slow name server.
DEADLINE_SECONDS: Final = 60
ERROR_LENGTH_MAX: Final = 500
USER_AGENT: Final = "VEXxy-Webhooks/1"


def register(
    session: Session,
    *,
    organization_id: UUID,
    url: str,
    event_types: Sequence[EventType],
    sealer: Sealer,
) -> Registered:
    """Register an address; its secret is returned this once.

    Raises:
        EndpointInvalid: The address cannot be used.
        TooManyEndpoints: There are 20 already.
    """
    rules.check_url(url, plain_allowed=False)
    if repository.count_endpoints(session) >= ENDPOINTS_MAX:
        raise TooManyEndpoints(ENDPOINTS_MAX)
    endpoint_id, secret = ids.new_id(), _new_secret()
    row = EndpointRow(
        id=endpoint_id,
        organization_id=organization_id,
        url=url,
        event_types=sorted({one.value for one in event_types}),
        sealed_secrets=_seal(sealer, endpoint_id, [secret]),
        is_active=True,
        created_at=clock.now(),
    )
    session.add(row)
    session.flush()
    return Registered(_endpoint(row), secret)


def _new_secret() -> str:
    key = randomness.token_bytes(rules.SECRET_BYTES)
    return rules.SECRET_PREFIX + base64.b64encode(key).decode()


def rotate(session: Session, endpoint_id: UUID, *, sealer: Sealer) -> Registered:
    """Give an endpoint another secret; until the next time, both sign.

    Raises:
        EndpointNotFound: There is no such endpoint.
    """
    row = repository.lock_endpoint(session, endpoint_id)
    if row is None:
        raise EndpointNotFound(endpoint_id)
    secret = _new_secret()
    kept = [secret, *_open(sealer, row)][:SECRETS_MAX]
    row.sealed_secrets = _seal(sealer, endpoint_id, kept)
    row.is_active, row.disabled_reason = True, None
    session.flush()
    return Registered(_endpoint(row), secret)


def remove(session: Session, endpoint_id: UUID) -> Endpoint:
    """Forget an endpoint and what was on its way to it; return what it was.

    Raises:
        EndpointNotFound: There is no such endpoint.
    """
    row = repository.find_endpoint(session, endpoint_id)
    if row is None:
        raise EndpointNotFound(endpoint_id)
    removed = _endpoint(row)
    session.delete(row)
    session.flush()
    return removed


def list_endpoints(session: Session) -> Sequence[Endpoint]:
    """Return the endpoints of the organization, oldest first."""
    return [
        _endpoint(row) for row in repository.list_endpoints(session, limit=ENDPOINTS_MAX)
    ]


def notify(
    session: Session,
    *,
    organization_id: UUID,
    event_type: str,
    data: Mapping[str, Any],
    event_id: UUID | None = None,
    core: bool = False,
) -> int:
    """Stage an event for everybody who wants to hear of it; return how many do.

    Args:
        session: The transaction of what is told.
        organization_id: Whose event it is.
        event_type: See `EventType`.
        data: JSON values; ids and states, never secrets.
        event_id: The same id is staged once an endpoint; None makes one up.
        core: Whether base VEXxy is told as well.
    """
    event_id = event_id or ids.new_id()
    body = {
        "id": str(event_id),
        "type": event_type,
        "timestamp": clock.rfc3339(clock.now()),
        "organization_id": str(organization_id),
        "data": dict(data),
    }
    interested: list[UUID | None] = [
        *repository.list_interested(session, organization_id, event_type)
    ]
    if core:
        interested.append(None)
    for endpoint_id in interested:
        values = {
            "id": ids.new_id(),
            "organization_id": organization_id,
            "endpoint_id": endpoint_id,
            "event_id": event_id,
            "event_type": event_type,
            "body": body,
        }
        if repository.add_delivery(session, values):
            _enqueue(session, organization_id, values["id"])
    return len(interested)


def _enqueue(session: Session, organization_id: UUID, delivery_id: object) -> None:
    new = NewJob(
        kind=KIND,
        organization_id=organization_id,
        payload={"delivery_id": str(delivery_id)},
        key=f"{KIND}:{delivery_id}",
        deadline_seconds=DEADLINE_SECONDS,
        max_attempts=rules.RETRIES_MAX + 1,
    )
    jobs.enqueue(session, new)


def read_parcel(
    session: Session, delivery_id: UUID, *, sealer: Sealer, core: Core | None
) -> Parcel | None:
    """Return what is to be sent; None when nothing is any more.

    An endpoint that was deleted, or switched off, is not called.
    """
    row = repository.find_delivery(session, delivery_id)
    if row is None or row.state != DeliveryState.WAITING:
        return None
    if row.endpoint_id is None:
        if core is None:
            return None
        url, secrets = core.url, core.secrets
    else:
        endpoint = repository.find_endpoint(session, row.endpoint_id)
        if endpoint is None or not endpoint.is_active:
            return None
        url, secrets = endpoint.url, tuple(_open(sealer, endpoint))
    return Parcel(delivery_id, row.event_id, url, row.body, secrets)


def send(parcel: Parcel, sender: Sender) -> Response:
    """Sign and send; no transaction may be open."""
    body = msgspec.json.encode(parcel.body)
    timestamp = int(clock.now().timestamp())
    message_id = f"msg_{parcel.event_id}"
    headers = {
        "content-type": "application/json",
        "user-agent": USER_AGENT,
        "webhook-id": message_id,
        "webhook-timestamp": str(timestamp),
        "webhook-signature": rules.signature(
            parcel.secrets, message_id=message_id, timestamp=timestamp, body=body
        ),
    }
    return sender.send(parcel.url, headers=headers, body=body)


def note_response(session: Session, delivery_id: UUID, response: Response) -> None:
    """Write down what became of an attempt; a delivery that ended stays as it is."""
    values: dict[str, Any] = {
        "attempts": DeliveryRow.attempts + 1,
        "last_status": response.status,
        "last_error": None if response.accepted else response.problem[:ERROR_LENGTH_MAX],
    }
    if response.accepted:
        values |= {"state": DeliveryState.DELIVERED.value, "finished_at": clock.now()}
    repository.change_delivery(
        session, delivery_id, state=DeliveryState.WAITING, values=values
    )


def bury(session: Session, delivery_id: UUID, *, reason: str | None = None) -> None:
    """Give a delivery up; it can be replayed."""
    values: dict[str, Any] = {
        "state": DeliveryState.DEAD.value,
        "finished_at": clock.now(),
    }
    if reason is not None:
        values["last_error"] = reason
    repository.change_delivery(
        session, delivery_id, state=DeliveryState.WAITING, values=values
    )


def replay(session: Session, delivery_id: UUID, *, organization_id: UUID) -> None:
    """Send a dead delivery again, with all its retries.

    Raises:
        DeliveryNotFound: There is no such delivery.
        DeliveryNotDead: It is on its way, or arrived.
    """
    if repository.find_delivery(session, delivery_id) is None:
        raise DeliveryNotFound(delivery_id)
    values = {"state": DeliveryState.WAITING.value, "finished_at": None}
    if not repository.change_delivery(
        session, delivery_id, state=DeliveryState.DEAD, values=values
    ):
        raise DeliveryNotDead(delivery_id)
    _enqueue(session, organization_id, delivery_id)


def list_deliveries(
    session: Session, *, state: DeliveryState | None, skip: int, limit: int
) -> Sequence[Delivery]:
    """Return deliveries of the organization, newest first."""
    rows = repository.list_deliveries(
        session, state=None if state is None else state.value, skip=skip, limit=limit
    )
    return [_delivery(row) for row in rows]


def _seal(sealer: Sealer, endpoint_id: UUID, secrets: Sequence[str]) -> bytes:
    return sealer.seal(msgspec.json.encode(list(secrets)), context=_context(endpoint_id))


def _open(sealer: Sealer, row: EndpointRow) -> list[str]:
    sealed = sealer.open(row.sealed_secrets, context=_context(row.id))
    return msgspec.json.decode(sealed, type=list[str])


def _context(endpoint_id: UUID) -> str:
    return f"notification_endpoint:{endpoint_id}"


def _endpoint(row: EndpointRow) -> Endpoint:
    return Endpoint(
        id=row.id,
        url=row.url,
        event_types=tuple(row.event_types),
        is_active=row.is_active,
        disabled_reason=row.disabled_reason,
        created_at=row.created_at,
    )


def _delivery(row: DeliveryRow) -> Delivery:
    return Delivery(
        id=row.id,
        endpoint_id=row.endpoint_id,
        event_id=row.event_id,
        event_type=row.event_type,
        state=DeliveryState(row.state),
        attempts=row.attempts,
        last_status=row.last_status,
        last_error=row.last_error,
        created_at=row.created_at,
        finished_at=row.finished_at,
    )

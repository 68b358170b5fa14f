"""Deliveries over real connections, from the event to the other side."""

import ipaddress
import json
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from uuid import UUID

import pytest

from tests.fakes.jobs import an_attempt
from tests.service_values import an_organization
from vexxy.integrations.webhooks.sender import HttpSender
from vexxy.jobs.errors import RetryLater
from vexxy.kit import ids
from vexxy.kit.db import Database
from vexxy.kit.sealing import Sealer
from vexxy.notifications import rules, service
from vexxy.notifications.errors import DeliveryNotDead, EndpointNotFound
from vexxy.notifications.models import EndpointRow
from vexxy.notifications.types import Core, Delivery, DeliveryState, EventType, Registered
from vexxy.worker import webhook_delivery
from vexxy.worker.webhook_delivery import Tools

SEALER = Sealer([b"k" * 32])
HERE = [ipaddress.ip_network("127.0.0.0/8")]
FINISHED = EventType.ANALYSIS_FINISHED


@dataclass
class Receiver:
    """What the other side got, and how it answers."""

    url: str = ""
    status: int = 204
    location: str = ""
    got: list[tuple[dict[str, str], bytes]] = field(default_factory=list)


@contextmanager
def a_receiver() -> Iterator[Receiver]:
    receiver = Receiver()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            headers = {name.lower(): value for name, value in self.headers.items()}
            receiver.got.append((headers, body))
            self.send_response(receiver.status)
            if receiver.location:
                self.send_header("location", receiver.location)
            self.send_header("content-length", "0")
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    receiver.url = f"http://localhost:{server.server_port}/hook"
    try:
        yield receiver
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def registered(
    system: Database, organization_id: UUID, url: str, *events: EventType
) -> Registered:
    """Register, then point at a receiver that no https certificate covers."""
    with system.transaction() as session:
        made = service.register(
            session,
            organization_id=organization_id,
            url="https://example.com/hook",
            event_types=events or [FINISHED],
            sealer=SEALER,
        )
        row = session.get(EndpointRow, made.endpoint.id)
        assert row is not None
        row.url = url
    return made


def told(worker: Database, organization_id: UUID, *, core: bool = False) -> list[Delivery]:
    with worker.transaction(organization_id) as session:
        service.notify(
            session,
            organization_id=organization_id,
            event_type=FINISHED,
            data={"job_id": "1"},
            core=core,
        )
    return waiting(worker, organization_id)


def waiting(worker: Database, organization_id: UUID) -> list[Delivery]:
    with worker.transaction(organization_id) as session:
        found = service.list_deliveries(session, state=None, skip=0, limit=50)
    return list(found)


def deliver(
    worker: Database, one: Delivery, organization_id: UUID, **tools: object
) -> None:
    given = {"sealer": SEALER, "sender": HttpSender(HERE), "core": None, **tools}
    context = an_attempt(
        worker, organization_id, kind=service.KIND, delivery_id=str(one.id)
    )
    webhook_delivery.deliver(context, Tools(**given))  # type: ignore[arg-type]


def test_an_event_arrives_signed(db_system: Database, db_worker: Database) -> None:
    mine = an_organization(db_system)
    with a_receiver() as receiver:
        made = registered(db_system, mine, receiver.url)
        (one,) = told(db_worker, mine)
        deliver(db_worker, one, mine)

    ((headers, body),) = receiver.got
    assert json.loads(body)["data"] == {"job_id": "1"}
    assert json.loads(body)["organization_id"] == str(mine)
    assert headers["host"].startswith("localhost:")
    assert headers["webhook-signature"] == rules.signature(
        [made.secret],
        message_id=headers["webhook-id"],
        timestamp=int(headers["webhook-timestamp"]),
        body=body,
    )
    (after,) = waiting(db_worker, mine)
    assert (after.state, after.attempts) == (DeliveryState.DELIVERED, 1)


def test_who_does_not_want_an_event_is_not_told(
    db_system: Database, db_worker: Database
) -> None:
    mine, other = an_organization(db_system), an_organization(db_system)
    registered(db_system, mine, "http://localhost:9/", EventType.ANALYSIS_REEVALUATED)
    registered(db_system, other, "http://localhost:9/")

    assert told(db_worker, mine) == []


def test_the_same_event_is_staged_once(db_system: Database, db_worker: Database) -> None:
    mine, event_id = an_organization(db_system), ids.new_id()
    registered(db_system, mine, "http://localhost:9/")

    for _ in range(2):
        with db_worker.transaction(mine) as session:
            service.notify(
                session,
                organization_id=mine,
                event_type=FINISHED,
                event_id=event_id,
                data={},
                core=True,
            )

    assert len(waiting(db_worker, mine)) == 2


@pytest.mark.parametrize("status", [301, 307, 400, 404, 410, 500, 503])
def test_what_is_not_accepted_is_tried_again_later(
    db_system: Database, db_worker: Database, status: int
) -> None:
    """A redirect is no acceptance either, and is never followed."""
    mine = an_organization(db_system)
    with a_receiver() as elsewhere, a_receiver() as receiver:
        receiver.status, receiver.location = status, elsewhere.url
        registered(db_system, mine, receiver.url)
        (one,) = told(db_worker, mine)
        with pytest.raises(RetryLater):
            deliver(db_worker, one, mine)

    assert elsewhere.got == []
    (after,) = waiting(db_worker, mine)
    assert (after.state, after.last_status) == (DeliveryState.WAITING, status)
    assert after.last_error == f"it answered {status}"


def test_an_inner_address_is_not_called(db_system: Database, db_worker: Database) -> None:
    mine = an_organization(db_system)
    with a_receiver() as receiver:
        registered(db_system, mine, receiver.url)
        (one,) = told(db_worker, mine)
        with pytest.raises(RetryLater, match="not public"):
            deliver(db_worker, one, mine, sender=HttpSender())

    assert receiver.got == []


def test_who_never_answers_is_given_up_on(db_system: Database, db_worker: Database) -> None:
    mine = an_organization(db_system)
    with a_receiver() as receiver:
        port = receiver.url.rpartition(":")[2]
        registered(db_system, mine, f"http://localhost:{port}")
        (one,) = told(db_worker, mine)
        with pytest.raises(RetryLater, match="within 0 s"):
            deliver(db_worker, one, mine, sender=HttpSender(HERE, total_seconds=0))


def test_a_dead_delivery_is_replayed_and_a_living_one_is_not(
    db_system: Database, db_worker: Database
) -> None:
    mine = an_organization(db_system)
    with a_receiver() as receiver:
        registered(db_system, mine, receiver.url)
        (one,) = told(db_worker, mine)
        with db_worker.transaction(mine) as session:
            with pytest.raises(DeliveryNotDead):
                service.replay(session, one.id, organization_id=mine)
            service.bury(session, one.id)
        deliver(db_worker, one, mine)
        assert receiver.got == []
        with db_worker.transaction(mine) as session:
            service.replay(session, one.id, organization_id=mine)
        deliver(db_worker, one, mine)

    assert len(receiver.got) == 1


def test_after_a_rotation_both_secrets_sign(
    db_system: Database, db_worker: Database
) -> None:
    mine = an_organization(db_system)
    with a_receiver() as receiver:
        made = registered(db_system, mine, receiver.url)
        with db_worker.transaction(mine) as session:
            again = service.rotate(session, made.endpoint.id, sealer=SEALER)
        (one,) = told(db_worker, mine)
        deliver(db_worker, one, mine)

    ((headers, body),) = receiver.got
    assert headers["webhook-signature"] == rules.signature(
        [again.secret, made.secret],
        message_id=headers["webhook-id"],
        timestamp=int(headers["webhook-timestamp"]),
        body=body,
    )


def test_base_vexxy_is_told_of_every_organization(
    db_system: Database, db_worker: Database
) -> None:
    mine = an_organization(db_system)
    with a_receiver() as receiver:
        (one,) = told(db_worker, mine, core=True)
        secret = service._new_secret()
        deliver(db_worker, one, mine, core=Core(receiver.url, (secret,)))

    assert len(receiver.got) == 1


def test_another_organization_cannot_touch_an_endpoint(
    db_system: Database, db_request: Database
) -> None:
    mine, other = an_organization(db_system), an_organization(db_system)
    made = registered(db_system, mine, "http://localhost:9/")

    with db_request.transaction(other) as session:
        assert service.list_endpoints(session) == []
        with pytest.raises(EndpointNotFound):
            service.remove(session, made.endpoint.id)
        with pytest.raises(EndpointNotFound):
            service.rotate(session, made.endpoint.id, sealer=SEALER)


def test_a_name_server_that_hangs_is_not_waited_for(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    answered = threading.Event()
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: answered.wait() and [])
    try:
        response = HttpSender(HERE, total_seconds=0.2).send(
            "http://name.example/", headers={}, body=b""
        )
        assert not answered.is_set()
    finally:
        answered.set()

    assert (response.status, response.problem) == (None, "no answer within 0.2 s")


def test_a_delivery_without_a_receiver_does_not_wait_for_ever(
    db_system: Database, db_worker: Database
) -> None:
    mine = an_organization(db_system)
    (one,) = told(db_worker, mine, core=True)

    deliver(db_worker, one, mine, core=None)

    (after,) = waiting(db_worker, mine)
    assert after.state is DeliveryState.DEAD
    assert after.last_error is not None
    assert "nobody to tell" in after.last_error

"""The service with something in it, for a program that asks it everything."""

import json
import os
import socket
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from multiprocessing import get_context
from multiprocessing.connection import Connection
from pathlib import Path

import uvicorn
from starlette.testclient import TestClient

from tests.analysis.documents.test_documents import CYCLONEDX
from tests.api import running
from tests.api.running import Member
from tests.api.test_analysis import a_found, complete
from tests.fakes.values import a_package, a_verdict
from vexxy import asgi
from vexxy.billing.invoices import service as invoices
from vexxy.billing.ledger import service as ledger
from vexxy.billing.ledger.types import Grant, Source
from vexxy.billing.subscriptions import service as subscriptions
from vexxy.bootstrap import Service
from vexxy.http import watching
from vexxy.integrations.embedded_postgres import server as embedded_postgres
from vexxy.kit import clock, ids, logging
from vexxy.migrations import service as migrations
from vexxy.serving.connections import BoundedProtocol

Known = dict[str, list[str]]
API = "/api/v1"


def furnish(service: Service, client: TestClient, member: Member) -> Known:
    """Store some of everything; return the ids by the names that paths give them."""
    known: Known = {
        "user_id": [str(member.user_id)],
        "org_id": [str(member.organization_id)],
    }

    def made(path: str, body: object, name: str) -> str:
        answer = client.post(f"{API}{path}", json=body, headers=member.headers)
        assert answer.is_success, answer.text
        known.setdefault(name, []).append(str(answer.json()[_ID.get(name, "id")]))
        return known[name][-1]

    # No metric is anybody's; this one is nobody's.
    known["metric"] = ["00000000-0000-4000-8000-000000000000"]
    used = {"id": "used", "metric": "storage_gb", "quantity": 1}
    used["timestamp"] = clock.rfc3339(clock.now())
    told = client.post(f"{API}/usage/events", json=used, headers=member.headers)
    assert told.json()["accepted"] == 1, told.text
    with service.system.transaction() as session:
        gift = Grant(key="furnished", credits=1000, source=Source.PROMOTION)
        ledger.post_one(session, member.organization_id, gift)
    made("/billing/holds", {"key": str(ids.new_id()), "credits": 5}, "hold_key")
    for _ in range(3):
        made("/analysis/submit", {"image_ref": "nginx:1.25"}, "job_id")
    for number, job_id in enumerate(known["job_id"][:2]):
        package = a_package(version=f"{number}.2.3")
        complete(service, member, job_id, a_found(a_verdict(package=package)))
        results = client.get(f"{API}/analysis/{job_id}/results", headers=member.headers)
        known.setdefault("vex_id", []).append(results.json()["generated_vex_id"])
    made("/sboms", json.loads(CYCLONEDX), "sbom_id")
    made("/auth/api-keys", {"name": "a key", "scopes": ["analysis.read"]}, "key_id")
    made(
        "/members/invitations",
        {"email": "new@example.com", "role": "viewer"},
        "invitation_id",
    )
    made(
        "/notifications/endpoints",
        {"url": "https://hooks.example.com/x", "event_types": ["analysis.finished"]},
        "endpoint_id",
    )
    made(f"/organizations/{member.organization_id}/export", {}, "export_id")
    with service.request.transaction(member.organization_id) as session:
        closing = subscriptions.upcoming(
            session, member.organization_id, plans=service.plans
        )
        invoice_id = invoices.close_period(session, replace(closing, fee_cents=100))
        known["invoice_id"] = [str(invoice_id)]
    known["override_id"] = [_override(service, client, member)]
    known["user_id"].append(
        str(running.a_member(service, member.organization_id, role="viewer").user_id)
    )
    return known


def _override(service: Service, client: TestClient, member: Member) -> str:
    answer = client.post(
        f"{API}/billing/organization/{member.organization_id}/overrides",
        json={
            "feature": "analyses",
            "limit_value": 400,
            "reason": "a trial",
            "expires_at": "2030-01-01T00:00:00Z",
        },
        headers=running.a_member(service, is_admin=True).headers,
    )
    return str(answer.json()["id"])


_ID = {"job_id": "job_id", "hold_key": "key"}


def _serve(url: str, listening: socket.socket, ready: Connection) -> None:
    logging.configure(level="WARNING")
    # A stream that stays open is right, and nothing that a fuzzer could wait for.
    watching.STREAM_SECONDS_MAX = 0.2  # type: ignore[misc]
    watching.LOOK_SECONDS = 0.05  # type: ignore[misc]
    with running.a_service(url, default_tier="professional") as service:
        member = running.a_member(service)
        with running.a_client(service) as client:
            known = furnish(service, client, member)
        ready.send((known, str(member.organization_id), str(member.user_id)))
        config = uvicorn.Config(
            asgi.build(service),
            loop="uvloop",
            http=BoundedProtocol,
            access_log=False,
            log_config=None,
            proxy_headers=False,
            server_header=False,
            timeout_graceful_shutdown=3,
        )
        uvicorn.Server(config).run(sockets=[listening])


@contextmanager
def served() -> Iterator[tuple[str, dict[str, str]]]:
    """Provide the address and what the hooks have to know, as environment variables."""

    with tempfile.TemporaryDirectory(prefix="vexxy-fuzz-") as folder:
        Path(folder).chmod(0o755)
        postgres = embedded_postgres.start(Path(folder) / "data", durable=False)
        listening = socket.create_server(("127.0.0.1", 0), backlog=128)
        port = listening.getsockname()[1]
        ours, theirs = get_context("spawn").Pipe()
        process = get_context("spawn").Process(
            target=_serve, args=(postgres.url, listening, theirs)
        )
        try:
            migrations.upgrade(postgres.url)
            process.start()
            theirs.close()
            known, organization_id, user_id = ours.recv()
            yield (
                f"http://127.0.0.1:{port}",
                {
                    **os.environ,
                    "VEXXY_FUZZ_DATABASE": postgres.url,
                    "VEXXY_FUZZ_KNOWN": json.dumps(known),
                    "VEXXY_FUZZ_ORGANIZATION": organization_id,
                    "VEXXY_FUZZ_USER": user_id,
                },
            )
        finally:
            process.terminate()
            process.join(30)
            postgres.stop()

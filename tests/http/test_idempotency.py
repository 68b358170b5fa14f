import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import pytest
from fastapi import FastAPI, Request
from sqlalchemy import text
from starlette.testclient import TestClient

from tests.api.running import Member, a_member, a_service
from tests.http.test_floor import assert_contract_shape
from vexxy.bootstrap import Service
from vexxy.http import app as floor
from vexxy.http import idempotency
from vexxy.http.deps import Caller, SystemTransaction, Transaction
from vexxy.http.routing import Router
from vexxy.kit import ids
from vexxy.kit.errors import Conflict, PermissionDenied
from vexxy.worker import forgetting

KEY = "Idempotency-Key"


class Counting:
    """An act that leaves a row and tells its secret once."""

    def __init__(self) -> None:
        self.done = 0
        self.fail_next = False
        self.entered = threading.Event()
        self.leave = threading.Event()
        self.leave.set()

    def add(self, app: FastAPI) -> None:
        router = Router()

        @router.post("/things", status_code=201)
        def create(
            session: Transaction, who: Caller, body: dict[str, int]
        ) -> dict[str, str]:
            self.done += 1
            number = self.done
            session.execute(
                text("update users set name = :name where id = :id"),
                {"name": f"made {number}", "id": who.user_id},
            )
            self.entered.set()
            assert self.leave.wait(30)
            if self.fail_next:
                self.fail_next = False
                raise Conflict("it failed")
            return {"secret": f"shown once {number}"}

        @router.post("/open", status_code=201)
        def found(session: SystemTransaction, body: dict[str, int]) -> dict[str, str]:
            self.done += 1
            organization = ids.new_id()
            session.execute(
                text("insert into organizations (id, name, slug) values (:id, 'x', :slug)"),
                {"id": organization, "slug": organization.hex},
            )
            return {"organization": str(organization)}

        @router.post("/raw", status_code=201)
        async def raw(request: Request, session: Transaction, who: Caller) -> int:
            self.done += 1
            return sum([len(piece) async for piece in request.stream()])

        @router.post("/refused")
        def refused(session: Transaction, who: Caller) -> None:
            raise PermissionDenied("no")

        app.include_router(router, prefix="/v")


@pytest.fixture(scope="module")
def service(database_url: str) -> Iterator[Service]:
    with a_service(database_url) as made:
        yield made


@pytest.fixture
def act() -> Counting:
    return Counting()


@contextmanager
def serving(service: Service, act: Counting) -> Iterator[TestClient]:
    app = floor.create(service)
    act.add(app)
    with TestClient(app) as client:
        yield client


@pytest.fixture
def client(service: Service, act: Counting) -> Iterator[TestClient]:
    with serving(service, act) as made:
        yield made


@pytest.fixture
def member(service: Service) -> Member:
    return a_member(service)


def headers(member: Member, key: str = "a-key") -> dict[str, str]:
    return {**member.headers, KEY: key}


def test_asked_twice_it_is_done_once_and_answered_the_same(
    client: TestClient, act: Counting, member: Member
) -> None:
    first = client.post("/v/things", json={"a": 1}, headers=headers(member))
    again = client.post("/v/things", json={"a": 1}, headers=headers(member))
    assert (first.status_code, again.status_code) == (201, 201)
    assert first.content == again.content == b'{"secret":"shown once 1"}'
    assert again.headers["Content-Type"] == "application/json"
    assert "Idempotent-Replayed" not in first.headers
    assert again.headers["Idempotent-Replayed"] == "true"
    assert first.headers["X-Request-ID"] != again.headers["X-Request-ID"]
    assert act.done == 1


def test_without_a_key_everything_is_done_each_time(
    client: TestClient, act: Counting, member: Member
) -> None:
    for _ in range(2):
        client.post("/v/things", json={"a": 1}, headers=member.headers)
    assert act.done == 2


def test_the_same_key_with_another_body_is_a_conflict(
    client: TestClient, act: Counting, member: Member
) -> None:
    client.post("/v/things", json={"a": 1}, headers=headers(member))
    other = client.post("/v/things", json={"a": 2}, headers=headers(member))
    assert other.status_code == 409
    assert_contract_shape(other.json(), code="RESOURCE_CONFLICT")
    assert act.done == 1


def test_a_key_belongs_to_its_user_organization_and_path(
    client: TestClient, service: Service, act: Counting, member: Member
) -> None:
    colleague = a_member(service, member.organization_id)
    stranger = a_member(service)
    answers = [
        client.post("/v/things", json={"a": 1}, headers=headers(who)).json()
        for who in (member, colleague, stranger)
    ]
    assert len({answer["secret"] for answer in answers}) == 3
    assert client.post("/v/open", json={"a": 1}, headers=headers(member)).status_code == 201
    assert act.done == 4


def test_a_failed_act_leaves_its_key_free(
    client: TestClient, act: Counting, member: Member
) -> None:
    act.fail_next = True
    first = client.post("/v/things", json={"a": 1}, headers=headers(member))
    again = client.post("/v/things", json={"a": 1}, headers=headers(member))
    assert (first.status_code, again.status_code) == (409, 201)
    assert act.done == 2


def test_a_malformed_body_leaves_its_key_free(
    client: TestClient, act: Counting, member: Member
) -> None:
    wrong = client.post("/v/things", json={"a": "x"}, headers=headers(member))
    right = client.post("/v/things", json={"a": 1}, headers=headers(member))
    assert (wrong.status_code, right.status_code, act.done) == (400, 201, 1)


def test_a_twin_waits_for_the_first_and_is_answered_alike(
    service: Service, act: Counting, member: Member
) -> None:
    """Goal: no double act. Method: the second is sent while the first holds its claim."""
    act.leave.clear()
    with ThreadPoolExecutor(2) as pool, serving(service, act) as client:

        def post() -> tuple[int, bytes]:
            answer = client.post("/v/things", json={"a": 1}, headers=headers(member))
            return answer.status_code, answer.content

        first = pool.submit(post)
        assert act.entered.wait(30)
        twin = pool.submit(post)
        _wait_until_somebody_waits(service)
        act.leave.set()
        assert first.result(30) == twin.result(30) == (201, b'{"secret":"shown once 1"}')
    assert act.done == 1


def test_a_twin_that_waited_long_enough_is_told_so(
    service: Service, act: Counting, member: Member, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(idempotency, "TWIN_WAIT_MS", 50)
    act.leave.clear()
    with ThreadPoolExecutor(1) as pool, serving(service, act) as client:
        send = {"json": {"a": 1}, "headers": headers(member)}
        first = pool.submit(client.post, "/v/things", **send)  # type: ignore[arg-type]
        assert act.entered.wait(30)
        twin = client.post("/v/things", json={"a": 1}, headers=headers(member))
        act.leave.set()
        assert first.result(30).status_code == 201
    assert twin.status_code == 409
    assert_contract_shape(twin.json(), code="RESOURCE_CONFLICT")
    assert act.done == 1


def _wait_until_somebody_waits(service: Service) -> None:
    query = text(
        "select count(*) from pg_locks where not granted and locktype = 'transactionid'"
    )
    while True:
        with service.system.transaction() as session:
            if session.execute(query).scalar_one():
                return


def test_a_body_that_a_route_reads_itself_is_compared_as_well(
    client: TestClient, act: Counting, member: Member
) -> None:
    answers = [
        client.post("/v/raw", content=content, headers=headers(member))
        for content in (b"x" * 1000, b"x" * 1000, b"y" * 1000)
    ]
    assert [answer.status_code for answer in answers] == [201, 201, 409]
    assert (answers[0].json(), answers[1].json(), act.done) == (1000, 1000, 1)


@pytest.mark.parametrize(
    "credentials",
    [{"Authorization": "Bearer x"}, {"X-API-Key": "vxy_" + "A" * 64}],
    ids=["token", "key"],
)
def test_nothing_is_read_for_credentials_that_do_not_hold(
    client: TestClient, act: Counting, credentials: dict[str, str]
) -> None:
    read: list[int] = []

    def pieces() -> Iterator[bytes]:
        for number in range(100):
            read.append(number)
            yield b"x" * 1000

    refused = client.post("/v/raw", content=pieces(), headers={**credentials, KEY: "a-key"})
    assert (refused.status_code, read, act.done) == (401, [], 0)


def test_a_stranger_who_registers_twice_founds_one_organization(
    client: TestClient, act: Counting
) -> None:
    key = {KEY: "of-a-stranger"}
    first = client.post("/v/open", json={"a": 1}, headers=key)
    again = client.post("/v/open", json={"a": 1}, headers=key)
    other = client.post("/v/open", json={"a": 2}, headers=key)
    assert first.json() == again.json()
    assert (other.status_code, act.done) == (409, 1)


def test_a_kept_answer_cannot_be_read_from_the_database(
    client: TestClient, service: Service, member: Member
) -> None:
    client.post("/v/things", json={"a": 123456789}, headers=headers(member))
    with service.system.transaction() as session:
        rows = session.execute(
            text("select * from idempotency_keys where organization_id = :id"),
            {"id": member.organization_id},
        ).all()
    kept = repr(
        [[bytes(v) if isinstance(v, memoryview) else v for v in row] for row in rows]
    )
    assert len(rows) == 1
    assert "shown once" not in kept
    assert "123456789" not in kept
    assert "a-key" not in kept


def test_a_key_is_forgotten_after_its_time(
    client: TestClient, service: Service, act: Counting, member: Member
) -> None:
    expire = text(
        "update idempotency_keys set expires_at = now() - interval '1 s'"
        " where organization_id = :id"
    )
    client.post("/v/things", json={"a": 1}, headers=headers(member))
    with service.system.transaction() as session:
        session.execute(expire, {"id": member.organization_id})
    assert (
        client.post("/v/things", json={"a": 2}, headers=headers(member)).status_code == 201
    )
    assert act.done == 2
    with service.system.transaction() as session:
        session.execute(expire, {"id": member.organization_id})
        forgetting.forget(session)
        left = session.execute(
            text("select count(*) from idempotency_keys where expires_at < now()")
        )
        assert left.scalar_one() == 0


def test_a_refusal_is_not_kept(
    client: TestClient, service: Service, member: Member
) -> None:
    assert client.post("/v/refused", headers=headers(member)).status_code == 403
    with service.request.transaction(member.organization_id) as session:
        kept = session.execute(text("select count(*) from idempotency_keys")).scalar_one()
    assert kept == 0


@pytest.mark.parametrize("key", ["", "a" * 256, "with space", "é"])
def test_a_key_that_cannot_be_is_refused(
    client: TestClient, act: Counting, member: Member, key: str
) -> None:
    answer = client.post(
        "/v/things", json={"a": 1}, headers={**member.headers, KEY: key.encode()}
    )
    assert (answer.status_code, act.done) == (400, 0)


def test_a_route_says_that_it_honours_the_key(client: TestClient) -> None:
    document = client.get("/openapi.json").json()
    operation = document["paths"]["/v/things"]["post"]
    assert "Idempotency-Key" in [item["name"] for item in operation["parameters"]]
    assert {"400", "401", "403", "409", "413", "415", "429", "500", "503", "504"} <= set(
        operation["responses"]
    )
    assert operation["security"] == [{"bearer": []}, {"api_key": []}]
    assert "422" not in operation["responses"]


def test_a_body_of_another_type_is_refused(
    client: TestClient, act: Counting, member: Member
) -> None:
    answer = client.post("/v/things", data={"a": "1"}, headers=member.headers)
    assert answer.status_code == 415
    assert_contract_shape(answer.json(), code="VALIDATION_ERROR")
    assert act.done == 0

"""Identity over HTTP; the faults of section 2.1 that an earlier service had."""

import csv
import io
import json
import uuid
from collections.abc import Iterator
from typing import Any

import pytest
from sqlalchemy import text
from starlette.testclient import TestClient

from tests.api.running import SETTINGS, Member, a_client, a_member, a_service
from tests.identity_values import PASSWORD, claims, token
from vexxy.api.v1.router import router
from vexxy.bootstrap import Service
from vexxy.http import deps
from vexxy.identity.types import Letter, Role

V1 = "/api/v1"
CORE = {"X-Service-Key": str(SETTINGS["core_service_key"])}
# What a stranger may call: everything else asks who is there.
OPEN = {
    "/auth/register",
    "/auth/login",
    "/auth/password-reset",
    "/auth/password-reset/confirm",
    "/auth/invitations/accept",
    "/billing/organizations/sync",
    "/billing/users/sync",
    "/billing/tiers",
}
# A signed link is its own proof.
LINKS = {
    "/evidence/{evidence_id}/download",
    "/organizations/{org_id}/export/{export_id}/download",
}
# Base VEXxy may speak there too, so their own dependency asks who it is.
REPORTED = {"/usage/events", "/usage/backfill", "/usage/corrections"}


@pytest.fixture(scope="module")
def service(database_url: str) -> Iterator[Service]:
    with a_service(database_url, registration_limit_per_address=10_000) as made:
        yield made


@pytest.fixture(scope="module")
def client(service: Service) -> Iterator[TestClient]:
    with a_client(service) as made:
        yield made


@pytest.fixture
def owner(service: Service) -> Member:
    return a_member(service)


def an_address() -> str:
    return f"{uuid.uuid4().hex}@example.com"


def registered(client: TestClient, email: str | None = None) -> dict[str, Any]:
    body = {
        "email": email or an_address(),
        "password": PASSWORD,
        "name": "Ada",
        "organization_name": "Example",
    }
    answer = client.post(f"{V1}/auth/register", json=body)
    assert answer.status_code == 201, answer.text
    found: dict[str, Any] = answer.json()
    return found


def bearer(signed_in: dict[str, Any]) -> dict[str, str]:
    return {"Authorization": f"Bearer {signed_in['access_token']}"}


def error(answer: Any) -> tuple[int, str]:  # noqa: ANN401  the client's own type
    return answer.status_code, answer.json()["error"]


def test_registration_answers_as_the_contract_says(client: TestClient) -> None:
    found = registered(client, "Ada.Api@Example.com")
    assert found.keys() == {
        "access_token",
        "token_type",
        "expires_in",
        "user",
        "organization",
    }
    assert (found["token_type"], found["expires_in"]) == ("bearer", 3600)
    assert found["user"]["email"] == "ada.api@example.com"
    assert found["user"]["role"] == "owner"
    assert found["user"]["is_admin"] is False
    assert found["user"]["organization_id"] == found["organization"]["id"]
    login = client.post(
        f"{V1}/auth/login", json={"email": "ada.api@example.com", "password": PASSWORD}
    )
    assert login.status_code == 200
    assert login.json().keys() == found.keys()
    me = client.get(f"{V1}/auth/me", headers=bearer(login.json())).json()
    assert me["user"] == found["user"]


def test_nothing_works_without_credentials(client: TestClient) -> None:
    """Fault 1: a default organization for whoever says nothing."""
    paths = {
        path.removeprefix(V1): item
        for path, item in client.get("/openapi.json").json()["paths"].items()
        if path.startswith(V1)
    }
    asked = 0
    for path, item in paths.items():
        if path in OPEN:
            continue
        for method, operation in item.items():
            if not operation.get("security"):
                continue
            named = path
            for parameter in operation.get("parameters", ()):
                if parameter["in"] == "path":
                    named = named.replace(f"{{{parameter['name']}}}", str(uuid.uuid4()))
            answer = client.request(method.upper(), V1 + named)
            assert error(answer) == (401, "UNAUTHORIZED"), (method, path)
            assert answer.headers["WWW-Authenticate"] == "Bearer"
            asked += 1
    assert asked >= 15


def test_every_route_of_version_1_asks_who_is_there() -> None:
    """Faults 1 to 3: found by what routes depend on, so that none can be forgotten."""
    routes = [
        route
        for included in router.routes
        for route in included.original_router.routes  # type: ignore[attr-defined]
    ]
    strangers = {
        route.path
        for route in routes
        if not any(call is deps.credentials for call in calls(route.dependant))
    }
    assert len(routes) > 30
    assert strangers == OPEN | LINKS | REPORTED


@pytest.mark.parametrize("path", sorted(REPORTED))
def test_whoever_reports_use_is_asked_who_it_is(client: TestClient, path: str) -> None:
    for headers in ({}, {"X-Service-Key": "guessed"}, {"Authorization": "Bearer x"}):
        answer = client.post(V1 + path, json=[], headers=headers)
        assert error(answer) == (401, "UNAUTHORIZED"), headers


def calls(dependant: Any) -> Iterator[Any]:  # noqa: ANN401  FastAPI's own tree
    for dependency in dependant.dependencies:
        yield dependency.call
        yield from calls(dependency)


@pytest.mark.parametrize(
    "body",
    [
        {"id": str(uuid.uuid4()), "name": "Taken"},
        {"id": str(uuid.uuid4()), "name": "Taken", "has_premium_access": True},
    ],
)
@pytest.mark.parametrize("headers", [{}, {"X-Service-Key": "x"}, {"X-Service-Key": ""}])
def test_who_is_not_base_vexxy_syncs_nothing(
    client: TestClient, owner: Member, headers: dict[str, str], body: dict[str, Any]
) -> None:
    """Fault 3: anyone created organizations and operators."""
    for more in ({}, owner.headers):
        sent = {**more, **headers}
        answer = client.post(f"{V1}/billing/organizations/sync", json=body, headers=sent)
        assert error(answer) == (401, "UNAUTHORIZED")
        user = {**body, "organization_id": body["id"], "email": an_address()}
        answer = client.post(f"{V1}/billing/users/sync", json=user, headers=sent)
        assert error(answer) == (401, "UNAUTHORIZED")


def test_base_vexxy_brings_its_people_who_then_sign_in_with_its_tokens(
    client: TestClient,
) -> None:
    home, person = str(uuid.uuid4()), str(uuid.uuid4())
    told = {"id": home, "name": "Core", "has_premium_access": True}
    for created in (True, False):
        answer = client.post(f"{V1}/billing/organizations/sync", json=told, headers=CORE)
        assert answer.json() == {"id": home, "created": created, "changed": created}
    user = {
        "id": person,
        "organization_id": home,
        "email": an_address(),
        "name": "Ada",
        "is_admin": True,
    }
    for created in (True, False):
        answer = client.post(f"{V1}/billing/users/sync", json=user, headers=CORE)
        assert answer.json() == {"id": person, "created": created, "changed": created}

    signed = token(claims(person, home, is_admin=True), key=str(SETTINGS["jwt_secret_key"]))
    me = client.get(f"{V1}/auth/me", headers={"Authorization": f"Bearer {signed}"}).json()
    assert me["user"]["id"] == person
    assert me["user"]["is_admin"] is False
    assert "operations.manage" not in me["permissions"]


def test_a_token_that_says_admin_or_elsewhere_gets_nothing_for_it(
    client: TestClient, owner: Member
) -> None:
    """Fault 4: is_admin from the token; its organization compared with nothing."""
    key = str(SETTINGS["jwt_secret_key"])
    content = claims(owner.user_id, owner.organization_id, is_admin=True)
    answer = client.get(
        f"{V1}/auth/me", headers={"Authorization": f"Bearer {token(content, key=key)}"}
    )
    assert "operations.manage" not in answer.json()["permissions"]
    content = claims(owner.user_id, uuid.uuid4())
    answer = client.get(
        f"{V1}/auth/me", headers={"Authorization": f"Bearer {token(content, key=key)}"}
    )
    assert error(answer) == (401, "UNAUTHORIZED")


def test_a_refused_sign_in_has_one_shape(client: TestClient) -> None:
    known = registered(client)["user"]["email"]
    shapes = set()
    for email, password in (
        (known, "wrong password"),
        (an_address(), PASSWORD),
        ("nobody", "x"),
    ):
        answer = client.post(
            f"{V1}/auth/login", json={"email": email, "password": password}
        )
        body = answer.json()
        del body["timestamp"], body["request_id"]
        headers = sorted(set(answer.headers) - {"x-request-id"})
        shapes.add((answer.status_code, json.dumps(body), tuple(headers)))
    assert len(shapes) == 1


def test_guessing_is_answered_429_with_a_time(client: TestClient) -> None:
    email = an_address()
    body = {"email": email, "password": "wrong password"}
    answers = [client.post(f"{V1}/auth/login", json=body) for _ in range(11)]
    assert [error(answer) for answer in answers[:10]] == [(401, "UNAUTHORIZED")] * 10
    assert error(answers[10]) == (429, "RATE_LIMITED")
    assert 0 < int(answers[10].headers["Retry-After"]) <= 900


def test_registrations_from_an_address_are_limited(database_url: str) -> None:
    with (
        a_service(database_url, registration_limit_per_address=2) as service,
        a_client(service) as client,
    ):
        client.headers["X-Forwarded-For"] = "198.51.100.7"  # believed of proxies only
        with service.system.transaction() as session:
            session.execute(text("delete from sign_in_attempts"))
        registered(client)
        registered(client)
        answer = client.post(
            f"{V1}/auth/register",
            json={
                "email": an_address(),
                "password": PASSWORD,
                "name": "A",
                "organization_name": "B",
            },
        )
        assert error(answer) == (429, "RATE_LIMITED")


def test_a_password_is_changed_and_everything_else_ends(client: TestClient) -> None:
    first = registered(client)
    answer = client.post(
        f"{V1}/auth/password",
        headers=bearer(first),
        json={"current_password": PASSWORD, "new_password": "five more unrelated words"},
    )
    assert answer.status_code == 200
    assert error(client.get(f"{V1}/auth/me", headers=bearer(first)))[0] == 401
    assert client.get(f"{V1}/auth/me", headers=bearer(answer.json())).status_code == 200
    wrong = client.post(
        f"{V1}/auth/password",
        headers=bearer(answer.json()),
        json={"current_password": PASSWORD, "new_password": "six more unrelated words"},
    )
    assert error(wrong) == (403, "FORBIDDEN")


@pytest.mark.parametrize("body", [None, {}, {"revoke_api_keys": True}])
def test_logging_out_everywhere(client: TestClient, body: dict[str, bool] | None) -> None:
    found = registered(client)
    answer = client.post(f"{V1}/auth/logout-everywhere", headers=bearer(found), json=body)
    assert answer.status_code == 204
    assert error(client.get(f"{V1}/auth/me", headers=bearer(found)))[0] == 401


def test_an_api_key_is_shown_once_and_works_until_revoked(client: TestClient) -> None:
    person = bearer(registered(client))
    made = client.post(
        f"{V1}/auth/api-keys",
        headers=person,
        json={"name": "CI", "scopes": ["analysis.read"]},
    ).json()
    assert made["key"].startswith(made["prefix"])
    for headers in (
        {"X-API-Key": made["key"]},
        {"Authorization": f"Bearer {made['key']}"},
    ):
        me = client.get(f"{V1}/auth/me", headers=headers).json()
        assert (me["permissions"], me["api_key_id"]) == (["analysis.read"], made["id"])
        # It may not make itself lasting, nor look at what it has no scope for.
        for method, path in (
            ("POST", "/auth/api-keys"),
            ("POST", "/auth/password"),
            ("POST", "/auth/logout-everywhere"),
            ("GET", "/members"),
            ("GET", "/billing/audit-log"),
        ):
            body = {
                "name": "more",
                "current_password": PASSWORD,
                "new_password": "five more unrelated words",
            }
            answer = client.request(method, V1 + path, headers=headers, json=body)
            assert error(answer) == (403, "FORBIDDEN"), path
    listed = client.get(f"{V1}/auth/api-keys", headers=person).json()
    assert (listed["total"], listed["api_keys"][0]["id"]) == (1, made["id"])
    assert made["key"] not in json.dumps(listed)
    revoked = client.delete(f"{V1}/auth/api-keys/{made['id']}", headers=person)
    assert revoked.status_code == 204
    answer = client.get(f"{V1}/auth/me", headers={"X-API-Key": made["key"]})
    assert error(answer) == (401, "UNAUTHORIZED")
    again = client.delete(f"{V1}/auth/api-keys/{made['id']}", headers=person)
    assert error(again) == (404, "RESOURCE_NOT_FOUND")


@pytest.mark.parametrize(
    "body",
    [
        {"name": ""},
        {"name": "x", "scopes": []},
        {"name": "x", "scopes": ["everything"]},
        {"name": "x", "expires_at": "2020-01-01T00:00:00Z"},
        {"name": "x", "expires_at": "2030-01-01T00:00:00"},
        {"name": "x", "expires_at": "9999-12-31T23:59:59+23:59"},
        {"name": "x", "expires_at": "0001-01-01T00:00:00-23:59"},
        {"name": "a\x00b"},
    ],
)
def test_a_key_that_cannot_be_is_refused(
    client: TestClient, owner: Member, body: dict[str, Any]
) -> None:
    answer = client.post(f"{V1}/auth/api-keys", headers=owner.headers, json=body)
    assert error(answer) == (400, "VALIDATION_ERROR")


def test_somebody_elses_key_does_not_exist(
    client: TestClient, service: Service, owner: Member
) -> None:
    colleague = a_member(service, owner.organization_id, role="analyst")
    stranger = a_member(service)
    made = client.post(
        f"{V1}/auth/api-keys", headers=owner.headers, json={"name": "CI"}
    ).json()
    for who in (colleague, stranger):
        answer = client.delete(f"{V1}/auth/api-keys/{made['id']}", headers=who.headers)
        assert error(answer) == (404, "RESOURCE_NOT_FOUND")
        assert client.get(f"{V1}/auth/api-keys", headers=who.headers).json()["total"] == 0


MANAGED = [
    ("GET", "/members", None),
    ("PATCH", "/members/{user}", {"role": "viewer"}),
    ("DELETE", "/members/{user}", None),
    ("POST", "/members/invitations", {"email": "x@example.com"}),
    ("GET", "/members/invitations", None),
    ("DELETE", "/members/invitations/{user}", None),
    ("PATCH", "/organizations/current", {"name": "Other"}),
    ("GET", "/billing/audit-log", None),
    ("GET", "/billing/audit-log/export", None),
]


@pytest.mark.parametrize(("method", "path", "body"), MANAGED)
@pytest.mark.parametrize("role", ["analyst", "viewer"])
def test_who_does_not_govern_is_refused(
    client: TestClient,
    service: Service,
    role: str,
    method: str,
    path: str,
    body: dict[str, str] | None,
) -> None:
    """Before anything is looked up: 403 for ids that exist and for ids that do not."""
    member = a_member(service, role=role)
    for user in (member.user_id, uuid.uuid4()):
        answer = client.request(
            method, V1 + path.format(user=user), headers=member.headers, json=body
        )
        assert error(answer) == (403, "FORBIDDEN")


def test_members_of_another_organization_do_not_exist(
    client: TestClient, service: Service, owner: Member
) -> None:
    stranger = a_member(service, role="viewer")
    path = f"{V1}/members/{stranger.user_id}"
    for method, body in (("PATCH", {"role": "owner"}), ("DELETE", None)):
        answer = client.request(method, path, headers=owner.headers, json=body)
        assert error(answer) == (404, "RESOURCE_NOT_FOUND")
    listed = client.get(f"{V1}/members", headers=owner.headers).json()
    assert str(stranger.user_id) not in json.dumps(listed)


def test_members_are_governed(client: TestClient, service: Service, owner: Member) -> None:
    member = a_member(service, owner.organization_id, role="viewer")
    path = f"{V1}/members/{member.user_id}"
    changed = client.patch(path, headers=owner.headers, json={"role": "analyst"})
    assert changed.json()["role"] == "analyst"
    me = client.get(f"{V1}/auth/me", headers=member.headers).json()
    assert "analysis.write" in me["permissions"]
    assert client.delete(path, headers=owner.headers).status_code == 204
    assert error(client.get(f"{V1}/auth/me", headers=member.headers))[0] == 401
    answer = client.delete(f"{V1}/members/{owner.user_id}", headers=owner.headers)
    assert error(answer) == (409, "RESOURCE_CONFLICT")


def test_an_invitation_is_accepted_once(client: TestClient, owner: Member) -> None:
    email = an_address()
    offer = client.post(
        f"{V1}/members/invitations",
        headers=owner.headers,
        json={"email": email, "role": "analyst"},
    ).json()
    assert offer["mailed"] is False
    listed = client.get(f"{V1}/members/invitations", headers=owner.headers).json()
    assert offer["token"] not in json.dumps(listed)
    body = {"token": offer["token"], "name": "Bob", "password": PASSWORD}
    joined = client.post(f"{V1}/auth/invitations/accept", json=body)
    assert joined.status_code == 201
    assert joined.json()["user"]["organization_id"] == str(owner.organization_id)
    again = client.post(f"{V1}/auth/invitations/accept", json=body)
    assert error(again) == (400, "VALIDATION_ERROR")


def test_an_organization_does_not_make_us_send_letters_without_end(
    client: TestClient, owner: Member
) -> None:
    codes = [
        client.post(
            f"{V1}/members/invitations",
            headers=owner.headers,
            json={"email": an_address()},
        ).status_code
        for _ in range(51)
    ]
    assert codes == [201] * 50 + [429]


class Box:
    def __init__(self) -> None:
        self.letters: list[Letter] = []

    def send(self, letter: Letter) -> None:
        self.letters.append(letter)


def test_a_forgotten_password_is_replaced_by_a_link(
    database_url: str, client: TestClient
) -> None:
    email = registered(client)["user"]["email"]
    box = Box()
    with a_service(database_url) as service:
        object.__setattr__(service.identity, "mail", box)
        with a_client(service) as mailing:
            answers = [
                mailing.post(f"{V1}/auth/password-reset", json={"email": address})
                for address in (email, an_address(), "nobody")
            ]
            assert {answer.status_code for answer in answers} == {202}
            assert len({answer.text for answer in answers}) == 1
            [letter] = box.letters
            token = letter.text.partition("#token=")[2].split()[0]
            body = {"token": token, "new_password": "five more unrelated words"}
            path = f"{V1}/auth/password-reset/confirm"
            assert mailing.post(path, json=body).status_code == 204
            assert error(mailing.post(path, json=body)) == (400, "VALIDATION_ERROR")
            login = {"email": email, "password": "five more unrelated words"}
            assert mailing.post(f"{V1}/auth/login", json=login).status_code == 200


def test_without_mail_the_answer_says_who_gives_links(client: TestClient) -> None:
    answer = client.post(f"{V1}/auth/password-reset", json={"email": an_address()})
    assert answer.status_code == 202
    assert "vexxy users reset-link" in answer.json()["message"]


def test_acts_can_be_read_filtered_and_exported(
    client: TestClient, service: Service, owner: Member
) -> None:
    member = a_member(service, owner.organization_id, role="viewer")
    for role in ("analyst", "admin"):
        path = f"{V1}/members/{member.user_id}"
        client.patch(path, headers=owner.headers, json={"role": role})
    url = f"{V1}/billing/audit-log"
    page = client.get(url, headers=owner.headers, params={"limit": 1}).json()
    assert (page["total"], len(page["entries"])) == (2, 1)
    entry = page["entries"][0]
    assert entry["action"] == "member.role_changed"
    assert (entry["before_state"]["role"], entry["after_state"]["role"]) == (
        "analyst",
        "admin",
    )
    assert entry["actor_id"] == str(owner.user_id)
    assert entry["ip_address"] == "203.0.113.9"
    none = client.get(url, headers=owner.headers, params={"action": "member.removed"})
    assert none.json()["total"] == 0
    late = {"since": "2999-01-01T00:00:00Z"}
    assert client.get(url, headers=owner.headers, params=late).json()["total"] == 0

    sheet = client.get(f"{url}/export", headers=owner.headers)
    assert sheet.headers["content-type"] == "text/csv; charset=utf-8"
    assert len(list(csv.DictReader(io.StringIO(sheet.text)))) == 2
    whole = client.get(f"{url}/export", headers=owner.headers, params={"format": "json"})
    assert len(whole.json()) == 2
    assert "attachment" in whole.headers["content-disposition"]
    stranger = a_member(service)
    assert client.get(url, headers=stranger.headers).json()["total"] == 0


@pytest.mark.parametrize("role", Role)
def test_what_a_role_may_do_is_told(
    client: TestClient, service: Service, role: Role
) -> None:
    member = a_member(service, role=role.value)
    me = client.get(f"{V1}/auth/me", headers=member.headers).json()
    assert me["user"]["role"] == role
    expected = {"owner": 6, "admin": 6, "analyst": 3, "viewer": 1}
    assert len(me["permissions"]) == expected[role]

"""`Idempotency-Key`: asked twice, done once, answered the same (contract, section 1).

The claim, the act and the kept answer are one transaction. So a failed act leaves no
claim behind, and a twin that arrives meanwhile waits at the claim's row until the first
has committed or failed. Kept answers are sealed: some hold a key that is shown once.
"""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any, Final
from uuid import UUID

import msgspec
from fastapi import Header, Request
from sqlalchemy import text
from sqlalchemy.exc import OperationalError
from sqlalchemy.orm import Session
from starlette.concurrency import run_in_threadpool
from starlette.responses import Response

from vexxy.kit import metrics
from vexxy.kit.errors import Conflict
from vexxy.kit.sealing import Sealer

if TYPE_CHECKING:
    from vexxy.identity.types import Identity

HEADER: Final = "Idempotency-Key"
REPLAYED: Final = "Idempotent-Replayed"
KEPT_HOURS: Final = 24
TWIN_WAIT_MS: Final = 5_000
LOCK_NOT_AVAILABLE: Final = "55P03"
# Of an answer's headers, those that belong to the act and not to the connection.
KEPT_HEADERS: Final = frozenset({"content-type", "location", "etag"})
STATE: Final = "idempotency"

Key = Annotated[
    str | None,
    Header(
        alias=HEADER,
        min_length=1,
        max_length=255,
        pattern=r"^[\x21-\x7e]+$",
        description=(
            "A name that the client chose for this act. Asked again within 24 hours with "
            "the same body, the first answer is given again and nothing is done twice; "
            "with another body the answer is 409."
        ),
        examples=["5f0c2f6e-0d5c-4a3d-9a52-3f5b9d1f7c11"],
    ),
]

_WAIT: Final = text("select set_config('lock_timeout', :wait, true)")
_FORGET: Final = text(
    "delete from idempotency_keys where name = :name and expires_at < now()"
)
_CLAIM: Final = text(
    "insert into idempotency_keys"
    " (name, organization_id, user_id, route, request, expires_at)"
    " values (:name, :organization_id, :user_id, :route, :request,"
    " now() + make_interval(hours => :hours))"
    " on conflict (name) do nothing returning name"
)
_READ: Final = text("select request, answer from idempotency_keys where name = :name")
_KEEP: Final = text("update idempotency_keys set answer = :answer where name = :name")
_DROP: Final = text("delete from idempotency_keys where name = :name")


class KeyReused(Conflict):
    """The key named another request before."""


class TwinRunning(Conflict):
    """The same request is being served at this moment."""


class Replayed(Exception):
    """Leaves the route with the answer that was kept; the transaction ends empty."""

    def __init__(self, answer: Response) -> None:
        super().__init__()
        self.answer = answer


class Kept(msgspec.Struct, frozen=True):
    """An answer as it is sealed."""

    status: int
    headers: list[tuple[str, str]]
    body: bytes


@dataclass(frozen=True, slots=True)
class Claim:
    """The right to do what the key names, held until the transaction ends."""

    session: Session
    sealer: Sealer
    name: bytes

    @property
    def context(self) -> str:
        """What the sealed values of this row are bound to."""
        return f"idempotency:{self.name.hex()}"


async def claimed_by_caller(request: Request, key: Key = None) -> None:
    """Claim the key for the caller, or answer as before.

    The caller and the transaction are the route's own, which were made before: to name
    them here would have FastAPI walk the trees below them once more for every POST.
    """
    if key is not None:
        who: Identity = request.state.caller
        owner = {"organization_id": who.organization_id, "user_id": who.user_id}
        await _claimed_for(request, request.state.session, key=key, owner=owner)


async def claimed_by_stranger(request: Request, key: Key = None) -> None:
    """Claim the key where nobody is known yet: the request itself is what proves.

    Only who sends the same body, password included, is given the kept answer.
    """
    if key is not None:
        owner: dict[str, UUID | None] = {"organization_id": None, "user_id": None}
        await _claimed_for(request, request.state.system_session, key=key, owner=owner)


async def _claimed_for(
    request: Request, session: Session, *, key: str, owner: Mapping[str, UUID | None]
) -> None:
    sealer: Sealer = request.app.state.service.sealer
    claim = Claim(session, sealer, _name(request, key, owner))
    request.state.body_digest = hashlib.sha256(await request.body()).digest()
    await run_in_threadpool(_claim, request, claim, owner)


def _name(request: Request, key: str, owner: Mapping[str, object]) -> bytes:
    parts = [request.scope["vexxy.route"], request.url.path, key, *map(str, owner.values())]
    return hashlib.sha256("\0".join(parts).encode()).digest()


def _claim(request: Request, claim: Claim, owner: Mapping[str, UUID | None]) -> None:
    digest: bytes = request.state.body_digest
    values = {
        "name": claim.name,
        "route": f"{request.method} {request.scope['vexxy.route']}",
        "request": claim.sealer.seal(digest, context=claim.context),
        "hours": KEPT_HOURS,
        **owner,
    }
    if _claimed(claim.session, values):
        setattr(request.state, STATE, claim)
        return
    row = claim.session.execute(_READ, {"name": claim.name}).one_or_none()
    if row is None or row.answer is None:
        raise TwinRunning("the same request is being served", hint="try again in a moment")
    if claim.sealer.open(row.request, context=claim.context) != digest:
        raise KeyReused(
            f"the {HEADER} was used for another request",
            hint="choose a new key for a new request",
        )
    metrics.IDEMPOTENT_REPLAYS.count()
    raise Replayed(_response(claim.sealer.open(row.answer, context=claim.context)))


def _claimed(session: Session, values: Mapping[str, Any]) -> bool:
    session.execute(_WAIT, {"wait": str(TWIN_WAIT_MS)})
    session.execute(_FORGET, {"name": values["name"]})
    try:
        return session.execute(_CLAIM, values).one_or_none() is not None
    except OperationalError as error:
        if getattr(error.orig, "sqlstate", "") != LOCK_NOT_AVAILABLE:
            raise
        raise TwinRunning(
            "the same request is being served", hint="try again in a moment"
        ) from error


def keep(claim: Claim, answer: Response) -> None:
    """Keep the answer beside the act, in the act's transaction."""
    body = getattr(answer, "body", None)
    if not isinstance(body, bytes):
        claim.session.execute(_DROP, {"name": claim.name})
        return
    headers = [item for item in answer.headers.items() if item[0] in KEPT_HEADERS]
    kept = msgspec.msgpack.encode(Kept(answer.status_code, headers, body))
    sealed = claim.sealer.seal(kept, context=claim.context)
    claim.session.execute(_KEEP, {"name": claim.name, "answer": sealed})


def _response(kept: bytes) -> Response:
    answer = msgspec.msgpack.decode(kept, type=Kept)
    return Response(
        answer.body,
        status_code=answer.status,
        headers={**dict(answer.headers), REPLAYED: "true"},
    )


async def replay(_request: Request, kept: Exception) -> Response:
    """Answer with what was kept."""
    assert isinstance(kept, Replayed)  # noqa: S101  registered for nothing else
    return kept.answer

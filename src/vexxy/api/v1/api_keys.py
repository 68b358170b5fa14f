"""API keys."""

from http import HTTPStatus
from typing import Annotated
from uuid import UUID

from fastapi import Query
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from vexxy.http import openapi
from vexxy.http.deps import Acting, Caller, Person, Transaction
from vexxy.http.fields import Instant, Name
from vexxy.http.routing import Router
from vexxy.identity.keys import service as keys
from vexxy.identity.keys.types import Key, NewKey
from vexxy.identity.types import Permission
from vexxy.kit.errors import Conflict

router = Router(prefix="/auth/api-keys", tags=["identity"])


class ApiKeyBody(BaseModel):
    """What a key shall be."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "name": "CI",
                    "scopes": ["analysis.read", "analysis.write"],
                    "expires_at": None,
                }
            ]
        }
    )

    name: Name
    scopes: Annotated[list[Permission], Field(max_length=len(Permission))] | None = Field(
        default=None,
        description="What it may do at most; left out, reading and submitting analyses",
    )
    expires_at: AwareDatetime | None = Field(
        default=None, description="Left out, it holds until it is revoked"
    )


class ApiKeyView(BaseModel):
    """A key without what it is proved by."""

    id: UUID
    user_id: UUID
    name: str
    prefix: str = Field(description="How it begins, to recognize it by")
    scopes: list[Permission]
    created_at: Instant
    expires_at: Instant | None
    last_used_at: Instant | None = Field(description="To within five minutes")
    revoked_at: Instant | None


class MadeApiKey(ApiKeyView):
    """A new key."""

    key: str = Field(description="The key itself, shown here and never again")


class ApiKeys(BaseModel):
    """A page of keys, newest first."""

    total: int
    limit: int
    offset: int
    api_keys: list[ApiKeyView]


def _view(key: Key) -> ApiKeyView:
    return ApiKeyView.model_validate(key, from_attributes=True)


@router.post("", status_code=HTTPStatus.CREATED, responses=openapi.responses(Conflict))
def make_key(
    *, body: ApiKeyBody, person: Person, session: Transaction, actor: Acting
) -> MadeApiKey:
    """Make a key with some of the caller's permissions."""
    wanted = NewKey(body.name, body.scopes, body.expires_at)
    made = keys.make(session, person, wanted, actor=actor)
    return MadeApiKey(**_view(made.key).model_dump(), key=made.text)


@router.get("")
def list_keys(
    *,
    caller: Caller,
    session: Transaction,
    limit: Annotated[int, Query(ge=1, le=200)] = 50,
    offset: Annotated[int, Query(ge=0, le=10_000_000)] = 0,
) -> ApiKeys:
    """List the caller's keys; everybody's for who manages members."""
    total, found = keys.list_keys(session, caller, limit=limit, offset=offset)
    views = [_view(key) for key in found]
    return ApiKeys(total=total, limit=limit, offset=offset, api_keys=views)


@router.delete("/{key_id}", status_code=HTTPStatus.NO_CONTENT)
def revoke_key(
    *, key_id: UUID, caller: Caller, session: Transaction, actor: Acting
) -> None:
    """Revoke a key, from the next request on."""
    keys.revoke(session, caller, key_id, actor=actor)

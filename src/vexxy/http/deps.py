"""What a route asks for: its adapters, transaction, caller, and their permission.

What only looks at values is `async`: it runs where it is, while FastAPI hands every
other dependency to a thread and waits for it. And few name others: FastAPI walks the
whole tree below each of them, once for every place where it is named.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from functools import partial
from typing import Annotated, Final

from fastapi import Depends, Request
from sqlalchemy.orm import Session
from starlette.concurrency import run_in_threadpool

from vexxy.audit.types import Actor
from vexxy.bootstrap import Service
from vexxy.http import addresses
from vexxy.identity import service as identity
from vexxy.identity.types import Identity, KeyProof, Permission, Principal
from vexxy.kit import logging
from vexxy.kit.db import POOL_WAIT_SECONDS
from vexxy.kit.errors import PermissionDenied, Unavailable

# In the scope: whether the answer is kept under an Idempotency-Key.
KEYED: Final = "vexxy.keyed"


async def service(request: Request) -> Service:
    """Return the adapters the process was started with."""
    found: Service = request.app.state.service
    return found


Adapters = Annotated[Service, Depends(service)]


async def credentials(request: Request) -> Principal:
    """Say who the request claims to be, as far as its credentials prove it.

    Raises:
        Unauthenticated: There are none, or they do not hold.
    """
    adapters: Service = request.app.state.service
    prove = partial(
        identity.authenticate,
        adapters.identity,
        authorization=request.headers.get("authorization"),
        api_key=request.headers.get("x-api-key"),
    )
    # A published key may have to be fetched first.
    fetches = adapters.settings.jwt_jwks_url is not None
    principal = await run_in_threadpool(prove) if fetches else prove()
    if request.scope.get(KEYED):
        # Compared with the one before: read for nobody whose credentials do not hold,
        # and not while a transaction waits for a slow client.
        if isinstance(principal, KeyProof):
            # Anybody can write a key down; only the database knows whether it is one.
            await run_in_threadpool(_check, adapters, principal)
        await request.body()
    return principal


def _check(adapters: Service, principal: Principal) -> None:
    with adapters.request.transaction(principal.organization_id) as session:
        identity.resolve(session, principal)


Proven = Annotated[Principal, Depends(credentials)]


async def place(request: Request) -> AsyncIterator[None]:
    """Wait for one of the database's connections, without a thread.

    Who waited for one in a thread kept it from those who have a connection and need a
    thread to go on: with more requests at once than threads, all waited for each other.

    Raises:
        Unavailable: None came free in time.
    """
    places: asyncio.Semaphore = request.app.state.places
    try:
        async with asyncio.timeout(POOL_WAIT_SECONDS):
            await places.acquire()
    except TimeoutError as error:
        raise Unavailable("the database is busy", hint="try again in a moment") from error
    try:
        yield
    finally:
        places.release()


Placed = Annotated[None, Depends(place, scope="function")]


def transaction(
    request: Request, principal: Proven, *, _place: Placed
) -> Iterator[Session]:
    """Provide a session bound to the caller's organization."""
    adapters: Service = request.app.state.service
    with adapters.request.transaction(principal.organization_id) as session:
        request.state.session = session
        yield session


def system_transaction(request: Request, *, _place: Placed) -> Iterator[Session]:
    """Provide a session for what happens before anybody is known."""
    adapters: Service = request.app.state.service
    with adapters.system.transaction() as session:
        request.state.system_session = session
        yield session


# "function" ends the transaction before the answer leaves: with FastAPI's default the
# answer 200 is sent first and the commit may still fail.
Transaction = Annotated[Session, Depends(transaction, scope="function")]
SystemTransaction = Annotated[Session, Depends(system_transaction, scope="function")]


def resolved(principal: Proven, session: Transaction) -> Identity:
    """Say what the caller may do; the database decides, not the token.

    Raises:
        Unauthenticated: The user is gone, inactive, elsewhere or logged out.
    """
    return identity.resolve(session, principal)


async def caller(request: Request, who: Annotated[Identity, Depends(resolved)]) -> Identity:
    """Return the caller, counted as a call of their organization.

    Counted here and not sooner: an API key names its organization itself, and until the
    database has agreed anybody could use up another organization's requests with it.

    Raises:
        RateLimited: The organization asked too often.
        QuotaReached: Its calls of this period are used up.
    """
    logging.note(organization_id=who.organization_id, user_id=who.user_id)
    await request.app.state.rates.spend(who.organization_id)
    await request.app.state.calls.spend(request.scope, who.organization_id)
    request.state.caller = who
    return who


Caller = Annotated[Identity, Depends(caller)]


def require(permission: Permission) -> Callable[[Identity], Awaitable[Identity]]:
    """Return a dependency that lets only callers with the permission pass."""

    async def check(who: Caller) -> Identity:
        if permission not in who.permissions:
            raise PermissionDenied(f"this needs the permission {permission}")
        return who

    return check


async def person(who: Caller) -> Identity:
    """Let only a person who signed in pass, not a program with an API key."""
    identity.check_person(who)
    return who


Person = Annotated[Identity, Depends(person)]


def client_address(request: Request) -> str:
    """Return the client's address, empty where a Unix socket's peer has none."""
    found = request.scope.get(addresses.ADDRESS)
    if found is None and request.client is not None:
        found = request.client.host
    return str(found or "")


ClientAddress = Annotated[str, Depends(client_address)]


async def acting(request: Request, who: Caller) -> Actor:
    """Say who the record of acts shall name."""
    return identity.actor(who, **origin(request))


Acting = Annotated[Actor, Depends(acting)]


def origin(request: Request) -> dict[str, str | None]:
    """Return where a request came from, as the record of acts keeps it."""
    return {
        "ip_address": client_address(request) or None,
        "user_agent": request.headers.get("user-agent"),
        "request_id": request.scope.get("vexxy.request_id"),
    }

"""What a route asks for: its adapters and its transaction."""

from collections.abc import Iterator
from typing import Annotated

from fastapi import Depends, Request
from sqlalchemy.orm import Session

from vexxy.bootstrap import Service


def service(request: Request) -> Service:
    """Return the adapters the process was started with."""
    found: Service = request.app.state.service
    return found


Adapters = Annotated[Service, Depends(service)]


def system_transaction(adapters: Adapters) -> Iterator[Session]:
    """Provide a session for what happens before anybody is known."""
    with adapters.system.transaction() as session:
        yield session


# "function" ends the transaction before the answer leaves: with FastAPI's default the
# answer 200 is sent first and the commit may still fail.
SystemTransaction = Annotated[Session, Depends(system_transaction, scope="function")]

"""Who calls, asked in one round trip from the event loop (ADR 0020).

Only a caller whose credentials hold is found here. Whatever is unusual (credentials that do
not hold, a key whose use has to be noted, a database that is away) is nobody here and goes
on to the ordinary way, which knows what to say.
"""

import json
from typing import Any, Final
from uuid import UUID

from vexxy.identity import service as identity
from vexxy.identity.repository import KeyRow, UserRow
from vexxy.identity.types import Claims, Identity, Principal
from vexxy.kit.errors import VexxyError
from vexxy.kit.reads import Reads

# Who calls in its first columns, an analysis in the others.
QUERY: Final = "select * from vexxy_analysis_status($1, $2, $3, $4)"
CALLER_COLUMNS: Final = 13


async def find_caller(reads: Reads, principal: Principal) -> Identity | None:
    """Return the caller as the database knows them now, None where that is unusual."""
    try:
        row = await reads.row(QUERY, *asked(principal), None)
        return None if row is None else caller(principal, tuple(row.values()))
    except VexxyError:
        return None


def asked(principal: Principal) -> tuple[UUID, UUID | None, bytes | None]:
    """Return what the query wants to know of credentials."""
    if isinstance(principal, Claims):
        return principal.organization_id, principal.user_id, None
    return principal.organization_id, None, principal.digest


def caller(principal: Principal, values: tuple[Any, ...]) -> Identity:
    """Return the caller from the first columns of the query.

    Raises:
        NotSignedIn: The credentials do not hold, or their use has to be noted.
    """
    user = UserRow(*values[:9])
    if isinstance(principal, Claims):
        return identity.by_token(principal, user)
    key_id, scopes, key_holds, key_unseen = values[9:CALLER_COLUMNS]
    if key_unseen:
        # Its use has to be noted, which the ordinary route does.
        return identity.by_key(None)
    return identity.by_key(KeyRow(user, key_id, json.loads(scopes), key_holds, key_unseen))

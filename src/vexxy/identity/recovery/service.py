"""Asking for a reset link, and using it."""

import secrets
from typing import Final

from sqlalchemy.orm import Session

from vexxy.audit import service as audit
from vexxy.audit.types import Act, Actor
from vexxy.identity import rules
from vexxy.identity.accounts import repository as accounts
from vexxy.identity.accounts.types import Origin, Stored
from vexxy.identity.errors import LinkExpired, NoSuchMember, UnusableAddress
from vexxy.identity.letters import service as letters
from vexxy.identity.passwords import rules as password_rules
from vexxy.identity.ports import Tools
from vexxy.identity.recovery import repository
from vexxy.identity.throttle import repository as attempts
from vexxy.identity.throttle import rules as counters
from vexxy.identity.types import Letter
from vexxy.kit.db import Database

TOKEN_BYTES: Final = 32


def ask(database: Database, tools: Tools, email: str, *, origin: Origin) -> None:
    """Send a reset link to an address, if it has an account with a password.

    Meant to run after the answer has left: the answer then takes as long for an address
    that has no account. Nothing is told and nothing is sent to addresses that have none,
    that asked too often, or whose password is base VEXxy's. Where the mail server fails,
    asking again makes another link.
    """
    if tools.mail is None:
        return
    try:
        address = rules.normal_email(email)
    except UnusableAddress:
        return
    with database.transaction() as session:
        limit = counters.reset(tools.policy.limits, address)
        stored = accounts.find_stored(session, address)
        if attempts.spend(session, [limit]) or not _can_reset(stored):
            return
        assert stored is not None  # noqa: S101  narrowed by _can_reset
        link = _link(session, tools, stored, actor=origin.actor(None))
    minutes = tools.policy.reset_seconds // 60
    letters.post(
        tools.mail,
        Letter(
            to=address,
            subject="Set a new password for VEXxy",
            text=(
                "Somebody, probably you, asked for a new password for VEXxy.\n\n"
                f"{link}\n\n"
                f"The link works once, within {minutes} minutes. If it was not you,"
                " nothing has changed and nothing needs to be done.\n"
            ),
        ),
    )


def _can_reset(stored: Stored | None) -> bool:
    return stored is not None and stored.is_active and stored.hashed_password is not None


def make_link(session: Session, tools: Tools, email: str, *, actor: Actor) -> str:
    """Return a reset link for an operator to hand over.

    Raises:
        NoSuchMember: No active account with a password has the address.
        UnusableAddress: It is no address.
    """
    stored = accounts.find_stored(session, rules.normal_email(email))
    if stored is None or not _can_reset(stored):
        raise NoSuchMember
    return _link(session, tools, stored, actor=actor)


def _link(session: Session, tools: Tools, stored: Stored, *, actor: Actor) -> str:
    token = secrets.token_urlsafe(TOKEN_BYTES)
    repository.add_reset(
        session,
        user_id=stored.user_id,
        organization_id=stored.organization_id,
        digest=rules.digest(token),
        seconds=tools.policy.reset_seconds,
    )
    audit.record(
        session,
        Act(
            action="user.password_reset_requested",
            actor=actor,
            organization_id=stored.organization_id,
            resource_type="user",
            resource_id=stored.user_id,
        ),
    )
    # Behind the number sign, which no browser sends to a server or a proxy's log.
    return f"{tools.policy.public_url}/reset-password#token={token}"


def use(
    session: Session, tools: Tools, *, token: str, password: str, origin: Origin
) -> None:
    """Set a new password by a link; every token and every other link stops holding.

    Raises:
        LinkExpired: Unknown, used or expired, or the account is inactive.
        WeakPassword: The password would be guessed; the link still holds.
    """
    password_rules.check(password, email="")
    hashed = tools.passwords.hash(password)  # before a row is locked
    found = repository.lock_open(session, rules.digest(token))
    if found is None:
        raise LinkExpired
    password_rules.check(password, email=found.email)
    accounts.set_password(session, found.user_id, hashed)
    accounts.next_generation(session, found.user_id)
    repository.use_all(session, found.user_id)
    attempts.forget(session, counters.account(tools.policy.limits, found.email))
    audit.record(
        session,
        Act(
            action="user.password_reset",
            actor=origin.actor(found.user_id),
            organization_id=found.organization_id,
            resource_type="user",
            resource_id=found.user_id,
        ),
    )

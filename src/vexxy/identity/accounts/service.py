"""Registration, sign-in, passwords, logging out everywhere."""

from typing import Final
from uuid import UUID

from sqlalchemy.orm import Session

from vexxy.audit import service as audit
from vexxy.audit.types import Act, Actor
from vexxy.identity import rules
from vexxy.identity.accounts import repository
from vexxy.identity.accounts.types import Credentials, Origin, Registration, Stored
from vexxy.identity.errors import (
    EmailTaken,
    NoSigningKey,
    RegistrationClosed,
    UnusableAddress,
    WrongCredentials,
    WrongPassword,
)
from vexxy.identity.passwords import rules as password_rules
from vexxy.identity.ports import Tools
from vexxy.identity.throttle import rules as counters
from vexxy.identity.throttle import service as throttle
from vexxy.identity.types import Account, Identity, Issued, Role, SignedIn
from vexxy.kit import ids
from vexxy.kit.db import Database

_EMAIL_CHARACTERS_MAX: Final = 254


def register(
    session: Session, tools: Tools, registration: Registration, *, origin: Origin
) -> SignedIn:
    """Found an organization with its first owner, and sign them in.

    Raises:
        RegistrationClosed: The operator allows none.
        EmailTaken: The address has an account; nothing was created.
        UnusableAddress, WeakPassword: The input cannot be used.
    """
    if not tools.policy.registration_open:
        raise RegistrationClosed
    email = rules.normal_email(registration.email)
    password_rules.check(registration.password, email=email)
    hashed = tools.passwords.hash(registration.password)  # before a connection is held
    organization_id = ids.new_id()
    name = registration.organization_name
    slug = rules.slug(name, organization_id)
    repository.add_organization(session, organization_id, name=name, slug=slug)
    user_id = join(
        session,
        {
            "organization_id": organization_id,
            "email": email,
            "name": registration.name,
            "hashed_password": hashed,
            "role": Role.OWNER.value,
        },
    )
    act = Act(
        action="organization.registered",
        actor=origin.actor(user_id),
        organization_id=organization_id,
        resource_type="organization",
        resource_id=organization_id,
        after={"name": name, "owner": email},
    )
    audit.record(session, act)
    return signed_in(session, tools, user_id, generation=0)


def join(session: Session, values: dict[str, object]) -> UUID:
    """Insert a user; return their id.

    Raises:
        EmailTaken: The address has an account, in whatever organization.
    """
    user_id = ids.new_id()
    if not repository.add_user(session, {"id": user_id, **values}):
        raise EmailTaken
    return user_id


def signed_in(
    session: Session, tools: Tools, user_id: UUID, *, generation: int
) -> SignedIn:
    """Return a fresh token for a user, and who they are."""
    account = repository.get_account(session, user_id)
    token = tools.tokens.issue(
        user_id=user_id,
        organization_id=account.organization_id,
        email=account.email,
        generation=generation,
    )
    return SignedIn(token, account)


def sign_in(
    database: Database, tools: Tools, credentials: Credentials, *, origin: Origin
) -> SignedIn:
    """Sign a person in.

    Whoever is not let in learns nothing: an unknown address, a wrong password and an
    inactive account take the same statements, one hash and the same answer.

    Raises:
        NoSigningKey: Nobody signs in here, whatever they show.
        WrongCredentials: One of those.
        TooManyAttempts: The account or the address tried too often.
    """
    if not tools.tokens.signs:
        raise NoSigningKey
    email = _asked(credentials.email)
    limits = tools.policy.limits
    account = counters.account(limits, email)
    address = counters.address(limits, origin.ip_address or "")
    throttle.spend(database, [account, address])

    with database.transaction() as session:
        stored = repository.find_stored(session, email)
    known = stored if stored is not None and stored.is_active else None
    hashed = None if known is None else known.hashed_password
    if not tools.passwords.matches(credentials.password, hashed) or known is None:
        with database.transaction() as session:
            audit.record(session, _refused(stored, origin))
        raise WrongCredentials

    rehashed = _rehashed(tools, credentials.password, hashed)
    with database.transaction() as session:
        throttle.succeeded(session, account=account, address=address)
        # Locked and read again: it may have been deactivated while we hashed.
        now = repository.lock_stored(session, known.user_id)
        if not now.is_active or now.hashed_password != hashed:
            raise WrongCredentials
        if rehashed is not None:
            repository.set_password(session, known.user_id, rehashed)
        audit.record(session, _act("user.signed_in", known, origin.actor(known.user_id)))
        return signed_in(session, tools, known.user_id, generation=now.generation)


def _asked(email: str) -> str:
    """Return the normal form; what is no address is looked up, and not found, as well."""
    try:
        return rules.normal_email(email)
    except UnusableAddress:
        return email.strip().lower()[:_EMAIL_CHARACTERS_MAX]


def _rehashed(tools: Tools, password: str, hashed: str | None) -> str | None:
    if hashed is None or not tools.passwords.outdated(hashed):
        return None
    return tools.passwords.hash(password)


def _refused(stored: Stored | None, origin: Origin) -> Act:
    """Return the act of an attempt that failed; of nobody where there is no account."""
    return Act(
        action="user.sign_in_failed",
        actor=origin.actor(None),
        organization_id=None if stored is None else stored.organization_id,
        resource_type="user",
        resource_id=None if stored is None else stored.user_id,
    )


def _act(action: str, user: Stored | Identity, actor: Actor, **facts: object) -> Act:
    return Act(
        action=action,
        actor=actor,
        organization_id=user.organization_id,
        resource_type="user",
        resource_id=user.user_id,
        metadata=facts,
    )


def read_account(session: Session, identity: Identity) -> Account:
    """Return the caller and their organization."""
    return repository.get_account(session, identity.user_id)


def find_organization_name(session: Session, organization_id: UUID) -> str | None:
    """Return what the organization is called, None where the session sees none."""
    return repository.find_organization_name(session, organization_id)


def spend_proof(database: Database, tools: Tools, identity: Identity) -> None:
    """Count an attempt of somebody signed in to prove their password.

    A stolen token must not become a way to guess the password that it lacks.

    Raises:
        TooManyAttempts: The account was tried too often, here or at sign-in.
    """
    throttle.spend(database, [counters.account(tools.policy.limits, identity.email)])


def change_password(
    session: Session,
    tools: Tools,
    identity: Identity,
    *,
    current: str,
    new: str,
    actor: Actor,
) -> Issued:
    """Replace the caller's password; return a token, as all others stop holding.

    Raises:
        WrongPassword: The current one is not it, or the account is base VEXxy's.
        WeakPassword: The new one would be guessed.
    """
    password_rules.check(new, email=identity.email)
    stored = repository.get_stored(session, identity.user_id)
    if not tools.passwords.matches(current, stored.hashed_password):
        raise WrongPassword
    hashed = tools.passwords.hash(new)  # before a row is locked
    now = repository.lock_stored(session, identity.user_id)
    if now.hashed_password != stored.hashed_password:
        raise WrongPassword
    repository.set_password(session, identity.user_id, hashed)
    generation = repository.next_generation(session, identity.user_id)
    audit.record(session, _act("user.password_changed", identity, actor))
    return tools.tokens.issue(
        user_id=identity.user_id,
        organization_id=identity.organization_id,
        email=identity.email,
        generation=generation,
    )


def log_out_everywhere(
    session: Session, identity: Identity, *, revoke_api_keys: bool, actor: Actor
) -> None:
    """Make every token of the caller worthless, this one too; API keys if asked."""
    repository.next_generation(session, identity.user_id)
    revoked = repository.revoke_keys(session, identity.user_id) if revoke_api_keys else 0
    audit.record(
        session, _act("user.logged_out_everywhere", identity, actor, revoked=revoked)
    )

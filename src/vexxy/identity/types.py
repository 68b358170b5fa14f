"""Who somebody is, what proves it, and what they may do."""

from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from uuid import UUID


class Role(StrEnum):
    """What a user is in their organization."""

    OWNER = "owner"
    ADMIN = "admin"
    ANALYST = "analyst"
    VIEWER = "viewer"


class Permission(StrEnum):
    """What a route may ask for."""

    ANALYSIS_READ = "analysis.read"
    ANALYSIS_WRITE = "analysis.write"
    BILLING_READ = "billing.read"
    BILLING_MANAGE = "billing.manage"
    MEMBERS_MANAGE = "members.manage"
    AUDIT_READ = "audit.read"
    OPERATIONS_MANAGE = "operations.manage"


@dataclass(frozen=True, slots=True)
class Claims:
    """What a token says, once its signature holds; it says who, never what they may.

    Attributes:
        user_id: `sub`.
        organization_id: `org_id`; the database must agree.
        issued_at: `iat`, seconds since 1970.
        expires_at: `exp`, seconds since 1970.
        generation: The user's token generation at issue; None in base VEXxy's tokens.
    """

    user_id: UUID
    organization_id: UUID
    issued_at: int
    expires_at: int
    generation: int | None = None


@dataclass(frozen=True, slots=True)
class KeyProof:
    """An API key that was shown.

    Attributes:
        organization_id: The organization that the key names; the database must agree.
        digest: SHA-256 of the whole key.
    """

    organization_id: UUID
    digest: bytes


# What a request proves before the database is asked.
Principal = Claims | KeyProof


@dataclass(frozen=True, slots=True)
class Identity:
    """A caller as the database knows them in this very transaction.

    Attributes:
        permissions: Of the role; of an API key, those that the key has as well.
        is_admin: An operator of the whole service, not an organization's admin.
        api_key_id: The key they act through, None for a token.
    """

    user_id: UUID
    organization_id: UUID
    email: str
    name: str
    role: Role
    permissions: frozenset[Permission]
    is_admin: bool
    api_key_id: UUID | None = None


@dataclass(frozen=True, slots=True)
class Account:
    """A user and their organization, as the API shows them."""

    user_id: UUID
    email: str
    name: str
    role: Role
    is_active: bool
    is_admin: bool
    created_at: datetime
    organization_id: UUID
    organization_name: str
    organization_slug: str


@dataclass(frozen=True, slots=True)
class Issued:
    """A token that was just signed."""

    access_token: str
    expires_in_seconds: int


@dataclass(frozen=True, slots=True)
class SignedIn:
    """What registration, login and an accepted invitation answer."""

    token: Issued
    account: Account


@dataclass(frozen=True, slots=True)
class Limits:
    """How often somebody may try; each counts within `window_seconds`.

    Attributes:
        per_account: Failed proofs of one account, whether or not it exists.
        per_address: Failed proofs from one address.
        registrations_per_address: New organizations from one address.
        resets_per_account: Links asked for one e-mail address.
        invitations_per_organization: Letters that an organization has us send.
    """

    window_seconds: int = 900
    per_account: int = 10
    per_address: int = 100
    registrations_per_address: int = 20
    resets_per_account: int = 3
    invitations_per_organization: int = 50


@dataclass(frozen=True, slots=True)
class Letter:
    """A mail to be sent."""

    to: str
    subject: str
    text: str


@dataclass(frozen=True, slots=True)
class Policy:
    """What the operator decided about signing in.

    Attributes:
        public_url: Where people reach the service; links in mails start with it.
        registration_open: Whether a stranger may found an organization.
        reset_seconds: How long a reset link holds.
        invitation_seconds: How long an invitation holds.
    """

    public_url: str = "http://127.0.0.1:8001"
    registration_open: bool = True
    reset_seconds: int = 3600
    invitation_seconds: int = 7 * 24 * 3600
    limits: Limits = field(default_factory=Limits)

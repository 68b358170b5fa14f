"""Values of overrides."""

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Final
from uuid import UUID

# Beside the names of metrics and features.
ANALYSES: Final = "analyses"
CREDITS: Final = "credits"


@dataclass(frozen=True, slots=True, kw_only=True)
class Override:
    """What an operator allows one organization instead of what its plan says.

    Attributes:
        feature: `analyses`, `credits`, a metric or a feature of the catalog.
        limit_value: A period's; None without limit. Of a feature: 0 takes it away.
        expires_at: When it ends by itself.
    """

    id: UUID
    organization_id: UUID
    feature: str
    limit_value: Decimal | None
    unlimited: bool
    reason: str
    expires_at: datetime
    created_by: str
    created_at: datetime
    ended_at: datetime | None = None
    ended_by: str | None = None

    @property
    def limit(self) -> Decimal | None:
        """The limit, None without one."""
        return None if self.unlimited else self.limit_value


@dataclass(frozen=True, slots=True)
class NewOverride:
    """An override as an operator asks for it: with a limit or unlimited, not both."""

    feature: str
    limit_value: Decimal | None
    reason: str
    expires_at: datetime
    unlimited: bool = False

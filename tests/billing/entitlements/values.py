"""Overrides for tests."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from uuid import uuid4

from vexxy.billing.entitlements.types import Override

NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)


def an_override(
    feature: str, limit: int | None, *, days: float = 1, ended: bool = False
) -> Override:
    return Override(
        id=uuid4(),
        organization_id=uuid4(),
        feature=feature,
        limit_value=None if limit is None else Decimal(limit),
        unlimited=limit is None,
        reason="a trial of more",
        expires_at=NOW + timedelta(days=days),
        created_by="operator",
        created_at=NOW - timedelta(days=30),
        ended_at=NOW if ended else None,
    )

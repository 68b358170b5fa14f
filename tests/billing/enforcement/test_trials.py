"""What a trial lets pass beyond its plan."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest

from tests.service_values import an_organization
from vexxy.audit import types as audit
from vexxy.billing.catalog.service import Plans
from vexxy.billing.enforcement import service
from vexxy.billing.enforcement.errors import QuotaReached
from vexxy.billing.enforcement.ports import Use
from vexxy.billing.enforcement.types import Outcome
from vexxy.billing.subscriptions import service as subscriptions
from vexxy.billing.subscriptions.types import Given
from vexxy.kit.db import Database

NOW = datetime(2026, 11, 21, 9, tzinfo=UTC)
OPERATOR = audit.system("operator")


@pytest.mark.parametrize(
    ("vouched", "outcome"), [(True, Outcome.OVERAGE), (False, Outcome.GRACE)]
)
def test_a_trial_that_nobody_vouches_for_sells_nothing_beyond(
    *,
    db_system: Database,
    db_request: Database,
    free: Plans,
    vouched: bool,
    outcome: Outcome,
) -> None:
    home = an_organization(db_system)
    trial = Given(tier="standard", reason="a test", trial_days=15, trial_converts=vouched)
    use = Use(home, "agent_executions", Decimal(6_000))
    with db_request.transaction(home) as session:
        subscriptions.set_plan(session, home, trial, plans=free, actor=OPERATOR, now=NOW)
        found = service.spend(session, use, plans=free, now=NOW)
    assert found.verdict.outcome is outcome
    if vouched:
        return
    later = NOW + timedelta(hours=25)
    with db_request.transaction(home) as session, pytest.raises(QuotaReached) as caught:
        service.spend(session, use, plans=free, now=later)
    assert caught.value.details["reason"] == "grace_expired"

"""Analyses that were submitted, in a real database."""

from uuid import UUID

from tests.service_values import an_organization
from vexxy.analysis.submission import service
from vexxy.analysis.submission.service import Terms
from vexxy.analysis.submission.types import Accepted, Given, Submission
from vexxy.audit.types import system
from vexxy.billing.catalog.service import Plans, load
from vexxy.billing.types import Tier
from vexxy.kit.db import Database
from vexxy.kit.sealing import Sealer

SEALER = Sealer([b"s" * 32])


class Desk:
    """Submits and cancels for one organization, as the API does."""

    def __init__(
        self, system_: Database, request: Database, *, tier: Tier = Tier.PROFESSIONAL
    ) -> None:
        self.organization_id = an_organization(system_)
        self.request = request
        self.plans = Plans(load(None), tier)
        with system_.transaction() as session:
            self.plans.publish(session)

    def submit(self, image: str = "web:1", **given: object) -> Accepted:
        config = given.pop("config", {})
        submission = Submission(image, config=Given(**config), **given)  # type: ignore[arg-type]
        terms = Terms(self.organization_id, system("test"), self.plans)
        with self.request.transaction(self.organization_id) as session:
            return service.submit(session, submission, terms=terms, sealer=SEALER)

    def cancel(self, analysis_id: UUID) -> None:
        with self.request.transaction(self.organization_id) as session:
            service.cancel(session, analysis_id, actor=system("test"))

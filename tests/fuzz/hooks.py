"""What schemathesis cannot know: who asks, and which ids there are."""

import json
import os
import random
from typing import Any

import schemathesis
from sqlalchemy import create_engine, text
from sqlalchemy.pool import NullPool

from tests.api import running
from tests.fuzz import checks
from vexxy import bootstrap
from vexxy.kit import db
from vexxy.settings import ServiceSettings

KNOWN = json.loads(os.environ["VEXXY_FUZZ_KNOWN"])
WHO = {
    "id": os.environ["VEXXY_FUZZ_USER"],
    "organization": os.environ["VEXXY_FUZZ_ORGANIZATION"],
}
# The member whom the cases ask as is made whole again: some cases log out everywhere,
# change the role or remove the user, and all others would then be answered 401.
WHOLE = text(
    "update users set role = 'owner', is_active = true where id = :id"
    " returning token_generation, organization_id"
)
ENGINE = create_engine(db.normalized(os.environ["VEXXY_FUZZ_DATABASE"]), poolclass=NullPool)
# Imported so that schemathesis knows it.
NO_FAULT = checks.no_fault
TOKENS = bootstrap.identity_tools(ServiceSettings.model_validate(running.SETTINGS)).tokens


@schemathesis.auth(refresh_interval=1)
class Member:
    """The same member in every case, with a token that holds at this moment."""

    def get(self, case: Any, context: Any) -> str:  # noqa: ANN401  not ours
        with ENGINE.begin() as connection:
            connection.execute(text("set local role vexxy_system"))
            row = connection.execute(WHOLE, {"id": WHO["id"]}).one()
        return TOKENS.issue(
            user_id=WHO["id"],
            organization_id=row.organization_id,
            email="somebody@example.com",
            generation=row.token_generation,
        ).access_token

    def set(self, case: Any, data: str, context: Any) -> None:  # noqa: ANN401
        case.headers = {**(case.headers or {}), "Authorization": f"Bearer {data}"}
        if "/sync" in case.path:
            case.headers["X-Service-Key"] = str(running.SETTINGS["core_service_key"])


@schemathesis.hook
def map_path_parameters(context: Any, path_parameters: Any) -> Any:  # noqa: ANN401
    """Name something that is there, about every second time."""
    if not isinstance(path_parameters, dict):
        return path_parameters
    digest = random.Random(repr(sorted(path_parameters.items())))  # noqa: S311  no secret
    return {
        name: digest.choice(_known(name))
        if _known(name) and digest.random() < 0.6
        else value
        for name, value in path_parameters.items()
    }


def _known(name: str) -> list[str]:
    return list(KNOWN.get("job_id" if name == "other_id" else name, ()))

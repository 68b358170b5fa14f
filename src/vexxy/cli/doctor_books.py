"""Whether the books of the service are right, as `vexxy doctor` shows it."""

from itertools import islice
from typing import Final

from vexxy.billing.ledger.checks import service as checks
from vexxy.cli import system
from vexxy.kit.errors import VexxyError

NAME: Final = "ledger"
SHOWN_MAX: Final = 3
MEND: Final = "vexxy billing check names each with its repair"


def examine() -> tuple[bool, str, str] | None:
    """Return whether every invariant holds, what was found, and what to do about it.

    Returns:
        None where no service has a database here: there is nothing to look at.
    """
    try:
        with system.running() as database:
            if database is None:
                return None
            found = [
                f"{name} ({organization_id})"
                for name, organization_id, _ in islice(
                    checks.violations(database), SHOWN_MAX
                )
            ]
    except VexxyError as error:
        return False, error.message, error.hint or ""
    if found:
        return False, f"does not hold: {', '.join(found)}", MEND
    return True, "every invariant holds", ""

#!/usr/bin/env python3
"""Write the tables of docs/settings.md from the settings themselves.

With --check nothing is written; the exit code tells whether the page is up to date.
"""

import sys
from collections.abc import Mapping
from enum import Enum
from pathlib import Path
from typing import Final

from pydantic.fields import FieldInfo

from vexxy.settings import PREFIX, ServiceSettings, Settings

PAGE: Final = Path(__file__).parents[1] / "docs" / "settings.md"
BEGIN: Final = "<!-- written by scripts/settings_page.py from here -->"
END: Final = "<!-- to here -->"
# The first group that a name begins with takes it.
GROUPS: Final[Mapping[str, tuple[str, ...]]] = {
    "Database and broker": ("database_", "redis_"),
    "Secrets, tokens and people": (
        "jwt_",
        "secrets_",
        "core_service",
        "registration_",
        "sign_in_",
        "mail_",
        "public_url",
    ),
    "Requests": (
        "trusted_",
        "cors_",
        "rate_limit_",
        "request_",
        "max_body",
        "sbom_bytes",
        "event_streams",
        "idempotency_",
    ),
    "Workers and analyses": (
        "worker_",
        "job_",
        "analysis_",
        "image_archives",
        "result_cache",
        "reuse_",
        "reevaluation_",
    ),
    "Plans and billing": ("billing_", "default_tier", "usage_", "holds_", "stripe_"),
    "Evidence": ("storage_", "evidence_"),
    "Webhooks": ("webhook_", "core_webhook"),
    "Everything else": ("",),
}


def value(field: FieldInfo) -> str:
    """Return what holds when nothing is set."""
    default = field.default
    if field.default_factory is not None or default is None or default in ((), ""):
        return ""
    if isinstance(default, Enum):
        return f"`{default.value}`"
    if isinstance(default, bool):
        return f"`{str(default).lower()}`"
    return f"`{default}`"


def table(fields: Mapping[str, FieldInfo], *, prefix: str = "") -> list[str]:
    """Return the rows of a table."""
    rows = ["| variable | meaning | default |", "|---|---|---|"]
    for name, field in fields.items():
        meaning = (field.description or "").replace("|", r"\|")
        rows.append(f"| `{prefix}{name.upper()}` | {meaning} | {value(field)} |")
    return rows


def grouped() -> dict[str, dict[str, FieldInfo]]:
    """Return the service's settings by group."""
    found: dict[str, dict[str, FieldInfo]] = {title: {} for title in GROUPS}
    for name, field in ServiceSettings.model_fields.items():
        title = next(title for title, starts in GROUPS.items() if name.startswith(starts))
        found[title][name] = field
    return found


def tables() -> str:
    """Return everything between the two marks."""
    lines = []
    for title, fields in grouped().items():
        if fields:
            lines += [f"## {title}", "", *table(fields), ""]
    lines += ["## The command line, and analyses", ""]
    lines += [*table(Settings.model_fields, prefix=PREFIX), ""]
    return "\n".join(lines)


def main() -> None:
    """Write the page, or check it."""
    text = PAGE.read_text()
    before, rest = text.split(BEGIN)
    after = rest.split(END)[1]
    page = f"{before}{BEGIN}\n\n{tables()}\n{END}{after}"
    if "--check" in sys.argv[1:]:
        sys.exit(
            0 if page == text else "docs/settings.md is old: run scripts/settings_page"
        )
    PAGE.write_text(page)


if __name__ == "__main__":
    main()

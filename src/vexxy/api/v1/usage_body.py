"""How the body of reported events is described; it is read by `billing.usage.wire`."""

from typing import Any, Final

from vexxy.billing.usage import rules, wire

EXAMPLE: Final = {
    "id": "req-7f9c2ba4",
    "metric": "api_calls",
    "quantity": 3,
    "timestamp": "2026-11-21T09:30:00Z",
    "properties": {"endpoint": "/v1/chat"},
}
EVENT: Final[dict[str, Any]] = {
    "type": "object",
    "required": ["id", "metric", "quantity", "timestamp"],
    "additionalProperties": False,
    "properties": {
        "id": {
            "type": "string",
            "minLength": 1,
            "maxLength": rules.ID_CHARACTERS_MAX,
            "description": "Yours, printable; the same id of an organization counts once",
        },
        "metric": {
            "type": "string",
            "minLength": 1,
            "maxLength": 64,
            "description": "One of the catalog's",
        },
        "quantity": {
            "anyOf": [{"type": "number", "minimum": 0}, {"type": "string"}],
            "description": "Not negative, at most 16 digits before and 4 after the point",
        },
        "timestamp": {
            "type": "string",
            "format": "date-time",
            "description": "When it was used; not older than USAGE_LATE_DAYS",
        },
        "properties": {
            "type": "object",
            "additionalProperties": {
                "anyOf": [
                    {"type": kind} for kind in ("string", "number", "boolean", "null")
                ]
            },
            "description": "Flat, at most 2048 bytes; `value` is what a metric of "
            "distinct values counts",
        },
    },
}
BODY: Final[dict[str, Any]] = {
    "required": True,
    "content": {
        "application/json": {
            "schema": {
                "anyOf": [
                    EVENT,
                    {
                        "type": "array",
                        "minItems": 1,
                        "maxItems": wire.EVENTS_MAX,
                        "items": EVENT,
                    },
                ]
            },
            "examples": {"one": {"value": EXAMPLE}, "several": {"value": [EXAMPLE]}},
        }
    },
}

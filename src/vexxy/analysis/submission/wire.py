"""Analyses as rows of the database, and as the JSON of an answer."""

import hashlib
from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final
from uuid import UUID

import msgspec

from vexxy.analysis.submission.types import Config, Results
from vexxy.analysis.types import Observation
from vexxy.kit import clock, jsontext

_NULL: Final = b"null"
_ESCAPED_NUL: Final = b"\\u0000"


def config_object(config: Config) -> dict[str, Any]:
    """Return the configuration for a JSON column."""
    found: dict[str, Any] = msgspec.to_builtins(config)
    return found


def read_config(data: Mapping[str, Any]) -> Config:
    """Return the configuration that a JSON column holds."""
    return msgspec.convert(data, Config)


def environment_bytes(environment: Mapping[str, str]) -> bytes:
    """Return the variables as what is sealed."""
    return msgspec.json.encode(dict(environment))


def read_environment(content: bytes) -> dict[str, str]:
    """Return the variables that were sealed."""
    return msgspec.json.decode(content, type=dict[str, str])


def sealing_context(analysis_id: UUID) -> str:
    """Return what binds sealed variables to their analysis."""
    return f"analysis:{analysis_id}"


def request_digest(
    config: Config, environment: Mapping[str, str], *, image_digest: str, sbom: str
) -> str:
    """Return what two requests have in common that must have the same result.

    The environment is part of it, as a digest from which no value can be had back
    without knowing the rest.
    """
    content = msgspec.json.encode(
        [
            config_object(config),
            sorted(environment.items()),
            image_digest,
            sbom,
        ]
    )
    return f"sha256:{hashlib.sha256(content).hexdigest()}"


def storable(value: Any) -> Any:  # noqa: ANN401  whatever a slice's values are
    """Return the value as JSON that PostgreSQL can keep.

    Its `jsonb` has no character NUL, which a container may well print.
    """
    content = jsontext.encode(value)
    found = msgspec.json.decode(content)
    return _without_nul(found) if _ESCAPED_NUL in content else found


def _without_nul(value: Any) -> Any:  # noqa: ANN401  the builtins of JSON
    if isinstance(value, str):
        return value.replace("\0", "\N{REPLACEMENT CHARACTER}")
    if isinstance(value, dict):
        return {_without_nul(name): _without_nul(item) for name, item in value.items()}
    if isinstance(value, list):
        return [_without_nul(item) for item in value]
    return value


def observation_object(observation: Observation) -> dict[str, Any]:
    """Return an observation for a JSON column, without the profile, which has its own."""
    found: dict[str, Any] = storable(observation)
    del found["profile"]
    return found


def read_observation(data: Mapping[str, Any], profile: Mapping[str, Any]) -> Observation:
    """Return the observation that two JSON columns hold."""
    return msgspec.convert({**data, "profile": profile}, Observation)


def results_json(results: Results) -> bytes:
    """Return the answer of `GET …/results`.

    The documents are put in as they are stored: a profile of megabytes is neither read
    nor written again on its way out.
    """
    fields: dict[str, bytes] = {
        "job_id": _json(str(results.job_id)),
        "status": _json(results.status.value),
        "image_ref": _json(results.image_ref),
        "image_digest": _json(results.image_digest),
        "vex_document": _raw(results.vex_document),
        "generated_vex_id": _json(_text(results.generated_vex_id)),
        "execution_profile": _raw(results.execution_profile),
        "reachability_results": _raw(results.reachability_results),
        "security_findings": _raw(results.security_findings),
        "summary": _raw(results.summary),
        "skipped_features": _raw(results.skipped_features),
        "cost_credits": _json(results.cost_credits),
        "created_at": _json(_instant(results.created_at)),
        "started_at": _json(_instant(results.started_at)),
        "completed_at": _json(_instant(results.completed_at)),
        "error_message": _json(results.error_message),
    }
    body = b",".join(b'"%s":%s' % (name.encode(), text) for name, text in fields.items())
    return b"{%s}" % body


def _json(value: str | int | None) -> bytes:
    return msgspec.json.encode(value)


def _text(found: UUID | None) -> str | None:
    return None if found is None else str(found)


def _instant(instant: datetime | None) -> str | None:
    return None if instant is None else clock.rfc3339(instant)


def _raw(text: str | None) -> bytes:
    return _NULL if text is None else text.encode()

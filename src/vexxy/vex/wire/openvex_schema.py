"""The official JSON schema of OpenVEX 0.2.0, as a check."""

import json
from collections.abc import Iterable, Iterator
from functools import cache
from importlib import resources
from itertools import islice
from typing import Final

from jsonschema import Draft202012Validator, ValidationError, validators
from jsonschema.protocols import Validator

from vexxy.vex.types import Gravity, Remark
from vexxy.vex.wire.parsing import Json

_REMARKS_MAX: Final = 200
_SHOWN_MAX: Final = 160


def check(document: dict[str, Json]) -> tuple[Remark, ...]:
    """Return what the schema refuses, in document order, at most 200 remarks.

    `format` is not asserted here: wire.openvex parses instants, and checks IRIs.
    """
    errors = sorted(
        islice(_validator().iter_errors(document), _REMARKS_MAX),
        key=lambda error: [str(part).zfill(8) for part in error.absolute_path],
    )
    return tuple(_remark(error) for error in errors)


@cache
def _validator() -> Validator:
    source = resources.files("vexxy.vex").joinpath("data/openvex-0.2.0.schema.json")
    schema = json.loads(source.read_text("utf-8"))
    kind: type[Validator] = validators.extend(  # type: ignore[no-untyped-call]
        Draft202012Validator, {"uniqueItems": _unique}
    )
    return kind(schema)


def _unique(_validator: Validator, *arguments: object) -> Iterator[ValidationError]:
    """Check `uniqueItems` in one pass; the library's check is quadratic."""
    wanted, instance, _schema = arguments
    if not wanted or not isinstance(instance, list):
        return
    texts = {json.dumps(item, sort_keys=True) for item in instance}
    if len(texts) != len(instance):
        yield ValidationError("two items are equal")


def _remark(error: ValidationError) -> Remark:
    message = _told(error)
    if len(message) > _SHOWN_MAX:
        message = f"{message[:_SHOWN_MAX]}..."
    where = "".join(f"/{part}" for part in error.absolute_path)
    return Remark("openvex.schema", Gravity.ERROR, message, where)


def _told(error: ValidationError) -> str:
    """Return the message; for `anyOf`, which the library words badly, the choices."""
    if error.validator != "anyOf":
        return str(error.message)
    return f"one of {' or '.join(_required(error.context or ()))} must be given"


def _required(errors: Iterable[ValidationError]) -> list[str]:
    return [str(error.message).split(" is a ")[0].strip("'") for error in errors]

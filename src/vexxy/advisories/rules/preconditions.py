"""Whether what a hole further needs was seen; an absence clears nothing."""

from collections.abc import Mapping, Sequence
from enum import StrEnum

from vexxy.advisories.types import Precondition, PreconditionKind


class Finding(StrEnum):
    """What a run says of a precondition."""

    OBSERVED = "observed"
    NOT_OBSERVED = "not observed"
    UNKNOWN = "unknown"


def check(
    precondition: Precondition,
    arguments: Sequence[Sequence[str]],
    environment: Mapping[str, str] | None,
    *,
    platform: str = "",
) -> Finding:
    """Return what is known of a precondition.

    Args:
        precondition: What to look for. Arguments of functions and settings inside
            configuration are not observed by anything here, so they stay unknown.
        arguments: The command line of each process that was seen; none seen is unknown.
        environment: Of the container; None if nobody looked.
        platform: Of the image, as `linux/amd64`; empty if not known.
    """
    match precondition.kind:
        case PreconditionKind.OPTION if arguments:
            given = (word for line in arguments for word in line)
            return _seen(any(_is_given(word, precondition.form) for word in given))
        case PreconditionKind.ENVIRONMENT if environment is not None:
            name, sign, value = precondition.form.partition("=")
            found = environment.get(name)
            return _seen(found is not None and (not sign or found == value))
        case PreconditionKind.PLATFORM if platform:
            wanted = precondition.form.lower().split("/")
            return _seen(set(wanted) <= set(platform.lower().split("/")))
    return Finding.UNKNOWN


def _is_given(word: str, form: str) -> bool:
    return word == form or ("=" not in form and word.startswith(f"{form}="))


def _seen(seen: bool) -> Finding:  # noqa: FBT001  the only thing it is about
    return Finding.OBSERVED if seen else Finding.NOT_OBSERVED


def statement(precondition: Precondition, finding: Finding) -> str:
    """Return the finding as one line of evidence."""
    return (
        f"precondition {finding}: {precondition.sentence} "
        f"({precondition.kind} {precondition.form})"
    )

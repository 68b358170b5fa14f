"""What can go wrong with VEX documents."""

from vexxy.kit.errors import InvalidInput


class UnreadableDocument(InvalidInput):
    """A file is no VEX document that can be understood."""

    def __init__(self, message: str, *, hint: str | None = None) -> None:
        super().__init__(
            message, hint=hint or "`vexxy vex validate FILE` lists what is wrong with it."
        )


class UnusableClaim(InvalidInput):
    """A claim says `not_affected` and does not say why."""

    def __init__(self, vulnerability: str, purl: str) -> None:
        super().__init__(
            f"{vulnerability} in {purl} is called not_affected without a justification",
            hint="Give a justification, or call it under_investigation.",
        )


class NothingToState(InvalidInput):
    """No statement is left, and OpenVEX has no document without one."""

    def __init__(self) -> None:
        super().__init__(
            "there is no statement to write; OpenVEX demands at least one",
            hint="An image without findings needs no VEX document.",
        )

"""What goes wrong with evidence."""

from uuid import UUID

from vexxy.kit import errors


class EvidenceNotFound(errors.NotFound):
    """No such evidence, or it belongs to somebody else, or its time is over."""

    def __init__(self, evidence_id: UUID) -> None:
        super().__init__(f"there is no evidence {evidence_id}")


class EvidenceTooLarge(errors.TooLarge):
    """The content is over the limit; nothing of it was kept."""

    def __init__(self, *, bytes_max: int) -> None:
        super().__init__(
            f"a piece of evidence may have {bytes_max} bytes at most",
            hint="raise EVIDENCE_BYTES_MAX, or keep less",
        )


class UnknownContentType(errors.InvalidInput):
    """A content type that is not handed out."""


class EvidenceDamaged(errors.ExternalFailure):
    """The stored bytes are not those that were kept; none of them was handed out."""

    def __init__(self, what: str) -> None:
        super().__init__(
            f"the stored evidence is damaged: {what}",
            kept="everything else of the analysis",
            hint="restore the evidence store from its backup, or analyze again",
        )


class BlobMissing(EvidenceDamaged):
    """A row names bytes that the store does not have."""

    def __init__(self) -> None:
        super().__init__("the store no longer has it")


class StoreFailed(errors.ExternalFailure):
    """The store refused or broke off; what was kept before is still there."""

    def __init__(self, act: str) -> None:
        super().__init__(
            f"the evidence store failed to {act}",
            kept="all evidence that was kept before",
            hint="see the log of the service; it is tried again",
        )


class StoreMisconfigured(errors.InvalidInput):
    """The settings of the store cannot be right."""


class LinkRefused(errors.Unauthenticated):
    """The link was not made here, was altered, or has expired."""

    def __init__(self) -> None:
        super().__init__(
            "this download link is not valid or no longer valid",
            hint="list the evidence of the analysis again for a new one",
        )

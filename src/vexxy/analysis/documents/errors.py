"""What can be wrong with documents."""

from uuid import UUID

from vexxy.kit import errors


class SbomNotFound(errors.NotFound):
    """There is no such SBOM, or it is another organization's."""

    def __init__(self, sbom_id: UUID) -> None:
        super().__init__(
            f"there is no SBOM {sbom_id}", hint="upload one with POST /api/v1/sboms"
        )


class VexNotFound(errors.NotFound):
    """There is no such VEX document, or it is another organization's."""

    def __init__(self, vex_id: UUID) -> None:
        super().__init__(
            f"there is no VEX document {vex_id}",
            hint="generated_vex_id of an analysis's results names it; an analysis "
            "without findings has none",
        )


class EditionNotFound(errors.NotFound):
    """The document never had this edition."""

    def __init__(self, vex_id: UUID, version: int) -> None:
        super().__init__(f"VEX document {vex_id} has no version {version}")


class SbomTooLarge(errors.TooLarge):
    """The document is larger than the service takes."""

    def __init__(self, size_bytes: int, limit_bytes: int) -> None:
        super().__init__(
            f"the SBOM has {size_bytes:,} bytes; at most {limit_bytes:,} are taken",
            details={"limit_bytes": limit_bytes},
        )


class SbomsBusy(errors.Unavailable):
    """As many large documents as may be are being read at this moment."""

    def __init__(self) -> None:
        super().__init__(
            "other large SBOMs are being read at this moment",
            hint="try again in a few seconds",
        )

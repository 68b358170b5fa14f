"""What can be wrong with a software bill of materials."""

from vexxy.kit import errors


class InvalidSbom(errors.InvalidInput):
    """The document is no SBOM that we read, or it is damaged."""


class SbomMissing(errors.NotFound):
    """There is no file at the path that was given for an SBOM."""


class SbomMismatch(errors.InvalidInput):
    """The SBOM describes another image than the one that is analyzed."""

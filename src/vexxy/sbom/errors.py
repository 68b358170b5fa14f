"""What can be wrong with a software bill of materials."""

from vexxy.kit import errors


class InvalidSbom(errors.InvalidInput):
    """The document is no SBOM that we read, or it is damaged."""

"""What can keep functions from being found in a file."""

from vexxy.kit import errors


class Unreadable(errors.InvalidInput):
    """The file is damaged, packed, or of a kind that is not read."""

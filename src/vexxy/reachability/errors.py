"""What can go wrong while the facts of a verdict are gathered."""

from vexxy.kit import errors


class Unparsable(errors.InvalidInput):
    """A file is not what its name says, or damaged; its language becomes unknown."""

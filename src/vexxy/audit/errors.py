"""What can go wrong with the record of acts."""

from vexxy.kit.errors import InvalidInput


class UnusableAct(InvalidInput):
    """An act is described in a way that cannot be kept."""

"""How an attempt at an analysis fails; the kind decides whether there is another."""

from vexxy.kit import errors


class AttemptFailed(errors.ExternalFailure):
    """This attempt failed; another one may not."""


class AnalysisImpossible(errors.InvalidInput):
    """Every attempt would fail in the same way: the image or the request is at fault."""

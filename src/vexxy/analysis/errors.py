"""What can be wrong with a request or a saved result."""

from vexxy.kit import errors


class RequestRefused(errors.InvalidInput):
    """A value of the request is outside its bounds."""


class ResultUnreadable(errors.InvalidInput):
    """A file is not a saved result of this product."""


class FindingNotFound(errors.NotFound):
    """The saved result has no finding of that name."""


class NothingToState(errors.Conflict):
    """There are no findings, and the format cannot say so."""


class AdvisoriesMissing(errors.Unavailable):
    """No advisories were given and the database is empty: nothing could be found."""


class ScriptFailed(errors.ExternalFailure):
    """The test script did not succeed, so the image was not exercised as intended."""


class ObservedElsewhere(errors.Conflict):
    """A stored observation is of another image than the one at hand."""

"""What can be wrong with a reference, an archive or a file inside an image."""

from vexxy.kit import errors


class InvalidReference(errors.InvalidInput):
    """The text is not an image reference."""


class InvalidArchive(errors.InvalidInput):
    """The archive is damaged, incomplete or no image."""


class ArchiveMissing(errors.NotFound):
    """There is nothing at the path that was given for an archive."""


class FileMissing(errors.NotFound):
    """There is no regular file at this path of the image."""


class FileTooLarge(errors.InvalidInput):
    """The file is larger than its reader accepts."""


class FileUnreadable(errors.ExternalFailure):
    """The host refused to read a file of the image."""

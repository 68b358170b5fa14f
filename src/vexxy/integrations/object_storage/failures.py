"""obstore's failures, told in our words; its own may name a bucket, a path or a key."""

from collections.abc import Iterator
from contextlib import contextmanager

from obstore.exceptions import BaseError

from vexxy.evidence.errors import StoreFailed


@contextmanager
def told(act: str) -> Iterator[None]:
    """Turn what the library raises inside into `StoreFailed`.

    The cause keeps the vendor's text for the log; the message goes to a client.
    """
    try:
        yield
    except (BaseError, OSError, ValueError) as error:
        raise StoreFailed(act) from error

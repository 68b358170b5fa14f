"""Keys that base VEXxy publishes, fetched when they are needed and kept."""

import threading
import time
from collections.abc import Callable
from typing import Final

from vexxy.identity.errors import UnusableKey
from vexxy.identity.ports import KeySetSource
from vexxy.identity.tokens import rules
from vexxy.identity.tokens.types import VerificationKey
from vexxy.kit import logging
from vexxy.kit.errors import ExternalFailure

FRESH_SECONDS: Final = 600
# A token with an invented key id must not make us fetch: one fetch in this time.
PAUSE_SECONDS: Final = 30
# Keys that could not be refreshed for a day may have been withdrawn.
STALE_SECONDS: Final = 86_400

log = logging.logger(__name__)


class PublishedKeys:
    """One key set.

    A source that fails costs nothing while what was fetched before is younger than a
    day; afterwards its tokens are refused.
    """

    def __init__(
        self, source: KeySetSource, *, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._source = source
        self._clock = clock
        self._lock = threading.Lock()
        self._keys: tuple[VerificationKey, ...] = ()
        self._fetched_at = -float("inf")
        self._tried_at = -float("inf")

    def keys(self, kid: object) -> tuple[VerificationKey, ...]:
        """Return the keys of the set, fetching it for a key id that is not in it."""
        if self._due(kid):
            with self._lock:
                if self._due(kid):
                    self._fetch()
        if self._clock() - self._fetched_at > STALE_SECONDS:
            return ()
        return self._keys

    def _due(self, kid: object) -> bool:
        now = self._clock()
        if now - self._tried_at < PAUSE_SECONDS:
            return False
        unknown = kid is not None and all(key.kid != kid for key in self._keys)
        return unknown or now - self._fetched_at > FRESH_SECONDS

    def _fetch(self) -> None:
        self._tried_at = self._clock()
        try:
            self._keys = rules.key_set(self._source.fetch())
        except (ExternalFailure, UnusableKey) as error:
            log.warning("identity.key_set_unavailable", reason=error.message)
            return
        self._fetched_at = self._tried_at

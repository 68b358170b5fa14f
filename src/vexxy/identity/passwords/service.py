"""Hashing passwords with Argon2id (RFC 9106)."""

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

import argon2
from argon2.exceptions import InvalidHashError, VerificationError, VerifyMismatchError

from vexxy.identity.errors import Busy

# OWASP's first recommendation for Argon2id: 46 MiB, one pass, one lane.
MEMORY_KIB: Final = 47_104
PASSES: Final = 1
LANES: Final = 1
WAITING_MAX: Final = 12
WAIT_SECONDS_MAX: Final = 5


class Passwords:
    """Argon2id, with a bound on how much memory all hashing together takes.

    Args:
        memory_kib: Memory of one hash.
        passes: How often the memory is walked.
        at_once: Most hashes at once. Forty threads of a server that hash together would
            take 2 GB.
        waiting: Most callers that wait for a place. More are turned away, so that people
            who sign in never hold all the threads that answer everybody else.
    """

    def __init__(
        self,
        *,
        memory_kib: int = MEMORY_KIB,
        passes: int = PASSES,
        at_once: int | None = None,
        waiting: int = WAITING_MAX,
    ) -> None:
        self._hasher = argon2.PasswordHasher(
            time_cost=passes, memory_cost=memory_kib, parallelism=LANES
        )
        places = at_once or max(2, os.cpu_count() or 1)
        self._places = threading.BoundedSemaphore(places)
        self._admitted = threading.BoundedSemaphore(places + waiting)
        self._nobody = self._hasher.hash(os.urandom(32))

    @contextmanager
    def _place(self) -> Iterator[None]:
        if not self._admitted.acquire(blocking=False):
            raise Busy
        try:
            if not self._places.acquire(timeout=WAIT_SECONDS_MAX):
                raise Busy
            try:
                yield
            finally:
                self._places.release()
        finally:
            self._admitted.release()

    def hash(self, password: str) -> str:
        """Return a salted hash, in the PHC string format.

        Raises:
            Busy: Too many are hashed already.
        """
        with self._place():
            return self._hasher.hash(password)

    def matches(self, password: str, hashed: str | None) -> bool:
        """Tell whether the password is the one.

        With no hash (no such account, or one of base VEXxy) a hash that nobody has the
        password of is checked instead, so that the answer takes as long.

        Raises:
            Busy: Too many are hashed already.
        """
        with self._place():
            try:
                self._hasher.verify(hashed or self._nobody, password)
            except (VerifyMismatchError, VerificationError, InvalidHashError):
                return False
        return hashed is not None

    def outdated(self, hashed: str) -> bool:
        """Tell whether the hash was made with other parameters than today's."""
        return self._hasher.check_needs_rehash(hashed)

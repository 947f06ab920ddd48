"""Passwords: argon2id, slow on purpose, so at most two at once and never on the event loop."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import ParamSpec, TypeVar

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from trunkline.http.problems import FieldError, Problem

__all__ = ["Passwords"]

P = ParamSpec("P")
T = TypeVar("T")

_MIN_CHARACTERS = 10
_MIN_SCORE = 3
#: zxcvbn's time grows with the square of the length; what is longer than this is strong by its beginning.
_JUDGED_CHARACTERS = 72
#: Hash of a password that nobody has: makes an unknown address cost what a known one costs.
_DUMMY = "no agent has this password"


class Passwords:
    """Hashes, verifies and judges passwords."""

    def __init__(self, hasher: PasswordHasher | None = None) -> None:
        # 64 MiB, three passes; one lane, because two cores serve customers meanwhile.
        self._hasher = hasher or PasswordHasher(time_cost=3, memory_cost=64 * 1024, parallelism=1)
        self._slots = asyncio.Semaphore(2)
        self._dummy: str | None = None

    async def hash(self, password: str) -> str:
        """Return the hash to store."""
        return await self._apart(self._hasher.hash, password)

    async def verify(self, stored: str | None, password: str) -> bool:
        """Whether this is the password; takes as long when there is none to compare with."""
        return await self._apart(self._verify, stored, password)

    def is_outdated(self, stored: str) -> bool:
        """Whether the hash was made with weaker parameters than today's."""
        return self._hasher.check_needs_rehash(stored)

    async def insist(self, password: str, *, about: tuple[str, ...]) -> None:
        """Refuse a password that is too short or too easily guessed; `about` are words an attacker tries first.

        Raises:
            Problem: 422 that says in words what would make it better.
        """
        if len(password) < _MIN_CHARACTERS:
            raise _refused(f"Use at least {_MIN_CHARACTERS} characters.")
        advice = await self._apart(_advice, password, about)
        if advice is not None:
            raise _refused(advice)

    def _verify(self, stored: str | None, password: str) -> bool:
        if self._dummy is None:
            self._dummy = self._hasher.hash(_DUMMY)
        try:
            self._hasher.verify(stored or self._dummy, password)
        except (VerificationError, InvalidHashError):
            return False
        return stored is not None

    async def _apart(self, work: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        async with self._slots:
            return await asyncio.to_thread(work, *args, **kwargs)


def _refused(words: str) -> Problem:
    return Problem(422, "password_weak", words, errors=[FieldError("password", words)])


def _advice(password: str, about: tuple[str, ...]) -> str | None:
    """Return what to change, None when the password is good."""
    # Imported here: its word lists take a tenth of a second and are needed when an agent is set up, not at every start.
    from zxcvbn import zxcvbn  # noqa: PLC0415 - see above

    judged = zxcvbn(password[:_JUDGED_CHARACTERS], user_inputs=list(about))
    if judged["score"] >= _MIN_SCORE:
        return None
    feedback = judged["feedback"]
    words = [feedback["warning"], *feedback["suggestions"]]
    advice = " ".join(f"{sentence.rstrip('.')}." for sentence in words if sentence)
    return f"This password is too easy to guess. {advice or 'Use a few words that do not belong together.'}"

"""What a check is, and how one may end."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from enum import StrEnum
from typing import Any

import msgspec

from trunkline.contract import Capabilities, Channel, ConnectorSpec, Transport

__all__ = ["Broken", "Check", "NotHere", "Outcome", "State", "Subject", "Topic", "need"]


class Broken(AssertionError):
    """The connector does not keep what it promises; the message says what was seen."""


class NotHere(Exception):
    """The platform has nothing that this check could try, and the connector claims nothing of it."""


def need(holds: object, words: str) -> None:
    """Raise Broken with `words` unless something holds."""
    if not holds:
        raise Broken(words)


class Subject(msgspec.Struct, frozen=True):
    """One channel of one connector."""

    spec: ConnectorSpec
    channel: Channel

    @property
    def capabilities(self) -> Capabilities:
        return self.channel.capabilities

    @property
    def is_hosted(self) -> bool:
        return self.capabilities.receiving.transport is Transport.HOSTED


def _of_platforms(subject: Subject) -> bool:
    return not subject.is_hosted


class Check(msgspec.Struct, frozen=True):
    """One promise: its id, the sentence that must hold, and why anybody wants it.

    `run` takes a Subject, or (as a coroutine) a Stage.
    """

    id: str
    run: Callable[[Any], Awaitable[None] | None]
    sentence: str
    reason: str
    #: Whether there is anything to check, as far as the declaration alone tells.
    applies: Callable[[Subject], bool] = _of_platforms


class Topic(msgspec.Struct, frozen=True):
    """Checks about one thing, in the order of the page."""

    title: str
    checks: tuple[Check, ...]


class State(StrEnum):
    """How a check ended."""

    PASSED = "passed"
    FAILED = "failed"
    #: Neither claimed nor there.
    NOT_HERE = "not_here"


class Outcome(msgspec.Struct, frozen=True, kw_only=True):
    """How one check ended on one channel."""

    channel: str
    id: str
    sentence: str
    state: State
    #: What was seen, for all but the passed.
    words: str = ""
    seconds: float = 0.0

"""How an account is: the flight recorder, and the bundle for whoever helps."""

from __future__ import annotations

from typing import Any, Literal

from trunkline_desk.api.models.accounts import Remedy
from trunkline_desk.api.models.words import Answer, Time

__all__ = ["AccountRecord", "Bundle"]


class Silence(Answer):
    """Whether it is quieter than it ever is, learnt from the account's own hours."""

    state: Literal["learning", "quiet", "usual", "alarm"]
    #: Seconds since the last request.
    quiet_s: int | None
    usual_per_hour: float
    #: Requests that should have come since the last one.
    missed: float
    words: str


class ErrorClass(Answer):
    """A kind of failure in the last 24 hours."""

    code: str
    count: int
    last_at: Time


class Acknowledged(Answer):
    """How long webhooks of all accounts waited for our answer, in this process since its start."""

    count: int
    p50_ms: float
    p99_ms: float


class TokenLife(Answer):
    """An access token that we got from the platform."""

    name: str
    expires_at: Time | None


class Breaker(Answer):
    """Why sending waits, if it does."""

    open: bool
    until: Time | None
    #: Until when nothing that costs quota is sent.
    quota_until: Time | None
    failures: int
    reason: str | None


class Finding(Answer):
    """What the last probe found."""

    state: str
    summary: str
    title: str | None
    advice: list[str]
    quota_left: int | None
    remedies: list[Remedy]


class AccountRecord(Answer):
    """The flight recorder of an account. Counts are of the last 24 hours where nothing else is said."""

    at: Time
    last_inbound_at: Time | None
    #: Proved requests of the platform, and how many of them brought nothing new.
    requests: int
    redelivered: int
    redelivery_rate: float | None
    silence: Silence
    #: Now.
    quarantined: int
    acknowledged: Acknowledged | None
    #: Attempts to send that the platform took, and the others by their kind.
    accepted: int
    errors: list[ErrorClass]
    #: Replies on their way, now, and since when the oldest.
    waiting: int
    waiting_since: Time | None
    tokens: list[TokenLife]
    breaker: Breaker
    health: Finding | None


class Bundle(Answer):
    """For whoever helps: no secrets, and nothing that customers wrote."""

    format: str
    account: dict[str, Any]
    record: dict[str, Any]
    #: A secret is "(set)".
    settings: dict[str, Any] | None
    python: str
    packages: dict[str, str]

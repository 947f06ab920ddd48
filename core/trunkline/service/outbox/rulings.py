"""What follows from a refused attempt: one function per kind of error, chosen by a table."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec

from trunkline.contract import Accepted, Idempotency
from trunkline.errors import (
    DeliveryError,
    RateLimited,
    SignInNeeded,
    TryLater,
    Uncertain,
    Undeliverable,
    Whose,
    WindowClosed,
)
from trunkline.service.outbox.claims import Claim
from trunkline.service.outbox.schedule import HOLD_MS, PROBE_EVERY_MS, UNCERTAIN_MS, next_try

__all__ = ["Result", "Ruling", "rule"]


class Result(msgspec.Struct, frozen=True, kw_only=True):
    """How one attempt ended."""

    claim: Claim
    started_at: int
    ended_at: int
    accepted: Accepted | None = None
    error: DeliveryError | None = None
    idempotency: Idempotency = Idempotency.NOTHING
    #: Deliveries that went in the request.
    together: int = 1
    #: False for all but the first of them: a request is one success or one fault.
    leads: bool = True


class Ruling(msgspec.Struct, frozen=True, kw_only=True):
    """What becomes of the delivery, and of its account."""

    state: str
    code: str
    text: str
    due_at: int | None = None
    whose: Whose | None = None
    #: The account waits until then.
    blocked_until: int | None = None
    quota_blocked_until: int | None = None
    #: Counts towards the breaker.
    is_fault: bool = False
    #: The message may have arrived all the same.
    is_unknown: bool = False
    #: The account is in this state now, and lets one message through at a time.
    account_state: str | None = None
    #: Goes alone from now on, as a request of its own.
    leaves_request: bool = False


def rule(result: Result, error: DeliveryError) -> Ruling:
    """Return what follows from `error`."""
    for kind, decide in _RULES:
        if isinstance(error, kind):
            return decide(result, error)
    return _later(result, TryLater(str(error), code=error.code, answer=error.answer))


def _limited(result: Result, error: RateLimited) -> Ruling:
    until = next_try(result.ended_at, result.claim.attempts, error.after_s)
    if error.scope == "quota":
        words = "The account's message quota is used up; it is sent when the platform allows it again."
        due_at = min(until, result.ended_at + HOLD_MS)
        return Ruling(state="held", code="quota", text=words, whose="account", due_at=due_at, quota_blocked_until=until)
    words = "The platform asks us to send more slowly; it is tried again."
    blocked = until if error.scope == "account" else None
    return Ruling(state="retrying", code=error.code, text=words, whose="platform", due_at=until, blocked_until=blocked)


def _later(result: Result, error: TryLater) -> Ruling:
    until = next_try(result.ended_at, result.claim.attempts, error.after_s)
    words = str(error) or "The platform could not take it; it is tried again."
    return Ruling(state="retrying", code=error.code, text=words, whose="platform", due_at=until, is_fault=True)


def _closed(_result: Result, error: WindowClosed) -> Ruling:
    words = "The platform says that the reply window is over: the customer has to write first."
    return Ruling(state="expired", code=error.code, text=words, whose="recipient")


def _sign_in(result: Result, error: SignInNeeded) -> Ruling:
    words = "The platform refuses the account's credentials: an administrator has to renew them."
    until = result.ended_at + PROBE_EVERY_MS
    return Ruling(
        state="held",
        code=error.code,
        text=words,
        whose="account",
        due_at=until,
        blocked_until=until,
        account_state="sign_in_needed",
    )


def _final(result: Result, error: Undeliverable) -> Ruling:
    if result.together > 1 and error.whose == "content" and not result.claim.message.after_uncertain:
        words = "It was refused together with others; each of them is tried alone."
        return Ruling(state="queued", code="tried_alone", text=words, due_at=result.ended_at, leaves_request=True)
    return Ruling(state="failed", code=error.code, text=str(error), whose=error.whose)


def _uncertain(result: Result, error: Uncertain) -> Ruling:
    """With a key the same send is simply repeated; without one the platform gets time to show that it has it."""
    words = "No answer came from the platform; it may or may not have arrived."
    if result.idempotency is Idempotency.KEY:
        due_at = next_try(result.ended_at, result.claim.attempts)
    else:
        due_at = result.ended_at + UNCERTAIN_MS
    return Ruling(
        state="uncertain",
        code=error.code,
        text=words,
        whose="platform",
        due_at=due_at,
        is_fault=True,
        is_unknown=True,
    )


_RULES: tuple[tuple[type[DeliveryError], Callable[[Result, Any], Ruling]], ...] = (
    (RateLimited, _limited),
    (TryLater, _later),
    (WindowClosed, _closed),
    (SignInNeeded, _sign_in),
    (Undeliverable, _final),
    (Uncertain, _uncertain),
)

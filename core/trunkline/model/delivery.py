"""The life of one delivery: its states, why it is in one, and what it cost."""

from __future__ import annotations

from enum import StrEnum

import msgspec

from trunkline.errors import PlatformAnswer, Whose

__all__ = ["FINAL_STATES", "Cost", "DeliveryState", "Level", "Reason", "is_further"]


class DeliveryState(StrEnum):
    """States of the outbox; the order in `_LADDER` is that of progress after the platform's yes."""

    #: Waiting for its turn.
    QUEUED = "queued"
    #: A worker holds the lease and speaks to the platform.
    SENDING = "sending"
    #: A transient failure; tried again at `due_at`.
    RETRYING = "retrying"
    #: Waits for something other than time: an earlier message, the account, its quota.
    HELD = "held"
    #: The request left and no answer came.
    UNCERTAIN = "uncertain"
    #: The platform accepted it.
    SENT = "sent"
    DELIVERED = "delivered"
    READ = "read"
    #: The platform refused it for good.
    FAILED = "failed"
    #: It could not be sent before its time was over.
    EXPIRED = "expired"
    #: Never given to the platform: window, budget or capability forbid it.
    SUPPRESSED = "suppressed"
    #: Taken back by a person.
    CANCELLED = "cancelled"


#: States that no worker touches again. A late failure may still turn `sent` into `failed`.
FINAL_STATES = frozenset(
    {
        DeliveryState.SENT,
        DeliveryState.DELIVERED,
        DeliveryState.READ,
        DeliveryState.FAILED,
        DeliveryState.EXPIRED,
        DeliveryState.SUPPRESSED,
        DeliveryState.CANCELLED,
    }
)

_LADDER = (DeliveryState.SENT, DeliveryState.DELIVERED, DeliveryState.READ)


def is_further(new: DeliveryState, old: DeliveryState) -> bool:
    """Whether a receipt moves a delivery forward: receipts arrive late and out of order, states never go back."""
    if new is DeliveryState.FAILED:
        return old not in {DeliveryState.FAILED, DeliveryState.CANCELLED, DeliveryState.SUPPRESSED}
    if new not in _LADDER or (new is DeliveryState.SENT and old is DeliveryState.FAILED):
        return False  # a late "sent" clears no failure; only "delivered" and "read" prove it wrong
    return old not in _LADDER or _LADDER.index(new) > _LADDER.index(old)


class Level(StrEnum):
    """How well a channel carries a kind of content."""

    FULL = "full"
    #: Carried with a loss that the rule's note tells (a caption lost, a title cut).
    PARTIAL = "partial"
    #: Carried as something else (a file as a link).
    FALLBACK = "fallback"
    #: Left out in silence by the platform; we refuse instead.
    DROPPED = "dropped"
    REJECTED = "rejected"


class Cost(StrEnum):
    """What sending costs."""

    FREE = "free"
    #: Counts against the plan's quota.
    QUOTA = "quota"
    PAID = "paid"


class Reason(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Why a delivery is in its state, in words for the agent."""

    #: Stable code: "window_closed", "rate_limited", "waits_for_earlier", …
    code: str
    text: str
    whose: Whose | None = None
    answer: PlatformAnswer | None = None

"""What a push provider is: the port that a hosted connector fills, what is pushed, and what a provider may answer.

A push says that there is something, never what: the app asks the server. Only a deployer who wants it shows a preview.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from enum import StrEnum
from typing import Any

import msgspec
from pydantic import SecretStr

from trunkline.contract.capabilities import TextLimit, TextUnit
from trunkline.contract.text import cut

__all__ = ["MOST_BYTES", "Notice", "Push", "PushAnswer", "PushResult", "PushSender", "PushTarget", "push_of"]

#: What APNs and FCM take at most. Source: https://firebase.google.com/docs/reference/fcm/rest/v1/ErrorCode
#: (read 2026-11-22)
MOST_BYTES = 4096
_TITLE = TextLimit(max=200, unit=TextUnit.UTF8)
_BODY = TextLimit(max=800, unit=TextUnit.UTF8)


class Notice(msgspec.Struct, frozen=True):
    """The words of a notification."""

    title: str
    body: str


class PushTarget(msgspec.Struct, frozen=True, kw_only=True):
    """The device that is to be woken."""

    device_id: str
    #: "apns", "fcm", "hms", "webpush".
    provider: str
    push_token: SecretStr
    #: APNs: "production" or "sandbox".
    environment: str | None = None
    bundle_id: str | None = None
    locale: str | None = None


class Push(msgspec.Struct, frozen=True, kw_only=True):
    """What is pushed. Sent again under the same `collapse`, it replaces what is shown of that thread."""

    #: "message": there is one; "read": it was read elsewhere, nothing is shown and the badge goes down.
    kind: str
    #: "th_…"; None in the smallest one.
    thread: str | None
    position: int | None
    unread: int
    notice: Notice | None
    collapse: str
    #: After this moment (ms since the epoch) it is of no use.
    expires_at: int

    def payload(self) -> dict[str, Any]:
        """Return what the app is given; at most `MOST_BYTES` as JSON in UTF-8, without a secret and without a link."""
        told = {"v": 1, "t": self.kind, "thread": self.thread, "pos": self.position, "unread": self.unread}
        known = {name: value for name, value in told.items() if value is not None}
        words = {} if self.notice is None else {"title": self.notice.title, "body": self.notice.body}
        return {"occ": known, **words}

    def smallest(self) -> Push:
        """Return the same without what a provider may stumble over; for a second try."""
        return msgspec.structs.replace(self, thread=None, position=None)


def push_of(notice: Notice | None, **more: Any) -> Push:
    """Return a push whose words fit."""
    if notice is not None:
        notice = Notice(cut(_line(notice.title), _TITLE), cut(_line(notice.body), _BODY))
    return Push(notice=notice, **more)


def _line(text: str) -> str:
    """Return a text on one line: control characters take six bytes each in JSON."""
    return " ".join("".join(one if one.isprintable() else " " for one in text).split())


class PushResult(StrEnum):
    """What a provider said."""

    SENT = "sent"
    #: Nobody has this token any more.
    UNREGISTERED = "unregistered"
    #: The token or the payload is wrong; the provider does not say which.
    REFUSED = "refused"
    #: The token belongs to the other environment of APNs.
    WRONG_ENVIRONMENT = "wrong_environment"
    #: Not now: throttled, down, or not reached.
    LATER = "later"
    #: The provider does not believe us: nothing can be sent to anybody until a person repairs it.
    SIGN_IN_NEEDED = "sign_in_needed"


class PushAnswer(msgspec.Struct, frozen=True):
    """What a provider said, and what it said of the time."""

    result: PushResult
    #: Seconds that the provider asks us to wait.
    after_s: float | None = None
    #: The provider's own code, for the log.
    code: str | None = None


class PushSender(ABC):
    """One provider with the credentials of one account."""

    @abstractmethod
    async def send_push(self, target: PushTarget, push: Push) -> PushAnswer:
        """Hand a push over. A failed connection is `LATER`; what it raises counts as that, too."""

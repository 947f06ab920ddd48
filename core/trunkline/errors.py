"""Every error that can leave a room of Trunkline, split by what the caller does next.

::

    TrunklineError
    ├── ConfigError              stop at start; names the key, the file and the line
    ├── StartRefused             stop at start; one sentence, exit 1
    ├── ContractError            a bug in a connector or an application
    ├── RequestRefused           answer a webhook with `status` and store nothing
    │   ├── SignatureInvalid     401
    │   ├── BodyRefused          400, 413, 415
    │   └── UnknownAccount       404
    ├── StoreUnavailable         answer 503 with Retry-After; nothing was stored
    ├── BodyUnreadable           a proved body that cannot be parsed: quarantine it
    └── DeliveryError            one attempt to send did not succeed
        ├── TryLater             again after `after_s`
        ├── RateLimited          the whole scope waits `after_s`
        ├── WindowClosed         the reply window or credential is over
        ├── SignInNeeded         the account's credentials are refused; hold its messages
        ├── Undeliverable        final; says whose fault it is
        └── Uncertain            the request left, no answer came: reconcile before sending again

The default message of an error is its docstring's first line.
"""

from __future__ import annotations

from typing import Literal

import msgspec

__all__ = [
    "BodyRefused",
    "BodyUnreadable",
    "ConfigError",
    "ContractError",
    "DeliveryError",
    "PlatformAnswer",
    "RateLimited",
    "RequestRefused",
    "SignInNeeded",
    "SignatureInvalid",
    "StartRefused",
    "StoreUnavailable",
    "TrunklineError",
    "TryLater",
    "Uncertain",
    "Undeliverable",
    "UnknownAccount",
    "Whose",
    "WindowClosed",
]

#: Who can do something about a message that will not arrive.
Whose = Literal["recipient", "content", "account", "platform", "us"]


class PlatformAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """What a platform said about one request; kept as evidence and shown to agents."""

    #: HTTP status, None when no answer came.
    status: int | None = None
    #: The platform's own error code as text ("131047", "45015").
    code: str | None = None
    #: The platform's words, cut to 1,000 characters, without secrets.
    text: str | None = None
    #: The platform's request id, for its support desk.
    request_id: str | None = None


class TrunklineError(Exception):
    """Something went wrong in Trunkline."""

    def __init__(self, message: str | None = None) -> None:
        super().__init__(message or (self.__doc__ or "").split("\n", 1)[0])


class ConfigError(TrunklineError):
    """The configuration is wrong."""

    def __init__(self, message: str, *, key: str = "", file: str = "", line: int | None = None) -> None:
        where = f"{file}:{line}: " if file and line else f"{file}: " if file else ""
        super().__init__(f"{where}{message}")
        self.key, self.file, self.line = key, file, line


class StartRefused(TrunklineError):
    """Trunkline cannot start here; the message is one sentence that says what to do."""


class ContractError(TrunklineError):
    """A plugin broke its contract."""


class RequestRefused(TrunklineError):
    """The request is refused and nothing of it was stored."""

    status = 400
    code = "request_refused"

    def __init__(self, message: str | None = None, *, code: str | None = None, status: int | None = None) -> None:
        super().__init__(message)
        self.code = code or self.code
        self.status = status or self.status


class SignatureInvalid(RequestRefused):
    """The sender of the request could not be proved."""

    status = 401
    code = "signature_invalid"


class BodyRefused(RequestRefused):
    """The body of the request is not acceptable."""

    code = "body_refused"


class UnknownAccount(RequestRefused):
    """There is no such account."""

    status = 404
    code = "unknown_account"


class StoreUnavailable(TrunklineError):
    """The store cannot take the write now; nothing was stored and the sender should try again."""

    def __init__(self, message: str | None = None, *, code: str = "store_unavailable", after_s: int = 5) -> None:
        super().__init__(message)
        self.code, self.after_s = code, after_s


class BodyUnreadable(TrunklineError):
    """A proved body could not be read; it goes to the quarantine."""


class DeliveryError(TrunklineError):
    """One attempt to send did not succeed."""

    #: Stable code, shown in the API and in metrics.
    code = "delivery_error"

    def __init__(
        self, message: str | None = None, *, code: str | None = None, answer: PlatformAnswer | None = None
    ) -> None:
        super().__init__(message)
        self.code = code or self.code
        self.answer = answer


class TryLater(DeliveryError):
    """The platform could not take the message now.

    `after_s` is the platform's Retry-After in seconds, None to follow the schedule.
    """

    code = "try_later"

    def __init__(
        self,
        message: str | None = None,
        *,
        after_s: float | None = None,
        code: str | None = None,
        answer: PlatformAnswer | None = None,
    ) -> None:
        super().__init__(message, code=code, answer=answer)
        self.after_s = after_s


class RateLimited(TryLater):
    """The platform asks for fewer requests.

    `scope` says what has to wait: everything of the account, its paid quota only, or one recipient.
    """

    code = "rate_limited"

    def __init__(
        self,
        message: str | None = None,
        *,
        after_s: float | None = None,
        scope: Literal["account", "quota", "recipient"] = "account",
        code: str | None = None,
        answer: PlatformAnswer | None = None,
    ) -> None:
        super().__init__(message, after_s=after_s, code=code, answer=answer)
        self.scope = scope


class WindowClosed(DeliveryError):
    """The platform no longer accepts a reply to this customer."""

    code = "window_closed"


class SignInNeeded(DeliveryError):
    """The platform refuses the account's credentials."""

    code = "sign_in_needed"


class Undeliverable(DeliveryError):
    """The platform will never take this message."""

    code = "undeliverable"

    def __init__(
        self,
        message: str | None = None,
        *,
        whose: Whose = "content",
        code: str | None = None,
        answer: PlatformAnswer | None = None,
    ) -> None:
        super().__init__(message, code=code, answer=answer)
        self.whose: Whose = whose


class Uncertain(DeliveryError):
    """The request left and no answer came; the customer may or may not have the message."""

    code = "uncertain"

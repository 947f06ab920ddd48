"""The refusal of a reply, in words for whoever wrote it."""

from __future__ import annotations

from trunkline.errors import TrunklineError

__all__ = ["ReplyRefused"]


class ReplyRefused(TrunklineError):
    """The reply cannot be sent on this channel; nothing was stored."""

    def __init__(self, message: str, *, code: str, field: str | None = None, status: int = 422) -> None:
        super().__init__(message)
        self.code, self.field, self.status = code, field, status

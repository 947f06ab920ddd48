"""What a client of the live feed may say: a short list, read into values. Whoever says too much is cut off."""

from __future__ import annotations

from typing import Annotated, Any, Literal

import msgspec
from aiohttp import WSCloseCode, WSMsgType

from trunkline.clock import monotonic

__all__ = ["BadFrame", "Pace", "Presence", "read_frame"]

#: An id of ours, or what may be one.
_Id = Annotated[str, msgspec.Meta(min_length=1, max_length=64, pattern=r"^[A-Za-z0-9_.-]+\Z")]
#: Frames that may come at once, and how many more per second.
_BURST, _PER_S = 100.0, 20.0


class Presence(msgspec.Struct, frozen=True):
    """Where an agent is: they look at a thread or type in it; None when they look at none."""

    thread_id: _Id | None
    state: Literal["viewing", "typing"]


class _Pong(msgspec.Struct, frozen=True):
    """The client lives; it has no effect."""


#: The whole list. What is not on it is passed over, so that a newer client may speak to an older server.
_KINDS: dict[str, type[Presence | _Pong]] = {"presence": Presence, "pong": _Pong}


class BadFrame(Exception):
    """A frame that ends its connection with `code`."""

    def __init__(self, code: int) -> None:
        super().__init__(code)
        self.code = code


def read_frame(message: Any) -> Presence | None:
    """Return what a client says, None when it needs no answer.

    Raises:
        BadFrame: nobody can read it.
    """
    if message.type is not WSMsgType.TEXT:
        raise BadFrame(WSCloseCode.POLICY_VIOLATION)
    try:
        said = msgspec.json.decode(message.data, type=dict[str, Any])
    except (msgspec.MsgspecError, RecursionError, UnicodeError):
        raise BadFrame(WSCloseCode.INVALID_TEXT) from None
    kind = said.get("type")
    if not isinstance(kind, str):
        raise BadFrame(WSCloseCode.POLICY_VIOLATION)
    shape = _KINDS.get(kind)
    if shape is None:
        return None
    try:
        value = msgspec.convert(said, type=shape)
    except msgspec.MsgspecError:
        raise BadFrame(WSCloseCode.POLICY_VIOLATION) from None
    return value if isinstance(value, Presence) else None


class Pace:
    """How fast one client speaks."""

    def __init__(self) -> None:
        self._left, self._at = _BURST, monotonic()

    def count(self) -> None:
        """Count one frame.

        Raises:
            BadFrame: these are too many.
        """
        now = monotonic()
        self._left = min(_BURST, self._left + (now - self._at) * _PER_S) - 1
        self._at = now
        if self._left < 0:
            raise BadFrame(WSCloseCode.POLICY_VIOLATION)

"""What an application tells a customer in passing: a frame to their sockets, kept nowhere."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from trunkline.errors import ContractError
from trunkline.model import ActorKind
from trunkline.service.moments import Moment

if TYPE_CHECKING:
    from trunkline.service.moments import Moments

__all__ = ["TOLD", "tell_customer"]

#: Kind of the moment that carries such a frame: the customer's sockets may be in any process.
TOLD = "told"
#: What the protocol itself says; an application that said it would lead clients astray.
_OURS = frozenset({"ready", "change", "sent", "error", "typing", "pong", "auth.expiring", "bye"})


def tell_customer(moments: Moments, thread_id: str, frame: Mapping[str, Any]) -> None:
    """Tell whoever listens to a thread on the customer's side, in every process: `{"t": "queue", …}`.

    Never waits, and may be lost: tell only what is worth nothing a moment later. Call it on the event loop, and seldom:
    a socket to which 256 frames wait is cut off.

    Raises:
        ContractError: it has no type, or one of the protocol's own.
    """
    kind = frame.get("t")
    if not isinstance(kind, str) or kind in _OURS:
        raise ContractError(f"A frame of an application has a type of its own in `t`; this one has {kind!r}.")
    system = ActorKind.SYSTEM.value
    told = Moment(
        kind=TOLD, thread_id=thread_id, actor_kind=system, actor_id=None, actor_name=None, details=dict(frame)
    )
    moments.tell(told)

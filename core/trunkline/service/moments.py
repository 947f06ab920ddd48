"""What is told and never stored: somebody types, somebody looks at a thread.

A moment reaches all listeners of all processes, or it does not: nobody waits for it, and it is worth nothing later.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import msgspec

from trunkline.log import get_logger
from trunkline.model import new_id

if TYPE_CHECKING:
    from trunkline.store import Store

__all__ = ["Moment", "Moments"]

log = get_logger("moments")


class Moment(msgspec.Struct, frozen=True, kw_only=True):
    """Something that is true for `ttl_s` seconds; `kind` is a word: "typing", "viewing", "left"."""

    kind: str
    thread_id: str | None
    actor_kind: str
    actor_id: str | None
    actor_name: str | None
    ttl_s: int = 6
    details: dict[str, Any] = {}


class _Told(msgspec.Struct, frozen=True):
    """A moment on its way between processes; `by` is the one that told it."""

    by: str
    moment: Moment


class Moments:
    """Passes moments on."""

    def __init__(self, store: Store) -> None:
        self._store, self._me = store, new_id()
        self._listeners: list[Callable[[Moment], None]] = []
        store.on_notice = self._heard

    def tell(self, moment: Moment) -> None:
        """Tell every listener; never waits, never fails. Call it on the event loop."""
        self._pass_on(moment)
        self._store.notify(msgspec.json.encode(_Told(self._me, moment)).decode())

    def listen(self, callback: Callable[[Moment], None]) -> Callable[[], None]:
        """Call `callback` with every moment, on the event loop. Returns the way to stop."""
        self._listeners.append(callback)

        def stop() -> None:
            if callback in self._listeners:
                self._listeners.remove(callback)

        return stop

    def _heard(self, notice: str) -> None:
        """Pass on what another process told; its own words come back to every process."""
        try:
            told = msgspec.json.decode(notice, type=_Told)
        except msgspec.MsgspecError:
            log.warning("moment.unreadable", size=len(notice))
            return
        if told.by != self._me:
            self._pass_on(told.moment)

    def _pass_on(self, moment: Moment) -> None:
        for callback in list(self._listeners):
            try:
                callback(moment)
            except Exception as error:  # noqa: BLE001 - isolation point: one listener's failure is its own
                log.warning("moment.listener_failed", kind=moment.kind, error=type(error).__name__)

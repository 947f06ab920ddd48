"""One conversation as the core remembers it: who, which credentials, which windows."""

from __future__ import annotations

from collections.abc import Sequence

from trunkline.contract import (
    Accepted,
    Act,
    ContactActed,
    MessageReceived,
    OutboundMessage,
    ReplyCredential,
    ThreadItem,
    Window,
)
from trunkline.model import Address, AuthorKind
from trunkline.service.windows import Open, Verdict, judge, merged

__all__ = ["Talk"]


class Talk:
    """What the core knows of one thread."""

    def __init__(self, windows: Sequence[Window]) -> None:
        self._windows, self._known = tuple(windows), dict[str, Open]()
        self._credentials: list[ReplyCredential] = []
        self.thread_key, self.contact = "", Address(external_id="")
        self.last_inbound_ms = 0
        self.messages: list[MessageReceived] = []

    def heard(self, item: ThreadItem, now: int) -> None:
        """Take in an item: its credential, and the windows that its act opens."""
        self.thread_key, self.contact = item.thread_key, item.contact
        if item.reply is not None:
            self._credentials.append(item.reply)
        act = item.act if isinstance(item, ContactActed) else None
        if isinstance(item, MessageReceived):
            self.messages.append(item)
            self.last_inbound_ms, act = item.at_ms or now, item.act
        if act is not None:
            self._open(act, item.at_ms or now)

    def _open(self, act: Act, at: int) -> None:
        for window in self._windows:
            if act in window.closed_by:
                self._known.pop(window.name, None)
            if act in window.opened_by:
                self._known[window.name] = merged(self._known.get(window.name), window, at)

    def judge(self, author: AuthorKind, now: int) -> Verdict:
        """Return the core's verdict on a message by such an author."""
        return judge(self._windows, self._known, author, now)

    def ends_ms(self, author: AuthorKind) -> int | None:
        """Return when the last window of an author closes; None for no end, 0 where they never have one."""
        mine = [window.name for window in self._windows if author in window.authors]
        ends = [self._known[name][0] for name in mine if name in self._known]
        return None if None in ends else max((end for end in ends if end is not None), default=0)

    def credential(self, now: int) -> ReplyCredential | None:
        """Return the newest credential that is still good."""
        return next((one for one in reversed(self._credentials) if one.expires_at_ms > now), None)

    def spent(self, message: OutboundMessage, accepted: Accepted) -> None:
        """Take off what an accepted message used up."""
        if message.thread_key != self.thread_key:
            return
        if accepted.credential_used and message.credential and message.credential.single_use:
            self._credentials = [one for one in self._credentials if one != message.credential]
        if message.window in self._known:
            end, left = self._known[message.window]
            self._known[message.window] = (end, None if left is None else max(0, left - len(message.parts)))

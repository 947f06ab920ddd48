"""A thread and its people while a group of requests is stored: what is there, and what it will be after it."""

from __future__ import annotations

import msgspec

from trunkline.clock import to_text
from trunkline.contract import Channel
from trunkline.service.snapshots import ContactSnapshot, Preview, ThreadSnapshot, time_text
from trunkline.service.windows import window_snapshot

__all__ = ["AccountFacts", "Person", "ThreadState"]


class AccountFacts(msgspec.Struct, frozen=True):
    """What intake has to know about an account."""

    id: str
    channel: Channel
    #: The other channels of its connector: a thread may have come by one of them.
    others: tuple[Channel, ...] = ()

    @property
    def title(self) -> str:
        """The channel's English title."""
        return self.channel.title["en"]

    def title_of(self, code: str) -> str:
        """The English title of one of the connector's channels."""
        return next((channel.title["en"] for channel in self.others if channel.code == code), self.title)


class Person(msgspec.Struct):
    """An identity with its contact, old or new."""

    identity_id: str
    contact_id: str
    name: str | None
    reachable: bool


class ThreadState(msgspec.Struct, kw_only=True):
    """A thread as it will be after this group."""

    id: str
    account: AccountFacts
    contact_id: str
    identity_id: str
    contact_name: str | None
    reachable: bool
    #: Which channel they write by, None for the account's own.
    channel: str | None
    state: str
    round: int
    assignee_id: str | None
    assignee_name: str | None
    last_position: int
    last_message_at: int
    last_inbound_at: int
    first_unanswered_at: int | None
    unread: int
    preview: Preview | msgspec.Raw | None
    is_new: bool = False
    #: The contact's id on the account; only of a new thread.
    address: str | None = None
    #: Window name → (expires_at, remaining) as far as this group opened it.
    windows: dict[str, tuple[int | None, int | None]] = {}

    def snapshot(self) -> ThreadSnapshot:
        """Return the thread as the inbox shows it."""
        channel = self.channel or self.account.channel.code
        return ThreadSnapshot(
            id=self.id,
            account_id=self.account.id,
            channel=channel,
            channel_title=self.account.title_of(channel),
            contact=ContactSnapshot(self.contact_id, self.contact_name),
            state=self.state,
            round=self.round,
            assignee=None if self.assignee_id is None else {"id": self.assignee_id, "name": self.assignee_name},
            unread=self.unread,
            last_message_at=to_text(self.last_message_at),
            last_position=self.last_position,
            preview=self.preview,
            first_unanswered_at=time_text(self.first_unanswered_at),
            window=window_snapshot(self.account.channel.capabilities.windows, self.windows, self.last_message_at),
            reachable=self.reachable,
        )

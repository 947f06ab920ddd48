"""Who writes: a customer's address on an account, a profile, the author of a message."""

from __future__ import annotations

from enum import StrEnum

import msgspec

__all__ = ["Address", "AddressKind", "Author", "AuthorKind", "Profile"]


class AddressKind(StrEnum):
    """What an address stands for."""

    PERSON = "person"
    GROUP = "group"
    ROOM = "room"


class Address(msgspec.Struct, frozen=True, kw_only=True):
    """One address of a customer (or of a group) on one account."""

    #: The platform's id; unique together with the account.
    external_id: str
    kind: AddressKind = AddressKind.PERSON
    #: The name that came with the event, if any; a profile look-up may know better.
    name: str | None = None
    #: Further ids by which the platform knows the same person. Whoever is known by any of them is this person.
    aliases: tuple[str, ...] = ()


class AuthorKind(StrEnum):
    """Who wrote a message."""

    CONTACT = "contact"
    AGENT = "agent"
    BOT = "bot"
    SYSTEM = "system"
    #: Our staff, writing in the platform's own client.
    STAFF_ELSEWHERE = "staff_elsewhere"


class Author(msgspec.Struct, frozen=True, kw_only=True):
    """The author of one message. `id` is ours (agent, contact), `external_id` the platform's."""

    kind: AuthorKind
    id: str | None = None
    name: str | None = None
    external_id: str | None = None


class Profile(msgspec.Struct, frozen=True, kw_only=True):
    """What a platform tells about a person or a group."""

    name: str | None = None
    #: Fetched through the guarded client, never by the agent's browser.
    picture_url: str | None = None
    #: BCP 47.
    language: str | None = None
    about: str | None = None
    #: Members of a group, where the platform tells.
    members: int | None = None

"""What simulated customers see and do: the words between a platform's simulator and the phone page."""

from __future__ import annotations

import msgspec

from trunkline.testing.pictures import PICTURES

__all__ = ["Action", "Bubble", "BubbleCard", "Customer", "Press"]


class Press(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A button or a quick reply. `id` goes back in an Action; a link is opened instead."""

    label: str
    id: str = ""
    url: str | None = None


class BubbleCard(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A card inside a bubble."""

    title: str = ""
    text: str = ""
    image: str | None = None
    url: str | None = None
    buttons: tuple[Press, ...] = ()


class Bubble(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One message as the customer sees it."""

    id: str
    #: True for what this customer wrote.
    mine: bool
    at_ms: int
    #: "text", "image", "video", "audio", "file", "sticker", "location", "cards" or "note".
    kind: str
    text: str = ""
    #: Who speaks, where the platform shows it.
    name: str = ""
    url: str | None = None
    image: str | None = None
    cards: tuple[BubbleCard, ...] = ()
    quick_replies: tuple[Press, ...] = ()
    quoted: str = ""
    #: Shown under a bubble of the customer: "read".
    state: str = ""


class Customer(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """An entry of the phone's list."""

    id: str
    name: str
    last: str = ""
    last_ms: int = 0
    group: bool = False
    #: True while the platform shows that somebody is typing.
    typing: bool = False


class Action(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What a customer does.

    "text", "image", "video", "audio", "voice", "file", "sticker", "location", "contacts", "press", "edit", "recall",
    "react", "quote", "follow", "unfollow", "enter", or one of the platform's own.
    """

    kind: str
    text: str = ""
    #: For "image": one of `PICTURES`.
    picture: str = PICTURES[0]
    #: For "press": the id of the Press.
    press: str = ""
    #: For "edit", "recall", "react" and "quote": the id of the Bubble that is meant.
    bubble: str = ""
    latitude: float = 35.65857
    longitude: float = 139.74543

"""What is indexed of a message and of a person."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import msgspec

from trunkline.model import Card, Carousel, Contacts, Content, File, Link, Location, Person, summary
from trunkline.service.search.words import infixes, normal, spread

__all__ = ["identity_words", "message_text", "message_words"]

_decoder = msgspec.json.Decoder(Content)
#: Between what belongs to different things, so that no phrase reaches across; no letter, so no word of its own.
_APART = " · "


def _card(card: Card) -> list[str | None]:
    return [card.title, card.text, *(button.title for button in card.buttons)]


def _person(person: Person) -> list[str | None]:
    return [person.name, person.organization, *person.phones, *person.emails]


#: Kinds of which more is searched than their preview shows.
_TEXTS: dict[type, Callable[[Any], list[str | None]]] = {
    File: lambda it: [it.caption, it.media.name],
    Location: lambda it: [it.title, it.address],
    Card: _card,
    Carousel: lambda it: [text for card in it.cards for text in _card(card)],
    Link: lambda it: [it.title, it.text, it.url],
    Contacts: lambda it: [text for person in it.people for text in _person(person)],
}


def message_text(encoded: str) -> str:
    """Return everything in a message's encoded content that a search may find, in one line."""
    try:
        content = _decoder.decode(encoded)
    except msgspec.ValidationError:
        # A content of another version of this program; its message stays, unfound.
        return ""
    texts = _TEXTS.get(type(content))
    return normal(summary(content) if texts is None else _APART.join(filter(None, texts(content))))


def message_words(encoded: str) -> list[str]:
    """Return the words of a message."""
    return spread(message_text(encoded))


def identity_words(texts: Iterable[str | None]) -> list[str]:
    """Return the words of a person's names and addresses, and the endings of each: any part of a name is found."""
    words = [word for text in dict.fromkeys(filter(None, texts)) for word in spread(text)]
    return [*words, *infixes(words)]

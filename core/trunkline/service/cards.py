"""Whether cards fit the shape in which a channel shows them. What does not fit is refused, never cut."""

from __future__ import annotations

from collections.abc import Iterator

from trunkline.contract import CardLimit, TextUnit, measure
from trunkline.model import Button, Card, Carousel
from trunkline.service.refusals import ReplyRefused

__all__ = ["check_cards"]

#: Unit → what an agent calls it.
_UNITS = {
    TextUnit.CHARACTERS: "characters",
    TextUnit.UTF16: "UTF-16 units",
    TextUnit.UTF8: "bytes",
    TextUnit.GRAPHEMES: "characters",
}


def check_cards(content: Card | Carousel, limit: CardLimit) -> None:
    """Refuse the first thing that does not fit; `field` says where it stands, "content.cards.1.title".

    Raises:
        ReplyRefused: in words, with a stable code.
    """
    if isinstance(content, Card):
        _raise_first(_misfits(content, limit, "content", "the card"))
        return
    if not content.cards:
        raise ReplyRefused("There is no card to send.", code="card_missing", field="content.cards")
    if len(content.cards) > limit.cards_max:
        words = f"This channel shows at most {limit.cards_max} cards side by side."
        raise ReplyRefused(words, code="carousel_too_many", field="content.cards")
    for number, card in enumerate(content.cards):
        _raise_first(_misfits(card, limit, f"content.cards.{number}", f"card {number + 1}"))


def _raise_first(refusals: Iterator[ReplyRefused]) -> None:
    for refusal in refusals:
        raise refusal


def _misfits(card: Card, limit: CardLimit, place: str, name: str) -> Iterator[ReplyRefused]:
    yield from _too_long(card.title, limit.title_max, limit.unit, f"title of {name}", f"{place}.title")
    if card.text:
        yield from _too_long(card.text, limit.text_max, limit.unit, f"text of {name}", f"{place}.text")
    if card.image is not None and not limit.image:
        words = f"This channel shows no picture in a card; take it off {name}."
        yield ReplyRefused(words, code="card_without_image", field=f"{place}.image")
    if len(card.buttons) > limit.buttons_max:
        words = f"This channel shows at most {limit.buttons_max} buttons under a card; {name} has {len(card.buttons)}."
        yield ReplyRefused(words, code="card_too_many_buttons", field=f"{place}.buttons")
    for number, button in enumerate(card.buttons):
        where = f"{place}.buttons.{number}"
        yield from _misfits_of_button(button, limit, where, f"button {number + 1} of {name}")


def _misfits_of_button(button: Button, limit: CardLimit, place: str, name: str) -> Iterator[ReplyRefused]:
    if limit.button_title_max:
        yield from _too_long(button.title, limit.button_title_max, limit.unit, f"title of {name}", f"{place}.title")
    if button.url and not limit.links:
        words = f"This channel has no buttons that open a page; change {name}."
        yield ReplyRefused(words, code="card_without_links", field=f"{place}.url")
    if button.data and limit.button_data_max:
        unit = limit.data_unit or limit.unit
        yield from _too_long(button.data, limit.button_data_max, unit, f"data of {name}", f"{place}.data")


def _too_long(text: str, most: int, unit: TextUnit, name: str, field: str) -> Iterator[ReplyRefused]:
    size = measure(text, unit)
    if size <= most:
        return
    words = f"The {name} has {size} {_UNITS[unit]}; this channel shows at most {most}."
    if not most:
        words = f"This channel shows no such part: leave the {name} out."
    yield ReplyRefused(words, code="card_too_long", field=field)

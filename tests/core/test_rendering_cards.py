"""Cards against the shape that a channel declares: each part at its edge, in the channel's own unit."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trunkline.contract import Capabilities, CardLimit, ContentRule, TextLimit, TextUnit
from trunkline.model import Button, Card, Carousel, Content, ContentKind, Level, Media, Text
from trunkline.service.rendering import ReplyRefused, plan_for

KINDS = ContentKind
SHAPE = CardLimit(title_max=4, text_max=6, buttons_max=2, button_title_max=3, button_data_max=5, cards_max=2)
PICTURE = Media(mime="image/png", size=10, url="https://desk.example/m/1")


def channel(shape: CardLimit | None = SHAPE) -> Capabilities:
    rule = ContentRule(level=Level.FULL, card=shape)
    return Capabilities(receives={}, sends={KINDS.CARD: rule, KINDS.CAROUSEL: rule})


def refusal(content: Content, can: Capabilities) -> tuple[str, str | None]:
    with pytest.raises(ReplyRefused) as refused:
        plan_for(content, (), can)
    assert str(refused.value).endswith(".")
    return refused.value.code, refused.value.field


FITS = Card(title="four", text="six ch", image=PICTURE, buttons=(Button(title="yes", data="data5"), Button(title="no")))


def test_what_fits_exactly_is_carried_as_it_is() -> None:
    for content in (FITS, Carousel(cards=(FITS, FITS))):
        plan = plan_for(content, (), channel())
        assert (plan.requests[0].parts, plan.level) == ((content,), Level.FULL)


@pytest.mark.parametrize(
    ("card", "code", "field"),
    [
        (Card(title="fiver"), "card_too_long", "title"),
        (Card(title="x", text="seven c"), "card_too_long", "text"),
        (Card(title="x", buttons=(Button(title="a"),) * 3), "card_too_many_buttons", "buttons"),
        (Card(title="x", buttons=(Button(title="a"), Button(title="four"))), "card_too_long", "buttons.1.title"),
        (Card(title="x", buttons=(Button(title="a", data="data-6"),)), "card_too_long", "buttons.0.data"),
    ],
)
def test_one_more_of_any_part_is_refused_with_its_place(card: Card, code: str, field: str) -> None:
    assert refusal(card, channel()) == (code, f"content.{field}")
    assert refusal(Carousel(cards=(Card(title="x"), card)), channel()) == (code, f"content.cards.1.{field}")


def test_parts_that_a_channel_does_not_have_are_refused() -> None:
    bare = channel(CardLimit(title_max=4, buttons_max=1, image=False, links=False))
    assert refusal(Card(title="x", text="y"), bare) == ("card_too_long", "content.text")
    assert refusal(Card(title="x", image=PICTURE), bare) == ("card_without_image", "content.image")
    opens = Card(title="x", buttons=(Button(title="a", url="https://shop.example"),))
    assert refusal(opens, bare) == ("card_without_links", "content.buttons.0.url")


def test_as_many_cards_as_stand_side_by_side() -> None:
    three = Carousel(cards=(Card(title="x"),) * 3)
    assert refusal(three, channel()) == ("carousel_too_many", "content.cards")
    assert refusal(Carousel(cards=()), channel()) == ("card_missing", "content.cards")


@pytest.mark.parametrize(
    ("unit", "title", "fits"),
    [
        (TextUnit.CHARACTERS, "好好好好", True),
        (TextUnit.UTF8, "好好", False),
        (TextUnit.UTF16, "👍👍", True),
        (TextUnit.UTF16, "👍👍!", False),
        (TextUnit.GRAPHEMES, "👨‍👩‍👧‍👦" * 4, True),
    ],
)
def test_lengths_are_counted_in_the_units_of_the_channel(unit: TextUnit, title: str, fits: bool) -> None:
    can = channel(CardLimit(title_max=4, unit=unit))
    if fits:
        assert plan_for(Card(title=title), (), can).level is Level.FULL
    else:
        assert refusal(Card(title=title), can)[0] == "card_too_long"


def test_cards_side_by_side_become_cards_one_after_another_where_a_channel_has_only_those() -> None:
    beside = ContentRule(level=Level.FALLBACK, becomes=KINDS.CARD, note="One after another.")
    can = Capabilities(
        receives={}, sends={KINDS.CARD: ContentRule(level=Level.FULL, card=SHAPE), KINDS.CAROUSEL: beside}
    )
    plan = plan_for(Carousel(cards=(Card(title="a"), Card(title="b"))), (), can)
    assert [request.parts for request in plan.requests] == [(Card(title="a"),), (Card(title="b"),)]
    assert (plan.level, plan.notes) == (Level.FALLBACK, ("One after another.",))


WORDS = st.text(alphabet="ab好👍 ", max_size=9)
CARDS = st.builds(
    Card,
    title=WORDS,
    text=st.none() | WORDS,
    buttons=st.lists(st.builds(Button, title=WORDS, data=st.none() | WORDS), max_size=3).map(tuple),
)


@given(content=CARDS | st.lists(CARDS, max_size=3).map(lambda cards: Carousel(cards=tuple(cards))))
def test_a_card_is_carried_whole_or_refused_never_cut(content: Card | Carousel) -> None:
    try:
        carried: tuple[Content, ...] = plan_for(content, (), channel()).requests[0].parts
    except ReplyRefused:
        carried = ()
    assert carried in {(), (content,)}


@given(content=CARDS.filter(lambda card: bool(card.title.strip())))
def test_on_a_channel_of_words_every_word_of_a_card_arrives(content: Card) -> None:
    words = ContentRule(level=Level.FULL, text=TextLimit(max=5000))
    can = Capabilities(
        receives={}, sends={KINDS.TEXT: words, KINDS.CARD: ContentRule(level=Level.FALLBACK, becomes=KINDS.TEXT)}
    )
    plan = plan_for(content, (), can)
    (part,) = plan.requests[0].parts
    assert isinstance(part, Text)
    assert plan.level is Level.FALLBACK
    assert all(button.title in part.text for button in content.buttons)

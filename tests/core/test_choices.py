"""Suggested answers where a platform has room for them: under what, above what, and how they are counted."""

from __future__ import annotations

import pytest

from trunkline.contract import Capabilities, CardLimit, ContentRule, QuickReplyLimit, TextLimit, TextUnit
from trunkline.model import Button, Card, ContentKind, Image, Level, Link, Media, QuickReply, Template, Text
from trunkline.service.rendering import ReplyRefused, plan_for

YES, NO = QuickReply(title="Yes", data="y"), QuickReply(title="No")
FULL = ContentRule(level=Level.FULL)
KINDS = ContentKind


def channel(quick: QuickReplyLimit | None, **more: ContentRule) -> Capabilities:
    text = ContentRule(level=Level.FULL, text=TextLimit(max=20))
    sends = {KINDS.TEXT: text, KINDS.IMAGE: FULL, KINDS.TEMPLATE: FULL, **{KINDS(kind): r for kind, r in more.items()}}
    return Capabilities(receives={}, sends=sends, quick_replies=quick)


def test_under_a_picture_that_has_none_they_get_a_text_that_names_them() -> None:
    picture = Image(media=Media(id="m"))
    plan = plan_for(picture, (YES, NO), channel(QuickReplyLimit(max=3, title_max=20)))
    assert [(request.parts, request.quick_replies) for request in plan.requests] == [
        ((picture,), ()),
        ((Text(text="Yes · No"),), (YES, NO)),
    ]
    assert plan.level is Level.PARTIAL
    wide = QuickReplyLimit(max=3, title_max=20, under=frozenset({KINDS.IMAGE}))
    assert plan_for(picture, (YES,), channel(wide)).requests[0].quick_replies == (YES,)


@pytest.mark.parametrize("quick", [None, QuickReplyLimit(max=3, title_max=20)])
def test_under_a_template_they_are_refused_as_a_text_beside_it_would_need_a_window(
    quick: QuickReplyLimit | None,
) -> None:
    with pytest.raises(ReplyRefused) as refusal:
        plan_for(Template(name="parcel", language="en"), (YES,), channel(quick))
    assert refusal.value.code == "quick_replies_under_template"


def test_a_long_text_is_broken_where_what_stands_above_them_has_room() -> None:
    quick = QuickReplyLimit(max=3, title_max=20, text=TextLimit(max=10))
    plan = plan_for(Text(text="One two three four five six seven"), (YES,), channel(quick))
    parts = [part for request in plan.requests for part in request.parts]
    assert " ".join(part.text for part in parts if isinstance(part, Text)) == "One two three four five six seven"
    assert len(str(getattr(parts[-1], "text", ""))) <= 10
    assert [request.quick_replies for request in plan.requests][-1] == (YES,)
    assert len(plan_for(Text(text="One two"), (YES,), channel(quick)).requests) == 1


@pytest.mark.parametrize("two", [(YES, YES), (QuickReply(title="Yes"), QuickReply(title="No", data="Yes"))])
def test_two_alike_are_refused_where_the_platform_cannot_tell_them_apart(two: tuple[QuickReply, ...]) -> None:
    with pytest.raises(ReplyRefused) as refusal:
        plan_for(Text(text="?"), two, channel(QuickReplyLimit(max=3, title_max=20, distinct=True)))
    assert refusal.value.code == "quick_replies_alike"
    assert plan_for(Text(text="?"), two, channel(QuickReplyLimit(max=3, title_max=20))).requests[0].quick_replies == two


def test_data_is_counted_in_the_unit_of_its_own() -> None:
    long = QuickReply(title="Yes", data="好好好好")
    fits = QuickReplyLimit(max=3, title_max=20, data_max=10)
    assert plan_for(Text(text="?"), (long,), channel(fits)).requests[0].quick_replies == (long,)
    bytes_ = QuickReplyLimit(max=3, title_max=20, data_max=10, data_unit=TextUnit.UTF8)
    with pytest.raises(ReplyRefused):
        plan_for(Text(text="?"), (long,), channel(bytes_))
    shape = CardLimit(title_max=9, buttons_max=1, button_title_max=9, button_data_max=10, data_unit=TextUnit.UTF8)
    card = Card(title="Bell", buttons=(Button(title="Take", data="好好好好"),))
    with pytest.raises(ReplyRefused) as refusal:
        plan_for(card, (), channel(None, card=ContentRule(level=Level.FULL, card=shape)))
    assert refusal.value.field == "content.buttons.0.data"


def test_a_link_of_many_words_is_text_and_its_address_stays_whole() -> None:
    rule = ContentRule(level=Level.FULL, text=TextLimit(max=20), url_max=20)
    link = Link(url="https://a.example/b", title="A long name of a bell")
    plan = plan_for(link, (), channel(None, link=rule))
    parts = [part for request in plan.requests for part in request.parts]
    assert parts[-1] == Text(text="https://a.example/b")
    assert plan.level is Level.FALLBACK
    with pytest.raises(ReplyRefused) as refusal:
        plan_for(Link(url="https://a.example/" + "b" * 9), (), channel(None, link=rule))
    assert refusal.value.code == "link_too_long"

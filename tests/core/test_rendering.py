"""What a channel will carry of a message: fallback chains, splitting, choices and limits."""

from __future__ import annotations

import pytest

from trunkline.contract import (
    Capabilities,
    ContentRule,
    MediaLimit,
    QuickReplyLimit,
    Sending,
    TextLimit,
    TextUnit,
)
from trunkline.model import (
    Audio,
    Button,
    Card,
    Carousel,
    Contacts,
    Content,
    ContentKind,
    File,
    Image,
    Level,
    Link,
    Location,
    Media,
    Person,
    QuickReply,
    Sticker,
    Text,
    Video,
)
from trunkline.service.rendering import ReplyRefused, plan_for

KINDS = ContentKind
FULL = ContentRule(level=Level.FULL)


def becomes(kind: ContentKind, note: str | None = None) -> ContentRule:
    return ContentRule(level=Level.FALLBACK, becomes=kind, note=note)


def channel(
    rules: dict[ContentKind, ContentRule] | None = None, *, per_request: int = 1, quick: QuickReplyLimit | None = None
) -> Capabilities:
    """Return a channel that carries text, and what `rules` say."""
    return Capabilities(
        receives={},
        sends={KINDS.TEXT: FULL, **(rules or {})},
        sending=Sending(items_per_request=per_request),
        quick_replies=quick,
    )


def medium(mime: str | None = "image/png", **more: object) -> Media:
    values = {"mime": mime, "size": 1000, "name": "bill.png", "url": "https://desk.example.com/m/1", **more}
    return Media(**values)  # type: ignore[arg-type]  # every value is of its field's type


def sent(content: Content, can: Capabilities, *choices: QuickReply) -> list[Content]:
    """Return all parts in order."""
    return [part for request in plan_for(content, choices, can).requests for part in request.parts]


ALL_TO_TEXT = channel(
    {
        kind: becomes(KINDS.TEXT)
        for kind in KINDS
        if kind not in {KINDS.TEXT, KINDS.TEMPLATE, KINDS.CHOICE, KINDS.UNSUPPORTED}
    }
)


@pytest.mark.parametrize(
    ("content", "text"),
    [
        (Link(url="https://a.example", title="Manual", text="Page 3"), "Manual\nPage 3\nhttps://a.example"),
        (Link(url="https://a.example", title="https://a.example"), "https://a.example"),
        (Location(latitude=35.6, longitude=139.7, title="Tower", address="1-1"), "Tower\n1-1\n35.600000, 139.700000"),
        (Sticker(package_id="1", sticker_id="2", text="Hi!"), "Hi!"),
        (Sticker(package_id="1", sticker_id="2", keywords=("love", "cat")), "love"),
        (Sticker(package_id="1", sticker_id="2"), "[sticker]"),
        (
            Card(title="Shoe", text="Red", buttons=(Button(title="Buy", url="https://b.example"), Button(title="No"))),
            "Shoe\nRed\nBuy: https://b.example\n- No",
        ),
        (Carousel(cards=(Card(title="One"), Card(title="Two"))), "One\n\nTwo"),
        (
            Contacts(people=(Person(name="Bo", phones=("+1 555 0100",), emails=("bo@example.com",)),)),
            "Bo\n+1 555 0100\nbo@example.com",
        ),
        (Image(media=medium(), caption="The bill"), "bill.png\nThe bill\nhttps://desk.example.com/m/1"),
        (File(media=medium("application/pdf", name="a.pdf")), "a.pdf\nhttps://desk.example.com/m/1"),
    ],
)
def test_every_kind_has_words_where_a_channel_has_only_text(content: Content, text: str) -> None:
    plan = plan_for(content, (), ALL_TO_TEXT)
    assert plan.requests[0].parts == (Text(text=text),)
    assert plan.level is Level.FALLBACK


def test_a_fallback_goes_on_until_the_channel_carries_it_and_keeps_every_note() -> None:
    can = channel(
        {
            KINDS.VIDEO: becomes(KINDS.FILE, "No videos."),
            KINDS.FILE: becomes(KINDS.LINK, "No files."),
            KINDS.LINK: becomes(KINDS.TEXT, "No links."),
        }
    )
    plan = plan_for(Video(media=medium("video/mp4", name="clip.mp4")), (), can)
    assert plan.requests[0].parts == (Text(text="clip.mp4\nhttps://desk.example.com/m/1"),)
    assert (plan.level, plan.notes) == (Level.FALLBACK, ("No videos.", "No files.", "No links."))


def test_a_fallback_that_goes_in_circles_is_refused() -> None:
    can = channel({KINDS.LINK: becomes(KINDS.FILE), KINDS.FILE: becomes(KINDS.LINK)})
    with pytest.raises(ReplyRefused):
        plan_for(File(media=medium()), (), can)


@pytest.mark.parametrize("rule", [None, ContentRule(level=Level.REJECTED), ContentRule(level=Level.DROPPED)])
def test_what_would_be_left_out_is_refused_in_words(rule: ContentRule | None) -> None:
    can = channel({KINDS.LOCATION: rule} if rule else {})
    with pytest.raises(ReplyRefused, match="location cannot be sent here") as refusal:
        plan_for(Location(latitude=1, longitude=2), (), can)
    assert (refusal.value.code, refusal.value.status) == ("content_unsupported", 422)


def test_the_note_of_a_partial_kind_is_told() -> None:
    can = channel({KINDS.IMAGE: ContentRule(level=Level.PARTIAL, note="The caption is lost.")})
    plan = plan_for(Image(media=medium()), (), can)
    assert (plan.level, plan.notes) == (Level.PARTIAL, ("The caption is lost.",))


def test_a_file_without_a_public_address_cannot_become_a_link() -> None:
    with pytest.raises(ReplyRefused, match=r"server\.public_url") as refusal:
        plan_for(File(media=medium(url=None)), (), channel({KINDS.FILE: becomes(KINDS.LINK), KINDS.LINK: FULL}))
    assert refusal.value.field == "attachments"


# ---------------------------------------------------------------- attachments

PICTURES = ContentRule(
    level=Level.FULL,
    media=(MediaLimit(mimes=("image/gif",), max_bytes=100), MediaLimit(mimes=("image/*",), max_bytes=1000)),
)


@pytest.mark.parametrize(
    ("media", "code"),
    [
        (medium("image/png", size=1000), None),
        (medium("image/png", size=1001), "attachment_too_large"),
        (medium("image/gif", size=101), "attachment_too_large"),
        (medium("application/pdf"), "attachment_refused"),
        (medium(None), "attachment_refused"),
        (medium("image/png", size=None), None),
    ],
)
def test_an_attachment_is_held_against_the_first_limit_of_its_type(media: Media, code: str | None) -> None:
    can = channel({KINDS.IMAGE: PICTURES})
    if code is None:
        assert sent(Image(media=media), can) == [Image(media=media)]
        return
    with pytest.raises(ReplyRefused) as refusal:
        plan_for(Image(media=media), (), can)
    assert (refusal.value.code, refusal.value.field) == (code, "attachments")


@pytest.mark.parametrize(("seconds", "fits"), [(60, True), (61, False), (None, True)])
def test_a_recording_has_its_length(seconds: int | None, fits: bool) -> None:
    limit = MediaLimit(mimes=("audio/*",), max_bytes=10**6, max_duration_s=60)
    can = channel({KINDS.AUDIO: ContentRule(level=Level.FULL, media=(limit,))})
    audio = Audio(media=medium("audio/mpeg", duration_ms=None if seconds is None else seconds * 1000))
    if fits:
        assert sent(audio, can) == [audio]
    else:
        with pytest.raises(ReplyRefused, match="longer than the 60 seconds"):
            plan_for(audio, (), can)


# ---------------------------------------------------------------- splitting and grouping


@pytest.mark.parametrize(
    ("unit", "limit", "pieces"),
    [
        (TextUnit.CHARACTERS, 4, ["aaaa", "bbbb"]),
        (TextUnit.UTF8, 6, ["aaaa", "bbbb"]),
    ],
)
def test_a_long_text_is_split_in_the_platforms_unit(unit: TextUnit, limit: int, pieces: list[str]) -> None:
    can = channel({KINDS.TEXT: ContentRule(level=Level.FULL, text=TextLimit(max=limit, unit=unit))})
    assert sent(Text(text="aaaa bbbb"), can) == [Text(text=piece) for piece in pieces]


@pytest.mark.parametrize("whole", ["👨‍👩‍👧‍👦", "🇯🇵", "好", "👍🏽"])
@pytest.mark.parametrize("unit", list(TextUnit))
def test_no_message_ends_inside_a_character(whole: str, unit: TextUnit) -> None:
    from trunkline.contract import measure

    limit = TextLimit(max=measure(whole, unit) * 3, unit=unit)
    can = channel({KINDS.TEXT: ContentRule(level=Level.FULL, text=limit)})
    assert sent(Text(text=whole * 7), can) == [Text(text=whole * 3), Text(text=whole * 3), Text(text=whole)]


def test_parts_share_requests_as_far_as_the_platform_allows() -> None:
    can = channel({KINDS.TEXT: ContentRule(level=Level.FULL, text=TextLimit(max=1))}, per_request=5)
    plan = plan_for(Text(text="a b c d e f g"), (), can)
    assert [len(request.parts) for request in plan.requests] == [5, 2]


# ---------------------------------------------------------------- suggested answers

YES, NO = QuickReply(title="Yes", data="y"), QuickReply(title="No", data="n")


def test_choices_go_with_the_last_request_only() -> None:
    quick = QuickReplyLimit(max=3, title_max=20)
    can = channel({KINDS.TEXT: ContentRule(level=Level.FULL, text=TextLimit(max=4))}, quick=quick)
    plan = plan_for(Text(text="aaaa bbbb"), (YES, NO), can)
    assert [request.quick_replies for request in plan.requests] == [(), (YES, NO)]
    assert plan.level is Level.FULL


def test_choices_are_written_out_where_there_are_none() -> None:
    plan = plan_for(Text(text="Shall we?"), (YES, NO), channel())
    assert plan.requests[0].parts == (Text(text="Shall we?\n\n1. Yes\n2. No"),)
    assert (plan.requests[0].quick_replies, plan.level) == ((), Level.FALLBACK)


def test_written_choices_follow_a_picture_as_a_message_of_their_own() -> None:
    picture = Image(media=medium())
    assert sent(picture, channel({KINDS.IMAGE: FULL}), YES) == [picture, Text(text="1. Yes")]


def test_too_many_choices_are_refused() -> None:
    with pytest.raises(ReplyRefused, match="at most 1") as refusal:
        plan_for(Text(text="?"), (YES, NO), channel(quick=QuickReplyLimit(max=1, title_max=20)))
    assert (refusal.value.code, refusal.value.field) == ("quick_replies_too_many", "quick_replies")


@pytest.mark.parametrize(("title", "fits"), [("👨‍👩‍👧‍👦" * 3, True), ("👨‍👩‍👧‍👦" * 4, False)])
def test_the_title_of_a_choice_is_counted_in_the_platforms_unit(title: str, fits: bool) -> None:
    can = channel(quick=QuickReplyLimit(max=13, title_max=3, title_unit=TextUnit.GRAPHEMES))
    if fits:
        assert plan_for(Text(text="?"), (QuickReply(title=title),), can).requests[0].quick_replies
    else:
        with pytest.raises(ReplyRefused) as refusal:
            plan_for(Text(text="?"), (QuickReply(title=title),), can)
        assert refusal.value.code == "quick_reply_too_long"


@pytest.mark.parametrize(("data", "fits"), [("x" * 10, True), ("x" * 11, False)])
def test_the_data_of_a_choice_has_its_limit(data: str, fits: bool) -> None:
    can = channel(quick=QuickReplyLimit(max=3, title_max=20, data_max=10))
    if fits:
        assert plan_for(Text(text="?"), (QuickReply(title="A", data=data),), can).requests[0].quick_replies
    else:
        with pytest.raises(ReplyRefused) as refusal:
            plan_for(Text(text="?"), (QuickReply(title="A", data=data),), can)
        assert refusal.value.code == "quick_reply_too_long"

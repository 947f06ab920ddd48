"""What we send, judged by the simulated LINE: it refuses whatever breaks a limit."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.connectors.line.conftest import outbound, said_by_us
from trunkline.contract import Connector, Quote, TextUnit
from trunkline.errors import Undeliverable
from trunkline.model import (
    Audio,
    Author,
    AuthorKind,
    Button,
    Card,
    Carousel,
    Choice,
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
    Template,
    Text,
    Unsupported,
    Video,
)
from trunkline_line import SPEC
from trunkline_line.outbound import messages_of
from trunkline_line.simulator import Customer, Simulator
from trunkline_line.simulator.rules import problems_of

FAMILY = "👨‍👩‍👧‍👦"
PICTURE = Media(url="https://media.example.test/a.jpg", preview_url="https://media.example.test/a_p.jpg", name="a.jpg")
FILM = Media(url="https://media.example.test/v.mp4", preview_url="https://media.example.test/v_p.jpg")
SOUND = Media(url="https://media.example.test/s.m4a", duration_ms=3000)
TRACK, OPEN = Button(title="Track", data="action=track"), Button(title="Open", url="https://shop.example.test/")

#: Content → the type of LINE's message and, for a template, of its template.
KINDS: list[tuple[Content, str, str | None]] = [
    (Text(text="Hello"), "text", None),
    (Image(media=PICTURE), "image", None),
    (Image(media=PICTURE, caption="Is it this one?"), "flex", None),
    (Video(media=FILM), "video", None),
    (Video(media=Media(url=FILM.url)), "flex", None),
    (Audio(media=SOUND), "audio", None),
    (Audio(media=Media(url=SOUND.url)), "audio", None),
    (Location(latitude=10.5, longitude=20.25, title="Shop", address="1 Example St"), "location", None),
    (Location(latitude=-10.5, longitude=20.25), "location", None),
    (Location(latitude=1, longitude=2, title="長" * 150), "location", None),
    (Sticker(package_id="1001", sticker_id="2002"), "sticker", None),
    (Link(url="https://desk.example.test/f/1", title="invoice.pdf", text="20 kB"), "flex", None),
    (Link(url="https://desk.example.test/f/1"), "flex", None),
    (Card(title="Order 42", text="What next?", buttons=(TRACK, OPEN)), "template", "buttons"),
    (Card(title="Order 42", image=PICTURE, buttons=(TRACK,)), "template", "buttons"),
    (Card(title="Close the case?", buttons=(TRACK, OPEN)), "template", "confirm"),
    (Card(title="x" * 200, buttons=(TRACK,) * 3), "flex", None),
    (Card(title="x" * 41, text="y", buttons=(TRACK,)), "flex", None),
    (Card(title="Order", buttons=(TRACK,) * 6), "flex", None),
    (Card(title="Order", buttons=(Button(title="a label of more than twenty"),)), "flex", None),
    (Card(title="Order 42", text="No buttons"), "flex", None),
    (
        Carousel(cards=(Card(title="A", text="a", buttons=(TRACK,)), Card(title="B", text="b", buttons=(OPEN,)))),
        "template",
        "carousel",
    ),
    (Carousel(cards=(Card(title="A", buttons=(TRACK,)), Card(title="B", buttons=(OPEN, TRACK)))), "flex", None),
    (
        Carousel(cards=(Card(title="A", image=PICTURE, buttons=(TRACK,)), Card(title="B", buttons=(OPEN,)))),
        "flex",
        None,
    ),
    (Carousel(cards=tuple(Card(title=str(n), buttons=(TRACK,)) for n in range(12))), "flex", None),
]


@pytest.mark.parametrize(("part", "kind", "template"), KINDS)
async def test_line_accepts_every_kind_that_we_declare(
    connector: Connector, ada: Customer, part: Content, kind: str, template: str | None
) -> None:
    accepted = await connector.deliver(outbound(ada, part))
    (message,) = said_by_us(ada)
    assert (message["type"], message.get("template", {}).get("type")) == (kind, template)
    assert [one.external_id for one in accepted.parts] == [said.id for said in ada.sees]


def test_every_declared_kind_is_sent_above() -> None:
    sends = SPEC.channels[0].capabilities.sends
    carried = {kind for kind, rule in sends.items() if rule.level in {Level.FULL, Level.PARTIAL}}
    assert carried == {ContentKind(str(part.__struct_config__.tag)) for part, _, _ in KINDS}
    assert sends[ContentKind.FILE].becomes is ContentKind.LINK


@pytest.mark.parametrize(
    "part",
    [
        Choice(data="x"),
        Contacts(people=(Person(name="Ada"),)),
        Template(name="x", language="en"),
        Unsupported(platform_kind="x"),
        File(media=PICTURE),
        Sticker(text="no number"),
        Carousel(cards=()),
        Image(media=Media()),
    ],
)
async def test_what_line_cannot_carry_is_refused_before_the_wire(
    connector: Connector, line: Simulator, ada: Customer, part: Content
) -> None:
    with pytest.raises(Undeliverable):
        await connector.deliver(outbound(ada, part))
    assert line.requests("/v2/bot/message/*") == []


async def test_five_parts_are_one_request_with_ids_in_order(
    connector: Connector, line: Simulator, ada: Customer
) -> None:
    accepted = await connector.deliver(outbound(ada, "1", "2", "3", "4", "5"))
    assert len(line.requests("/v2/bot/message/push")) == 1
    assert [said.message["text"] for said in ada.sees] == ["1", "2", "3", "4", "5"]
    assert [part.external_id for part in accepted.parts] == [said.id for said in ada.sees]
    assert [part.quote_token for part in accepted.parts] == [said.quote_token for said in ada.sees]


async def test_quick_replies_hang_on_the_last_message(connector: Connector, line: Simulator, ada: Customer) -> None:
    replies = (
        QuickReply(title="Yes, it was helpful to me indeed", data="csat=1"),
        QuickReply(title="Say hello"),
        QuickReply(title="Photo", kind="camera"),
        QuickReply(title="Album", kind="photo"),
        QuickReply(title="Where I am", kind="location"),
    )
    await connector.deliver(outbound(ada, "one", "two", quick_replies=replies))
    first, last = said_by_us(ada)
    assert "quickReply" not in first
    actions = [item["action"] for item in last["quickReply"]["items"]]
    assert [action["type"] for action in actions] == ["postback", "message", "camera", "cameraRoll", "location"]
    assert actions[0] == {
        "type": "postback",
        "label": "Yes, it was helpful…",
        "data": "csat=1",
        "displayText": "Yes, it was helpful to me indeed",
    }
    await ada.press(f"{ada.sees[-1].id}:0")
    assert line.webhooks[-1].events[0]["postback"] == {"data": "csat=1"}


async def test_the_declared_number_of_quick_replies_is_accepted(connector: Connector, ada: Customer) -> None:
    limit = SPEC.channels[0].capabilities.quick_replies
    assert limit
    assert limit.title_unit is TextUnit.GRAPHEMES
    replies = tuple(QuickReply(title=FAMILY * limit.title_max, data="x" * limit.data_max) for _ in range(limit.max))
    await connector.deliver(outbound(ada, "choose", quick_replies=replies))
    with pytest.raises(Undeliverable):
        await connector.deliver(outbound(ada, "choose", quick_replies=(*replies, replies[0])))


async def test_an_answer_quotes_a_message_of_the_same_chat_only(
    connector: Connector, line: Simulator, ada: Customer
) -> None:
    asked = await ada.text("which one?")
    await connector.deliver(outbound(ada, "this", quote=Quote(external_id=asked.id, token=asked.quote_token)))
    assert line.chat(ada.id)[-1].quoted == "which one?"
    with pytest.raises(Undeliverable, match="quoteToken"):
        await connector.deliver(
            outbound(line.customer("Bo"), "x", quote=Quote(external_id=asked.id, token=asked.quote_token))
        )


async def test_a_quote_is_left_out_where_line_takes_none(connector: Connector, ada: Customer) -> None:
    asked = await ada.text("which one?")
    quote = Quote(external_id=asked.id, token=asked.quote_token)
    await connector.deliver(outbound(ada, Image(media=PICTURE), "this", quote=quote))
    await connector.deliver(outbound(ada, "no token", quote=Quote(external_id=asked.id)))
    assert all("quoteToken" not in message for message in said_by_us(ada))


async def test_the_customer_sees_the_name_of_the_agent(connector: Connector, ada: Customer) -> None:
    name = "Bo " + FAMILY * 4
    await connector.deliver(outbound(ada, "hello", author=Author(kind=AuthorKind.AGENT, name=name)))
    await connector.deliver(outbound(ada, "hello", author=Author(kind=AuthorKind.BOT, name="robot")))
    named, unnamed = said_by_us(ada)
    assert named["sender"] == {"name": "Bo " + FAMILY + "…"}
    assert "sender" not in unnamed


async def test_text_is_sent_as_it_is(connector: Connector, ada: Customer) -> None:
    for words in ("{braces} & <tags> $ %s \\n", "  two\n lines ", FAMILY * 454, "あ" * 5000):
        await connector.deliver(outbound(ada, words))
        assert said_by_us(ada)[-1]["text"] == words
    with pytest.raises(Undeliverable, match="Length"):
        await connector.deliver(outbound(ada, "あ" * 5001))


MEDIA = st.builds(
    Media,
    url=st.just("https://media.example.test/x"),
    preview_url=st.sampled_from([None, "https://media.example.test/p"]),
)
WORDS = st.text(min_size=1, max_size=200).filter(str.strip)
BUTTONS = st.lists(
    st.builds(
        Button,
        title=WORDS,
        data=st.sampled_from([None, "d"]),
        url=st.sampled_from([None, "https://shop.example.test/"]),
    ),
    max_size=6,
).map(tuple)
CARDS = st.builds(Card, title=WORDS, text=st.none() | WORDS, image=st.none() | MEDIA, buttons=BUTTONS)
PARTS: Any = st.one_of(
    st.builds(Text, text=WORDS),
    st.builds(Image, media=MEDIA, caption=st.none() | WORDS),
    st.builds(Video, media=MEDIA, caption=st.none() | WORDS),
    st.builds(Audio, media=MEDIA),
    st.builds(
        Location,
        latitude=st.floats(-90, 90),
        longitude=st.floats(-180, 180),
        title=st.none() | WORDS,
        address=st.none() | WORDS,
    ),
    st.builds(
        Link,
        url=st.just("https://x.example.test/"),
        title=st.none() | WORDS,
        text=st.none() | WORDS,
        image=st.none() | MEDIA,
    ),
    CARDS,
    st.builds(Carousel, cards=st.lists(CARDS, min_size=1, max_size=12).map(tuple)),
)


@settings(max_examples=300, deadline=None)
@given(parts=st.lists(PARTS, min_size=1, max_size=5), agent=st.none() | WORDS)
def test_whatever_an_agent_composes_keeps_lines_limits(parts: list[Content], agent: str | None) -> None:
    author = Author(kind=AuthorKind.AGENT, name=agent)
    assert problems_of(messages_of(outbound("U" + "a" * 32, *parts, author=author))) == []

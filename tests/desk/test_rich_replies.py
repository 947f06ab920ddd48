"""Cards, places, templates, reactions, recalls: what the channel has goes out, what it has not is refused in words."""

from __future__ import annotations

from typing import Any

import pytest

from tests.desk.harness import BO, Answer, Client, Running
from tests.desk.rich import FAIR, TEMPLATES, RichConnector, fair, open_fair, refused
from tests.desk.test_messages import last_message, reply, upload
from tests.desk.test_threads import history_of, kinds
from trunkline.errors import RateLimited, SignInNeeded, TryLater
from trunkline.model import Button, Card, Carousel, Location, Template, Text

Json = dict[str, Any]

CARD: Json = {
    "type": "card",
    "title": "Red shoe",
    "text": "Size 42",
    "buttons": [{"title": "Buy", "url": "https://shop.example/42"}, {"title": "Other", "data": "more"}],
}
PLACE: Json = {"type": "location", "latitude": 35.6586, "longitude": 139.7454, "title": "Tower"}
PARCEL: Json = {
    "type": "template",
    "name": "parcel",
    "language": "en_US",
    "variables": {"number": "A-17", "day": "Monday"},
}


async def begin(desk: Running) -> tuple[Client, RichConnector, str]:
    """Return an admin, the connector, and a thread in which a customer wrote."""
    ada, connector = await open_fair(desk)
    return ada, connector, await desk.thread("Hello", account=FAIR)


async def pass_the_window(desk: Running, ada: Client) -> None:
    for _ in range(3):
        desk.clock.advance(hours=8.1)
        await ada.get("/me")
        await desk.settle()


def parts(connector: RichConnector) -> list[Any]:
    return [part for message in connector.sent for part in message.parts]


async def test_a_card_goes_out_after_the_text_and_is_shown_as_it_was(desk: Running) -> None:
    ada, connector, thread = await begin(desk)
    answer = await reply(ada, thread, {"text": "Look", "content": CARD})
    assert (answer.status, answer.json["content"]["type"]) == (202, "card")
    await desk.settle()
    buttons = (Button(title="Buy", url="https://shop.example/42"), Button(title="Other", data="more"))
    assert parts(connector) == [Text(text="Look"), Card(title="Red shoe", text="Size 42", buttons=buttons)]
    shown = await last_message(ada, thread)
    assert [one["title"] for one in shown["content"]["buttons"]] == ["Buy", "Other"]
    assert shown["deliveries"][0]["level"] == "full"


async def test_the_picture_of_a_card_is_a_file_of_whoever_sends_it(desk: Running) -> None:
    ada, connector, thread = await begin(desk)
    picture = await upload(ada)
    theirs = await reply(desk.client(BO[0]), thread, {"content": {**CARD, "image": picture}})
    assert (theirs.status, theirs.code) == (404, "attachment_not_found")
    answer = await reply(ada, thread, {"content": {**CARD, "image": picture}})
    assert answer.json["content"]["image"]["id"] == picture
    await desk.settle()
    (card,) = parts(connector)
    assert card.image.url.startswith("http://desk.example/media/")
    again = await reply(ada, thread, {"content": {**CARD, "image": picture}})
    assert (again.status, again.code) == (404, "attachment_not_found")


async def test_a_place_and_cards_side_by_side_go_out(desk: Running) -> None:
    ada, connector, thread = await begin(desk)
    cards = {"type": "carousel", "cards": [{"title": "One"}, {"title": "Two", "buttons": [{"title": "Yes"}]}]}
    for content in (PLACE, cards):
        assert (await reply(ada, thread, {"content": content})).status == 202
    await desk.settle()
    assert parts(connector) == [
        Location(latitude=35.6586, longitude=139.7454, title="Tower"),
        Carousel(cards=(Card(title="One"), Card(title="Two", buttons=(Button(title="Yes"),)))),
    ]


TOO_MUCH: list[tuple[Json, str, str]] = [
    ({**CARD, "title": "A" * 21}, "card_too_long", "content.title"),
    ({**CARD, "text": "好" * 61}, "card_too_long", "content.text"),
    ({**CARD, "buttons": [{"title": "x"}] * 3}, "card_too_many_buttons", "content.buttons"),
    ({**CARD, "buttons": [{"title": "x" * 11}]}, "card_too_long", "content.buttons.0.title"),
    ({**CARD, "buttons": [{"title": "x", "data": "d" * 51}]}, "card_too_long", "content.buttons.0.data"),
    ({"type": "carousel", "cards": [{"title": "x"}] * 4}, "carousel_too_many", "content.cards"),
    ({"type": "carousel", "cards": [{"title": "x", "text": "y"}]}, "card_too_long", "content.cards.0.text"),
    (
        {"type": "carousel", "cards": [{"title": "a"}, {"title": "b", "buttons": CARD["buttons"][:1]}]},
        "card_without_links",
        "content.cards.1.buttons.0.url",
    ),
]


@pytest.mark.parametrize(("content", "code", "field"), TOO_MUCH)
async def test_what_does_not_fit_is_refused_with_its_place(
    plain_desk: Running, content: Json, code: str, field: str
) -> None:
    ada, connector, thread = await begin(plain_desk)
    answer = await reply(ada, thread, {"text": "Look", "content": content})
    assert (answer.status, answer.code) == (422, code), answer.raw
    assert [error["field"] for error in answer.json["errors"]] == [field]
    assert "channel" in answer.json["detail"]
    await plain_desk.settle()
    assert connector.sent == []
    assert kinds(await history_of(ada, thread)) == ["created", "message_received"]


async def test_a_family_is_one_character_of_a_title(plain_desk: Running) -> None:
    ada, _, thread = await begin(plain_desk)
    assert (await reply(ada, thread, {"content": {**CARD, "title": "👨‍👩‍👧‍👦" * 20}})).status == 202
    assert (await reply(ada, thread, {"content": {**CARD, "title": "👨‍👩‍👧‍👦" * 21}})).status == 422


async def test_what_the_channel_carries_as_text_says_so(desk: Running) -> None:
    ada, connector, thread = await begin(desk)
    people = {"type": "contacts", "people": [{"name": "Bo", "phones": ["+48 600 000 000"]}]}
    answer = await reply(ada, thread, {"content": people})
    assert answer.json["deliveries"][0]["level"] == "fallback"
    link = {"type": "link", "url": "https://shop.example/a", "title": "Manual"}
    await reply(ada, thread, {"content": link})
    await desk.settle()
    assert parts(connector) == [Text(text="Bo\n+48 600 000 000"), Text(text="Manual\nhttps://shop.example/a")]


async def test_a_channel_without_cards_refuses_them_in_words(plain_desk: Running) -> None:
    ada = (await begin(plain_desk))[0]
    quiet = await plain_desk.thread("Hi", account="quiet", sender="u2")
    answer = await reply(ada, quiet, {"content": CARD})
    assert (answer.status, answer.code) == (422, "content_unsupported")
    assert "card cannot be sent here" in answer.json["detail"]


# ---------------------------------------------------------------- templates


async def test_templates_are_listed_as_the_platform_has_them_and_asked_for_every_five_minutes(desk: Running) -> None:
    ada, connector, _ = await begin(desk)
    found = (await desk.client(BO[0]).get(f"/accounts/{FAIR}/templates"))["items"]
    assert [one["name"] for one in found] == [one.name for one in TEMPLATES]
    assert found[0]["variables"][0] == {
        "name": "number",
        "kind": "text",
        "place": "body",
        "example": "A-17",
        "max_length": 12,
    }
    await ada.get(f"/accounts/{FAIR}/templates")
    desk.clock.advance(seconds=299)
    await ada.get(f"/accounts/{FAIR}/templates")
    assert connector.asked == 1
    desk.clock.advance(seconds=2)
    await ada.get(f"/accounts/{FAIR}/templates")
    assert connector.asked == 2


@pytest.mark.parametrize(
    ("trouble", "status", "code"),
    [
        (SignInNeeded("bad token"), 409, "sign_in_needed_at_platform"),
        (RateLimited(), 503, "platform_busy"),
        (TryLater(), 502, "platform_unreachable"),
    ],
)
async def test_a_list_that_cannot_be_had_is_said_in_words_and_asked_for_again(
    plain_desk: Running, trouble: Any, status: int, code: str
) -> None:
    ada, connector, _ = await begin(plain_desk)
    connector.trouble = trouble
    answer = await ada.call("GET", f"/accounts/{FAIR}/templates")
    assert (answer.status, answer.code) == (status, code)
    assert answer.json["detail"].startswith("The platform")
    connector.trouble = None
    assert (await ada.get(f"/accounts/{FAIR}/templates"))["items"]


async def test_after_the_window_only_a_template_goes_out(desk: Running) -> None:
    ada, connector, thread = await begin(desk)
    await pass_the_window(desk, ada)
    assert (await ada.get(f"/threads/{thread}"))["window"]["afterwards"] == "template"
    late = await reply(ada, thread, {"text": "Too late"})
    assert late.json["delivery_state"] == "suppressed"
    answer = await reply(ada, thread, {"content": PARCEL})
    assert answer.json["delivery_state"] == "queued"
    await desk.settle()
    assert parts(connector) == [
        Template(name="parcel", language="en_US", variables={"number": "A-17", "day": "Monday"})
    ]
    assert (await last_message(ada, thread))["delivery_state"] == "sent"


async def test_a_template_in_the_window_takes_nothing_off_its_budget(desk: Running) -> None:
    ada, _, thread = await begin(desk)
    await reply(ada, thread, {"content": PARCEL})
    await desk.settle()
    assert (await ada.get(f"/threads/{thread}"))["window"]["remaining"] == 5


async def test_a_file_in_a_template_reaches_the_platform_with_its_address(desk: Running) -> None:
    ada, connector, thread = await begin(desk)
    picture = await upload(ada)
    poster = {"type": "template", "name": "poster", "language": "en_US", "variables": {"picture": {"media": picture}}}
    answer = await reply(ada, thread, {"content": poster})
    assert answer.json["content"]["variables"]["picture"]["media"]["id"] == picture
    assert "url" not in answer.json["content"]["variables"]["picture"]["media"]
    await desk.settle()
    (template,) = parts(connector)
    assert template.variables["picture"]["link"].startswith("http://desk.example/media/")
    assert template.variables["picture"]["name"] == "shelf.png"


@pytest.mark.parametrize(
    ("change", "code", "field"),
    [
        ({"name": "unheard"}, "template_unknown", "content.name"),
        ({"language": "pl"}, "template_unknown", "content.name"),
        ({"name": "old", "variables": {}}, "template_not_usable", "content.name"),
        ({"variables": {"number": "A"}}, "template_variable_missing", "content.variables.day"),
        ({"variables": {"number": " ", "day": "x"}}, "template_variable_missing", "content.variables.number"),
        ({"variables": {"number": "x" * 13, "day": "x"}}, "template_variable_too_long", "content.variables.number"),
        (
            {"variables": {"number": "x", "day": "x", "hour": "1"}},
            "template_variable_unknown",
            "content.variables.hour",
        ),
    ],
)
async def test_a_template_that_the_platform_would_refuse_is_refused_before(
    plain_desk: Running, change: Json, code: str, field: str
) -> None:
    ada, _, thread = await begin(plain_desk)
    answer = await reply(ada, thread, {"content": {**PARCEL, **change}})
    assert (answer.status, answer.code) == (422, code)
    assert [error["field"] for error in answer.json["errors"]] == [field]
    preview = await ada.post(f"/threads/{thread}/preview", {"content": {**PARCEL, **change}})
    assert [one["code"] for one in preview["refusals"]] == [code]


async def test_a_template_goes_out_although_the_list_cannot_be_had(desk: Running) -> None:
    ada, connector, thread = await begin(desk)
    connector.trouble = TryLater()
    assert (await reply(ada, thread, {"content": PARCEL})).status == 202
    await desk.settle()
    assert len(connector.sent) == 1


# ---------------------------------------------------------------- reactions and recalls


async def put_reaction(client: Client, message_id: str, emoji: str | None) -> Answer:
    return await client.call("PUT", f"/messages/{message_id}/reaction", {"emoji": emoji})


async def test_a_reaction_reaches_the_platform_and_stands_in_the_history(desk: Running) -> None:
    ada, connector, thread = await begin(desk)
    (message,) = (await ada.get(f"/threads/{thread}/messages"))["items"]
    for emoji in ("👍", None):
        assert (await put_reaction(ada, message["id"], emoji)).status == 200
    assert [(one.kind, one.emoji, one.external_id) for one in connector.signals] == [
        ("reaction", "👍", "e1"),
        ("reaction", None, "e1"),
    ]
    assert kinds(await history_of(ada, thread))[-2:] == ["reacted", "reacted"]


async def test_a_reaction_stands_under_its_message_until_it_is_taken_away(desk: Running) -> None:
    ada, _, thread = await begin(desk)
    (message,) = (await ada.get(f"/threads/{thread}/messages"))["items"]
    shown = (await put_reaction(ada, message["id"], "👍")).json
    (reaction,) = shown["reactions"]
    assert (reaction["emoji"], reaction["author"]["name"]) == ("👍", "Ada")
    assert (await last_message(ada, thread))["reactions"] == shown["reactions"]
    assert (await put_reaction(ada, message["id"], None)).json["reactions"] == []


async def test_what_the_platform_says_to_a_reaction_is_told(desk: Running) -> None:
    ada, connector, thread = await begin(desk)
    (message,) = (await ada.get(f"/threads/{thread}/messages"))["items"]
    connector.trouble = refused("Too old for a reaction")
    answer = await put_reaction(ada, message["id"], "👍")
    assert (answer.status, answer.code) == (409, "refused_by_platform")
    assert "Too old for a reaction" in answer.json["detail"]
    assert "reacted" not in kinds(await history_of(ada, thread))


async def test_only_what_the_customer_wrote_is_reacted_to_and_only_what_we_wrote_is_taken_back(desk: Running) -> None:
    ada, _, thread = await begin(desk)
    ours = (await reply(ada, thread, {"text": "Hi"})).json["id"]
    await desk.settle()
    theirs = (await ada.get(f"/threads/{thread}/messages"))["items"][0]["id"]
    assert (await put_reaction(ada, ours, "👍")).code == "not_reactable"
    assert (await ada.call("POST", f"/messages/{theirs}/recall", {})).code == "not_recallable"


async def test_a_message_taken_back_is_gone_here_and_there(desk: Running) -> None:
    ada, connector, thread = await begin(desk)
    message = (await reply(ada, thread, {"text": "word " * 50})).json
    early = await ada.call("POST", f"/messages/{message['id']}/recall", {})
    await desk.settle()
    if early.status == 409:
        assert early.code == "still_sending"
        assert (await ada.call("POST", f"/messages/{message['id']}/recall", {})).status == 200
    shown = await last_message(ada, thread)
    assert (shown["recalled_at"] is not None, shown["content"]["type"]) == (True, "unsupported")
    taken = [one.external_id for one in connector.signals if one.kind == "recall"]
    assert len(taken) == len(set(taken)) == 3
    assert kinds(await history_of(ada, thread))[-1] == "message_recalled"
    again = await ada.call("POST", f"/messages/{message['id']}/recall", {})
    assert (again.status, again.code) == (409, "not_recallable")


async def test_what_the_platform_keeps_stays_here_too(desk: Running) -> None:
    ada, connector, thread = await begin(desk)
    message = (await reply(ada, thread, {"text": "Hi"})).json
    await desk.settle()
    connector.trouble = refused("Seen already")
    answer = await ada.call("POST", f"/messages/{message['id']}/recall", {})
    assert (answer.status, answer.code) == (409, "refused_by_platform")
    assert (await last_message(ada, thread))["content"]["text"] == "Hi"


async def test_channels_without_them_refuse_reactions_and_recalls(plain_desk: Running) -> None:
    ada = (await begin(plain_desk))[0]
    thread = await plain_desk.thread("Hi there", account="shop", sender="u3")
    ours = (await reply(ada, thread, {"text": "Hi"})).json["id"]
    theirs = (await ada.get(f"/threads/{thread}/messages"))["items"][0]["id"]
    assert (await put_reaction(ada, theirs, "👍")).code == "not_supported"
    assert (await ada.call("POST", f"/messages/{ours}/recall", {})).code == "not_supported"


# ---------------------------------------------------------------- remedies


async def test_a_remedy_is_done_when_the_last_check_offered_it(desk: Running) -> None:
    ada, connector, _ = await begin(desk)
    early = await ada.call("POST", f"/accounts/{FAIR}/remedies/subscribe", {})
    assert (early.status, early.code) == (409, "unknown_remedy")
    connector.is_subscribed = False
    found = await ada.post(f"/accounts/{FAIR}/probe")
    assert found["remedies"] == [{"code": "subscribe", "title": "Subscribe again"}]
    connector.trouble = refused("Not today")
    failed = await ada.call("POST", f"/accounts/{FAIR}/remedies/subscribe", {})
    assert (failed.status, failed.code) == (502, "remedy_failed")
    connector.trouble = None
    assert (await ada.post(f"/accounts/{FAIR}/remedies/subscribe"))["ok"] is True
    assert (await ada.get(f"/accounts/{FAIR}"))["state"] == "connected"
    assert fair(desk) is connector


async def test_remedies_are_an_admins_affair(desk: Running) -> None:
    await begin(desk)
    answer = await desk.client(BO[0]).call("POST", f"/accounts/{FAIR}/remedies/subscribe", {})
    assert answer.status == 403

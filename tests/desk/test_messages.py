"""Messages: reading, answering, and what became of the answer."""

from __future__ import annotations

from io import BytesIO
from typing import Any

import pytest

from tests.desk.harness import Answer, Client, Running
from tests.desk.test_threads import history_of, kinds


async def reply(client: Client, thread: str, body: dict[str, Any]) -> Answer:
    return await client.call("POST", f"/threads/{thread}/messages", body)


async def last_message(client: Client, thread: str) -> dict[str, Any]:
    message: dict[str, Any] = (await client.get(f"/threads/{thread}/messages"))["items"][-1]
    return message


def picture() -> bytes:
    from PIL import Image

    stream = BytesIO()
    Image.new("RGB", (8, 6), (10, 200, 30)).save(stream, "PNG")
    return stream.getvalue()


async def upload(client: Client, raw: bytes | None = None, name: str = "shelf.png") -> str:
    answer = await client.call(
        "POST",
        "/media",
        data=BytesIO(picture() if raw is None else raw),
        params={"name": name},
        headers={"Content-Type": "image/png"},
    )
    assert answer.status == 201, answer.raw
    return str(answer.json["id"])


async def test_an_answer_is_stored_sent_and_shown_with_its_state(desk: Running, ada: Client) -> None:
    thread = await desk.thread()
    answer = await reply(ada, thread, {"text": "Good morning!"})
    assert (answer.status, answer.json["delivery_state"], answer.json["author"]["name"]) == (202, "queued", "Ada")
    await desk.settle()
    message = await last_message(ada, thread)
    assert (message["id"], message["delivery_state"], message["position"]) == (answer.json["id"], "sent", 2)
    assert len(desk.connector().sent) == 1


async def test_one_id_follows_a_reply_from_the_click_to_the_platform(
    desk: Running, ada: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[dict[str, Any]] = []

    class Log:
        def debug(self, event: str, **fields: Any) -> None:
            told.append({"event": event, **fields})

        info = debug

    monkeypatch.setattr("trunkline.service.outbox.dispatcher.log", Log())
    monkeypatch.setattr("trunkline_desk.api.resources.messages.log", Log())
    answer = await reply(ada, await desk.thread(), {"text": "Good morning!"})
    await desk.settle()
    (delivery,) = answer.json["deliveries"]
    created, attempted = told
    assert (created["event"], created["deliveries"]) == ("message.created", [delivery["id"]])
    assert (attempted["event"], attempted["delivery"]) == ("outbox.attempted", delivery["id"])
    assert attempted["request_id"] == answer.headers["X-Request-Id"]


async def test_answering_a_thread_that_nobody_has_takes_it_first(desk: Running, ada: Client, bo: Client) -> None:
    """R-55."""
    thread = await desk.thread()
    await reply(bo, thread, {"text": "Hi"})
    found = await ada.get(f"/threads/{thread}")
    assert (found["state"], found["assignee"]["name"], found["first_unanswered_at"]) == ("in_service", "Bo", None)
    assert kinds(await history_of(ada, thread))[2:4] == ["assigned", "reply_sent"]
    await reply(ada, thread, {"text": "Me too"})
    assert (await ada.get(f"/threads/{thread}"))["assignee"]["name"] == "Bo"


async def test_answering_a_closed_thread_opens_the_next_round(desk: Running, ada: Client, bo: Client) -> None:
    thread = await desk.thread()
    await reply(ada, thread, {"text": "Hi"})
    await ada.post(f"/threads/{thread}/close")
    await reply(bo, thread, {"text": "One more thing"})
    found = await ada.get(f"/threads/{thread}")
    assert (found["state"], found["round"], found["assignee"]["name"]) == ("in_service", 2, "Bo")


async def test_a_refused_answer_leaves_nothing_behind(desk: Running, ada: Client) -> None:
    thread = await desk.thread()
    for body in ({}, {"text": "   "}, {"attachments": ["unheard"]}, {"text": "x", "reply_to": "unheard"}):
        answer = await reply(ada, thread, body)
        assert answer.status in {404, 422}, body
        assert answer.json["detail"]
    assert (await ada.get(f"/threads/{thread}"))["assignee"] is None
    assert kinds(await history_of(ada, thread)) == ["created", "message_received"]


async def test_after_the_window_an_answer_is_kept_as_suppressed_with_words(desk: Running, ada: Client) -> None:
    thread = await desk.thread()
    for _ in range(3):
        desk.clock.advance(hours=8.1)
        await ada.get("/me")
        await desk.settle()
    answer = await reply(ada, thread, {"text": "Too late"})
    assert (answer.status, answer.json["delivery_state"]) == (202, "suppressed")
    assert answer.json["deliveries"][0]["reason"]["code"] == "window_closed"
    await desk.settle()
    assert desk.connector().sent == []


async def test_what_the_platform_refused_is_shown_in_its_words_and_can_be_sent_again(
    desk: Running, ada: Client
) -> None:
    thread = await desk.thread()
    desk.connector().refuses = "No pictures on Saturdays"
    await reply(ada, thread, {"text": "Hi"})
    await desk.settle()
    message = await last_message(ada, thread)
    reason = message["deliveries"][0]["reason"]
    assert (message["delivery_state"], message["retryable"]) == ("failed", True)
    assert reason["platform_text"] == "No pictures on Saturdays"
    desk.connector().refuses = None
    again = await ada.call("POST", f"/messages/{message['id']}/retry", {})
    assert (again.status, again.json["delivery_state"]) == (202, "queued")
    twice = await ada.call("POST", f"/messages/{message['id']}/retry", {})
    # On a quick machine it is sent before the second click; that click sends nothing either way.
    assert twice.status == 409
    assert twice.code in {"already_trying", "not_retryable"}
    await desk.settle()
    assert (await last_message(ada, thread))["delivery_state"] == "sent"
    done = await ada.call("POST", f"/messages/{message['id']}/retry", {})
    assert (done.status, done.code) == (409, "not_retryable")
    assert (await ada.call("POST", "/messages/unheard/retry", {})).status == 404


async def test_text_that_is_longer_than_the_platform_takes_goes_in_parts(desk: Running, ada: Client) -> None:
    thread = await desk.thread()
    answer = await reply(ada, thread, {"text": "word " * 50})
    assert [part["part"] for part in answer.json["deliveries"]] == [1, 2, 3]
    await desk.settle()
    assert (await last_message(ada, thread))["delivery_state"] == "sent"


async def test_quick_replies_go_along_and_come_back_as_they_were(desk: Running, ada: Client) -> None:
    thread = await desk.thread()
    body = {"text": "Which?", "quick_replies": [{"title": "Red", "data": "r"}, {"title": "Blue"}]}
    answer = await reply(ada, thread, body)
    assert [one["title"] for one in answer.json["quick_replies"]] == ["Red", "Blue"]
    await desk.settle()
    assert [one.title for one in desk.connector().sent[0].quick_replies] == ["Red", "Blue"]


async def test_quick_replies_that_the_channel_does_not_carry_fall_back_and_say_so(desk: Running, ada: Client) -> None:
    thread = await desk.thread("q", account="quiet")
    answer = await reply(ada, thread, {"text": "Which?", "quick_replies": [{"title": "Red"}, {"title": "Blue"}]})
    assert (answer.status, answer.json["deliveries"][0]["level"]) == (202, "fallback")


async def test_a_picture_goes_first_and_the_text_after_it(desk: Running, ada: Client) -> None:
    thread, picture_id = await desk.thread(), await upload(ada)
    answer = await reply(ada, thread, {"text": "Look", "attachments": [picture_id]})
    assert answer.json["content"]["text"] == "Look"
    messages = (await ada.get(f"/threads/{thread}/messages"))["items"]
    assert [message["content"]["type"] for message in messages] == ["text", "image", "text"]
    assert messages[1]["content"]["media"]["id"] == picture_id
    await desk.settle()
    assert len(desk.connector().sent) == 2


async def test_sec_25_a_file_of_somebody_else_or_one_that_was_sent_is_not_attached(
    desk: Running, ada: Client, bo: Client
) -> None:
    thread, theirs, mine = await desk.thread(), await upload(bo), await upload(ada)
    for media_id in (theirs, "unheard"):
        answer = await reply(ada, thread, {"attachments": [media_id]})
        assert (answer.status, answer.code) == (404, "attachment_not_found")
    assert (await reply(ada, thread, {"attachments": [mine]})).status == 202
    assert (await reply(ada, thread, {"attachments": [mine]})).code == "attachment_not_found"
    assert (await reply(bo, thread, {"attachments": [theirs]})).status == 202


async def test_a_quote_leads_to_the_message_it_answers(desk: Running, ada: Client) -> None:
    thread = await desk.thread("Do you have tea?")
    asked = await last_message(ada, thread)
    answer = await reply(ada, thread, {"text": "Yes", "reply_to": asked["id"]})
    quoted = answer.json["reply_to"]
    assert (quoted["message_id"], quoted["preview"]) == (asked["id"], "Do you have tea?")
    await desk.settle()
    sent = desk.connector().sent[0]
    assert sent.quote is not None
    await desk.customer("Which?", quotes=f"w-{sent.key}-0")
    message = await last_message(ada, thread)
    assert (message["reply_to"]["message_id"], message["reply_to"]["preview"]) == (answer.json["id"], "Yes")


async def test_messages_are_paged_from_the_newest_up(desk: Running, ada: Client) -> None:
    thread = await desk.thread("0")
    await desk.platform({"events": [{"id": f"t{n}", "from": "u1", "text": str(n)} for n in range(1, 12)]})
    page = await ada.get(f"/threads/{thread}/messages?limit=5")
    assert [message["content"]["text"] for message in page["items"]] == ["7", "8", "9", "10", "11"]
    older = await ada.get(f"/threads/{thread}/messages?limit=5&before={page['next_cursor']}")
    assert [message["content"]["text"] for message in older["items"]] == ["2", "3", "4", "5", "6"]
    oldest = await ada.get(f"/threads/{thread}/messages?limit=5&before={older['next_cursor']}")
    assert ([message["content"]["text"] for message in oldest["items"]], oldest["next_cursor"]) == (["0", "1"], None)


async def test_edits_and_recalls_are_shown_as_what_they_are(desk: Running, ada: Client) -> None:
    thread = await desk.thread("Helo")
    first = await last_message(ada, thread)
    await desk.customer("Hello", kind="edit", of="e1", at=desk.clock.now + 1000)
    edited = await last_message(ada, thread)
    assert (edited["id"], edited["content"]["text"]) == (first["id"], "Hello")
    assert (edited["previous"][0]["text"], edited["edited_at"] is not None) == ("Helo", True)
    await desk.customer("", kind="recall", of="e1", at=desk.clock.now + 2000)
    recalled = await last_message(ada, thread)
    assert recalled["recalled_at"] is not None
    assert "Hello" not in str(recalled)


CONTENTS: list[dict[str, Any]] = [
    {"type": "location", "latitude": 35.6, "longitude": 139.7, "title": "Shop"},
    {"type": "sticker", "package_id": "1", "sticker_id": "2", "keywords": ["hi"]},
    {"type": "choice", "data": "r", "title": "Red"},
    {"type": "link", "url": "https://shop.example/1"},
    {"type": "contacts", "people": [{"name": "Di", "phones": ["+1"]}]},
    {"type": "unsupported", "platform_kind": "poll", "raw": {"secret": "x"}},
    {"type": "carousel", "cards": [{"type": "card", "title": "A", "buttons": [{"title": "Buy", "data": "b"}]}]},
    {"type": "text", "text": "Hi @Shop", "mentions": [{"start": 3, "length": 5, "us": True}]},
    {"type": "image", "media": {"mime": "image/png", "source": {"reference": "m1"}}},
]


async def test_every_kind_of_content_comes_out_as_the_document_says(desk: Running, ada: Client) -> None:
    thread = await desk.thread()
    for number, content in enumerate(CONTENTS):
        await desk.customer("", content=content, id=f"c{number}")
    messages = (await ada.get(f"/threads/{thread}/messages"))["items"]
    assert [message["content"]["type"] for message in messages[1:]] == [content["type"] for content in CONTENTS]
    assert "secret" not in str(messages)


async def test_typing_reaches_the_customer_where_the_channel_can(desk: Running, ada: Client) -> None:
    shop, quiet = await desk.thread(), await desk.thread("q", account="quiet")
    assert (await ada.call("POST", f"/threads/{shop}/typing", {})).status == 202
    await desk.settle()
    assert [signal.kind for signal in desk.connector().signals] == ["typing"]
    answer = await ada.call("POST", f"/threads/{quiet}/typing", {})
    assert (answer.status, answer.code) == (409, "not_supported")


@pytest.mark.requirement("001-02")
async def test_an_inbound_mention_is_answered_to_that_very_mention(desk: Running, ada: Client) -> None:
    thread = await desk.thread("first")
    await desk.customer(
        "", content={"type": "text", "text": "Hi @Shop", "mentions": [{"start": 3, "length": 5, "us": True}]}
    )
    mention = await last_message(ada, thread)
    await reply(ada, thread, {"text": "Here!", "reply_to": mention["id"]})
    await desk.settle()
    quote = desk.connector().sent[0].quote
    assert quote is not None
    assert quote.external_id == "e2"


async def test_what_could_not_be_read_is_listed_retried_and_skipped(desk: Running, ada: Client, bo: Client) -> None:
    await desk.platform(b"no events at all")
    await desk.platform(b"nor here")
    listed = (await bo.get("/quarantine"))["items"]
    assert [item["body_preview"] for item in listed] == ["nor here", "no events at all"]
    page = await ada.get("/quarantine?limit=1")
    rest = await ada.get("/quarantine", params={"cursor": page["next_cursor"]})
    assert [item["id"] for item in page["items"] + rest["items"]] == [item["id"] for item in listed]
    again = await ada.call("POST", f"/quarantine/{listed[0]['id']}/retry", {})
    assert (again.status, again.code) == (409, "still_unreadable")
    skipped = await ada.post(f"/quarantine/{listed[0]['id']}/skip", {"reason": "a test of theirs"})
    assert (skipped["state"], skipped["reason"]) == ("skipped", "a test of theirs")
    assert (await ada.call("POST", f"/quarantine/{listed[0]['id']}/skip", {"reason": "x"})).status == 404
    assert (await bo.call("POST", f"/quarantine/{listed[1]['id']}/skip", {"reason": "x"})).status == 403

"""Customers write and agents answer: for free while LINE's reply token lives, then on the account's quota."""

from __future__ import annotations

from io import BytesIO
from typing import Any

import pytest
from PIL import Image

from tests.journeys.shop import Open, Shop, until
from trunkline.testing.pictures import picture

REPLY, PUSH = "/v2/bot/message/reply", "/v2/bot/message/push"


async def test_an_answer_within_the_first_seconds_is_free_and_uses_the_reply_token(shop: Shop) -> None:
    mei = shop.line.customer("Mei")
    await mei.text("Is the red bicycle still there?")
    thread = await shop.thread_of(mei)
    assert thread["composer"]["cost"] == "free"
    sent = await shop.until_state(await shop.reply(thread["id"], "Yes, two are left."), "sent")
    assert sent["deliveries"][0]["cost"] == "free"
    assert [body["replyToken"] for body in shop.calls(REPLY)] == [shop.line.webhooks[-1].events[0]["replyToken"]]
    assert [said.message["text"] for said in mei.sees] == ["Is the red bicycle still there?", "Yes, two are left."]
    assert shop.line.world.used == 0


async def test_a_second_answer_is_pushed_because_a_token_is_good_for_one(shop: Shop) -> None:
    mei = shop.line.customer("Mei")
    await mei.text("Hello")
    thread = await shop.thread_of(mei)
    first = await shop.until_state(await shop.reply(thread["id"], "One."), "sent")
    second = await shop.until_state(await shop.reply(thread["id"], "Two."), "sent")
    assert [one["deliveries"][0]["cost"] for one in (first, second)] == ["free", "quota"]
    assert [said.message["text"] for said in mei.sees] == ["Hello", "One.", "Two."]


async def test_what_is_said_at_once_shares_the_one_free_answer(shop: Shop) -> None:
    mei = shop.line.customer("Mei")
    await mei.text("Where are you?")
    thread = await shop.thread_of(mei)
    place = {"type": "location", "latitude": 35.5, "longitude": 139.5, "title": "Shop"}
    body = {"text": "Next to the station.", "content": place}
    preview: Any = await shop.ada.post(f"/threads/{thread['id']}/preview", body)
    assert [(len(one["parts"]), one["cost"]) for one in preview["requests"]] == [(2, "free")]
    answer = await shop.ada.call("POST", f"/threads/{thread['id']}/messages", body)
    sent = await shop.until_state(answer.json, "sent")
    assert sent["deliveries"][0]["cost"] == "free"
    ((said,), pushed) = shop.calls(REPLY), shop.calls(PUSH)
    assert ([one["type"] for one in said["messages"]], pushed) == (["text", "location"], [])
    assert shop.line.world.used == 0


async def test_after_fifty_seconds_an_answer_is_pushed_and_counts_against_the_quota(shop: Shop) -> None:
    mei = shop.line.customer("Mei")
    await mei.text("Hello")
    thread = await shop.thread_of(mei)
    shop.later(50)
    detail = await shop.ada.get(f"/threads/{thread['id']}")
    assert detail["composer"]["cost"] == "quota"
    sent = await shop.until_state(await shop.reply(thread["id"], "Sorry for the wait."), "sent")
    assert sent["deliveries"][0]["cost"] == "quota"
    assert shop.calls(REPLY) == []
    assert [body["to"] for body in shop.calls(PUSH)] == [mei.id]
    assert shop.line.world.used == 1


async def test_a_token_that_ends_on_the_way_is_made_good_by_a_push(shop: Shop) -> None:
    mei = shop.line.customer("Mei")
    await mei.text("Hello")
    thread = await shop.thread_of(mei)
    token = shop.line.webhooks[-1].events[0]["replyToken"]
    shop.line.world.replies[token].used = True
    sent = await shop.until_state(await shop.reply(thread["id"], "Here we are."), "sent")
    assert sent["deliveries"][0]["cost"] == "quota"
    assert [len(shop.calls(path)) for path in (REPLY, PUSH)] == [1, 1]
    assert [said.message["text"] for said in mei.sees] == ["Hello", "Here we are."]


@pytest.mark.requirement("001-02")
async def test_a_mention_in_a_group_is_answered_as_that_very_mention(shop: Shop) -> None:
    mei, bo = shop.line.group("Book club", "Mei", "Bo Zhang")
    marks: dict[str, Any] = {
        "mention": {"mentionees": [{"index": 0, "length": 5, "type": "user", "userId": "U1", "isSelf": True}]}
    }
    mention = await mei.text("@Shop when do you open?", **marks)
    await bo.text("Meanwhile, who brings tea?")
    thread = await shop.thread_of(mei)
    asked, _ = await shop.messages(thread["id"])
    assert asked["content"]["mentions"][0]["us"] is True
    await shop.until_state(await shop.reply(thread["id"], "At nine.", reply_to=asked["id"]), "sent")
    (sent,) = shop.calls(REPLY)
    (message,) = sent["messages"]
    assert (message["text"], message["quoteToken"]) == ("At nine.", mention.quote_token)
    assert mei.chat.said[-1].message["text"] == "At nine."


async def test_a_long_text_leaves_in_order_in_parts_that_line_takes(shop: Shop) -> None:
    mei = shop.line.customer("Mei")
    await mei.text("Tell me everything")
    thread = await shop.thread_of(mei)
    text = " ".join(f"{number:05}" for number in range(2_000))
    sent = await shop.until_state(await shop.reply(thread["id"], text), "sent")
    assert all(one["state"] == "sent" for one in sent["deliveries"])
    parts = [said.message["text"] for said in mei.sees if said.author is None]
    assert len(parts) == 3
    assert max(map(len, parts)) <= 5000
    assert " ".join(" ".join(parts).split()) == text


async def test_quick_replies_come_back_as_what_the_customer_pressed(shop: Shop) -> None:
    mei = shop.line.customer("Mei")
    await mei.text("Which sizes?")
    thread = await shop.thread_of(mei)
    offers = [{"title": "Small", "data": "size=s"}, {"title": "Large", "data": "size=l"}]
    await shop.until_state(await shop.reply(thread["id"], "We have two.", quick_replies=offers), "sent")
    bubble = shop.line.chat(mei.id)[-1]
    assert [press.label for press in bubble.quick_replies] == ["Small", "Large"]
    await mei.press(bubble.quick_replies[1].id)

    async def pressed() -> Any:
        last = (await shop.messages(thread["id"]))[-1]
        return last if last["content"]["type"] == "choice" else None

    assert (await until(pressed))["content"]["data"] == "size=l"


async def test_a_picture_of_an_agent_reaches_the_phone_from_our_public_address(shop: Shop) -> None:
    mei = shop.line.customer("Mei")
    await mei.text("Do you have a picture?")
    thread = await shop.thread_of(mei)
    media = await _upload(shop, "cup.jpg", "image/jpeg", picture("cup"))
    sent = await shop.ada.post(f"/threads/{thread['id']}/messages", {"attachments": [media["id"]]})
    await shop.until_state(sent, "sent")
    shown = mei.sees[-1].message
    assert shown["type"] == "image"
    assert shown["originalContentUrl"].startswith(shop.address)
    with Image.open(BytesIO(await _download(shop, shown["originalContentUrl"]))) as image:
        assert image.size == (640, 480)


async def test_a_file_goes_out_as_a_link_because_line_has_no_files(shop: Shop) -> None:
    mei = shop.line.customer("Mei")
    await mei.text("Could I have the invoice?")
    thread = await shop.thread_of(mei)
    media = await _upload(shop, "invoice.pdf", "application/pdf", b"%PDF-1.4\n%%EOF\n")
    posted = await shop.ada.post(f"/threads/{thread['id']}/messages", {"attachments": [media["id"]]})
    sent = await shop.until_state(posted, "sent")
    assert sent["deliveries"][0]["level"] == "fallback"
    assert sent["content"]["type"] == "file"
    assert "invoice.pdf" in str(mei.sees[-1].message)
    assert f"{shop.address}/" in str(mei.sees[-1].message)


async def test_typing_and_reading_reach_the_phone(shop: Shop) -> None:
    mei = shop.line.customer("Mei")
    await mei.text("Hello")
    thread = await shop.thread_of(mei)
    assert (await shop.ada.call("POST", f"/threads/{thread['id']}/typing", {})).status == 202
    assert (await shop.ada.call("POST", f"/threads/{thread['id']}/read", {"position": 1})).status == 204

    async def shown() -> bool:
        return shop.line.customers()[0].typing and mei.sees[0].read

    assert await until(shown)
    assert (await shop.ada.get(f"/threads/{thread['id']}"))["unread"] == 0


async def test_a_customers_name_and_picture_come_from_their_profile(open_shop: Open) -> None:
    async with open_shop(demo=True) as shop:
        mei = shop.line.customer("Mei Tanaka")
        await mei.text("Hello")
        thread = await shop.thread_of(mei)

        async def known() -> Any:
            contact = (await shop.ada.get(f"/threads/{thread['id']}"))["contact"]
            return contact if contact["avatar"] and contact["avatar"]["state"] == "stored" else None

        contact = await until(known)
        assert contact["name"] == "Mei Tanaka"
        picture = await shop.ada.call("GET", f"/media/{contact['avatar']['id']}?variant=preview")
        assert picture.headers["Content-Type"].startswith("image/")


async def test_everybody_in_a_group_has_a_name_and_the_group_too(shop: Shop) -> None:
    mei, bo = shop.line.group("Book club", "Mei", "Bo Zhang")
    await mei.text("I am in")
    await bo.text("So am I")
    thread = await shop.thread_of(mei)

    async def named() -> bool:
        names = [one["author"]["name"] for one in await shop.messages(thread["id"])]
        return names == ["Mei", "Bo Zhang"]

    async def group_named() -> bool:
        return bool((await shop.ada.get(f"/threads/{thread['id']}"))["contact"]["name"] == "Book club")

    assert await until(group_named)
    assert await until(named)


async def test_the_accounts_page_says_that_the_account_works(shop: Shop) -> None:
    async def connected() -> Any:
        (account,) = (await shop.bo.get("/accounts"))["items"]
        return account if account["state"] == "connected" else None

    account = await until(connected)
    assert (account["channel"], account["title"], account["locked"]) == ("line", "Shop", True)


async def _upload(shop: Shop, name: str, mime: str, body: bytes) -> dict[str, Any]:
    answer = await shop.ada.call("POST", f"/media?name={name}", headers={"Content-Type": mime}, data=body)
    assert answer.status == 201, answer.raw
    return dict(answer.json)


async def _download(shop: Shop, url: str) -> bytes:
    """Fetch as the customer's phone does: without a token."""
    async with shop.ada.session.get(url) as response:
        assert response.status == 200
        return await response.read()

"""Whatever LINE's customers do ends up in the right thread, once, and nothing that arrives is lost."""

from __future__ import annotations

from typing import Any

import pytest

from tests.journeys.shop import Shop, until

Json = dict[str, Any]


async def test_every_kind_of_message_is_in_the_thread_with_its_content(shop: Shop) -> None:
    mei = shop.line.customer("Mei")
    await mei.text("Hello (moon)", emojis=[{"index": 6, "length": 6, "productId": "5ac1", "emojiId": "002"}])
    await mei.location(35.65857, 139.74543, title="Tower", address="1 Example Street")
    await mei.sticker(keywords=("happy", "thanks"))
    await mei.image()
    await mei.video()
    await mei.audio(b"\xff\xf1" + bytes(64))
    await mei.file("invoice.pdf", b"%PDF-1.4\n%%EOF\n")
    await mei.postback("size=l", shows="Large")
    thread = await shop.thread_of(mei)
    contents = [one["content"] for one in await shop.until_media(thread["id"])]
    assert [one["type"] for one in contents] == [
        "text", "location", "sticker", "image", "video", "audio", "file", "choice",
    ]  # fmt: skip
    text, place, sticker, image, video, audio, file, choice = contents
    assert (text["text"], text["emojis"][0]["id"]) == ("Hello (moon)", "002")
    assert (place["title"], place["latitude"], place["longitude"]) == ("Tower", 35.65857, 139.74543)
    assert sticker["keywords"] == ["happy", "thanks"]
    assert [one["media"]["state"] for one in (image, video, audio, file)] == ["stored"] * 4
    assert (image["media"]["mime"], image["media"]["width"]) == ("image/jpeg", 640)
    assert (video["media"]["duration_ms"], audio["media"]["duration_ms"]) == (4200, 1800)
    assert (file["media"]["name"], file["media"]["mime"], file["media"]["size"]) == (
        "invoice.pdf",
        "application/pdf",
        15,
    )
    assert choice["data"] == "size=l"
    assert thread["unread"] == 8


async def test_a_file_of_a_customer_can_be_downloaded_byte_for_byte(shop: Shop) -> None:
    mei = shop.line.customer("Mei")
    body = b"%PDF-1.4\n" + bytes(range(256)) * 400 + b"\n%%EOF\n"
    await mei.file("invoice.pdf", body)
    thread = await shop.thread_of(mei)
    (message,) = await shop.until_media(thread["id"])
    answer = await shop.ada.call("GET", f"/media/{message['content']['media']['id']}?variant=original")
    assert answer.raw == body


async def test_a_film_that_line_still_prepares_is_fetched_when_it_is_ready(shop: Shop) -> None:
    mei = shop.line.customer("Mei")
    film = await mei.video(b"\0\0\0\x18ftypmp42" + bytes(100), polls=2)
    thread = await shop.thread_of(mei)
    (message,) = await shop.until_media(thread["id"], turn=shop.pauses(5))
    media = message["content"]["media"]
    assert (media["state"], media["size"]) == ("stored", 112)
    assert len(shop.line.requests(f"*/{film.id}/content/transcoding")) == 3
    assert len(shop.line.requests(f"*/{film.id}/content")) == 1


async def test_a_film_that_line_cannot_prepare_says_so(shop: Shop) -> None:
    mei = shop.line.customer("Mei")
    await mei.video(failed=True)
    thread = await shop.thread_of(mei)
    (message,) = await shop.until_media(thread["id"], turn=shop.pauses(5))
    assert message["content"]["media"]["state"] == "failed"
    assert message["content"]["media"]["reason"]


@pytest.mark.requirement("001-03")
async def test_everything_of_one_conversation_is_one_thread(shop: Shop) -> None:
    mei, bo = shop.line.customer("Mei"), shop.line.customer("Bo Zhang")
    in_group, _ = shop.line.group("Book club", "Mei", "Bo Zhang")
    for customer in (mei, bo, in_group):
        await customer.text("Hello")
    for customer in (bo, in_group, mei):
        await customer.sticker()
        await customer.postback("a=1")
    found = [await shop.thread_of(customer) for customer in (mei, bo, in_group)]
    assert len({thread["id"] for thread in found}) == len(await shop.threads()) == 3
    for thread in found:
        shown = await shop.messages(thread["id"])
        assert [one["content"]["type"] for one in shown] == ["text", "sticker", "choice"]
        assert {one["thread_id"] for one in shown} == {thread["id"]}


async def test_one_request_with_events_of_many_people_reaches_many_threads(shop: Shop) -> None:
    people = [shop.line.customer(f"Customer {number}") for number in range(12)]
    async with shop.line.batch():
        for customer in people:
            await customer.text(f"I am {customer.person.name}")
        for customer in people[:3]:
            await customer.text("And one more thing")
    assert len(shop.line.webhooks) == 1
    threads = {customer.person.name: await shop.thread_of(customer) for customer in people}
    assert len(await shop.threads()) == 12
    for number, (name, thread) in enumerate(threads.items()):
        texts = [one["content"]["text"] for one in await shop.messages(thread["id"])]
        assert texts == [f"I am {name}", *(["And one more thing"] if number < 3 else [])]


async def test_what_line_sends_twice_is_there_once(shop: Shop) -> None:
    mei = shop.line.customer("Mei")
    await mei.text("Once")
    await shop.line.repeat(times=3)
    await shop.line.redeliver(*shop.line.webhooks)
    thread = await shop.thread_of(mei)
    assert {webhook.status for webhook in shop.line.webhooks} == {200}
    assert [one["content"]["text"] for one in await shop.messages(thread["id"])] == ["Once"]
    assert thread["unread"] == 1


async def test_what_was_missed_while_we_were_away_comes_with_the_redelivery(shop: Shop) -> None:
    mei = shop.line.customer("Mei")
    there, shop.line.webhook_url = shop.line.webhook_url, None
    await mei.text("Is anybody there?")
    shop.line.webhook_url = there
    await mei.text("Hello?")
    await shop.line.redeliver()
    thread = await shop.thread_of(mei)

    async def both() -> Any:
        shown = await shop.messages(thread["id"])
        return shown if len(shown) == 2 else None

    assert {one["content"]["text"] for one in await until(both)} == {"Is anybody there?", "Hello?"}


async def test_a_message_that_the_customer_took_back_is_gone(shop: Shop) -> None:
    mei = shop.line.customer("Mei")
    said = await mei.text("My number is 0123")
    await mei.unsend(said)
    thread = await shop.thread_of(mei)
    (message,) = await _until(shop, thread, lambda shown: shown[0]["recalled_at"])
    assert "0123" not in str(message["content"])


async def test_a_text_changed_in_a_group_shows_the_new_words_and_keeps_the_old(shop: Shop) -> None:
    mei, _ = shop.line.group("Book club", "Mei", "Bo Zhang")
    said = await mei.text("At eight")
    await mei.edit(said, "At nine")
    thread = await shop.thread_of(mei)
    (message,) = await _until(shop, thread, lambda shown: shown[0]["edited_at"])
    assert message["content"]["text"] == "At nine"
    assert [one["text"] for one in message["previous"]] == ["At eight"]


async def test_a_kind_that_nobody_knows_yet_stands_in_its_place_and_in_the_quarantine(shop: Shop) -> None:
    mei = shop.line.customer("Mei")
    await mei.text("Look at this")
    await mei.write({"type": "hologram", "beam": 7})
    await mei.text("Nice, is it not?")
    thread = await shop.thread_of(mei)
    before, unknown, after = await _until(shop, thread, lambda shown: len(shown) == 3)
    assert (before["content"]["text"], after["content"]["text"]) == ("Look at this", "Nice, is it not?")
    assert unknown["content"]["type"] == "unsupported"
    (kept,) = (await shop.ada.get("/quarantine"))["items"]
    assert kept["id"] == unknown["placeholder"]["quarantine_id"]
    assert "hologram" in kept["body_preview"]


async def test_an_event_that_nobody_knows_yet_spoils_nothing_beside_it(shop: Shop) -> None:
    mei = shop.line.customer("Mei")
    async with shop.line.batch():
        await mei.text("Before")
        await mei.happens("teleport", teleport={"to": "moon"})
        await mei.text("After")
    thread = await shop.thread_of(mei)
    texts = [one["content"].get("text") for one in await shop.messages(thread["id"])]
    assert [text for text in texts if text] == ["Before", "After"]
    assert len((await shop.ada.get("/quarantine"))["items"]) == 1


async def test_a_customer_who_blocked_us_is_shown_as_out_of_reach_until_they_are_back(shop: Shop) -> None:
    mei = shop.line.customer("Mei")
    await mei.text("Bye")
    thread = await shop.thread_of(mei)
    await mei.unfollow()
    assert (await _until_reachable(shop, thread, reachable=False))["reachable"] is False
    await mei.follow()
    assert (await _until_reachable(shop, thread, reachable=True))["reachable"] is True
    kinds = [event["kind"] for event in await shop.history(thread["id"])]
    assert kinds.count("reachability_changed") == 2


async def test_a_quoted_message_is_told_with_the_one_that_quotes_it(shop: Shop) -> None:
    mei = shop.line.customer("Mei")
    first = await mei.text("The red one")
    await mei.text("This one, please", quotes=first.id)
    thread = await shop.thread_of(mei)
    asked, quoting = await _until(shop, thread, lambda shown: len(shown) == 2)
    assert quoting["reply_to"]["message_id"] == asked["id"]
    assert "The red one" in quoting["reply_to"]["preview"]


async def test_a_thousand_messages_are_all_there_in_the_order_in_which_they_came(shop: Shop) -> None:
    mei = shop.line.customer("Mei")
    for start in range(0, 1000, 100):
        async with shop.line.batch():
            for number in range(start, start + 100):
                await mei.text(f"{number}")
    thread = await shop.thread_of(mei)
    assert thread["last_position"] == 1000
    page = await shop.ada.get(f"/threads/{thread['id']}/messages?limit=100")
    shown: list[Json] = page["items"]
    while page["next_cursor"] is not None:
        page = await shop.ada.get(f"/threads/{thread['id']}/messages?limit=100&before={page['next_cursor']}")
        shown = [*page["items"], *shown]
    assert [one["content"]["text"] for one in shown] == [str(number) for number in range(1000)]


async def test_an_album_arrives_whole(shop: Shop) -> None:
    mei = shop.line.customer("Mei")
    for index in (1, 2, 3):
        await mei.image("cup", imageSet={"id": "album-1", "index": index, "total": 3})
    thread = await shop.thread_of(mei)
    shown = await shop.until_media(thread["id"])
    assert [one["content"]["media"]["state"] for one in shown] == ["stored"] * 3


async def _until(shop: Shop, thread: Json, fits: Any) -> list[Json]:
    async def look() -> list[Json] | None:
        shown = await shop.messages(thread["id"])
        return shown if fits(shown) else None

    return await until(look)


async def _until_reachable(shop: Shop, thread: Json, *, reachable: bool) -> Json:
    async def look() -> Json | None:
        now: Json = await shop.ada.get(f"/threads/{thread['id']}")
        return now if now["reachable"] is reachable else None

    return await until(look)

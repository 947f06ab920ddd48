"""The main job on the agent's screen: what customers write comes by itself, and answers reach their phones."""

from __future__ import annotations

import json
from io import BytesIO

import pytest
from PIL import Image
from playwright.async_api import FilePayload, Locator, expect

from tests.browser.conftest import Enter
from tests.browser.screen import Screen, Wire, words
from tests.journeys.shop import Shop
from trunkline.testing.faults import Fault
from trunkline.testing.pictures import picture

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="session")]

REFUSED = json.dumps({"message": "The request body has 1 error(s)", "details": [{"message": "May not be empty"}]})


async def test_a_message_appears_without_reload_and_the_answer_on_the_phone(shop: Shop, enter: Enter) -> None:
    screen = await (await enter(shop)).visit()
    await expect(screen.page.get_by_text(words("list.emptyAll"))).to_be_visible()
    mei = shop.line.customer("Mei Tanaka")
    phone = await screen.page.context.new_page()
    await phone.goto(f"{shop.line.url}/#{mei.id}")
    await phone.get_by_label("Write as this customer").fill("Is the red bicycle still there?")
    await phone.get_by_role("button", name="Send").click()
    await expect(screen.row("Mei Tanaka")).to_contain_text("Is the red bicycle still there?")
    await screen.open_thread("Mei Tanaka")
    await screen.answer("Yes, two are left.")
    await expect(phone.get_by_role("log").get_by_text("Yes, two are left.")).to_be_visible()
    await expect(screen.message("Yes, two are left.")).to_contain_text(words("delivery.sent"))
    await phone.close()


async def test_a_refused_answer_shows_the_platforms_words_and_is_sent_again_once(shop: Shop, enter: Enter) -> None:
    mei = shop.line.customer("Mei")
    await mei.text("Hello")
    screen = await (await enter(shop)).visit()
    await screen.open_thread("Mei")
    shop.line.fail(Fault(do="answer", path="/v2/bot/message/*", method="POST", status=400, body=REFUSED))
    await screen.answer("Here you are")
    failed = screen.message("Here you are")
    await expect(failed).to_contain_text(words("delivery.failed"))
    await expect(failed.locator("q")).to_contain_text("The request body has 1 error(s)")
    await failed.get_by_role("button", name=words("delivery.again")).dblclick()
    await expect(failed).to_contain_text(words("delivery.sent"))
    assert [said.message["text"] for said in mei.sees] == ["Hello", "Here you are"]
    await expect(failed.get_by_role("alert")).to_be_hidden()


async def test_a_feed_that_is_cut_misses_and_doubles_nothing(shop: Shop, enter: Enter) -> None:
    mei, bo = shop.line.customer("Mei"), shop.line.customer("Bo Zhang")
    await mei.text("0")
    screen, wire = await enter(shop), Wire()
    await wire.lay(screen.page)
    await screen.visit()
    await screen.open_thread("Mei")
    await screen.sees("0")
    for start in (1, 11):
        await wire.cut()
        await expect(screen.page.get_by_text(words("connection.reconnecting"))).to_be_visible()
        for number in range(start, start + 10):
            await mei.text(str(number))
        await bo.text(f"I wrote while you were away {start}")
        wire.mend()
        await expect(screen.page.get_by_text(words("connection.reconnecting"))).to_be_hidden()
        await screen.sees(*[str(number) for number in range(start + 10)])
        await expect(screen.row("Bo Zhang")).to_contain_text(f"I wrote while you were away {start}")
    await mei.text("21")
    await screen.sees(*[str(number) for number in range(22)])


async def test_an_answer_that_is_written_offline_goes_out_once_when_the_network_is_back(
    shop: Shop, enter: Enter
) -> None:
    mei = shop.line.customer("Mei")
    await mei.text("Hello")
    screen = await (await enter(shop)).visit()
    await screen.open_thread("Mei")
    await screen.page.context.set_offline(True)
    await expect(screen.page.get_by_text(words("connection.offline"))).to_be_visible()
    await screen.answer("Written in a tunnel")
    await expect(screen.page.get_by_text("Written in a tunnel")).to_be_visible()
    await mei.text("Are you there?")
    await screen.page.context.set_offline(False)
    await expect(screen.message("Written in a tunnel")).to_contain_text(words("delivery.sent"))
    assert sorted(await screen.texts()) == ["Are you there?", "Hello", "Written in a tunnel"]
    assert [said.message["text"] for said in mei.sees if said.author is None] == ["Written in a tunnel"]


async def test_pictures_come_in_and_go_out(shop: Shop, enter: Enter) -> None:
    mei = shop.line.customer("Mei")
    await mei.image("cup")
    screen = await (await enter(shop)).visit()
    await screen.open_thread("Mei")
    thumb = screen.messages.first.get_by_role("img")
    await _is_drawn(thumb)
    await thumb.click()
    await _is_drawn(screen.page.get_by_role("dialog").get_by_role("img"))
    await screen.page.keyboard.press("Escape")
    await expect(screen.page.get_by_role("dialog")).to_be_hidden()
    await _attach(screen, "bicycle.jpg", "image/jpeg", picture("cup"))
    await screen.button("composer.send").click()
    await expect(screen.messages).to_have_count(2)
    await expect(screen.messages.last).to_contain_text(words("delivery.sent"))
    await _is_drawn(screen.messages.last.get_by_role("img"))
    async with shop.ada.session.get(mei.sees[-1].message["originalContentUrl"]) as response:
        with Image.open(BytesIO(await response.read())) as shown:
            assert shown.size == (640, 480)


async def test_a_file_goes_out_as_a_link_and_the_agent_is_told_so(shop: Shop, enter: Enter) -> None:
    mei = shop.line.customer("Mei")
    await mei.text("Could I have the invoice?")
    screen = await (await enter(shop)).visit()
    await screen.open_thread("Mei")
    await _attach(screen, "invoice.pdf", "application/pdf", b"%PDF-1.4\n%%EOF\n")
    await expect(screen.page.get_by_role("list", name=words("attach.label"))).to_contain_text("a link is sent")
    await screen.button("composer.send").click()
    await expect(screen.message("invoice.pdf")).to_contain_text(words("delivery.fallback"))
    assert "invoice.pdf" in str(mei.sees[-1].message)


async def test_a_kind_of_file_that_line_does_not_take_is_refused_before_it_is_sent(shop: Shop, enter: Enter) -> None:
    mei = shop.line.customer("Mei")
    await mei.text("Hello")
    screen = await (await enter(shop)).visit()
    await screen.open_thread("Mei")
    await screen.page.get_by_test_id("files").set_input_files(
        {"name": "film.avi", "mimeType": "video/x-msvideo", "buffer": b"RIFF"}
    )
    tray = screen.page.get_by_role("list", name=words("attach.label"))
    await expect(tray.get_by_role("alert")).to_contain_text(words("attach.badType", channel="LINE"))
    await expect(screen.button("composer.send")).to_be_disabled()
    await screen.button("attach.remove", name="film.avi").click()
    await expect(tray).to_be_hidden()


async def test_stickers_places_and_pressed_buttons_are_shown_as_what_they_are(shop: Shop, enter: Enter) -> None:
    mei = shop.line.customer("Mei")
    await mei.sticker(keywords=("happy", "thanks"))
    await mei.location(35.65857, 139.74543, title="Tower", address="1 Example Street")
    await mei.postback("size=l", shows="Large")
    await mei.file("invoice.pdf", b"%PDF-1.4\n%%EOF\n")
    screen = await (await enter(shop)).visit()
    await screen.open_thread("Mei")
    sticker, place, pressed, file = (screen.messages.nth(number) for number in range(4))
    await expect(sticker).to_contain_text("happy")
    await expect(place).to_contain_text("1 Example Street")
    await expect(place.get_by_role("link")).to_have_attribute("rel", "noopener noreferrer nofollow")
    await expect(pressed).to_contain_text("size=l")
    await expect(file).to_contain_text("invoice.pdf")
    async with screen.page.expect_download() as download:
        await file.get_by_role("button").first.click()
    assert (await download.value).suggested_filename == "invoice.pdf"


async def test_what_a_group_changes_and_takes_back_changes_before_the_agents_eyes(shop: Shop, enter: Enter) -> None:
    mei, bo = shop.line.group("Book club", "Mei", "Bo Zhang")
    first, second = await mei.text("At eight"), await bo.text("My number is 0123")
    screen = await (await enter(shop)).visit()
    await screen.open_thread("Book club")
    await screen.sees("At eight", "My number is 0123")
    await mei.edit(first, "At nine")
    await bo.unsend(second)
    await screen.sees("At nine", words("message.recalled"))
    await screen.button("message.edited").click()
    await expect(screen.page.get_by_role("list", name=words("message.versions"))).to_have_text("At eight")
    await expect(screen.messages.first).to_contain_text("Mei")


async def test_quick_replies_are_offered_and_the_choice_comes_back(shop: Shop, enter: Enter) -> None:
    mei = shop.line.customer("Mei")
    await mei.text("Which sizes?")
    screen = await (await enter(shop)).visit()
    await screen.open_thread("Mei")
    await screen.button("composer.quickReplies").click()
    await screen.page.get_by_label(words("composer.quickReplyTitle", n="1"), exact=True).fill("Large")
    await screen.answer("We have one.")
    await expect(screen.message("We have one.")).to_contain_text(words("delivery.sent"))
    (offer,) = shop.line.chat(mei.id)[-1].quick_replies
    assert offer.label == "Large"
    await mei.press(offer.id)
    await expect(screen.messages).to_have_count(3)
    await expect(screen.messages.last).to_contain_text("Large")


async def test_a_quoted_answer_shows_on_both_sides_what_it_is_about(shop: Shop, enter: Enter) -> None:
    mei = shop.line.customer("Mei")
    await mei.text("Is the red one there?")
    await mei.text("And the blue one?")
    screen = await (await enter(shop)).visit()
    await screen.open_thread("Mei")
    asked = screen.message("Is the red one there?")
    await asked.hover()
    await asked.get_by_role("button", name=words("message.quote")).click()
    await screen.answer("The red one is.")
    await expect(screen.message("The red one is.")).to_contain_text("Is the red one there?")
    await expect(screen.message("The red one is.")).to_contain_text(words("delivery.sent"))
    assert shop.line.chat(mei.id)[-1].quoted == "Is the red one there?"


async def test_a_message_that_cannot_be_read_stands_in_its_place(shop: Shop, enter: Enter) -> None:
    mei = shop.line.customer("Mei")
    screen = await (await enter(shop)).visit()
    await mei.text("Look at this")
    await screen.open_thread("Mei")
    await mei.write({"type": "hologram", "beam": 7})
    await expect(screen.messages).to_have_count(2)
    await expect(screen.messages.last).to_contain_text(words("quarantine.placeholder"))
    await screen.messages.last.get_by_role("button", name=words("action.tryAgain")).click()
    # The same program reads it again, so it says honestly that nothing has changed.
    await expect(screen.messages.last).to_contain_text("It still cannot be read")


async def _attach(screen: Screen, name: str, mime: str, body: bytes) -> None:
    file: FilePayload = {"name": name, "mimeType": mime, "buffer": body}
    await screen.page.get_by_test_id("files").set_input_files(file)
    await expect(screen.button("composer.send")).to_be_enabled()


async def _is_drawn(image: Locator) -> None:
    """Wait until a picture is there, not only its frame."""
    await expect(image).to_be_visible()
    await expect(image).to_have_js_property("complete", True)
    assert await image.evaluate("(one) => one.naturalWidth") > 0

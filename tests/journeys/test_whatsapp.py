"""WhatsApp through the whole house: batches in, replies out, what becomes of them, and the day between."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from tests.core.conftest import HandClock
from tests.desk.conftest import KEY, Template
from tests.journeys.branch import Branch, open_branch
from tests.journeys.shop import until
from trunkline.testing.faults import Fault
from trunkline.testing.pictures import picture
from trunkline_whatsapp.simulator import Simulator

Json = dict[str, Any]
WhatsApp = Branch[Simulator]

SENDS = "*/messages"
#: States after a yes: WhatsApp tells of the delivery within the same breath.
ARRIVED = ("sent", "delivered", "read")


@pytest.fixture
async def whatsapp(
    tmp_path: Path, sqlite_template: Template, clock: HandClock, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[WhatsApp]:
    monkeypatch.setenv("TRUNKLINE_SECRET_KEY", KEY)
    platform = Simulator(clock=clock)
    async with open_branch(tmp_path, sqlite_template, platform, connector="whatsapp", clock=clock) as branch:
        yield branch


async def arrives(whatsapp: WhatsApp, thread: Json, *states: str, **what: Any) -> Json:
    """Send something as an agent and return it once it arrived."""
    posted = dict(await whatsapp.ada.post(f"/threads/{thread['id']}/messages", what))
    return await whatsapp.until_state(posted, *(states or ARRIVED), turn=whatsapp.pauses(5))


async def last_in(whatsapp: WhatsApp, thread: Json, kind: str) -> Json:
    async def look() -> Json | None:
        shown = (await whatsapp.messages(thread["id"]))[-1]
        return shown if shown["content"]["type"] == kind else None

    return await until(look)


@pytest.mark.requirement("000-46")
async def test_a_customer_asks_and_an_agent_answers_and_sees_it_read(whatsapp: WhatsApp) -> None:
    mei, thread = await whatsapp.greeted_by("Mei")
    assert thread["contact"]["name"] == "Mei"
    sent = await arrives(whatsapp, thread, "delivered", text="At nine. ☕")
    await whatsapp.platform.read(mei)
    await whatsapp.until_state(sent, "read")
    assert [bubble.text for bubble in whatsapp.heard(mei)] == ["At nine. ☕"]


async def test_a_batch_over_entries_and_changes_reaches_every_thread(whatsapp: WhatsApp) -> None:
    people = [whatsapp.platform.customer(name) for name in ("Mei", "Bo", "Cy")]
    async with whatsapp.platform.batch():
        for customer in people:
            await customer.text("Hello")
            await customer.sticker()
    threads = [await whatsapp.thread_with(customer.id) for customer in people]
    assert len({thread["id"] for thread in threads}) == 3
    for thread in threads:
        shown = await whatsapp.until_media(thread["id"])
        assert [one["content"]["type"] for one in shown] == ["text", "sticker"]


async def test_media_come_in_and_go_out_by_upload(whatsapp: WhatsApp) -> None:
    mei, thread = await whatsapp.greeted_by("Mei")
    await whatsapp.writes(mei, "image", picture="cup")
    await whatsapp.writes(mei, "file")
    await whatsapp.writes(mei, "voice")
    _, image, file, voice = await whatsapp.until_media(thread["id"])
    with Image.open(BytesIO(await whatsapp.file_of(image))) as opened:
        assert opened.size == (640, 480)
    assert (await whatsapp.file_of(file)).startswith(b"%PDF")
    assert file["content"]["media"]["name"] == "bill.pdf"
    assert voice["content"]["voice"] is True
    media = await whatsapp.upload("bill.pdf", "application/pdf", b"%PDF-1.4\n%%EOF\n")
    await arrives(whatsapp, thread, attachments=[media])
    (shown,) = whatsapp.heard(mei)
    assert (shown.kind, shown.text) == ("file", "bill.pdf")
    media = await whatsapp.upload("cup.jpg", "image/jpeg", picture("cup"))
    await arrives(whatsapp, thread, attachments=[media])
    assert whatsapp.heard(mei)[-1].kind == "image"
    assert len(whatsapp.platform.requests("*/media")) == 2


async def test_quick_replies_come_back_as_what_was_pressed(whatsapp: WhatsApp) -> None:
    mei, thread = await whatsapp.greeted_by("Mei")
    offers = [{"title": "Small", "data": "size=s"}, {"title": "Large", "data": "size=l"}]
    await arrives(whatsapp, thread, text="Which size?", quick_replies=offers)
    await whatsapp.writes(mei, "press", press=whatsapp.heard(mei)[0].quick_replies[1].id)
    answer = await last_in(whatsapp, thread, "choice")
    assert (answer["content"]["data"], answer["content"]["title"]) == ("size=l", "Large")
    assert "Which size?" in json.dumps(answer["reply_to"])


async def test_what_comes_twice_is_there_once(whatsapp: WhatsApp) -> None:
    mei, thread = await whatsapp.greeted_by("Mei")
    await asyncio.gather(*(whatsapp.platform.redeliver(whatsapp.platform.webhooks[-1]) for _ in range(5)))
    await whatsapp.writes(mei, text="And another thing")
    assert [one["content"]["text"] for one in await whatsapp.messages(thread["id"])] == ["Hello", "And another thing"]


async def test_after_a_day_only_a_template_goes_out(whatsapp: WhatsApp) -> None:
    mei, thread = await whatsapp.greeted_by("Mei")
    whatsapp.later(24 * 3600 - 60)
    await arrives(whatsapp, thread, text="Just in time")
    whatsapp.later(60)
    refused = await whatsapp.until_state(await whatsapp.reply(thread["id"], "Too late"), "suppressed")
    assert refused["deliveries"][0]["reason"]["code"] == "window_closed"
    template = {"type": "template", "name": "order_ready", "language": "en_US"}
    filled = {**template, "variables": {"name": "Mei", "order": "A-17"}}
    sent = await arrives(whatsapp, thread, content=filled)
    assert sent["deliveries"][0]["cost"] == "paid"
    assert [bubble.text for bubble in whatsapp.heard(mei)] == [
        "Just in time",
        "Your order\nHello Mei, order A-17 is ready.\nSimulated shop",
    ]


async def test_a_failure_after_the_yes_reaches_the_agent_with_its_reason(whatsapp: WhatsApp) -> None:
    mei, thread = await whatsapp.greeted_by("Mei")
    whatsapp.platform.platform.late_failures.append(131026)
    failed = await whatsapp.until_state(await whatsapp.reply(thread["id"], "Hello?"), "failed")
    reason = failed["deliveries"][0]["reason"]
    assert (reason["code"], reason["platform_code"]) == ("failed_late", "131026")
    await arrives(whatsapp, thread, text="And now?")
    assert [bubble.text for bubble in whatsapp.heard(mei)] == ["And now?"]


async def test_a_late_sent_clears_no_failure_and_a_late_delivered_does(whatsapp: WhatsApp) -> None:
    _, thread = await whatsapp.greeted_by("Mei")
    platform = whatsapp.platform
    platform.receipts = False
    chat = platform.world.chats[thread["identities"][0]["external_id"]]
    sent = await arrives(whatsapp, thread, text="Hello?")
    await platform.status(chat, chat.said[-1], "failed", (131026, "Undeliverable"))
    await whatsapp.until_state(sent, "failed")
    await platform.status(chat, chat.said[-1], "sent")
    assert (await whatsapp.message(sent["id"], thread["id"]))["delivery_state"] == "failed"
    await platform.status(chat, chat.said[-1], "delivered")
    await whatsapp.until_state(sent, "delivered")


async def test_typing_and_reading_reach_the_phone(whatsapp: WhatsApp) -> None:
    mei, thread = await whatsapp.greeted_by("Mei")
    assert (await whatsapp.ada.call("POST", f"/threads/{thread['id']}/typing", {})).status == 202

    async def shown() -> bool:
        return whatsapp.platform.customers()[0].typing and whatsapp.platform.chat(mei)[0].state == "Read"

    assert await until(shown)


async def test_a_lost_answer_is_settled_by_our_own_id_and_nobody_reads_it_twice(whatsapp: WhatsApp) -> None:
    mei, thread = await whatsapp.greeted_by("Mei")
    whatsapp.platform.fail(Fault(do="close_after", path=SENDS))
    sent = await whatsapp.until_state(await whatsapp.reply(thread["id"], "Once"), *ARRIVED)
    assert sent["deliveries"][0]["maybe_duplicate"] is False
    whatsapp.later(60)
    await arrives(whatsapp, thread, text="Twice?")
    assert [bubble.text for bubble in whatsapp.heard(mei)] == ["Once", "Twice?"]


async def test_a_dead_token_holds_replies_until_it_is_good_again(whatsapp: WhatsApp) -> None:
    mei, thread = await whatsapp.greeted_by("Mei")
    tokens, whatsapp.platform.world.tokens = whatsapp.platform.world.tokens, set()
    held = await whatsapp.until_state(await whatsapp.reply(thread["id"], "Wait for me"), "held")
    assert held["deliveries"][0]["reason"]["whose"] == "account"
    assert (await whatsapp.account())["state"] == "sign_in_needed"
    whatsapp.platform.world.tokens = tokens
    await whatsapp.until_state(held, *ARRIVED, turn=whatsapp.pauses(60))
    assert [bubble.text for bubble in whatsapp.heard(mei)] == ["Wait for me"]


@pytest.mark.parametrize("status", [503, 500], ids=["refused", "in doubt"])
async def test_twenty_replies_outlast_an_outage_in_order_and_none_twice(whatsapp: WhatsApp, status: int) -> None:
    whatsapp.platform.receipts = False
    mei, thread = await whatsapp.greeted_by("Mei")
    whatsapp.platform.fail(Fault(do="answer", path=SENDS, method="POST", status=status, times=4))
    await whatsapp.outlasts_an_outage(mei, thread)


async def test_a_new_number_and_a_new_user_id_stay_one_person_in_one_thread(whatsapp: WhatsApp) -> None:
    mei = whatsapp.platform.customer("Mei")
    await mei.text("Hello")
    thread = await whatsapp.thread_with(mei.id)
    await mei.move_to("15550009999")
    await mei.text("My new number")
    assert len(await whatsapp.threads()) == 1
    await arrives(whatsapp, thread, text="Noted!")
    assert json.loads(whatsapp.platform.requests(SENDS)[-1].body)["to"] == "+15550009999"
    mei.person.username = "mei.example"
    await mei.text("And now without one")
    assert len(await whatsapp.threads()) == 1
    assert mei.sees[-2].message["text"]["body"] == "Noted!"


async def test_somebody_without_a_phone_is_answered(whatsapp: WhatsApp) -> None:
    cy = whatsapp.platform.customer("Cy", username="cy.example")
    await cy.text("Hello")
    thread = await whatsapp.thread_with(cy.id)
    assert thread["contact"]["name"] == "Cy"
    await arrives(whatsapp, thread, text="Hello Cy")
    assert [bubble.text for bubble in whatsapp.heard(cy.id)] == ["Hello Cy"]


async def test_edits_and_messages_taken_back_are_seen_and_staff_on_the_phone_too(whatsapp: WhatsApp) -> None:
    mei = whatsapp.platform.customer("Mei")
    said, oops = await mei.text("Helo"), await mei.text("Oops")
    thread = await whatsapp.thread_with(mei.id)
    whatsapp.later(1)
    await mei.edit(said.id, "Hello")
    await mei.unsend(oops.id)
    await whatsapp.platform.staff(mei, "We see you")
    shown = await whatsapp.messages(thread["id"])
    assert shown[0]["content"]["text"] == "Hello"
    assert shown[1]["content"]["type"] == "unsupported"
    assert (shown[2]["content"]["text"], shown[2]["author"]["kind"]) == ("We see you", "staff_elsewhere")


async def test_sec_08_a_forged_body_stores_nothing(whatsapp: WhatsApp) -> None:
    mei, thread = await whatsapp.greeted_by("Mei")
    body = whatsapp.platform.webhooks[-1].body
    forged = body.replace(b"Hello", b"Pay me")
    headers = whatsapp.platform.webhook(body).headers
    assert await whatsapp.platform.send_webhook(forged, headers) == 401
    assert await whatsapp.platform.send_webhook(forged, {"Content-Type": "application/json"}) == 401
    await whatsapp.writes(mei, text="Still me")
    assert [one["content"]["text"] for one in await whatsapp.messages(thread["id"])] == ["Hello", "Still me"]


async def test_the_address_passes_the_handshake_of_the_console(whatsapp: WhatsApp) -> None:
    address, world = f"{whatsapp.address}/webhooks/branch", whatsapp.platform.world
    assert await whatsapp.platform.shake_hands(address, world.verify_token)
    assert not await whatsapp.platform.shake_hands(address, "other words")

"""The simulated platform holds the rules of the real one, in its words."""

from __future__ import annotations

import json
from typing import Any

import httpx2
import pytest

from tests.connectors.facebook.conftest import NO_CERTIFICATES, Build, items, newcomer
from tests.connectors.receiver import Receiver
from trunkline.contract import AccountChanged, Connector, MessageReceived, TrustedBody, Unknown
from trunkline.model import ContentKind, content_kind
from trunkline.testing.phones import Action
from trunkline.testing.services import HandClock
from trunkline_facebook.capabilities import FACEBOOK, INSTAGRAM
from trunkline_facebook.simulator import Customer, Simulator
from trunkline_facebook.simulator.rules import Refusal, check_file

MESSAGE = {"text": "hi"}


async def send(http: httpx2.AsyncClient, to: str, message: Any = None, **more: Any) -> tuple[int | None, int | None]:
    """Send and return (code, subcode), (None, None) for a yes."""
    body = {"recipient": {"id": to}, "messaging_type": "RESPONSE", "message": message or MESSAGE, **more}
    answer = (await http.post("/9001/messages", json=body)).json()
    error = answer.get("error", {})
    return error.get("code"), error.get("error_subcode")


def wrong(simulator: Simulator) -> tuple[int, int | None]:
    return 100, 2534015 if simulator.world.channel == "instagram" else None


async def test_a_request_needs_the_token_of_the_page(either: Simulator, http: httpx2.AsyncClient) -> None:
    ada = await newcomer(either)
    assert await send(http, ada.id) == (None, None)
    for headers in ({"Authorization": "Bearer wrong"}, {"Authorization": either.world.token}):
        answer = await http.get("/me", headers=headers)
        assert answer.json()["error"]["code"] == 190
    answer = await http.get("/me", params={"access_token": either.world.token}, headers={"Authorization": ""})
    assert answer.json()["id"] == "9001"
    assert (await http.get("/9002/conversations")).json()["error"]["code"] == 100


@pytest.mark.parametrize(
    "more",
    [
        {"messaging_type": None},
        {"messaging_type": "BROADCAST"},
        {"tag": "HUMAN_AGENT"},
        *({"messaging_type": "MESSAGE_TAG", "tag": tag} for tag in ("ACCOUNT_UPDATE", "CUSTOMER_FEEDBACK", None)),
        {"sender_action": "typing_on"},
    ],
)
async def test_a_message_needs_a_right_type_and_a_living_tag(
    either: Simulator, http: httpx2.AsyncClient, more: dict[str, Any]
) -> None:
    ada = await newcomer(either)
    assert await send(http, ada.id, **more) == (100, None)
    assert ada.got == []


async def test_human_agent_needs_its_feature(either: Simulator, http: httpx2.AsyncClient) -> None:
    ada = await newcomer(either)
    either.human_agent = False
    code, _ = await send(http, ada.id, messaging_type="MESSAGE_TAG", tag="HUMAN_AGENT")
    assert code == 10


@pytest.mark.parametrize(
    "message",
    [
        {"text": ""},
        {"text": "x", "attachment": {"type": "image", "payload": {"url": "https://a.example"}}},
        {"attachment": {"type": "hologram", "payload": {}}},
        {"attachment": {"type": "image", "payload": {"url": "http://files.example/x"}}},
        {"attachment": {"type": "template", "payload": {"template_type": "mystery"}}},
        {"attachment": {"type": "template", "payload": {"template_type": "generic", "elements": []}}},
        {"attachment": {"type": "template", "payload": {"template_type": "generic", "elements": [{"title": "x"}]}}},
        {"attachment": {"type": "template", "payload": {"template_type": "button", "text": "x", "buttons": []}}},
        {"attachments": [{"type": "video", "payload": {"url": "https://a.example"}}]},
        {"attachments": [{"type": "image", "payload": {"url": "https://a.example"}}] * 31},
        {"text": "x", "metadata": "m" * 1000},
        {"text": "x", "quick_replies": [{"content_type": "location"}]},
        {"text": "x", "quick_replies": [{"content_type": "text", "title": "x", "payload": "p" * 1001}]},
    ],
)
async def test_a_message_out_of_shape_is_refused(
    either: Simulator, http: httpx2.AsyncClient, message: dict[str, Any]
) -> None:
    ada = await newcomer(either)
    assert await send(http, ada.id, message) == wrong(either)
    assert ada.got == []


async def test_thirty_pictures_go_in_one_message(either: Simulator, http: httpx2.AsyncClient) -> None:
    ada = await newcomer(either)
    pictures = [{"type": "image", "payload": {"url": f"https://a.example/{n}"}} for n in range(30)]
    assert await send(http, ada.id, {"attachments": pictures}) == (None, None)
    assert len([bubble for bubble in either.chat(ada.id) if bubble.kind == "image"]) == 30


@pytest.mark.parametrize(
    ("kind", "mime", "size", "facebook", "instagram"),
    [
        ("image", "image/png", 8_000_000, None, None),
        ("image", "image/png", 8_000_001, None, 2018109),
        ("file", "application/pdf", 25_000_000, None, None),
        ("file", "application/pdf", 25_000_001, 2018109, 2018109),
        ("image", "image/webp", 10, None, 2018047),
        ("audio", "application/pdf", 10, 2018047, 2018047),
        ("file", "application/zip", 10, None, 2018047),
        ("video", "video/quicktime", 10, None, None),
    ],
)
def test_uploads_have_their_limits(
    kind: str, mime: str, size: int, facebook: int | None, instagram: int | None
) -> None:
    for channel, expected in (("facebook", facebook), ("instagram", instagram)):
        try:
            check_file(kind, mime, size, channel)
            found = None
        except Refusal as refusal:
            found = refusal.error["error_subcode"]
        assert found == expected


async def test_an_upload_says_which_platform_it_is_for(either: Simulator, http: httpx2.AsyncClient) -> None:
    form = {"message": json.dumps({"attachment": {"type": "image", "payload": {"is_reusable": True}}})}
    files = {"filedata": ("f.png", b"x", "image/png")}
    plain = (await http.post("/9001/message_attachments", data=form, files=files)).json()
    named = await http.post("/9001/message_attachments", data={**form, "platform": "instagram"}, files=files)
    facebook = either.world.channel == "facebook"
    assert ["attachment_id" in one for one in (plain, named.json())] == [facebook, not facebook]


async def test_an_upload_lives_for_ninety_days_and_keeps_its_type(
    either: Simulator, http: httpx2.AsyncClient, clock: HandClock
) -> None:
    ada, id_ = await newcomer(either), either.world.keep("image", b"x", "image/png", "x.png")
    picture = {"attachment": {"type": "image", "payload": {"attachment_id": id_}}}
    film = {"attachment": {"type": "video", "payload": {"attachment_id": id_}}}
    assert await send(http, ada.id, picture) == (None, None)
    assert await send(http, ada.id, film) == (100, 2018047)
    clock.move(90 * 24 * 3600)
    await ada.text("Still there?")
    assert await send(http, ada.id, picture) == (100, 2018074)


async def test_more_requests_than_the_rate_are_refused(either: Simulator, http: httpx2.AsyncClient) -> None:
    ada, either.platform.rate = await newcomer(either), 2
    answers = [await send(http, ada.id) for _ in range(3)]
    assert [code for code, _ in answers] == [None, None, 613]


async def test_threads_can_be_released_and_passed(either: Simulator, http: httpx2.AsyncClient) -> None:
    ada = await newcomer(either)
    for way, target, holder in (("pass", "222", "222"), ("take", None, "111"), ("release", None, None)):
        body = {"recipient": {"id": ada.id}, **({"target_app_id": target} if target else {})}
        assert (await http.post(f"/9001/{way}_thread_control", json=body)).json() == {"success": True}
        assert ada.person.holder == holder


# ---------------------------------------------------------------- webhooks


@pytest.mark.parametrize("kind", [kind.value for kind in Simulator.writes])
async def test_every_declared_kind_is_sent_by_a_customer_and_read_as_such(
    either: Simulator, build: Build, kind: str
) -> None:
    connector, capabilities = build(either), {"facebook": FACEBOOK, "instagram": INSTAGRAM}[either.world.channel]
    assert set(Simulator.writes) == set(capabilities.receives)
    ada = either.add_customer("Ada")
    await either.act(ada, Simulator.writes[ContentKind(kind)])
    (item,) = items(connector, either)
    assert isinstance(item, MessageReceived)
    assert content_kind(item.content) == kind
    assert either.chat(ada)[-1].mine


async def test_webhooks_are_signed_and_escaped_as_the_platform_does(either: Simulator, build: Build) -> None:
    await either.customer("Ada").text("café 👍 a/b")
    body = either.body_of(either.webhooks[-1].entries)
    assert rb"caf\u00e9 \ud83d\udc4d a\/b" in body
    connector = build(either)
    assert connector.authenticate(either.webhook(body)) == body
    (item,) = connector.parse(TrustedBody(body))
    assert isinstance(item, MessageReceived)
    assert "café 👍 a/b" in str(item.content)


async def test_many_people_may_be_in_one_request(either: Simulator, build: Build) -> None:
    async with either.batch():
        for name in ("Ada", "Bo", "Cy"):
            await either.customer(name).text(name)
    assert len(either.webhooks) == 1
    connector = build(either)
    body = either.body_of(either.webhooks[0].entries)
    both = connector.parse(TrustedBody(either.joined([body, either.strange("5")])))
    assert [type(item) for item in both] == [MessageReceived] * 3 + [Unknown]


async def test_a_conversation_of_another_app_comes_under_standby(page: Simulator, connector: Connector) -> None:
    ada = await newcomer(page)
    await page.hand_over(ada)
    (told,) = items(connector, page)
    assert isinstance(told, AccountChanged)
    assert told.details["ours"] is False
    await ada.press("menu:GET_STARTED")
    (item,) = items(connector, page)
    assert isinstance(item, MessageReceived)
    assert (item.may_reply, "payload" in str(page.webhooks[-1].entries)) == (False, False)


async def test_a_failed_webhook_is_repeated_at_once_and_an_hour_of_failures_ends_the_subscription(
    page: Simulator, door: Receiver, clock: HandClock
) -> None:
    door.status = 503
    ada = page.customer("Ada")
    await ada.text("one")
    assert len(door.requests) == 3
    assert len({request.body for request in door.requests}) == 1
    clock.move(3600)
    await ada.text("two")
    assert page.subscribed == set()
    door.status, sent = 200, len(page.webhooks)
    await ada.text("three")
    assert (len(page.webhooks), len(door.requests)) == (sent, 6)


async def test_a_webhook_that_is_taken_again_in_time_costs_nothing(
    page: Simulator, door: Receiver, clock: HandClock
) -> None:
    ada = page.customer("Ada")
    for status, seconds in ((503, 3599), (200, 3600), (503, 0)):
        door.status = status
        await ada.text("hello")
        clock.move(seconds)
    assert page.subscribed


async def test_what_is_not_subscribed_is_not_told(page: Simulator) -> None:
    ada = await newcomer(page)
    page.subscribed -= {"message_reactions", "message_echoes"}
    await ada.react(ada.sees[0])
    await page.staff_says(ada, "hello")
    assert len(page.webhooks) == 1


async def test_receipts_are_told_as_each_channel_tells_them(
    either: Simulator, build: Build, http: httpx2.AsyncClient
) -> None:
    ada, connector = await newcomer(either), build(either)
    await send(http, ada.id)
    await either.settled()
    before = len(either.webhooks)
    await ada.received()
    assert len(either.webhooks) - before == (1 if either.world.channel == "facebook" else 0)
    await ada.read()
    states = [told.state for told in items(connector, either)]  # type: ignore[attr-defined]  # all are receipts
    assert set(states) == {"read"}
    await ada.read()
    assert len(either.webhooks) - before == (2 if either.world.channel == "facebook" else 1)


# ---------------------------------------------------------------- people


@pytest.mark.parametrize("kind", ["text", "quote", "react", "edit", "recall", "enter", "follow", "story_mention"])
async def test_customers_can_do_what_their_app_has(either: Simulator, build: Build, kind: str) -> None:
    ada, connector = await newcomer(either), build(either)
    facebook = either.world.channel == "facebook"
    lacks = {"recall", "follow", "story_mention"} if facebook else {"edit", "follow"}
    action = Action(kind=kind, text="again", bubble=ada.sees[0].id)
    if kind in lacks:
        with pytest.raises(ValueError, match=r"message|Messenger|has no"):
            await either.act(ada.id, action)
        return
    await either.act(ada.id, action)
    assert items(connector, either)


async def test_a_text_is_edited_five_times_at_most(page: Simulator, ada: Customer) -> None:
    for number in range(5):
        await ada.edit(ada.sees[0], f"version {number}")
    with pytest.raises(ValueError, match="cannot be edited"):
        await ada.edit(ada.sees[0], "once more")


@pytest.mark.parametrize("press", ["nonsense", "m_1:0", "menu", ":", "m_1:x"])
async def test_there_must_be_something_to_press(page: Simulator, ada: Customer, press: str) -> None:
    with pytest.raises(ValueError, match="nothing to press"):
        await ada.press(press)


async def test_the_phone_page_writes_and_presses(either: Simulator, build: Build, http: httpx2.AsyncClient) -> None:
    phone = httpx2.AsyncClient(base_url=either.url, trust_env=False, timeout=60, verify=NO_CERTIFICATES)
    async with phone:
        id_ = (await phone.post("/_sim/customers", json={"name": "Ada"})).json()["id"]
        assert (await phone.get("/")).status_code == 200
        for action in ({"kind": "text", "text": "hello"}, {"kind": "image", "picture": "cup"}):
            assert (await phone.post(f"/_sim/customers/{id_}/send", json=action)).status_code == 201
        offers = [{"content_type": "text", "title": "Red", "payload": "RED"}]
        buttons = [{"type": "postback", "title": "Buy", "payload": "BUY"}]
        card = {"type": "template", "payload": {"template_type": "button", "text": "Pick", "buttons": buttons}}
        await send(http, id_, {"attachment": card, "quick_replies": offers})
        last = (await phone.get(f"/_sim/customers/{id_}/chat")).json()[-1]
        presses = [last["quick_replies"][0]["id"], last["cards"][0]["buttons"][0]["id"]]
        for press in presses:
            answer = await phone.post(f"/_sim/customers/{id_}/send", json={"kind": "press", "press": press})
            assert answer.status_code == 201
        shown = (await phone.get(f"/_sim/customers/{id_}/chat")).json()
        assert [bubble.get("text") for bubble in shown[-2:]] == ["Red", "Buy"]
        assert (await phone.get(shown[1]["url"])).headers["content-type"] == "image/jpeg"
        refused = await phone.post(f"/_sim/customers/{id_}/send", json={"kind": "teleport"})
        assert refused.status_code == 400

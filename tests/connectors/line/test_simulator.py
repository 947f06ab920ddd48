"""The simulated LINE itself: its rules and its misbehaviour."""

from __future__ import annotations

from typing import Any

import httpx2
import pytest

from trunkline.contract import Connector
from trunkline.testing.faults import Fault
from trunkline.testing.services import HandClock
from trunkline_line.simulator import Customer, Simulator
from trunkline_line.simulator.rules import problems_of

TEXT = {"type": "text", "text": "hello"}


# ---------------------------------------------------------------- rules


@pytest.mark.parametrize(
    "headers", [{"Authorization": ""}, {"Authorization": "Bearer wrong"}, {"Authorization": "Basic x"}]
)
async def test_without_a_good_token_nothing_is_answered(http: httpx2.AsyncClient, headers: dict[str, str]) -> None:
    response = await http.get("/v2/bot/info", headers=headers)
    assert response.status_code == 401
    assert response.json()["message"].startswith("Authentication failed due to the following reason:")
    assert response.headers["x-line-request-id"]


async def test_tokens_end_and_can_be_verified(line: Simulator, http: httpx2.AsyncClient, clock: HandClock) -> None:
    form = {
        "grant_type": "client_credentials",
        "client_id": line.world.channel_id,
        "client_secret": line.world.channel_secret,
    }
    issued = (await http.post("/oauth2/v3/token", data=form)).json()
    assert issued["expires_in"] == 899
    headers = {"Authorization": f"Bearer {issued['access_token']}"}
    assert (await http.get("/v2/bot/info", headers=headers)).status_code == 200
    assert (await http.get("/oauth2/v2.1/verify", params={"access_token": issued["access_token"]})).status_code == 200
    clock.move(901)
    assert (await http.get("/v2/bot/info", headers=headers)).status_code == 401
    assert (await http.post("/v2/oauth/verify", data={"access_token": issued["access_token"]})).status_code == 400


async def test_a_reply_takes_no_retry_key(line: Simulator, http: httpx2.AsyncClient, ada: Customer) -> None:
    await ada.text("hello")
    body = {"replyToken": line.webhooks[-1].events[0]["replyToken"], "messages": [TEXT]}
    key = {"X-Line-Retry-Key": "123e4567-e89b-12d3-a456-426614174000"}
    assert (await http.post("/v2/bot/message/reply", json=body, headers=key)).status_code == 400
    assert (await http.post("/v2/bot/message/reply", json=body)).status_code == 200
    assert (await http.post("/v2/bot/message/reply", json=body)).json() == {"message": "Invalid reply token"}


async def test_a_refused_body_does_not_use_the_token_up(
    line: Simulator, http: httpx2.AsyncClient, ada: Customer
) -> None:
    await ada.text("hello")
    token = line.webhooks[-1].events[0]["replyToken"]
    refused = await http.post(
        "/v2/bot/message/reply", json={"replyToken": token, "messages": [{"type": "text", "text": ""}]}
    )
    assert refused.json()["details"] == [{"message": "May not be empty", "property": "messages[0].text"}]
    assert (await http.post("/v2/bot/message/reply", json={"replyToken": token, "messages": [TEXT]})).status_code == 200


@pytest.mark.parametrize(
    ("body", "headers", "status"),
    [
        (b"{", {"Content-Type": "application/json"}, 400),
        (b"[]", {"Content-Type": "application/json"}, 400),
        (b"to=x", {"Content-Type": "application/x-www-form-urlencoded"}, 400),
        (b" " * (2 * 1024 * 1024 + 1), {"Content-Type": "application/json"}, 413),
        (b"{}", {"Content-Type": "application/json", "X-Line-Retry-Key": "no-uuid"}, 400),
    ],
)
async def test_bad_requests_are_refused(
    http: httpx2.AsyncClient, body: bytes, headers: dict[str, str], status: int
) -> None:
    assert (await http.post("/v2/bot/message/push", content=body, headers=headers)).status_code == status


BUTTON = {"type": "postback", "label": "Pick", "data": "pick=a"}
URL = "https://media.example.test/a.jpg"


def template(**parts: Any) -> dict[str, Any]:
    return {"type": "template", "altText": "Offers", "template": parts}


GOOD: list[dict[str, Any]] = [
    {"type": "text", "text": "Hello $", "emojis": [{"index": 6, "productId": "prod0001", "emojiId": "001"}]},
    {"type": "textV2", "text": "Dear {who}", "substitution": {}},
    {"type": "imagemap", "baseUrl": URL, "altText": "Two", "baseSize": {"width": 1040, "height": 520}, "actions": []},
    {"type": "coupon", "couponId": "COUPON0001"},
    template(type="image_carousel", columns=[{"imageUrl": URL, "action": BUTTON}]),
    {"type": "image", "originalContentUrl": "http://127.0.0.1:8080/m", "previewImageUrl": "http://127.0.0.1:8080/p"},
]
BAD: list[Any] = [
    None,
    {},
    {"type": "file", "originalContentUrl": URL},
    {"type": "text"},
    {"type": "text", "text": 5},
    {"type": "text", "text": "x" * 5001},
    {"type": "text", "text": "🍎" * 2501},
    {"type": "text", "text": "x", "emojis": [{"index": 0, "productId": "p", "emojiId": "1"}]},
    {"type": "text", "text": "x", "sender": {"name": "x" * 21}},
    {"type": "text", "text": "x", "quickReply": {"items": []}},
    {"type": "text", "text": "x", "quickReply": {"items": [{"type": "action", "action": BUTTON}] * 14}},
    {
        "type": "text",
        "text": "x",
        "quickReply": {"items": [{"type": "action", "action": {**BUTTON, "label": "x" * 21}}]},
    },
    {"type": "text", "text": "x", "quickReply": {"items": [{"type": "action", "action": {"type": "teleport"}}]}},
    {"type": "image", "originalContentUrl": URL},
    {"type": "image", "originalContentUrl": "http://media.example.test/a", "previewImageUrl": URL},
    {"type": "image", "originalContentUrl": URL, "previewImageUrl": "https://media.example.test/é"},
    {"type": "image", "originalContentUrl": URL + "x" * 2000, "previewImageUrl": URL},
    {"type": "audio", "originalContentUrl": URL},
    {"type": "location", "latitude": 1, "longitude": 2, "title": "x"},
    {"type": "location", "latitude": 91, "longitude": 2, "title": "x", "address": "y"},
    {"type": "sticker", "packageId": "1"},
    {"type": "template", "template": {"type": "buttons", "text": "x", "actions": [BUTTON]}},
    template(type="mystery"),
    template(type="buttons", text="x" * 161, actions=[BUTTON]),
    template(type="buttons", title="t", text="x" * 61, actions=[BUTTON]),
    template(type="buttons", title="t" * 41, text="x", actions=[BUTTON]),
    template(type="buttons", text="x", actions=[]),
    template(type="buttons", text="x", actions=[BUTTON] * 5),
    template(type="buttons", text="x", actions=[{**BUTTON, "data": "x" * 301}]),
    template(type="buttons", text="x", actions=[{"type": "uri", "label": "x", "uri": "javascript:1"}]),
    template(type="confirm", text="x", actions=[BUTTON]),
    template(type="confirm", text="x" * 241, actions=[BUTTON] * 2),
    template(type="carousel", columns=[]),
    template(type="carousel", columns=[{"text": "x", "actions": [BUTTON]}] * 11),
    template(type="carousel", columns=[{"text": "x", "actions": [BUTTON]}, {"text": "x", "actions": [BUTTON] * 2}]),
    template(type="carousel", columns=[{"text": "x", "actions": [BUTTON] * 4}]),
    template(type="image_carousel", columns=[{"imageUrl": URL, "action": {**BUTTON, "label": "x" * 13}}]),
    {"type": "flex", "contents": {"type": "bubble"}},
    {"type": "flex", "altText": "x", "contents": {"type": "box"}},
    {"type": "flex", "altText": "x", "contents": {"type": "carousel", "contents": [{"type": "bubble"}] * 13}},
    {
        "type": "flex",
        "altText": "x",
        "contents": {"type": "bubble", "body": {"contents": [{"type": "text", "text": ""}]}},
    },
    {"type": "flex", "altText": "x", "contents": {"type": "bubble", "hero": {"type": "image", "url": "ftp://x"}}},
    {"type": "flex", "altText": "x", "contents": {"type": "bubble", "body": {"type": "text", "text": "x" * 30_000}}},
    {"type": "flex", "altText": "x", "contents": {"type": "bubble", "action": {"type": "uri", "uri": "x" * 1001}}},
]


@pytest.mark.parametrize("message", GOOD, ids=lambda message: message["type"])
def test_good_messages_have_no_problem(message: dict[str, Any]) -> None:
    assert problems_of([message]) == []


@pytest.mark.parametrize("message", BAD, ids=range(len(BAD)))
def test_bad_messages_have_a_problem_at_their_place(message: Any) -> None:
    problems = problems_of([TEXT, message])
    assert problems
    assert all(problem["property"].startswith("messages[1]") for problem in problems)


@pytest.mark.parametrize("messages", [None, [], [TEXT] * 6, "text"])
def test_one_to_five_messages_fit_a_request(messages: Any) -> None:
    assert problems_of(messages) == [{"property": "messages", "message": "Size must be between 1 and 5"}]


async def test_a_body_can_be_validated_without_sending(
    line: Simulator, http: httpx2.AsyncClient, ada: Customer
) -> None:
    assert (await http.post("/v2/bot/message/validate/push", json={"messages": [TEXT]})).status_code == 200
    assert (await http.post("/v2/bot/message/validate/push", json={"messages": []})).status_code == 400
    assert ada.sees == []


async def test_typing_is_for_people_and_in_steps_of_five(
    line: Simulator, http: httpx2.AsyncClient, ada: Customer
) -> None:
    member, *_ = line.group("Family", "Ada")
    for chat, seconds, status in (
        (ada.id, 20, 202),
        (ada.id, 7, 400),
        (ada.id, 65, 400),
        (member.chat.id, 20, 400),
        ("U1", 20, 400),
    ):
        body = {"chatId": chat, "loadingSeconds": seconds}
        assert (await http.post("/v2/bot/chat/loading/start", json=body)).status_code == status


# ---------------------------------------------------------------- misbehaviour


async def test_each_fault_does_what_it_says(line: Simulator, http: httpx2.AsyncClient) -> None:
    line.fail(Fault(do="answer", status=429, body='{"message":"x"}', times=2))
    assert [(await http.get("/v2/bot/info")).status_code for _ in range(3)] == [429, 429, 200]
    line.fail(Fault(do="delay", seconds=0.01))
    assert (await http.get("/v2/bot/info")).status_code == 200
    line.fail(Fault(do="drip", seconds=0.0001))
    assert (await http.get("/v2/bot/info")).json()["displayName"] == "Simulated shop"
    for lost in (Fault(do="close_before"), Fault(do="close_after"), Fault(do="cut")):
        line.fail(lost)
        with pytest.raises(httpx2.TransportError):
            await http.get("/v2/bot/info")
    outcomes = [entry.outcome for entry in line.journal]
    assert outcomes == ["answer", "answer", "answered", "delay", "drip", "close_before", "close_after", "cut"]


async def test_what_is_closed_before_is_not_accepted_and_after_it_is(
    line: Simulator, http: httpx2.AsyncClient, ada: Customer
) -> None:
    for fault, accepted in (("close_before", 0), ("close_after", 1), ("cut", 2)):
        line.fail(Fault(do=fault, path="*/push"))  # type: ignore[arg-type]  # all are kinds of faults
        with pytest.raises(httpx2.TransportError):
            await http.post("/v2/bot/message/push", json={"to": ada.id, "messages": [TEXT]})
        assert len(ada.sees) == accepted


async def test_a_fault_meets_only_what_it_is_meant_for(
    line: Simulator, http: httpx2.AsyncClient, ada: Customer
) -> None:
    line.fail(Fault(do="answer", path="*/push", method="POST"))
    assert (await http.get("/v2/bot/info")).status_code == 200
    assert (await http.post("/v2/bot/message/push", json={"to": ada.id, "messages": [TEXT]})).status_code == 500


async def test_faults_and_journal_are_reached_from_outside(line: Simulator, http: httpx2.AsyncClient) -> None:
    fault = {"do": "answer", "status": 418, "path": "/v2/bot/info"}
    assert (await http.post("/_sim/faults", json=fault)).status_code == 201
    assert (await http.get("/_sim/faults")).json() == [fault]
    assert (await http.get("/v2/bot/info")).status_code == 418
    (entry,) = (await http.get("/_sim/journal")).json()
    assert (entry["path"], entry["status"], entry["outcome"]) == ("/v2/bot/info", 418, "answer")
    await http.delete("/_sim/journal")
    await http.post("/_sim/faults", json=fault)
    await http.delete("/_sim/faults")
    assert (await http.get("/v2/bot/info")).status_code == 200


async def test_the_journal_keeps_no_credentials(connector: Connector, line: Simulator) -> None:
    await connector.probe()
    kept = str(list(line.journal))
    tokens = [token for token in line.world.access if token != line.world.long_lived]
    assert tokens
    for secret in (*tokens, line.world.channel_secret):
        assert secret not in kept

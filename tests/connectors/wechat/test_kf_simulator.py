"""The simulated company keeps the platform's own rules: whoever breaks them is told so with its numbers."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import httpx2
import pytest

from tests.connectors.wechat.company import DESK, SEND, SEND_KF, SYNC
from trunkline.contract import WebhookRequest
from trunkline.model import DeliveryState
from trunkline.testing.phones import Action
from trunkline.testing.pictures import picture
from trunkline.testing.services import HandClock
from trunkline_wechat.simulator import Simulator
from trunkline_wechat.simulator.qyapi import Qyapi

TWO_DAYS_S = 48 * 3600


class Caller:
    """Somebody who calls the API by hand."""

    def __init__(self, simulator: Simulator, http: httpx2.AsyncClient) -> None:
        self.simulator, self.http = simulator, http
        assert isinstance(simulator.surface, Qyapi)
        self.surface: Qyapi = simulator.surface
        self.clock: Any = simulator.clock
        self.token = ""

    async def login(self) -> None:
        settings = self.simulator.settings()
        params = {"corpid": settings["corp_id"], "corpsecret": settings["corp_secret"]}
        self.token = (await self.http.get("/cgi-bin/gettoken", params=params)).json().get("access_token", "")

    async def call(self, path: str, **body: Any) -> Any:
        response = await self.http.post(path, params={"access_token": self.token}, json=body)
        assert response.status_code == 200
        return response.json()

    async def code(self, path: str, **body: Any) -> int:
        return int((await self.call(path, **body))["errcode"])

    async def upload(self, kind: str, content: bytes) -> Any:
        files = {"media": ("name", content, "application/octet-stream")}
        params = {"access_token": self.token, "type": kind}
        return (await self.http.post("/cgi-bin/media/upload", params=params, files=files)).json()


@pytest.fixture(params=["wechat_kf"])
async def caller(clock: HandClock, request: pytest.FixtureRequest) -> AsyncIterator[Caller]:
    async with (
        Simulator(channel=request.param, clock=clock) as simulator,
        httpx2.AsyncClient(base_url=simulator.url, trust_env=False, timeout=60) as http,
    ):
        caller = Caller(simulator, http)
        await caller.login()
        yield caller


app = pytest.mark.parametrize("caller", ["wecom"], indirect=True)


async def asks(caller: Caller) -> dict[str, Any]:
    """Let a customer write and return the head of an answer."""
    customer = caller.simulator.add_customer("Ada")
    await caller.simulator.act(customer, Action(kind="text", text="hello"))
    return {"touser": customer, "open_kfid": DESK, "msgtype": "text", "text": {"content": "hi"}}


async def test_a_token_lives_two_hours_and_is_the_same_until_its_end(caller: Caller) -> None:
    first = caller.token
    await caller.login()
    assert caller.token == first
    caller.clock.move(7200)
    assert await caller.code(SYNC, open_kfid=DESK) == 42001
    await caller.login()
    assert caller.token != first
    assert await caller.code(SYNC, open_kfid=DESK) == 0
    for token, code in (("", 41001), ("nonsense", 40014)):
        caller.token = token
        assert await caller.code(SYNC, open_kfid=DESK) == code


async def test_an_id_is_good_for_one_message_of_a_desk(caller: Caller) -> None:
    head = await asks(caller)
    assert await caller.code(SEND_KF, **head, msgid="own_1") == 0
    again = await caller.call(SEND_KF, **head, msgid="own_1")
    assert again["errcode"] != 0
    assert "msgid" in again["errmsg"]
    for bad in ("x" * 33, "a b", "é"):
        assert await caller.code(SEND_KF, **head, msgid=bad) == 40058
    assert await caller.code(SEND_KF, **head) == 0


async def test_windows_and_budgets_are_counted(caller: Caller) -> None:
    head = await asks(caller)
    assert [await caller.code(SEND_KF, **head) for _ in range(6)] == [0, 0, 0, 0, 0, 95001]
    await asks(caller)
    caller.clock.move(TWO_DAYS_S)
    await caller.login()
    assert await caller.code(SEND_KF, **head) == 95002
    assert await caller.code(SEND_KF, **{**head, "touser": "wmNOBODY"}) == 40096
    assert await caller.code(SEND_KF, **{**head, "open_kfid": "wkNONE"}) == 95000


@pytest.mark.parametrize(
    ("kind", "body", "code"),
    [
        ("text", {"content": "x" * 2049}, 45002),
        ("text", {"content": ""}, 44004),
        ("image", {"media_id": "none"}, 40007),
        ("link", {"title": "t", "url": "https://x.example"}, 40007),
        ("link", {"title": "字" * 43, "url": "https://x.example"}, 45003),
        ("msgmenu", {"list": [{"type": "click", "click": {"content": "x"}}] * 11}, 95008),
        ("msgmenu", {"list": [{"type": "strange"}]}, 95009),
        ("msgmenu", {"head_content": "x" * 1025, "list": []}, 40058),
        ("location", {"latitude": 91, "longitude": 0}, 40035),
        ("hologram", {}, 40008),
        ("text", "hi", 40058),
    ],
)
async def test_what_does_not_fit_is_refused_with_its_number(caller: Caller, kind: str, body: Any, code: int) -> None:
    head = await asks(caller)
    assert await caller.code(SEND_KF, **{**head, "msgtype": kind, kind: body}) == code


@pytest.mark.parametrize(
    ("start", "wanted", "code"),
    [(0, 1, 0), (0, 2, 0), (1, 0, 95016), (1, 1, 95016), (2, 1, 95016), (3, 1, 95016), (3, 4, 0), (4, 1, 95013)],
)
async def test_sessions_go_only_where_they_may(caller: Caller, start: int, wanted: int, code: int) -> None:
    head = await asks(caller)
    _, talk = caller.surface.desks.talk({"open_kfid": DESK, "external_userid": head["touser"]})
    talk.state = start
    body = {"open_kfid": DESK, "external_userid": head["touser"], "service_state": wanted}
    assert await caller.code("/cgi-bin/kf/service_state/trans", **body) == code
    assert talk.state == (start if code else wanted)


async def test_a_session_goes_only_to_staff_on_duty(caller: Caller) -> None:
    head = await asks(caller)
    body = {"open_kfid": DESK, "external_userid": head["touser"], "service_state": 3, "servicer_userid": "bo"}
    assert await caller.code("/cgi-bin/kf/service_state/trans", **body) == 95019
    caller.surface.desks.desk(DESK).staff["bo"] = 0
    assert await caller.code("/cgi-bin/kf/service_state/trans", **body) == 0
    assert await caller.code(SEND_KF, **head) == 95018


async def test_a_welcome_code_is_good_once_and_for_twenty_seconds(caller: Caller) -> None:
    codes = caller.surface.desks.codes
    for customer in (caller.simulator.add_customer(name) for name in ("Ada", "Bo")):
        await caller.simulator.act(customer, Action(kind="enter"))
    first, second = codes
    body = {"msgtype": "text", "text": {"content": "Hi"}}
    path = "/cgi-bin/kf/send_msg_on_event"
    assert [await caller.code(path, code=first, **body) for _ in range(2)] == [0, 40035]
    assert await caller.code(path, code=second, msgtype="image", image={"media_id": "x"}) == 40008
    caller.clock.move(20)
    assert await caller.code(path, code=second, **body) == 40035


async def test_files_have_kinds_sizes_and_three_days(caller: Caller) -> None:
    for kind, content, code in (
        ("image", b"12345", 40009), ("image", b"no picture", 40005), ("voice", b"ID3" + bytes(9), 40005),
        ("hologram", b"123456", 40004), ("file", bytes(20 * 1024 * 1024 + 1), 40006),
    ):  # fmt: skip
        assert (await caller.upload(kind, content))["errcode"] == code
    media_id = (await caller.upload("image", picture("cup")))["media_id"]
    caller.clock.move(3 * 86_400 + 1)
    await caller.login()
    params = {"access_token": caller.token, "media_id": media_id}
    answer = await caller.http.get("/cgi-bin/media/get", params=params)
    assert (answer.status_code, answer.json()["errcode"]) == (200, 40007)


async def test_escapes_are_refused_as_wecom_does(caller: Caller) -> None:
    head = await asks(caller)
    for content, code in ((b'{"x":"\\u4f60"}', 40033), (b"{", 47001), (b"[]", 47001)):
        response = await caller.http.post(SEND_KF, params={"access_token": caller.token}, content=content)
        assert response.json()["errcode"] == code
    assert await caller.code(SEND_KF, **head) == 0


@app
async def test_the_thirty_first_message_of_a_minute_is_dropped_without_a_word(caller: Caller) -> None:
    member = caller.simulator.add_customer("Ada")
    body = {"touser": member, "agentid": 1000002, "msgtype": "text"}
    codes = [await caller.code(SEND, **body, text={"content": str(number)}) for number in range(31)]
    assert set(codes) == {0}
    assert len(caller.simulator.chat(member)) == 30
    caller.clock.move(60)
    assert await caller.code(SEND, **body, text={"content": "on"}) == 0
    assert len(caller.simulator.chat(member)) == 31


@app
async def test_an_app_is_told_what_is_wrong_with_its_message(caller: Caller) -> None:
    member = caller.simulator.add_customer("Ada")
    body: dict[str, Any] = {"touser": member, "agentid": 1000002, "msgtype": "text", "text": {"content": "x"}}
    assert await caller.code(SEND, **{**body, "agentid": 1}) == 301002
    assert await caller.code(SEND, **{**body, "touser": ""}) == 82001
    assert await caller.code(SEND, **{**body, "touser": "nobody"}) == 81013
    assert await caller.code(SEND, **{**body, "msgtype": "news", "news": {"articles": []}}) == 45008
    mixed = await caller.call(SEND, **{**body, "touser": f"{member.upper()}|Nobody"})
    assert (mixed["errcode"], mixed["invaliduser"]) == (0, "nobody")


async def test_webhooks_are_signed_encrypted_and_sent_three_times_at_most(caller: Caller) -> None:
    customer = caller.simulator.add_customer("Ada")
    await caller.simulator.act(customer, Action(kind="text", text="secret words"))
    sent = caller.simulator.webhooks[-1]
    assert b"secret words" not in sent.body
    assert sent.statuses == [0, 0, 0]
    request: WebhookRequest = caller.simulator.webhook(sent.body)
    assert sent.body not in request.body
    assert set(request.query) == {"msg_signature", "timestamp", "nonce"}


async def test_the_phone_shows_what_both_sides_said(caller: Caller) -> None:
    head = await asks(caller)
    await caller.code(SEND_KF, **head)
    page = (await caller.http.get(f"/_sim/customers/{head['touser']}/chat")).json()
    assert [(bubble["mine"], bubble["text"]) for bubble in page] == [(True, "hello"), (False, "hi")]
    people = (await caller.http.get("/_sim/customers")).json()
    assert people[0]["last"] == "hi"
    bad = await caller.http.post(f"/_sim/customers/{head['touser']}/send", json={"kind": "fly"})
    assert bad.status_code == 400
    assert await caller.simulator.tell(head["touser"], DeliveryState.FAILED)
    assert not await caller.simulator.tell(head["touser"], DeliveryState.READ)

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest

from tests.connectors.baidu.conftest import Build, outbound
from trunkline.contract import Connector
from trunkline.errors import (
    DeliveryError,
    RateLimited,
    SignInNeeded,
    TryLater,
    Uncertain,
    Undeliverable,
    WindowClosed,
)
from trunkline.model import Content, File, Image, Link, Media, Text
from trunkline.testing.faults import Fault
from trunkline.testing.phones import Action
from trunkline.testing.services import HandClock
from trunkline_baidu.api import ERRORS, STATUSES
from trunkline_baidu.simulator import Simulator
from trunkline_baidu.simulator.world import Person

SEND = "/rest/2.0/smartapp/message/custom/send"
PICTURE = Media(url="https://files.example/p.jpg")


@pytest.mark.parametrize(
    ("part", "fields"),
    [
        (Text(text="50% & 你好\n👨‍👩‍👧"), {"msg_type": "text", "content": "50% & 你好\n👨‍👩‍👧", "pic_url": ""}),
        (Image(media=PICTURE), {"msg_type": "image", "content": "", "pic_url": PICTURE.url}),
        (
            Image(media=PICTURE, caption="Look"),
            {"msg_type": "text", "content": f"Look\n{PICTURE.url}", "pic_url": ""},
        ),
    ],
)
async def test_each_kind_goes_out_as_baidu_takes_it(
    connector: Connector, baidu: Simulator, ada: Person, part: Content, fields: dict[str, str]
) -> None:
    accepted = await connector.deliver(outbound(ada, part))
    assert (accepted.route, accepted.parts) == ("send", ())
    assert baidu.platform.sent == [(SEND, {"user_type": "2", "open_id": ada.id, **fields})]
    assert baidu.chat(ada.id)[-1].mine is False


async def test_a_third_party_sends_by_another_call_with_its_own_token(
    build: Build, baidu: Simulator, ada: Person
) -> None:
    own: dict[str, Any] = {"app_key": None, "app_secret": None, "access_token": baidu.world.issue()}
    await build(**own, third_party=True, user_type=1).deliver(outbound(ada, "hello"))
    ((path, form),) = baidu.platform.sent
    assert (path, form["user_type"]) == (f"{SEND}bytp", "1")
    assert not baidu.requests("/oauth/*")


@pytest.mark.parametrize("part", [Link(url="https://a.example"), File(media=PICTURE), Image(media=Media())])
async def test_what_baidu_does_not_have_is_refused_before_the_wire(
    connector: Connector, baidu: Simulator, ada: Person, part: Content
) -> None:
    with pytest.raises(Undeliverable):
        await connector.deliver(outbound(ada, part))
    assert not baidu.journal


# ---------------------------------------------------------------- refusals

TABLE = list(ERRORS.items())


@pytest.mark.parametrize(("errno", "meaning"), TABLE, ids=[str(errno) for errno, _ in TABLE])
async def test_each_number_of_the_table_means_what_it_says(
    connector: Connector, baidu: Simulator, ada: Person, errno: int, meaning: Any
) -> None:
    baidu.fail(
        Fault(do="answer", path=SEND, status=200, body=json.dumps({"errno": errno, "msg": "Baidu's words"}), times=2)
    )
    with pytest.raises(DeliveryError, match="Baidu's words") as refused:
        await connector.deliver(outbound(ada, "hello"))
    expected = meaning()
    assert (type(refused.value), refused.value.code) == (type(expected), expected.code)
    assert getattr(refused.value, "whose", None) == getattr(expected, "whose", None)
    assert refused.value.answer
    assert refused.value.answer.code == str(errno)


def test_the_table_has_every_number_of_the_platform() -> None:
    assert set(ERRORS) == {3001, 30022, 90001, 90002, 110, 111}


@pytest.mark.parametrize(
    ("status", "body", "kind", "code"),
    [
        *((status, "", type(meaning()), meaning().code) for status, meaning in STATUSES.items()),
        (200, '{"errno": 4711, "msg": "new"}', Undeliverable, "refused"),
        (200, '{"errno": "30022"}', Undeliverable, "recipient_unknown"),
        (200, '{"error_code": 110, "error_msg": "x"}', SignInNeeded, "token_invalid"),
        (400, '{"error": "bad_request"}', Undeliverable, "refused"),
        (404, "<html>", Undeliverable, "refused"),
        (302, "", Undeliverable, "refused"),
        (500, "", Uncertain, "uncertain"),
        (502, "<html>", Uncertain, "uncertain"),
        (200, "not JSON", Uncertain, "uncertain"),
        (200, "{}", Uncertain, "uncertain"),
    ],
)
async def test_an_answer_without_a_known_number_is_read_by_its_status(
    connector: Connector, baidu: Simulator, ada: Person, status: int, body: str, kind: type[DeliveryError], code: str
) -> None:
    baidu.fail(Fault(do="answer", path=SEND, status=status, body=body, times=2))
    with pytest.raises(DeliveryError) as refused:
        await connector.deliver(outbound(ada, "hello"))
    assert (type(refused.value), refused.value.code) == (kind, code)


@pytest.mark.parametrize("after_s", [None, 17])
async def test_too_many_requests_wait_as_long_as_baidu_says(
    connector: Connector, baidu: Simulator, ada: Person, after_s: int | None
) -> None:
    baidu.fail(baidu.limited(after_s=after_s))
    with pytest.raises(RateLimited) as refused:
        await connector.deliver(outbound(ada, "hello"))
    assert refused.value.after_s == after_s


async def test_a_stranger_cannot_be_written_to(connector: Connector) -> None:
    with pytest.raises(Undeliverable) as refused:
        await connector.deliver(outbound("oBAIDU_nobody", "hello"))
    assert (refused.value.whose, refused.value.code) == ("recipient", "recipient_unknown")


async def test_a_service_that_is_off_asks_for_an_administrator(
    connector: Connector, baidu: Simulator, ada: Person
) -> None:
    baidu.world.is_enabled = False
    with pytest.raises(SignInNeeded) as refused:
        await connector.deliver(outbound(ada, "hello"))
    assert refused.value.code == "service_not_enabled"


# ---------------------------------------------------------------- tokens


async def test_a_refused_token_is_renewed_once(connector: Any, baidu: Simulator, ada: Person) -> None:
    await connector.deliver(outbound(ada, "one"))
    assert baidu.expire_tokens()
    await connector.deliver(outbound(ada, "two"))
    assert connector.services.tokens.renewals == 2
    assert [form["content"] for _, form in baidu.platform.sent] == ["one", "two"]


async def test_a_hundred_sends_after_the_end_of_a_token_fetch_one(
    connector: Any, baidu: Simulator, ada: Person
) -> None:
    await connector.deliver(outbound(ada, "first"))
    ada.left = 100
    baidu.expire_tokens()
    await asyncio.gather(*(connector.deliver(outbound(ada, str(number))) for number in range(100)))
    assert connector.services.tokens.renewals == 2
    assert len(baidu.platform.sent) == 101


async def test_a_token_is_renewed_before_it_ends(
    connector: Any, baidu: Simulator, ada: Person, clock: HandClock
) -> None:
    await connector.deliver(outbound(ada, "one"))
    clock.move(30 * 86_400 - 300)
    baidu.world.open(ada)
    await connector.deliver(outbound(ada, "two"))
    assert len(baidu.requests("/oauth/*")) == 2
    assert len(baidu.requests(SEND)) == 2


async def test_a_token_of_somebody_else_is_not_renewed(build: Build, baidu: Simulator, ada: Person) -> None:
    with pytest.raises(SignInNeeded) as refused:
        await build(access_token="wrong-token").deliver(outbound(ada, "hello"))
    assert "wrong-token" not in str(refused.value)
    assert len(baidu.journal) == 1


@pytest.mark.parametrize(
    ("fault", "kind"),
    [
        (Fault(do="answer", status=401, body='{"error": "invalid_client"}'), SignInNeeded),
        (Fault(do="answer", status=200, body="{}"), TryLater),
        (Fault(do="answer", status=500), TryLater),
        (Fault(do="close_before"), TryLater),
        (Fault(do="close_after"), TryLater),
    ],
)
async def test_what_fails_before_the_message_left_is_never_in_doubt(
    connector: Connector, baidu: Simulator, ada: Person, fault: Fault, kind: type[DeliveryError]
) -> None:
    baidu.fail(fault)
    with pytest.raises(kind):
        await connector.deliver(outbound(ada, "hello"))
    assert not baidu.requests(SEND)


# ---------------------------------------------------------------- the simulated platform keeps the rules


@pytest.mark.parametrize(("hours", "taken"), [(0, True), (47.999, True), (48, False)])
async def test_a_message_opens_forty_eight_hours(
    connector: Connector, baidu: Simulator, clock: HandClock, hours: float, taken: bool
) -> None:
    bo = baidu.add_customer("Bo")
    await baidu.act(bo, Action(kind="text", text="hello"))
    clock.move(hours * 3600)
    if taken:
        await connector.deliver(outbound(bo, "hi"))
        return
    with pytest.raises(WindowClosed) as refused:
        await connector.deliver(outbound(bo, "hi"))
    assert refused.value.code == "budget_spent"


async def test_a_message_allows_five_answers_and_they_do_not_add_up(connector: Connector, baidu: Simulator) -> None:
    bo = baidu.add_customer("Bo")
    for _ in range(2):
        await baidu.act(bo, Action(kind="text", text="hello"))
    for number in range(5):
        await connector.deliver(outbound(bo, str(number)))
    with pytest.raises(WindowClosed):
        await connector.deliver(outbound(bo, "the sixth"))
    await baidu.act(bo, Action(kind="image"))
    await connector.deliver(outbound(bo, "again"))


@pytest.mark.parametrize("fields", [{"user_type": "3"}, {"msg_type": "video"}, {"content": ""}])
async def test_the_simulator_refuses_what_baidu_would(baidu: Simulator, ada: Person, fields: dict[str, str]) -> None:
    import httpx2

    form = {"user_type": "2", "open_id": ada.id, "msg_type": "text", "content": "x", **fields}
    async with httpx2.AsyncClient(trust_env=False) as http:
        answer = await http.post(baidu.url + SEND, params={"access_token": baidu.world.issue()}, data=form)
    assert answer.json()["errno"] == 3001
    assert not ada.said

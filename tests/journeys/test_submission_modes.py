"""The table of channels, through the doors of a house that serves every one of them."""

from __future__ import annotations

import uuid
from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio

from tests.desk.harness import ADA, Answer, Client
from tests.journeys.shop import until
from tests.journeys.street import Street
from trunkline.testing.phones import Action

pytestmark = pytest.mark.asyncio(loop_scope="module")

BOTH, TICKET = ["offline_message", "ticket"], ["ticket"]
DIMENSIONS = ["channel", "group"]
#: The row, its channel, and what it takes.
TABLE: list[tuple[int, str, list[str]]] = [
    (1, "web_desktop", BOTH),
    (2, "web_mobile", BOTH),
    (3, "app_sdk", BOTH),
    (4, "wechat_oa", TICKET),
    (5, "wechat_mini", TICKET),
    (6, "wecom", TICKET),
    (7, "wechat_kf", TICKET),
    (8, "weibo", []),
    (9, "facebook", TICKET),
    (10, "baidu_ad", TICKET),
]
#: Where the account is not called as its channel.
ACCOUNTS = {"web_desktop": "web", "web_mobile": "web", "app_sdk": "sdk", "baidu_ad": "baidu"}
VALUES = {"name": "Mei", "message": "Where is order 42?"}


def proves(serial: int, *values: Any) -> Any:
    """Mark a row of the table by its criterion: row 1 is 000-11."""
    return pytest.param(serial, *values, marks=pytest.mark.requirement(f"000-{10 + serial}"))


@pytest.fixture
def ada(street: Street) -> Client:
    return street.client(ADA[0])


@pytest_asyncio.fixture(autouse=True, loop_scope="module")
async def nothing_is_set(street: Street) -> AsyncIterator[None]:
    """Take back what a test has set."""
    yield
    ada = street.client(ADA[0])
    for one in (await ada.get("/submissions/settings"))["items"]:
        await put(ada, f"{one['scope']}/{one['scope_id']}")


async def put(ada: Client, place: str, **setting: Any) -> Answer:
    return await ada.call("PUT", f"/submissions/settings/{place}", setting)


async def row_of(ada: Client, channel: str) -> Any:
    rows = (await ada.get("/submissions/matrix"))["items"]
    return next(row for row in rows if row["channel"] == channel)


async def test_the_table_is_ten_rows_in_serial_order_and_the_others_after_them(ada: Client) -> None:
    rows = (await ada.get("/submissions/matrix"))["items"]
    told = [(row["serial"], row["channel"], row["modes"], row["dimensions"]) for row in rows if row["serial"]]
    assert told == [(serial, channel, modes, DIMENSIONS if modes else []) for serial, channel, modes in TABLE]
    assert rows[: len(TABLE)] == [row for row in rows if row["serial"]]


@pytest.mark.parametrize(("serial", "channel"), [proves(row, code) for row, code, modes in TABLE if modes == TICKET])
async def test_a_channel_of_tickets_takes_them_by_both_dimensions_and_no_offline_message(
    ada: Client, serial: int, channel: str
) -> None:
    row, place = await row_of(ada, channel), f"account/{ACCOUNTS.get(channel, channel)}"
    assert (row["serial"], row["modes"], row["dimensions"]) == (serial, TICKET, DIMENSIONS)
    for dimension in DIMENSIONS:
        assert (await put(ada, place, enabled=True, mode="ticket", dimension=dimension)).status == 200
    before = (await ada.get("/submissions/settings"))["items"]
    refused = await put(ada, place, enabled=True, mode="offline_message")
    assert (refused.status, refused.code) == (422, "submission_mode_unsupported")
    assert (await ada.get("/submissions/settings"))["items"] == before


@pytest.mark.parametrize(("serial", "channel"), [proves(row, code) for row, code, modes in TABLE if modes == BOTH])
@pytest.mark.parametrize("dimension", DIMENSIONS)
@pytest.mark.parametrize("mode", BOTH)
async def test_a_channel_of_ours_takes_both_modes_by_both_dimensions(
    street: Street, ada: Client, serial: int, channel: str, dimension: str, mode: str
) -> None:
    row = await row_of(ada, channel)
    assert (row["serial"], row["modes"], row["dimensions"]) == (serial, BOTH, DIMENSIONS)
    other = next(one for one in BOTH if one != mode)
    for_account, for_group = (other, mode) if dimension == "group" else (mode, other)
    account = ACCOUNTS[channel]
    assert (await put(ada, f"account/{account}", enabled=True, mode=for_account, dimension=dimension)).status == 200
    assert (await put(ada, "group/bicycles", mode=for_group)).status == 200
    sent = await leave(street, channel, group_id="bicycles")
    assert (sent["mode"], sent["setting_dimension"]) == (mode, dimension)
    (kept,) = (await ada.get("/submissions?limit=1"))["items"]
    assert (kept["account_id"], kept["reference"], kept["mode"]) == (account, sent["reference"], mode)
    assert (await ada.get(f"/threads/{kept['thread_id']}"))["channel"] == channel


async def leave(street: Street, channel: str, *, group_id: str) -> Any:
    """Fill in the form of a page or an app as its visitor, and return what was sent."""
    headers = visitor_of(street, channel)
    token = (await street.visits("POST", "/tokens", {}, **headers)).json["token"]
    headers |= {"Authorization": f"Bearer {token}"}
    form = (await street.visits("GET", f"/submissions/form?group_id={group_id}", **headers)).json
    body = {"client_id": str(uuid.uuid4()), "form_version": form["version"], "values": VALUES, "group_id": group_id}
    answer = await street.visits("POST", "/submissions", body, **headers)
    assert answer.status == 201, answer.raw
    assert answer.json["submission"]["mode"] == form["mode"]
    return answer.json["submission"]


def visitor_of(street: Street, channel: str) -> dict[str, str]:
    """Return how the client of a channel introduces itself."""
    if channel == "app_sdk":
        key = street.platforms["sdk"].settings()["keys"][0]["key"]
        return {"X_Inbox_Key": key, "X_SDK_Platform": "ios", "X_SDK_Version": "3.0.3"}
    form = "mobile" if channel == "web_mobile" else "desktop"
    return {"X_Inbox_Key": street.platforms["web"].settings()["key"], "X_SDK_Platform": "web", "X_SDK_Form": form}


@pytest.mark.requirement("000-18")
async def test_a_channel_of_no_forms_takes_no_mode_and_never_offers_one(street: Street, ada: Client) -> None:
    row, place = await row_of(ada, "weibo"), "account/weibo"
    assert (row["serial"], row["modes"], row["dimensions"]) == (8, [], [])
    for setting in ({"mode": "ticket"}, {"mode": "offline_message"}, {"enabled": True}):
        refused = await put(ada, place, **setting)
        assert (refused.status, refused.code) == (422, "submission_mode_unsupported")
    assert (await put(ada, place, dimension="channel")).code == "setting_dimension_unsupported"
    assert (await put(ada, "deployment/all", enabled=True)).status == 200
    weibo = street.platforms["weibo"]
    fan = weibo.add_customer("Mei")
    await weibo.act(fan, Action(kind="text", text="I would like to leave a message"))
    thread = await until(lambda: thread_on(ada, "weibo"))
    await answer(ada, thread, "We have read it.")
    await until(lambda: heard(street, "weibo", fan))
    assert [one.text for one in weibo.chat(fan) if not one.mine] == ["We have read it."]
    assert (await ada.get("/submissions?account=weibo"))["items"] == []


@pytest.mark.requirement("000-46")
@pytest.mark.parametrize("channel", ["whatsapp", "line"])
async def test_channels_outside_the_table_receive_and_send_and_have_no_modes(
    street: Street, ada: Client, channel: str
) -> None:
    row = await row_of(ada, channel)
    assert (row["serial"], row["modes"], row["dimensions"]) == (None, [], [])
    assert (await put(ada, f"account/{channel}", mode="ticket")).code == "submission_mode_unsupported"
    platform = street.platforms[channel]
    mei = platform.add_customer("Mei")
    await platform.act(mei, Action(kind="text", text="Hello"))
    thread = await until(lambda: thread_on(ada, channel))
    (said,) = (await ada.get(f"/threads/{thread['id']}/messages"))["items"]
    assert said["content"]["text"] == "Hello"
    await answer(ada, thread, "Welcome")
    assert await until(lambda: heard(street, channel, mei)) == ["Welcome"]


async def thread_on(ada: Client, channel: str) -> Any:
    found = (await ada.get("/threads?state=any&limit=100"))["items"]
    return next((one for one in found if one["channel"] == channel), None)


async def answer(ada: Client, thread: Any, text: str) -> None:
    await ada.post(f"/threads/{thread['id']}/messages", {"text": text})


async def heard(street: Street, channel: str, customer: str) -> list[str]:
    return [one.text for one in street.platforms[channel].chat(customer) if not one.mine]

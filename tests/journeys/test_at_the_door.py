"""What is not LINE's, or not sound, is refused at the door, and leaves nothing behind but a counter."""

from __future__ import annotations

import hashlib
import json
from collections.abc import AsyncIterator
from typing import Any

import pytest
from sqlalchemy import func, select
from structlog.testing import capture_logs

from tests.core.conftest import HandClock
from tests.journeys.shop import ACCOUNT, Open, Shop, until
from trunkline.store import schema
from trunkline_line.signature import sign

#: A body that would be a message if it were LINE's.
BODY = json.dumps(
    {
        "destination": "U0",
        "events": [
            {
                "type": "message",
                "mode": "active",
                "timestamp": 1_795_262_400_000,
                "webhookEventId": "01KEXAMPLE",
                "deliveryContext": {"isRedelivery": False},
                "source": {"type": "user", "userId": "U" + "a" * 32},
                "message": {"type": "text", "id": "1", "text": "Let me in"},
            }
        ],
    }
).encode()


@pytest.fixture
async def closed_shop(shop: Shop) -> AsyncIterator[Shop]:
    """A shop in which nothing may have been stored when the test is over."""
    before = await _stored(shop)
    yield shop
    assert await _stored(shop) == before
    assert await shop.threads() == []


def signatures(shop: Shop) -> dict[str, str]:
    right = sign(BODY, shop.line.world.channel_secret).decode()
    return {
        "foreign": sign(BODY, "0" * 32).decode(),
        "truncated": right[:-4],
        "longer": right + "AA==",
        "of another body": sign(BODY + b" ", shop.line.world.channel_secret).decode(),
        "in hex": hashlib.sha256(BODY).hexdigest(),
        "no base64": "*" * len(right),
        "empty": "",
        "in other letters": right.swapcase(),
    }


async def test_a_wrong_signature_is_refused_and_counted(closed_shop: Shop) -> None:
    shop = closed_shop
    counted = shop.house.metrics.auth_failures.labels("webhook")._value.get()
    wrong = signatures(shop)
    for name, signature in wrong.items():
        with capture_logs() as lines:
            answer = await shop.knock(BODY, x_line_signature=signature)
        assert (name, answer.status) == (name, 401)
        assert [line["event"] for line in lines if line["event"].startswith("webhook")] == ["webhook.rejected"]
        assert BODY.decode() not in str(lines)
    assert shop.house.metrics.auth_failures.labels("webhook")._value.get() == counted + len(wrong)


async def test_a_missing_signature_is_refused_before_the_body_is_read(closed_shop: Shop) -> None:
    answer = await closed_shop.knock(BODY, x_line_signature="-")
    assert (answer.status, answer.code) == (401, "signature_missing")


async def test_the_same_body_with_its_right_signature_is_taken(shop: Shop) -> None:
    assert (await shop.knock(BODY)).status == 200
    assert [thread["preview"]["text"] for thread in await shop.threads()] == ["Let me in"]


async def test_a_body_of_more_than_a_mebibyte_is_refused(closed_shop: Shop) -> None:
    padded = BODY[:-1] + b" " * 1024 * 1024 + b"}"
    assert (await closed_shop.knock(padded)).status == 413


async def test_a_compressed_body_is_refused_unread(closed_shop: Shop) -> None:
    answer = await closed_shop.knock(BODY, Content_Encoding="gzip")
    assert (answer.status, answer.code) == (415, "content_encoding")


async def test_what_is_no_text_or_has_no_bottom_is_refused_with_one_line(closed_shop: Shop) -> None:
    deep = b'{"events":' + b"[" * 1000 + b"]" * 1000 + b"}"
    inside = b'{"events":[{"type":"message","message":' + b'{"a":' * 1000 + b"1" + b"}" * 1000 + b"}]}"
    for body, code in ((b'{"events":["\xff\xfe"]}', "not_utf8"), (deep, "too_deep"), (inside, "too_deep")):
        with capture_logs() as lines:
            answer = await closed_shop.knock(body)
        assert (answer.status, answer.code) == (400, code)
        assert [line["event"] for line in lines] == ["webhook.rejected"]


async def test_an_account_that_is_not_ours_is_not_found(closed_shop: Shop) -> None:
    for name in ("shop", "SHOP-LINE", f"{ACCOUNT}x", "..%2Fshop-line", "%00"):
        assert (await closed_shop.knock(BODY, account=name)).status == 404


async def test_only_post_is_expected(closed_shop: Shop) -> None:
    for method in ("GET", "PUT", "DELETE", "PATCH"):
        assert (await closed_shop.knock(BODY, method=method)).status == 405


async def test_proved_bytes_that_are_no_webhook_wait_in_the_quarantine(shop: Shop) -> None:
    for body in (b"[]", b"{}", b"null", b'{"events":7}', b"<xml/>"):
        assert (await shop.knock(body)).status == 200
    kept = (await shop.ada.get("/quarantine"))["items"]
    assert [one["reason"] for one in kept] == ["unreadable"] * 5
    again = await shop.ada.call("POST", f"/quarantine/{kept[0]['id']}/retry", {})
    assert again.status >= 400
    skipped = await shop.ada.call("POST", f"/quarantine/{kept[0]['id']}/skip", {"reason": "Somebody played"})
    assert skipped.status < 300
    assert len((await shop.ada.get("/quarantine"))["items"]) == 4


async def test_one_id_follows_a_request_through_answer_log_and_row(shop: Shop) -> None:
    with capture_logs() as lines:
        refused, kept, unread = [
            await shop.knock(BODY, x_line_signature="wrong"),
            await shop.knock(BODY),
            await shop.knock(b"[]"),
        ]
    ids = [answer.headers["X-Request-Id"] for answer in (refused, kept, unread)]
    assert len(set(ids)) == 3
    told = {line["event"]: line for line in lines if line["event"] in {"webhook.rejected", "event.quarantined"}}
    assert refused.json["request_id"] == told["webhook.rejected"]["request_id"] == ids[0]
    assert told["event.quarantined"]["request_id"] == ids[2]
    kept_ids = await _request_ids(shop)
    assert [one in kept_ids for one in ids] == [False, True, True]


async def test_an_id_is_taken_from_nobody_but_a_proxy_that_is_configured(shop: Shop) -> None:
    assert (await shop.knock(BODY, X_Request_Id="proxy-0001")).headers["X-Request-Id"] != "proxy-0001"


async def test_the_id_of_a_proxy_stays_and_may_come_twice(open_shop: Open, clock: HandClock) -> None:
    behind_a_proxy: dict[str, Any] = {"server.trusted_proxies": "127.0.0.0/8"}
    async with open_shop(clock=clock, **behind_a_proxy) as shop:
        for body in (BODY, b'{"events":[]}'):
            assert (await shop.knock(body, X_Request_Id="proxy-0001")).headers["X-Request-Id"] == "proxy-0001"
        assert (await _request_ids(shop)).count("proxy-0001") == 2
        assert (await shop.knock(BODY, X_Request_Id="no id!")).headers["X-Request-Id"] != "no id!"


async def test_a_closed_account_door_still_lets_sound_requests_in_beside_hostile_ones(shop: Shop) -> None:
    mei = shop.line.customer("Mei")
    for number in range(40):
        await shop.knock(BODY, x_line_signature=sign(BODY, f"{number:032}").decode())
        await mei.text(f"{number}")

    async def all_there() -> Any:
        found = await shop.threads()
        return found if found and found[0]["last_position"] == 40 else None

    assert len(await until(all_there)) == 1


async def _request_ids(shop: Shop) -> list[str]:
    async with shop.house.store.read() as connection:
        return sorted((await connection.execute(select(schema.raw_request.c.request_id))).scalars())


async def _stored(shop: Shop) -> list[int]:
    tables = (schema.raw_request, schema.message, schema.thread, schema.identity, schema.event)
    async with shop.house.store.read() as connection:
        return [(await connection.execute(select(func.count()).select_from(table))).scalar_one() for table in tables]

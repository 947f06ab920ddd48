"""Every code of the platform's papers becomes what the core does next."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.connectors.facebook.conftest import outbound
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
from trunkline.testing.faults import Fault
from trunkline_facebook.api import ERRORS
from trunkline_facebook.simulator import Customer, Simulator

CONTENT, RECIPIENT = {"whose": "content"}, {"whose": "recipient"}
#: (code, subcode) → our error and its facts. 1/1357046 is no error at all: see test_delivery.
ROWS: list[tuple[int, int | None, type[DeliveryError], dict[str, Any]]] = [
    (1, 99, SignInNeeded, {}),
    (1, None, TryLater, {"after_s": None}),
    (2, None, TryLater, {}),
    (2, 2018344, SignInNeeded, {"code": "terms_not_accepted"}),
    (3, None, Undeliverable, {"code": "no_profile"}),
    (4, None, RateLimited, {"scope": "account"}),
    (613, None, RateLimited, {"scope": "account"}),
    (613, 2534040, RateLimited, {"scope": "account"}),
    (613, 2018338, RateLimited, {"scope": "recipient"}),
    (9, 2018352, RateLimited, {"scope": "recipient"}),
    (32, None, RateLimited, {}),
    (80001, None, RateLimited, {}),
    (10, 2018278, WindowClosed, {"code": "window_closed"}),
    (10, 2534022, WindowClosed, {}),
    (10, 2018065, WindowClosed, {}),
    (10, None, SignInNeeded, {"code": "permission_missing"}),
    (10, 4711, SignInNeeded, {"code": "permission_missing"}),
    (10, 2534077, SignInNeeded, {}),
    (10, 1893063, SignInNeeded, {"code": "page_restricted"}),
    (10, 2018108, Undeliverable, RECIPIENT),
    (10, 1893015, Undeliverable, RECIPIENT),
    (100, None, Undeliverable, {**CONTENT, "code": "refused"}),
    (100, 4711, Undeliverable, CONTENT),
    (100, 33, Undeliverable, CONTENT),
    (100, 2018001, Undeliverable, {**RECIPIENT, "code": "recipient_unknown"}),
    (100, 2534014, Undeliverable, {**RECIPIENT, "code": "recipient_unknown"}),
    (100, 2018008, Undeliverable, {**CONTENT, "code": "file_not_fetched"}),
    (100, 2018047, Undeliverable, CONTENT),
    (100, 2018294, Undeliverable, CONTENT),
    (100, 2018109, Undeliverable, {**CONTENT, "code": "file_too_large"}),
    (100, 2018074, Undeliverable, {**CONTENT, "code": "upload_gone"}),
    (100, 2534015, Undeliverable, CONTENT),
    (100, 2534013, SignInNeeded, {}),
    (100, 2534029, SignInNeeded, {}),
    (100, 2534037, Undeliverable, {"whose": "account", "code": "thread_elsewhere"}),
    (190, None, SignInNeeded, {"code": "sign_in_needed"}),
    (190, 463, SignInNeeded, {}),
    (200, None, SignInNeeded, {"code": "app_not_approved"}),
    (200, 2018028, SignInNeeded, {"code": "app_not_approved"}),
    (200, 2534041, SignInNeeded, {"code": "message_access_off"}),
    (200, 1545041, Undeliverable, RECIPIENT),
    (551, None, Undeliverable, RECIPIENT),
    (551, 1545041, Undeliverable, {**RECIPIENT, "code": "recipient_unavailable"}),
    (2018218, None, Undeliverable, {"code": "no_profile"}),
    (2018247, None, Undeliverable, {"code": "no_profile"}),
    (2018300, None, Undeliverable, {"whose": "account", "code": "thread_elsewhere"}),
    (100, 2018300, Undeliverable, {"whose": "account", "code": "thread_elsewhere"}),
    (2018321, None, TryLater, {"after_s": 300}),
    (2022, None, SignInNeeded, {"code": "commerce_messages_off"}),
    (9000001, None, Undeliverable, {**CONTENT, "code": "quote_gone"}),
    (4711, None, Undeliverable, {**CONTENT, "code": "refused"}),
]


def answer(code: int, subcode: int | None = None, **more: Any) -> str:
    error = {"message": "the platform's words", "type": "OAuthException", "code": code, "fbtrace_id": "f1", **more}
    return json.dumps({"error": {**error, **({} if subcode is None else {"error_subcode": subcode})}})


@pytest.mark.parametrize(("code", "subcode", "kind", "facts"), ROWS)
async def test_each_refusal_says_what_to_do_next(
    connector: Connector,
    page: Simulator,
    ada: Customer,
    code: int,
    subcode: int | None,
    kind: type[DeliveryError],
    facts: dict[str, Any],
) -> None:
    page.fail(Fault(do="answer", status=400, body=answer(code, subcode), times=3))
    with pytest.raises(DeliveryError) as refused:
        await connector.deliver(outbound(ada, "hello"))
    assert type(refused.value) is kind
    assert {name: getattr(refused.value, name) for name in facts} == facts
    told = refused.value.answer
    assert told
    assert (told.status, told.text, told.request_id) == (400, "the platform's words", "f1")
    assert told.code == (f"{code}/{subcode}" if subcode else str(code))


def test_every_row_of_the_table_is_tried_here() -> None:
    assert set(ERRORS) - {(code, subcode) for code, subcode, *_ in ROWS} == {(1, 1357046)}


async def test_the_words_for_people_reach_the_agent(connector: Connector, page: Simulator, ada: Customer) -> None:
    page.fail(Fault(do="answer", status=400, body=answer(100, None, error_user_msg="The picture is broken.")))
    with pytest.raises(Undeliverable) as refused:
        await connector.deliver(outbound(ada, "hello"))
    assert str(refused.value) == "Facebook: the platform's words The picture is broken."


@pytest.mark.parametrize(("after_s", "given"), [(None, None), (17, 17.0)])
async def test_too_many_requests_are_waited_for_as_long_as_the_platform_says(
    connector: Connector, page: Simulator, ada: Customer, after_s: int | None, given: float | None
) -> None:
    page.fail(page.limited(after_s=after_s))
    with pytest.raises(RateLimited) as refused:
        await connector.deliver(outbound(ada, "hello"))
    assert (refused.value.after_s, refused.value.scope) == (given, "account")


@pytest.mark.parametrize(
    ("status", "body", "kind"),
    [
        (200, answer(10, 2018278), WindowClosed),
        (200, '{"message_id": 5}', Uncertain),
        (200, "[]", Uncertain),
        (400, "<html></html>", Undeliverable),
        (400, '{"error":"no object"}', Undeliverable),
        (400, '{"error":{"code":"10"}}', Undeliverable),
        (302, "", Undeliverable),
        (401, "", SignInNeeded),
        (429, "", RateLimited),
        (500, '{"error":{"message":"new kind of trouble","code":4711}}', Uncertain),
    ],
)
async def test_an_answer_out_of_the_ordinary_is_read_for_what_it_is(
    connector: Connector, page: Simulator, ada: Customer, status: int, body: str, kind: type[DeliveryError]
) -> None:
    page.fail(Fault(do="answer", status=status, body=body))
    with pytest.raises(DeliveryError) as refused:
        await connector.deliver(outbound(ada, "hello"))
    assert type(refused.value) is kind


@pytest.mark.parametrize("tag", ["ACCOUNT_UPDATE", "CONFIRMED_EVENT_UPDATE", "POST_PURCHASE_UPDATE"])
async def test_a_retired_tag_is_an_error_of_ours(
    connector: Connector, page: Simulator, ada: Customer, tag: str
) -> None:
    page.fail(Fault(do="answer", status=400, body=answer(100, None, message=f"(#100) {tag} is retired")))
    with pytest.raises(Undeliverable) as refused:
        await connector.deliver(outbound(ada, "hello"))
    assert (refused.value.whose, tag in str(refused.value)) == ("content", True)


async def test_who_blocked_the_page_or_is_a_stranger_cannot_be_reached(
    connector: Connector, page: Simulator, ada: Customer
) -> None:
    ada.block()
    for person, code in ((ada.id, "recipient_unavailable"), ("99", "recipient_unknown")):
        with pytest.raises(Undeliverable) as refused:
            await connector.deliver(outbound(person, "hello"))
        assert (refused.value.whose, refused.value.code) == ("recipient", code)
    assert ada.got == []

"""Every code of WhatsApp becomes what the core does next, wherever it is told."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.connectors.whatsapp.conftest import SENDS, outbound
from tests.connectors.whatsapp.test_inbound import body_of, change, read
from trunkline.contract import AccountChanged, Connector, ReceiptReceived
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
from trunkline_whatsapp.api import ERRORS
from trunkline_whatsapp.simulator import Customer, Simulator

#: The platform's classes → their codes, written down from its documentation a second time.
CLASSES: dict[str, tuple[type[DeliveryError], dict[str, Any], tuple[int, ...]]] = {
    "auth": (
        SignInNeeded, {},
        (0, 3, 10, *range(200, 300), 190, 131005, 368, 131031, 131037, 131042, 131045, 133010, 131063, 134011),
    ),
    "transient": (TryLater, {}, (1, 2, 131000, 131016, 131057, 133004, 134101)),
    "rate of the account": (RateLimited, {"scope": "account"}, (4, 80007, 130429, 131048)),
    "rate of one person": (RateLimited, {"scope": "recipient"}, (131056, 131049, 131064, 132069)),
    "window": (WindowClosed, {}, (131047,)),
    "recipient": (
        Undeliverable, {"whose": "recipient"},
        (131026, 130472, 130497, 131021, 131030, 131050, 131062, 137000, 131041, 131020),
    ),
    "configuration": (Undeliverable, {"whose": "account"}, (33,)),
    "content": (
        Undeliverable, {"whose": "content"},
        (100, 131008, 131009, 135000, 131051, 131053, 132000, 132012, 132001, 132005, 132007, 132008, 132015, 132016,
         132068, 131055, 134100, 134102),
    ),
    "inbound": (Undeliverable, {"whose": "platform"}, (131052, 131060)),
}  # fmt: skip
#: One code in fifty of the permissions' hundred is enough over the wire.
CODES = [code for code in ERRORS if not 200 < code < 299]
CLASS_OF = {code: (kind, facts) for kind, facts, codes in CLASSES.values() for code in codes}


def refusal(code: Any, details: str | None = "why") -> str:
    data = {"error_data": {"messaging_product": "whatsapp", "details": details}} if details else {}
    error = {"message": f"(#{code}) text", "type": "OAuthException", "code": code, **data, "fbtrace_id": "f1"}
    return json.dumps({"error": error})


def test_the_table_has_exactly_the_codes_of_the_documentation() -> None:
    assert set(ERRORS) == set(CLASS_OF)


@pytest.mark.parametrize("code", CODES)
async def test_each_code_says_what_to_do_next(
    connector: Connector, whatsapp: Simulator, ada: Customer, code: int
) -> None:
    whatsapp.fail(Fault(do="answer", path=SENDS, status=400, body=refusal(code)))
    with pytest.raises(DeliveryError) as refused:
        await connector.deliver(outbound(ada, "hello"))
    kind, facts = CLASS_OF[code]
    assert type(refused.value) is kind
    assert {name: getattr(refused.value, name) for name in facts} == facts
    assert str(refused.value) == "WhatsApp: why"
    answer = refused.value.answer
    assert answer is not None
    assert (answer.status, answer.code, answer.text, answer.request_id) == (400, str(code), "why", "f1")


@pytest.mark.parametrize(
    ("code", "after_s"), [(131057, 60), (134101, 600), (131049, 86_400), (131048, 3600), (130429, None), (2, None)]
)
async def test_the_wait_that_is_known_is_told(
    connector: Connector, whatsapp: Simulator, ada: Customer, code: int, after_s: float | None
) -> None:
    whatsapp.fail(Fault(do="answer", path=SENDS, status=400, body=refusal(code)))
    with pytest.raises(TryLater) as refused:
        await connector.deliver(outbound(ada, "hello"))
    assert refused.value.after_s == after_s


@pytest.mark.parametrize(("attempt", "after_s"), [(1, 1), (2, 4), (3, 16), (5, 256), (40, 65_536)])
async def test_too_much_to_one_person_waits_four_times_longer_each_time(
    connector: Connector, whatsapp: Simulator, ada: Customer, attempt: int, after_s: int
) -> None:
    whatsapp.fail(Fault(do="answer", path=SENDS, status=400, body=refusal(131056)))
    with pytest.raises(RateLimited) as refused:
        await connector.deliver(outbound(ada, "hello", attempt=attempt))
    assert (refused.value.after_s, refused.value.scope) == (after_s, "recipient")


async def test_an_unknown_failure_is_tried_a_few_times_only(
    connector: Connector, whatsapp: Simulator, ada: Customer
) -> None:
    whatsapp.fail(Fault(do="answer", path=SENDS, status=500, body=refusal(1), times=2))
    with pytest.raises(TryLater):
        await connector.deliver(outbound(ada, "hello", attempt=4))
    with pytest.raises(Undeliverable) as refused:
        await connector.deliver(outbound(ada, "hello", attempt=5))
    assert refused.value.whose == "platform"


@pytest.mark.parametrize(("after_s", "told"), [(90, 90), (None, None)])
async def test_throttling_comes_with_status_400_and_its_wait_is_honoured(
    connector: Connector, whatsapp: Simulator, ada: Customer, after_s: int | None, told: int | None
) -> None:
    whatsapp.fail(whatsapp.limited(after_s=after_s))
    with pytest.raises(RateLimited) as refused:
        await connector.deliver(outbound(ada, "hello"))
    assert (refused.value.after_s, refused.value.answer and refused.value.answer.status) == (told, 400)


@pytest.mark.parametrize(
    ("status", "body", "kind"),
    [
        (401, "", SignInNeeded),
        (429, "<html>", RateLimited),
        (503, "", TryLater),
        (500, "", Uncertain),
        (502, "<html>Bad gateway</html>", Uncertain),
        (504, '{"unexpected":[]}', Uncertain),
        (500, '{"error":"x"}', Uncertain),
        (500, '{"error":{"code":"x"}}', Uncertain),
        (200, "", Uncertain),
        (200, "[]", Uncertain),
        (200, '{"messages":[]}', Uncertain),
        (200, '{"messaging_product":"whatsapp"}', Uncertain),
        (200, refusal(131047), WindowClosed),
        (302, "", Undeliverable),
        (404, "", Undeliverable),
        (400, refusal(424242), Undeliverable),
        (400, refusal(True), Undeliverable),
    ],
)
async def test_answers_of_any_shape_have_a_meaning(
    connector: Connector, whatsapp: Simulator, ada: Customer, status: int, body: str, kind: type[DeliveryError]
) -> None:
    whatsapp.fail(Fault(do="answer", path=SENDS, status=status, body=body))
    with pytest.raises(DeliveryError) as refused:
        await connector.deliver(outbound(ada, "hello"))
    assert type(refused.value) is kind


async def test_what_may_be_asked_twice_is_never_in_doubt(connector: Connector, whatsapp: Simulator) -> None:
    for status, body in ((500, ""), (200, ""), (502, "<html>")):
        whatsapp.fail(Fault(do="answer", path="*/message_templates", status=status, body=body))
        with pytest.raises(TryLater):
            await connector.templates()


def test_a_late_failure_has_the_same_code_and_the_details_as_its_words() -> None:
    error = {"code": 131047, "title": "Re-engagement", "message": "m", "error_data": {"details": "window closed"}}
    status = {"id": "wamid.O", "status": "failed", "timestamp": "1767225701", "errors": [error]}
    (item,) = read(body_of(change(statuses=[status])))
    assert isinstance(item, ReceiptReceived)
    assert item.answer
    assert (item.answer.code, item.answer.text) == ("131047", "window closed")


@pytest.mark.parametrize(
    ("code", "window_code"), [(131047, "window_closed"), (131026, None), (None, None), ("x", None)]
)
def test_a_late_failure_says_whether_the_window_is_over(code: object, window_code: str | None) -> None:
    status = {"id": "wamid.O", "status": "failed", "errors": [{"code": code}]}
    (item,) = read(body_of(change(statuses=[status])))
    assert isinstance(item, ReceiptReceived)
    assert item.window_code == window_code


@pytest.mark.parametrize(("code", "severity"), [(131031, "error"), (190, "error"), (250, "error"), (131000, "warning")])
def test_trouble_of_the_account_is_louder_than_other_trouble(code: int, severity: str) -> None:
    (item,) = read(body_of(change(errors=[{"code": code, "title": "x"}])))
    assert isinstance(item, AccountChanged)
    assert item.severity == severity

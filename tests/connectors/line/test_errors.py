"""Every row of LINE's table of errors, with its words, becomes what the core does next."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.connectors.line.conftest import Build, outbound
from trunkline.contract import Connector
from trunkline.errors import DeliveryError, RateLimited, SignInNeeded, TryLater, Undeliverable
from trunkline.testing.faults import Fault
from trunkline_line.api import ERRORS
from trunkline_line.simulator import Customer, Simulator

PUSH = "/v2/bot/message/push"
CONTENT = {
    "message": "The request body has 1 error(s)",
    "details": [{"message": "May not be empty", "property": "messages[0].text"}],
}
ROWS: list[tuple[int, Any, type[DeliveryError], dict[str, Any]]] = [
    (400, {"message": "Failed to send messages"}, Undeliverable, {"whose": "recipient"}),
    (400, CONTENT, Undeliverable, {"whose": "content"}),
    (400, {"message": "The property, 'to', in the request body is invalid"}, Undeliverable, {"whose": "content"}),
    (400, {"message": "The request body could not be parsed as JSON"}, Undeliverable, {"whose": "content"}),
    (400, {"message": "The content type, 'x', is not supported"}, Undeliverable, {"whose": "content"}),
    (401, {"message": "Authentication failed due to the following reason: x"}, SignInNeeded, {}),
    (403, {"message": "Access to this API is not available for your account"}, SignInNeeded, {"code": "not_allowed"}),
    (404, {"message": "Not found"}, Undeliverable, {"whose": "recipient", "code": "not_found"}),
    (404, {"message": "not found"}, Undeliverable, {"code": "not_found"}),
    (410, {"message": "gone"}, Undeliverable, {"code": "recalled"}),
    (413, {"message": "Request Entity Too Large"}, Undeliverable, {"whose": "content"}),
    (415, {"message": "Unsupported media type"}, Undeliverable, {"whose": "content"}),
    (418, {"message": "I am new"}, Undeliverable, {"whose": "content"}),
    (429, {"message": "You have reached your monthly limit."}, RateLimited, {"scope": "quota", "after_s": 3600}),
    (429, {"message": "The API rate limit has been exceeded. Try again later."}, RateLimited, {"scope": "account"}),
    (429, {"message": "Too many messages to one user"}, RateLimited, {"scope": "recipient"}),
    (500, {"message": "Internal server error"}, TryLater, {"after_s": None}),
    (502, None, TryLater, {}),
    (503, {"unexpected": []}, TryLater, {}),
    (302, None, Undeliverable, {}),
]


@pytest.mark.parametrize(("status", "body", "kind", "facts"), ROWS)
async def test_each_refusal_says_what_to_do_next(
    connector: Connector,
    line: Simulator,
    ada: Customer,
    status: int,
    body: Any,
    kind: type[DeliveryError],
    facts: dict[str, Any],
) -> None:
    words = "<html>Bad gateway</html>" if body is None else json.dumps(body)
    line.fail(Fault(do="answer", path=PUSH, status=status, body=words, times=2))
    with pytest.raises(DeliveryError) as refused:
        await connector.deliver(outbound(ada, "hello"))
    assert type(refused.value) is kind
    assert {name: getattr(refused.value, name) for name in facts} == facts
    assert refused.value.answer
    assert refused.value.answer.status == status
    if isinstance(body, dict) and "message" in body:
        assert body["message"] in str(refused.value)


async def test_the_details_of_a_refusal_reach_the_agent(connector: Connector, line: Simulator, ada: Customer) -> None:
    with pytest.raises(Undeliverable) as refused:
        await connector.deliver(outbound(ada, ""))
    assert str(refused.value) == "LINE: The request body has 1 error(s); messages[0].text: May not be empty"
    assert refused.value.answer
    assert refused.value.answer.request_id


async def test_a_stranger_cannot_be_written_to(connector: Connector) -> None:
    with pytest.raises(Undeliverable) as refused:
        await connector.deliver(outbound("U" + "9" * 32, "hello"))
    assert (refused.value.whose, refused.value.code) == ("recipient", "recipient_unknown")


async def test_a_spent_quota_stops_pushes_and_not_replies(connector: Connector, line: Simulator, ada: Customer) -> None:
    from tests.connectors.line.conftest import credential

    line.world.quota = 1
    await connector.deliver(outbound(ada, "hello"))
    with pytest.raises(RateLimited) as refused:
        await connector.deliver(outbound(ada, "hello"))
    assert (refused.value.scope, refused.value.after_s) == ("quota", 3600)
    assert (await connector.deliver(outbound(ada, "hello", credential=await credential(ada, line)))).route == "reply"


async def test_the_rate_of_requests_is_told_from_the_quota(
    connector: Connector, line: Simulator, ada: Customer
) -> None:
    line.platform.rate = 2
    for _ in range(2):
        await connector.deliver(outbound(ada, "hello"))
    with pytest.raises(RateLimited) as refused:
        await connector.deliver(outbound(ada, "hello"))
    assert refused.value.scope == "account"


async def test_somebody_who_blocked_us_gets_nothing_though_line_says_yes(
    connector: Connector, line: Simulator, ada: Customer
) -> None:
    await ada.unfollow()
    assert (await connector.deliver(outbound(ada, "hello"))).route == "push"
    assert (ada.sees, line.world.used) == ([], 0)


async def test_a_long_lived_token_that_is_refused_asks_for_a_person(
    build: Build, line: Simulator, ada: Customer
) -> None:
    with pytest.raises(SignInNeeded) as refused:
        await build(access_token="wrong-token").deliver(outbound(ada, "hello"))
    assert "wrong-token" not in str(refused.value)
    assert len(line.requests(PUSH)) == 1


def test_the_table_has_no_row_that_another_hides() -> None:
    for at, (status, start, _) in enumerate(ERRORS):
        assert not any(before == status and start.startswith(prefix) for before, prefix, _ in ERRORS[:at])

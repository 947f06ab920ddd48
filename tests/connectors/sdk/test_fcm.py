"""Firebase: what is sent, what its answers mean, and what happens when it does not believe us."""

from __future__ import annotations

import json
from typing import Any

import httpx2
import pytest
from pydantic import SecretStr

from trunkline.hosted import Notice, Push, PushResult, PushSender, PushTarget
from trunkline.hosted.push import push_of
from trunkline.testing.faults import Fault
from trunkline.testing.services import FakeServices, HandClock
from trunkline_sdk.config import Config, Fcm
from trunkline_sdk.connector import SdkConnector
from trunkline_sdk.fcm import ERRORS, FcmSender, answer_of
from trunkline_sdk.simulator import Simulator

DAY_MS = 24 * 3600 * 1000
SEND = "/v1/projects/*"


def push(clock: HandClock, **more: Any) -> Push:
    notice = Notice("Shop help", "You have a new message")
    known = {"kind": "message", "thread": "th_1", "position": 18, "unread": 2, "collapse": "th_1", "notice": notice}
    return push_of(**{**known, "expires_at": clock.now_ms() + DAY_MS, **more})


def target(token: str) -> PushTarget:
    return PushTarget(device_id="d-1", provider="fcm", push_token=SecretStr(token))


def fcm(connector: SdkConnector) -> PushSender:
    sender = connector.push_sender("fcm")
    assert sender is not None
    return sender


async def test_a_push_reaches_the_phone(connector: SdkConnector, sim: Simulator, clock: HandClock) -> None:
    token = sim.firebase.register("phone")
    answer = await fcm(connector).send_push(target(token), push(clock))
    assert answer.result is PushResult.SENT
    (message,) = sim.firebase.sent
    assert message == {
        "token": token,
        "data": {"occ": '{"v":1,"t":"message","thread":"th_1","pos":18,"unread":2}'},
        "notification": {"title": "Shop help", "body": "You have a new message"},
        "android": {
            "collapse_key": "th_1",
            "ttl": "86400s",
            "priority": "high",
            "notification": {"tag": "th_1", "notification_count": 2},
        },
        "apns": {
            "headers": {"apns-collapse-id": "th_1", "apns-expiration": str(clock.now_ms() // 1000 + 86400)},
            "payload": {"aps": {"badge": 2, "thread-id": "th_1", "sound": "default"}},
        },
    }


async def test_a_badge_that_goes_down_shows_nothing(connector: SdkConnector, sim: Simulator, clock: HandClock) -> None:
    quiet = push(clock, kind="read", notice=None, unread=0)
    await fcm(connector).send_push(target(sim.firebase.register("phone")), quiet)
    (message,) = sim.firebase.sent
    assert "notification" not in message
    assert message["apns"]["payload"]["aps"] == {"badge": 0, "thread-id": "th_1"}
    assert message["android"]["priority"] == "normal"
    assert json.loads(message["data"]["occ"])["t"] == "read"


async def test_one_access_token_serves_many_pushes_and_is_renewed_when_it_ends(
    connector: SdkConnector, services: FakeServices[Config], sim: Simulator, clock: HandClock
) -> None:
    phone = target(sim.firebase.register("phone"))
    for _ in range(3):
        await fcm(connector).send_push(phone, push(clock))
    assert services.tokens.renewals == 1
    clock.move(3601)
    await fcm(connector).send_push(phone, push(clock))
    sim.firebase.revoke_access()
    await fcm(connector).send_push(phone, push(clock))
    assert services.tokens.renewals == 3
    assert len(sim.firebase.sent) == 5


async def test_an_app_that_was_removed_is_unregistered(
    connector: SdkConnector, sim: Simulator, clock: HandClock
) -> None:
    token = sim.firebase.register("phone")
    sim.firebase.uninstall("phone")
    answer = await fcm(connector).send_push(target(token), push(clock))
    assert (answer.result, answer.code) == (PushResult.UNREGISTERED, "UNREGISTERED")


@pytest.mark.parametrize("code", sorted(set(ERRORS) & {
    "UNREGISTERED", "INVALID_ARGUMENT", "SENDER_ID_MISMATCH", "THIRD_PARTY_AUTH_ERROR", "QUOTA_EXCEEDED",
    "UNAVAILABLE", "INTERNAL",
}))  # fmt: skip
async def test_every_code_of_firebase_means_what_the_table_says(
    connector: SdkConnector, sim: Simulator, clock: HandClock, code: str
) -> None:
    sim.firebase.refusals = [code]
    answer = await fcm(connector).send_push(target(sim.firebase.register("phone")), push(clock))
    assert (answer.result, answer.code) == (ERRORS[code], code)
    health = await connector.probe()
    # The probe's own question was taken: what was wrong is over.
    assert health.state == "connected"


@pytest.mark.parametrize(
    ("status", "body", "result"),
    [
        (400, "{}", PushResult.REFUSED),
        (401, "no json", PushResult.SIGN_IN_NEEDED),
        (403, '{"error": {"status": "PERMISSION_DENIED"}}', PushResult.SIGN_IN_NEEDED),
        (404, '{"error": {"status": "NOT_FOUND"}}', PushResult.SIGN_IN_NEEDED),
        (404, '{"error": "x"}', PushResult.SIGN_IN_NEEDED),
        (409, "[]", PushResult.LATER),
        (429, '{"error": {"status": "RESOURCE_EXHAUSTED"}}', PushResult.LATER),
        (500, "<html>", PushResult.LATER),
        (502, '{"error": {"status": "SOMETHING_NEW"}}', PushResult.LATER),
        (200, "", PushResult.SENT),
    ],
)
def test_answers_without_firebases_own_code_delete_no_device(status: int, body: str, result: PushResult) -> None:
    assert answer_of(httpx2.Response(status, text=body)).result is result


def test_a_time_that_is_told_is_taken() -> None:
    answer = answer_of(httpx2.Response(429, json={}, headers={"Retry-After": "90"}))
    assert answer.after_s == 90
    assert answer_of(httpx2.Response(429, json={}, headers={"Retry-After": "soon"})).after_s is None


@pytest.mark.parametrize("do", ["close_before", "close_after"])
async def test_a_connection_that_breaks_is_tried_again(
    connector: SdkConnector, sim: Simulator, clock: HandClock, do: Any
) -> None:
    sim.fail(Fault(do=do, path=SEND))
    phone = target(sim.firebase.register("phone"))
    assert (await fcm(connector).send_push(phone, push(clock))).result is PushResult.LATER
    assert (await fcm(connector).send_push(phone, push(clock))).result is PushResult.SENT


@pytest.mark.parametrize(
    ("fault", "result"),
    [
        (Fault(do="answer", path="/token", status=503, body="{}"), PushResult.LATER),
        (Fault(do="answer", path="/token", status=429, body="{}"), PushResult.LATER),
        (Fault(do="close_before", path="/token"), PushResult.LATER),
        (Fault(do="answer", path="/token", status=400, body='{"error": "invalid_grant"}'), PushResult.SIGN_IN_NEEDED),
    ],
)
async def test_without_an_access_token_nothing_is_sent(
    connector: SdkConnector, sim: Simulator, clock: HandClock, fault: Fault, result: PushResult
) -> None:
    sim.fail(fault)
    answer = await fcm(connector).send_push(target(sim.firebase.register("phone")), push(clock))
    assert answer.result is result
    assert sim.requests(SEND) == []


async def test_a_service_account_of_somebody_else_is_told_to_the_deployer(sim: Simulator, clock: HandClock) -> None:
    other = Simulator(clock=clock).firebase.service_account
    settings = sim.settings()
    settings["fcm"]["service_account"] = other
    async with FakeServices(Config.model_validate(settings), clock=clock) as services:
        connector = SdkConnector(services)
        answer = await fcm(connector).send_push(target("x"), push(clock))
        health = await connector.probe()
    assert (answer.result, answer.code) == (PushResult.SIGN_IN_NEEDED, "invalid_grant")
    assert health.state == "sign_in_needed"
    assert "The chat works, pushes do not: FCM answers invalid_grant" in health.summary


async def test_a_key_that_is_none_is_told_too(sim: Simulator, clock: HandClock) -> None:
    known = {**json.loads(sim.firebase.service_account), "private_key": "not a key"}
    fcm_settings = {**sim.settings()["fcm"], "service_account": json.dumps(known)}
    async with FakeServices(Config.model_validate({"fcm": fcm_settings}), clock=clock) as services:
        sender = FcmSender(services, Fcm.model_validate(fcm_settings))
        answer = await sender.send_push(target("x"), push(clock))
    assert (answer.result, answer.code) == (PushResult.SIGN_IN_NEEDED, "private_key_unreadable")
    assert sender.trouble is not None
    assert "not a key" not in sender.trouble


async def test_the_probe_sends_nothing(connector: SdkConnector, sim: Simulator) -> None:
    assert (await connector.probe()).state == "connected"
    assert sim.firebase.sent == []
    (asked,) = sim.requests(SEND)
    assert json.loads(asked.body)["validate_only"] is True


async def test_the_simulator_believes_no_token_that_it_did_not_give(sim: Simulator) -> None:
    status, answer = sim.firebase.send("invented-bicycle-shop", "ya29.invented", {"message": {}})
    assert (status, answer["error"]["status"]) == (401, "UNAUTHENTICATED")
    assert sim.firebase.exchange("no.jwt.at-all", sim.url)[0] == 400

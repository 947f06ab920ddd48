"""How sending can fail, by every code of the platform, and what becomes of its tokens."""

from __future__ import annotations

import json

import httpx2
import pytest

from tests.connectors.wechat.conftest import Build, media_of, outbound, tokens_of
from tests.connectors.wechat.followers import SEND, UPLOAD, ada, seen
from trunkline.contract import OutboundMessage
from trunkline.errors import (
    DeliveryError,
    RateLimited,
    SignInNeeded,
    TryLater,
    Uncertain,
    Undeliverable,
    WindowClosed,
)
from trunkline.model import Image
from trunkline.testing.faults import Fault
from trunkline.testing.pictures import picture
from trunkline.testing.services import HandClock
from trunkline_wechat.api import ERRORS, FATES, Host, Meaning
from trunkline_wechat.simulator import Simulator


def refused(code: int) -> Fault:
    body = json.dumps({"errcode": code, "errmsg": f"said by the platform rid: {code}"})
    return Fault(do="answer", path=SEND, status=200, body=body, times=2)


#: Meaning → the error and its code that the core gets.
EXPECTED: dict[Meaning, tuple[type[DeliveryError], str]] = {
    Meaning.TRANSIENT: (TryLater, "platform_busy"),
    Meaning.TOKEN: (SignInNeeded, "token_refused"),
    Meaning.RATE: (RateLimited, "rate_limited"),
    Meaning.WINDOW: (WindowClosed, "window_closed"),
    Meaning.BUDGET: (WindowClosed, "budget_spent"),
    Meaning.RECIPIENT: (Undeliverable, "recipient_refused"),
    Meaning.CONTENT: (Undeliverable, "content_refused"),
    Meaning.MEDIA: (Undeliverable, "media_refused"),
    Meaning.CONFIG: (SignInNeeded, "not_allowed"),
    Meaning.ADDRESS: (SignInNeeded, "address_not_allowed"),
}
CODES = [(code, meaning) for (host, code), meaning in ERRORS.items() if host is Host.WEIXIN]


@pytest.mark.parametrize(("code", "meaning"), CODES)
async def test_every_code_of_the_platform_means_what_the_table_says(
    oa: Simulator, build: Build, code: int, meaning: Meaning
) -> None:
    message, connector = outbound(await ada(oa), "hi"), build(oa)
    oa.fail(refused(code))
    if meaning is Meaning.FINE:
        await connector.deliver(message)
        return
    with pytest.raises(DeliveryError) as error:
        await connector.deliver(message)
    kind, name = EXPECTED[meaning]
    assert (type(error.value), error.value.code) == (kind, name)
    answer = error.value.answer
    assert answer is not None
    assert (answer.code, answer.text) == (str(code), f"said by the platform rid: {code}")
    assert len(oa.requests(SEND)) == (2 if meaning is Meaning.TOKEN else 1), "only a refused token is tried again"


def test_every_meaning_but_fine_has_a_fate_and_the_hosts_differ() -> None:
    assert set(FATES) == set(Meaning) - {Meaning.FINE}
    differing = {code for host, code in ERRORS if ERRORS.get((Host.WEIXIN, code)) != ERRORS.get((Host.QYAPI, code))}
    assert {40001, 48002} <= differing


async def test_an_unknown_code_is_final_and_never_tried_again(oa: Simulator, build: Build) -> None:
    message = outbound(await ada(oa), "hi")
    oa.fail(refused(99999))
    with pytest.raises(Undeliverable, match="99999") as error:
        await build(oa).deliver(message)
    assert error.value.whose == "platform"


@pytest.mark.parametrize(("code", "after_s"), [(45009, 3600), (45011, None), (45029, None)])
async def test_a_spent_day_is_waited_for_and_a_short_rush_is_not(
    oa: Simulator, build: Build, code: int, after_s: int | None
) -> None:
    message = outbound(await ada(oa), "hi")
    oa.fail(refused(code))
    with pytest.raises(RateLimited) as error:
        await build(oa).deliver(message)
    assert error.value.after_s == after_s


@pytest.mark.parametrize(
    ("fault", "wanted"),
    [
        (Fault(do="answer", path=SEND, status=502, body="<html>"), Uncertain),
        (Fault(do="answer", path=SEND, status=200, body="<html>"), Uncertain),
        (Fault(do="answer", path=SEND, status=200, body="[]"), Uncertain),
        (Fault(do="answer", path=SEND, status=200, body="{}"), Uncertain),
        (Fault(do="answer", path=SEND, status=200, body='{"errcode":"-1"}'), Undeliverable),
        (Fault(do="answer", path=SEND, status=429, body="", headers={"Retry-After": "7"}), RateLimited),
        (Fault(do="answer", path=SEND, status=413, body=""), Undeliverable),
        (Fault(do="answer", path="/cgi-bin/stable_token", status=502, body=""), TryLater),
        (Fault(do="answer", path="/cgi-bin/stable_token", status=200, body="{}"), TryLater),
        (Fault(do="close_before", path="/cgi-bin/stable_token"), TryLater),
        (Fault(do="close_after", path=UPLOAD), TryLater),
        (Fault(do="answer", path=UPLOAD, status=200, body="{}"), TryLater),
    ],
)
async def test_only_what_may_have_arrived_is_uncertain(
    oa: Simulator, build: Build, fault: Fault, wanted: type[DeliveryError]
) -> None:
    customer, connector = await ada(oa), build(oa)
    media = media_of(connector).keep(picture("cup"), "image/jpeg")
    oa.fail(fault)
    with pytest.raises(wanted) as error:
        await connector.deliver(outbound(customer, Image(media=media)))
    assert type(error.value) is wanted
    assert len(seen(oa, customer)) == 0
    await connector.deliver(outbound(customer, Image(media=media)))
    assert len(seen(oa, customer)) == 1


async def test_an_answer_that_is_lost_is_told_as_it_is(oa: Simulator, build: Build) -> None:
    customer = await ada(oa)
    oa.fail(Fault(do="close_after", path=SEND))
    with pytest.raises(httpx2.TransportError):
        await build(oa).deliver(outbound(customer, "hi"))
    assert len(seen(oa, customer)) == 1


async def test_a_file_that_the_platform_forgot_is_uploaded_once_more(oa: Simulator, build: Build) -> None:
    customer, connector = await ada(oa), build(oa)
    message = outbound(customer, Image(media=media_of(connector).keep(picture("cup"), "image/jpeg")))
    oa.fail(Fault(do="answer", path=SEND, status=200, body='{"errcode":40007,"errmsg":"invalid media_id"}'))
    await connector.deliver(message)
    assert (len(oa.requests(UPLOAD)), len(seen(oa, customer))) == (2, 1)
    oa.fail(Fault(do="answer", path=SEND, status=200, body='{"errcode":40007,"errmsg":"invalid"}', times=2))
    with pytest.raises(Undeliverable):
        await connector.deliver(message)


# ---------------------------------------------------------------- tokens


async def test_one_token_serves_many_sends(oa: Simulator, build: Build) -> None:
    customer, connector = await ada(oa), build(oa)
    for _ in range(3):
        await connector.deliver(outbound(customer, "hi"))
    assert (oa.world.fetched, tokens_of(connector).renewals) == (1, 1)


async def test_a_token_that_was_ended_is_fetched_anew_once_and_the_send_repeated_once(
    oa: Simulator, build: Build
) -> None:
    customer, connector = await ada(oa), build(oa)
    await connector.deliver(outbound(customer, "one"))
    oa.expire_tokens()
    await connector.deliver(outbound(customer, "two"))
    assert [bubble.text for bubble in seen(oa, customer)] == ["one", "two"]
    assert oa.world.fetched == 2


async def test_a_stable_token_that_comes_back_the_same_is_forced_once_and_no_more(oa: Simulator, build: Build) -> None:
    customer, connector = await ada(oa), build(oa)
    await connector.deliver(outbound(customer, "one"))
    oa.fail(refused(40001))
    with pytest.raises(SignInNeeded):
        await connector.deliver(outbound(customer, "two"))
    assert (oa.world.forced, len(oa.requests(SEND))) == (1, 3)


async def test_only_the_token_that_failed_is_dropped(oa: Simulator, build: Build) -> None:
    customer, connector = await ada(oa), build(oa)
    await connector.deliver(outbound(customer, "one"))
    oa.expire_tokens()
    cache, forgotten = tokens_of(connector), []
    forget = cache.forget

    async def watched(value: str, *, name: str) -> None:
        forgotten.append((value, name))
        await forget(value, name=name)

    cache.forget = watched
    await connector.deliver(outbound(customer, "two"))
    assert len(forgotten) == 1
    assert forgotten[0][0] != oa.world.current
    assert forgotten[0][1] == "access:wx00aa11bb22cc33dd"


async def test_a_token_is_renewed_five_minutes_before_its_end(oa: Simulator, build: Build, clock: HandClock) -> None:
    customer, connector = await ada(oa), build(oa)
    await connector.deliver(outbound(customer, "one"))
    first = oa.world.current
    clock.move(7200 - 239)
    await connector.deliver(outbound(customer, "two"))
    assert oa.world.current != first
    assert first in oa.world.tokens, "both work for five minutes"


async def test_the_classic_way_is_a_choice(oa: Simulator, build: Build) -> None:
    await build(oa, tokens_from="token").deliver(outbound(await ada(oa), "hi"))
    assert (len(oa.requests("/cgi-bin/token")), len(oa.requests("/cgi-bin/stable_token"))) == (1, 0)


async def test_a_token_service_of_ones_own_is_a_choice(oa: Simulator, build: Build) -> None:
    token, _ = oa.world.token()
    oa.fail(Fault(do="answer", path="/mine", status=200, body=json.dumps({"access_token": token, "expires_in": 900})))
    connector = build(oa, tokens_from="service", access_service=f"{oa.url}/mine", app_secret=None)
    await connector.deliver(outbound(await ada(oa), "hi"))
    assert len(oa.requests("/mine")) == 1


@pytest.mark.parametrize(("settings", "code"), [({"app_secret": "wrong"}, "not_allowed"), ({"app_id": "wxother"}, "")])
async def test_wrong_credentials_ask_for_new_ones_and_are_not_tried_again(
    oa: Simulator, build: Build, settings: dict[str, str], code: str
) -> None:
    with pytest.raises(SignInNeeded) as error:
        await build(oa, **settings).deliver(outbound(await ada(oa), "hi"))
    assert error.value.code == (code or "not_allowed")
    assert len(oa.requests("/cgi-bin/stable_token")) == 1


async def test_where_a_token_is_fetched_40001_speaks_of_the_secret(oa: Simulator, build: Build) -> None:
    body = '{"errcode":40001,"errmsg":"AppSecret error"}'
    oa.fail(Fault(do="answer", path="/cgi-bin/stable_token", status=200, body=body))
    with pytest.raises(SignInNeeded, match="AppSecret") as error:
        await build(oa).deliver(outbound(await ada(oa), "hi"))
    assert error.value.code == "sign_in_needed"


async def test_sec_53_no_error_and_no_repr_shows_a_secret(oa: Simulator, build: Build) -> None:
    connector = build(oa)
    config = connector.services.config  # type: ignore[attr-defined]  # set by `build`
    message: OutboundMessage = outbound(await ada(oa), "hi")
    oa.fail(Fault(do="close_after", path=SEND))
    with pytest.raises(httpx2.TransportError) as lost:
        await connector.deliver(message)
    oa.fail(refused(40001))
    with pytest.raises(SignInNeeded) as told:
        await connector.deliver(message)
    shown = f"{config!r}{lost.value}{told.value}{told.value.answer!r}{lost.value!r}{connector!r}"
    for secret in (oa.world.secret, oa.world.callback_token, oa.world.aes_key, oa.world.current):
        assert secret not in shown


#: Every code that the platform's pages name, by host.
_EVERYWHERE = [
    *(-1, 40014, 42001, 41001, 40013, 40003, 43004, 45009, 45001, 40006, 40009, 40010, 40011, 40012),
    *(40004, 40005, 40007, 40008, *range(45002, 45009), 44002, 44004, 47001, 40035, 40058, 40063),
]
NAMED = {
    Host.WEIXIN: [
        *(*_EVERYWHERE, 40001, 42007, 40125, 40164, 48001, 48002, 48004, 48008, 50002, 50005, 43019, 43101, 45011),
        *(45029, 45015, 45047, 45162, 45166, 87014, 70000, 45065, 45072, 45080, 45081, 40200),
    ],
    Host.QYAPI: [
        *(*_EVERYWHERE, 6000, 40001, 60020, 48002, 50002, 50003, 45033, 40033, 40201, 60111, 60011, 81013, 82001),
        *(301002, 301007, 830002, 40096, 84061, *range(95000, 95005), *range(95007, 95010), *range(95011, 95015)),
        *(*range(95016, 95020), 95022, 95023, *range(95030, 95033)),
    ],
}


@pytest.mark.parametrize("host", NAMED)
def test_every_code_that_the_pages_name_is_in_the_table(host: Host) -> None:
    assert [code for code in NAMED[host] if (host, code) not in ERRORS] == []

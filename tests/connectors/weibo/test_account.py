"""Files, profiles, the probe, settings and secrets of one account."""

from __future__ import annotations

import traceback
from typing import Any

import pytest
from pydantic import ValidationError

from tests.connectors.weibo.conftest import Build, outbound
from trunkline.contract import Connector, Health, MessageReceived, Receipts, Submissions, TrustedBody, Unknown
from trunkline.errors import DeliveryError, SignInNeeded, TryLater, Undeliverable
from trunkline.model import Address, Audio, Image, Location, Media, MediaSource, Profile, Text
from trunkline.testing.faults import Fault
from trunkline.testing.phones import Action
from trunkline.testing.pictures import picture
from trunkline.testing.services import HandClock
from trunkline_weibo import SPEC, trunkline_connectors
from trunkline_weibo.config import Config
from trunkline_weibo.simulator import Simulator
from trunkline_weibo.simulator.world import Fan

CANARY = "canary-5f2c"
GOOD: dict[str, Any] = {"uid": "1000000001", "app_secret": "s", "access_token": "t"}


async def read(weibo: Simulator, connector: Connector) -> Any:
    request = weibo.webhook(weibo.pushes[-1].body)
    (item,) = connector.parse(connector.authenticate(request))
    return item


@pytest.mark.parametrize(
    ("action", "kind"),
    [
        (Action(kind="text", text="hello"), Text),
        (Action(kind="image"), Image),
        (Action(kind="voice"), Audio),
        (Action(kind="location"), Location),
        (Action(kind="mention", text="@Shop"), Text),
    ],
)
async def test_what_a_fan_does_is_read(
    weibo: Simulator, connector: Connector, ada: Fan, action: Action, kind: type
) -> None:
    await weibo.act(ada.id, action)
    item = await read(weibo, connector)
    assert isinstance(item, MessageReceived)
    assert isinstance(item.content, kind)
    assert (item.thread_key, item.at_ms) == (ada.id, weibo.clock.now_ms() // 1000 * 1000)
    assert weibo.chat(ada.id)[-1].mine


async def test_what_a_fan_cannot_do_is_said(weibo: Simulator, ada: Fan) -> None:
    with pytest.raises(ValueError, match="no sticker"):
        await weibo.act(ada.id, Action(kind="sticker"))


async def test_a_strange_packet_is_unknown_and_belongs_to_its_fan(
    weibo: Simulator, connector: Connector, ada: Fan
) -> None:
    (item,) = connector.parse(TrustedBody(weibo.strange(ada.id)))
    assert isinstance(item, Unknown)
    assert item.thread_key == ada.id


@pytest.mark.parametrize(("kind", "mime"), [("image", "image/jpeg"), ("voice", "audio/amr")])
async def test_a_file_is_fetched_byte_for_byte(
    weibo: Simulator, connector: Connector, ada: Fan, kind: str, mime: str
) -> None:
    await weibo.act(ada.id, Action(kind=kind))
    item = await read(weibo, connector)
    stream = await connector.fetch(item.content.media)
    body = b"".join([chunk async for chunk in stream.chunks])
    assert body == (picture("parcel") if kind == "image" else b"#!AMR\n" + bytes(32))
    assert (stream.mime, stream.size) == (mime, len(body))


async def test_an_error_in_place_of_a_file_is_no_file(connector: Connector, weibo: Simulator) -> None:
    with pytest.raises(Undeliverable, match="file does not exist"):
        await connector.fetch(Media(source=MediaSource(reference="1")))


async def test_a_file_elsewhere_is_not_fetched_with_the_token(connector: Connector, weibo: Simulator) -> None:
    with pytest.raises(Undeliverable):
        await connector.fetch(Media(source=MediaSource(reference="https://a.example", external=True)))
    assert not weibo.journal


async def test_a_server_that_is_down_is_asked_for_the_file_again(connector: Connector, weibo: Simulator) -> None:
    weibo.fail(Fault(do="answer", path="/2/mss/msget", status=502))
    with pytest.raises(TryLater):
        await connector.fetch(Media(source=MediaSource(reference="1")))


async def test_a_fan_has_a_name(connector: Connector, weibo: Simulator, ada: Fan) -> None:
    assert await connector.profile(Address(external_id=ada.id)) == Profile(name="Ada")
    weibo.platform.may_look_up = False
    assert await connector.profile(Address(external_id=ada.id)) == Profile(name="Ada")
    assert [entry.path for entry in weibo.journal][-1] == "/2/users/show.json"


async def test_somebody_whom_weibo_does_not_know_has_no_profile(connector: Connector) -> None:
    assert await connector.profile(Address(external_id="2999999999")) is None


async def test_the_probe_names_the_account_and_how_long_its_token_lasts(connector: Connector) -> None:
    health = await connector.probe()
    assert (health.state, health.title) == ("connected", "Shop")
    assert health.details["expires_in_s"] == 3650 * 86_400


async def probe(build: Build, **settings: Any) -> Health:
    return await build(**settings).probe()


async def test_the_probe_says_what_is_wrong(build: Build, weibo: Simulator, clock: HandClock) -> None:
    assert (await probe(build, uid="1000000009")).state == "sign_in_needed"
    assert (await probe(build, access_token="wrong")).state == "sign_in_needed"
    assert "another application" in " ".join((await probe(build, app_key="1")).advice)
    clock.move(3644 * 86_400)
    assert "ends in 6 days" in " ".join((await probe(build)).advice)
    clock.move(6 * 86_400)
    assert (await probe(build)).state == "sign_in_needed"
    weibo.fail(Fault(do="answer", path="/oauth2/*", status=500))
    assert (await probe(build)).state == "failing"


async def test_a_token_that_ended_asks_for_a_person(
    connector: Connector, weibo: Simulator, ada: Fan, clock: HandClock
) -> None:
    clock.move(3650 * 86_400)
    weibo.world.open(ada)
    with pytest.raises(SignInNeeded):
        await connector.deliver(outbound(ada, "hello"))


# ---------------------------------------------------------------- settings


@pytest.mark.parametrize(
    ("settings", "where"),
    [
        ({"app_secret": ""}, "app_secret"),
        ({"app_secret": ["good", "  "]}, "app_secret"),
        ({"app_secret": []}, "app_secret"),
        ({"app_secret": None}, "app_secret"),
        ({"access_token": " "}, "access_token"),
        ({"uid": "shop"}, "uid"),
        ({"uid": ""}, "uid"),
        ({"interface": "free"}, "interface"),
        ({"acess_token": "typo"}, "acess_token"),
        ({"api_base": "ftp://x"}, "api_base"),
        ({"max_age_s": 0}, "max_age_s"),
    ],
)
def test_sec_09_a_wrong_or_blank_setting_names_itself(settings: dict[str, Any], where: str) -> None:
    with pytest.raises(ValidationError, match=where):
        Config.model_validate({**GOOD, **settings})


async def test_no_secret_is_seen_in_reprs_errors_and_the_journal(build: Build, weibo: Simulator, ada: Fan) -> None:
    connector = build(app_secret=CANARY, access_token=CANARY)
    config = Config.model_validate({**GOOD, "app_secret": CANARY, "access_token": CANARY})
    with pytest.raises(DeliveryError) as refused:
        await connector.deliver(outbound(ada, "hello"))
    seen = [repr(connector), repr(config), config.model_dump_json(), repr(refused.value.answer), str(weibo.journal)]
    seen += ["".join(traceback.format_exception(refused.value)), str(await connector.probe())]
    assert CANARY not in "".join(seen)


def test_the_connector_is_found_by_its_hook() -> None:
    assert list(trunkline_connectors()) == [SPEC]
    assert SPEC.channels[0].code == SPEC.name == "weibo"
    assert set(SPEC.title) == {"en", "zh-Hans", "zh-Hant", "pl"}


@pytest.mark.parametrize("interface", ["fans", "commercial"])
def test_every_usual_address_is_one_of_the_hosts(interface: str) -> None:
    config = Config.model_validate({**GOOD, "interface": interface})
    for url in (config.api_base, config.media_base, config.reply_address):
        assert url.split("/")[2] in SPEC.hosts


def test_weibo_has_no_forms_and_no_receipts() -> None:
    capabilities = SPEC.channels[0].capabilities
    assert capabilities.submissions == Submissions(serial=8)
    assert capabilities.receipts == Receipts()
    assert [(w.name, w.lasts_s, w.budget) for w in capabilities.windows] == [
        ("reply", 172_800, 99),
        ("mention", 172_800, 1),
    ]

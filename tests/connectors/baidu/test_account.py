"""Pictures, the probe, settings and secrets of one mini program."""

from __future__ import annotations

import traceback
from typing import Any

import pytest
from pydantic import ValidationError

from tests.connectors.baidu.conftest import Build, outbound
from trunkline.contract import Connector, MessageReceived, Receipts, Submissions, TrustedBody, Unknown
from trunkline.errors import DeliveryError, TryLater, Undeliverable
from trunkline.model import Image, Media, MediaSource, Text
from trunkline.testing.faults import Fault
from trunkline.testing.phones import Action
from trunkline.testing.pictures import picture
from trunkline_baidu import SPEC, trunkline_connectors
from trunkline_baidu.config import Config
from trunkline_baidu.simulator import Simulator
from trunkline_baidu.simulator.world import Person

CANARY = "canary-5f2c"
GOOD: dict[str, Any] = {"app_id": "10000001", "token": "t", "app_key": "k", "app_secret": "s"}


async def read(baidu: Simulator, connector: Connector) -> Any:
    (item,) = connector.parse(connector.authenticate(baidu.webhook(baidu.pushes[-1].body)))
    return item


@pytest.mark.parametrize("xml", [False, True])
@pytest.mark.parametrize(
    ("action", "kind"), [(Action(kind="text", text="a < b 你好"), Text), (Action(kind="image"), Image)]
)
async def test_what_a_customer_writes_is_read(
    baidu: Simulator, connector: Connector, ada: Person, xml: bool, action: Action, kind: type
) -> None:
    baidu.xml = xml
    await baidu.act(ada.id, action)
    item = await read(baidu, connector)
    assert isinstance(item, MessageReceived)
    assert isinstance(item.content, kind)
    assert (item.thread_key, item.at_ms) == (ada.id, baidu.clock.now_ms() // 1000 * 1000)
    assert connector.acknowledge([item]).body == b"success"


async def test_what_a_customer_cannot_do_is_said(baidu: Simulator, ada: Person) -> None:
    with pytest.raises(ValueError, match="no sticker"):
        await baidu.act(ada.id, Action(kind="sticker"))


async def test_a_strange_packet_belongs_to_its_customer(baidu: Simulator, connector: Connector, ada: Person) -> None:
    (item,) = connector.parse(TrustedBody(baidu.strange(ada.id)))
    assert isinstance(item, Unknown)
    assert item.thread_key == ada.id


async def test_a_picture_is_fetched_without_any_credential(baidu: Simulator, connector: Connector, ada: Person) -> None:
    await baidu.act(ada.id, Action(kind="image", picture="cup"))
    item = await read(baidu, connector)
    stream = await connector.fetch(item.content.media)
    assert b"".join([chunk async for chunk in stream.chunks]) == picture("cup")
    assert stream.mime == "image/jpeg"
    (asked,) = baidu.journal
    assert "authorization" not in asked.headers
    assert not baidu.requests("/oauth/*")


@pytest.mark.parametrize(("status", "kind"), [(404, Undeliverable), (410, Undeliverable), (503, TryLater)])
async def test_a_picture_that_is_gone_or_not_there_yet(
    baidu: Simulator, connector: Connector, status: int, kind: type[DeliveryError]
) -> None:
    baidu.fail(Fault(do="answer", path="/files/*", status=status))
    with pytest.raises(kind):
        await connector.fetch(Media(source=MediaSource(reference=f"{baidu.url}/files/cup.jpg")))


async def test_the_probe_gets_a_token(build: Build, baidu: Simulator) -> None:
    assert (await build().probe()).state == "connected"
    assert (await build(app_secret="wrong").probe()).state == "sign_in_needed"
    baidu.fail(Fault(do="answer", path="/oauth/*", status=500))
    assert (await build().probe()).state == "failing"


# ---------------------------------------------------------------- settings


@pytest.mark.parametrize(
    ("settings", "where"),
    [
        ({"token": ""}, "token"),
        ({"token": ["good", "  "]}, "token"),
        ({"token": []}, "token"),
        ({"token": None}, "token"),
        ({"app_secret": " "}, "app_secret"),
        ({"app_secret": None}, "belong together"),
        ({"app_key": None, "app_secret": None}, "are missing"),
        ({"app_id": "shop"}, "app_id"),
        ({"user_type": 3}, "user_type"),
        ({"tokn": "typo"}, "tokn"),
        ({"api_base": "ftp://x"}, "api_base"),
    ],
)
def test_sec_09_a_wrong_or_blank_setting_names_itself(settings: dict[str, Any], where: str) -> None:
    with pytest.raises(ValidationError, match=where):
        Config.model_validate({**GOOD, **settings})


async def test_no_secret_is_seen_in_reprs_errors_and_the_journal(build: Build, baidu: Simulator, ada: Person) -> None:
    connector = build(token=CANARY, app_secret=CANARY, access_token=CANARY)
    config = Config.model_validate({**GOOD, "token": CANARY, "app_secret": CANARY, "access_token": CANARY})
    with pytest.raises(DeliveryError) as refused:
        await connector.deliver(outbound(ada, "hello"))
    seen = [repr(connector), repr(config), config.model_dump_json(), repr(refused.value.answer), str(baidu.journal)]
    seen += ["".join(traceback.format_exception(refused.value)), str(await connector.probe())]
    seen.append(str(await build(app_secret=CANARY).probe()))
    assert CANARY not in "".join(seen)


def test_the_connector_is_found_by_its_hook() -> None:
    assert list(trunkline_connectors()) == [SPEC]
    assert (SPEC.name, SPEC.channels[0].code) == ("baidu", "baidu_ad")
    assert set(SPEC.title) == set(SPEC.channels[0].title) == {"en", "zh-Hans", "zh-Hant", "pl"}


def test_the_usual_address_is_one_of_the_hosts() -> None:
    assert Config.model_validate(GOOD).api_base.split("/")[2] in SPEC.hosts


def test_forms_become_tickets_and_there_are_no_receipts() -> None:
    capabilities = SPEC.channels[0].capabilities
    assert capabilities.submissions == Submissions(serial=10, modes=("ticket",), scopes=("channel", "group"))
    assert capabilities.receipts == Receipts()
    assert [(w.name, w.lasts_s, w.budget) for w in capabilities.windows] == [("reply", 172_800, 5)]

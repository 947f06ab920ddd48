"""Files of customers, signals, templates and the probe, against the simulated WhatsApp."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest

from tests.connectors.receiver import Receiver
from tests.connectors.whatsapp.conftest import SENDS, Build, address_of, received, sent
from trunkline.contract import Connector, MessageReceived, Signal
from trunkline.errors import ContractError, DeliveryError, RateLimited, TryLater, Undeliverable
from trunkline.model import Audio, Media, MediaSource, media_of
from trunkline.testing.faults import Fault
from trunkline.testing.pictures import picture
from trunkline.testing.services import HandClock
from trunkline_whatsapp.simulator import Customer, Simulator


def medium(connector: Connector, whatsapp: Simulator) -> Media:
    """Return the file that the newest webhook brought."""
    (item,) = received(connector, whatsapp)
    assert isinstance(item, MessageReceived)
    return media_of(item.content)[0]


async def content(connector: Connector, media: Media) -> bytes:
    return b"".join([chunk async for chunk in (await connector.fetch(media)).chunks])


# ---------------------------------------------------------------- files of customers


async def test_a_picture_is_looked_up_and_fetched_with_our_token(
    connector: Connector, whatsapp: Simulator, ada: Customer
) -> None:
    await ada.image("cup")
    stream = await connector.fetch(medium(connector, whatsapp))
    assert (stream.mime, stream.size) == ("image/jpeg", len(picture("cup")))
    assert b"".join([chunk async for chunk in stream.chunks]) == picture("cup")
    paths = [entry.path for entry in whatsapp.journal]
    assert [path.split("/")[1] for path in paths] == ["v26.0", "lookaside"]


async def test_a_file_keeps_its_name_and_a_voice_note_its_kind(
    connector: Connector, whatsapp: Simulator, ada: Customer
) -> None:
    await ada.document("bill.pdf", b"%PDF-")
    assert (await connector.fetch(medium(connector, whatsapp))).name == "bill.pdf"
    await ada.voice()
    (item,) = received(connector, whatsapp)
    assert isinstance(item, MessageReceived)
    assert isinstance(item.content, Audio)
    assert item.content.voice
    assert (await connector.fetch(item.content.media)).mime == "audio/ogg"


async def test_an_address_that_is_over_is_looked_up_once_more(
    connector: Connector, whatsapp: Simulator, ada: Customer
) -> None:
    await ada.image()
    whatsapp.fail(Fault(do="answer", path="/lookaside/*", status=404))
    assert await content(connector, medium(connector, whatsapp)) == picture("parcel")
    assert len(whatsapp.journal) == 4
    whatsapp.fail(Fault(do="answer", path="/lookaside/*", status=404, times=2))
    with pytest.raises(Undeliverable):
        await connector.fetch(medium(connector, whatsapp))


async def test_a_file_lives_a_week(connector: Connector, whatsapp: Simulator, ada: Customer, clock: HandClock) -> None:
    await ada.image()
    media = medium(connector, whatsapp)
    clock.move(7 * 86_400 - 1)
    assert await content(connector, media) == picture("parcel")
    clock.move(1)
    with pytest.raises(Undeliverable):
        await connector.fetch(media)


@pytest.mark.parametrize("spelling", ["base64", "hex"])
async def test_a_file_that_arrives_damaged_is_fetched_again(
    connector: Connector, whatsapp: Simulator, ada: Customer, spelling: str
) -> None:
    await ada.image()
    media = medium(connector, whatsapp)
    raw = whatsapp.digest(picture("parcel"))
    digest = raw.hex() if spelling == "hex" else base64.b64encode(raw).decode()
    reference = media.source.reference if media.source else ""
    checked = Media(source=MediaSource(reference=reference, extra={"sha256": digest}))
    assert await content(connector, checked) == picture("parcel")
    whatsapp.world.media[reference].body = b"something else"
    with pytest.raises(TryLater) as damaged:
        await content(connector, checked)
    assert damaged.value.code == "media_damaged"


async def test_a_file_that_is_not_read_to_its_end_lets_the_connection_go(
    connector: Connector, whatsapp: Simulator, ada: Customer
) -> None:
    await ada.file("document", bytes(5_000_000), "application/pdf")
    chunks: Any = (await connector.fetch(medium(connector, whatsapp))).chunks
    assert await anext(chunks)
    await chunks.aclose()
    pool = connector.services.http._transport._pool  # type: ignore[attr-defined]  # see conftest
    assert all(one.is_idle() or one.is_closed() for one in pool.connections)


@pytest.mark.parametrize("digest", ["q1w2==", "", "x" * 64, 5])
async def test_a_digest_that_is_none_is_not_compared(
    connector: Connector, whatsapp: Simulator, ada: Customer, digest: Any
) -> None:
    await ada.image()
    source = medium(connector, whatsapp).source
    assert source
    media = Media(source=MediaSource(reference=source.reference, extra={"sha256": digest}))
    assert await content(connector, media) == picture("parcel")


@pytest.mark.parametrize(
    "url",
    [
        "https://lookaside.example/1",
        "http://lookaside.fbsbx.com/1",
        "https://fbsbx.com.attacker.example/1",
        "https://attacker.example/?fbsbx.com",
        "https://169.254.169.254/",
        "file:///etc/passwd",
        "",
        None,
    ],
)
async def test_our_token_goes_to_the_platforms_own_hosts_only(
    connector: Connector, whatsapp: Simulator, ada: Customer, url: str | None
) -> None:
    await ada.image()
    media = medium(connector, whatsapp)
    whatsapp.fail(Fault(do="answer", path="/v26.0/3*", status=200, body=json.dumps({"url": url, "id": "1"})))
    with pytest.raises(Undeliverable) as refused:
        await connector.fetch(media)
    assert refused.value.code == "media_host"
    assert len(whatsapp.journal) == 1


async def test_an_id_cannot_leave_its_path(connector: Connector, whatsapp: Simulator) -> None:
    with pytest.raises(DeliveryError):
        await connector.fetch(Media(source=MediaSource(reference="../8001?fields=x")))
    assert not whatsapp.requests("/v26.0/8001")
    with pytest.raises(Undeliverable):
        await connector.fetch(Media(source=MediaSource(reference="https://x.example", external=True)))


# ---------------------------------------------------------------- signals


def signal(kind: str, customer: Customer, **more: Any) -> Signal:
    return Signal(kind=kind, to=address_of(customer), thread_key=customer.chat.id, **more)


async def test_a_message_and_all_before_it_are_marked_as_read(
    connector: Connector, whatsapp: Simulator, ada: Customer
) -> None:
    second = await ada.text("two")
    await ada.text("three")
    await connector.signal(signal("read", ada, token=second.id))
    assert [bubble.state for bubble in whatsapp.chat(ada.id)] == ["Read", "Read", ""]
    assert sent(whatsapp) == {"messaging_product": "whatsapp", "status": "read", "message_id": second.id}


async def test_typing_needs_a_message_and_is_shown_at_most_every_20_seconds(
    connector: Connector, whatsapp: Simulator, ada: Customer, clock: HandClock
) -> None:
    await connector.signal(signal("typing", ada))
    assert not whatsapp.journal
    for seconds, calls in ((0, 1), (19, 1), (1, 2)):
        clock.move(seconds)
        await connector.signal(signal("typing", ada, external_id=ada.sees[0].id))
        assert len(whatsapp.requests(SENDS)) == calls
    assert sent(whatsapp)["typing_indicator"] == {"type": "text"}
    assert [one.typing for one in whatsapp.customers()] == [True]
    clock.move(25)
    assert [one.typing for one in whatsapp.customers()] == [False]


async def test_nobody_types_in_a_group(connector: Connector, whatsapp: Simulator) -> None:
    member, _ = whatsapp.group("Family", "Ada", "Bo")
    said = await member.text("Hello")
    await connector.signal(signal("typing", member, external_id=said.id))
    assert not whatsapp.journal


async def test_a_reaction_is_shown_and_taken_back(connector: Connector, whatsapp: Simulator, ada: Customer) -> None:
    said = ada.sees[0]
    await connector.signal(signal("reaction", ada, external_id=said.id, emoji="👍"))
    assert sent(whatsapp)["reaction"] == {"message_id": said.id, "emoji": "👍"}
    assert said.reaction == "👍"
    await connector.signal(signal("reaction", ada, external_id=said.id))
    assert (sent(whatsapp)["reaction"]["emoji"], said.reaction) == ("", "")


async def test_a_reaction_to_a_message_of_last_month_is_refused_in_words(
    connector: Connector, ada: Customer, clock: HandClock
) -> None:
    clock.move(31 * 86_400)
    with pytest.raises(Undeliverable) as refused:
        await connector.signal(signal("reaction", ada, external_id=ada.sees[0].id, emoji="👍"))
    assert "30 days" in str(refused.value)


# ---------------------------------------------------------------- the account


async def test_a_good_account_is_connected_without_advice(
    connector: Connector, whatsapp: Simulator, shop: Receiver
) -> None:
    health = await connector.probe()
    assert (health.state, health.title) == ("connected", "Simulated shop")
    assert health.summary == "Connected as Simulated shop (+1 555-000-1000)."
    assert (health.advice, health.remedies) == ((), ())
    assert health.details["quality_rating"] == "GREEN"


async def test_the_probe_tells_what_is_wrong_with_the_number(build: Build, whatsapp: Simulator) -> None:
    whatsapp.world.number |= {"status": "FLAGGED", "quality_rating": "RED", "name_status": "DECLINED"}
    whatsapp.webhook_url = "https://desk.example/webhooks/another"
    advice = " ".join((await build(api_version="v21.0").probe()).advice)
    for words in ("FLAGGED", "RED", "DECLINED", "https://desk.example/webhooks/another", "2027-01-21"):
        assert words in advice


async def test_a_lost_subscription_is_told_and_can_be_had_again(connector: Connector, whatsapp: Simulator) -> None:
    whatsapp.world.apps = []
    health = await connector.probe()
    assert [remedy.code for remedy in health.remedies] == ["subscribe"]
    assert "nothing arrives" in health.advice[-1]
    again = await connector.remedy("subscribe")
    assert (again.remedies, again.state) == ((), "connected")
    with pytest.raises(ContractError):
        await connector.remedy("dance")


@pytest.mark.parametrize(
    ("fault", "state"),
    [
        (Fault(do="answer", status=401, body='{"error":{"code":190}}'), "sign_in_needed"),
        (Fault(do="answer", status=400, body='{"error":{"code":200}}', path="*/subscribed_apps"), "sign_in_needed"),
        (Fault(do="answer", status=400, body='{"error":{"code":33}}'), "failing"),
        (Fault(do="answer", status=500, body=""), "failing"),
        (Fault(do="answer", status=200, body="{}"), "failing"),
        (Fault(do="answer", status=200, body="[]"), "failing"),
    ],
)
async def test_a_probe_that_fails_says_so(connector: Connector, whatsapp: Simulator, fault: Fault, state: str) -> None:
    whatsapp.fail(fault)
    health = await connector.probe()
    assert health.state == state
    assert health.summary


async def test_there_are_no_profiles_to_look_up(connector: Connector, whatsapp: Simulator, ada: Customer) -> None:
    assert await connector.profile(address_of(ada)) is None
    assert not whatsapp.journal


async def test_a_limit_of_the_management_calls_is_no_end(connector: Connector, whatsapp: Simulator) -> None:
    whatsapp.fail(Fault(do="answer", status=400, body='{"error":{"code":80007}}', path="*/message_templates"))
    with pytest.raises(RateLimited):
        await connector.templates()

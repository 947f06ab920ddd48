"""Media, profiles, signals and the probe, against the simulated LINE."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.connectors.line.conftest import Build
from trunkline.contract import Connector, MessageReceived, Signal, TrustedBody
from trunkline.errors import DeliveryError, TryLater, Undeliverable
from trunkline.model import Address, AddressKind, Media, MediaSource, media_of
from trunkline.testing.faults import Fault
from trunkline.testing.pictures import picture
from trunkline.testing.services import HandClock
from trunkline_line.simulator import Customer, Simulator


def received(connector: Connector, line: Simulator) -> MessageReceived:
    """Return what the newest webhook brought."""
    (item,) = connector.parse(TrustedBody(json.dumps({"events": line.webhooks[-1].events}).encode()))
    assert isinstance(item, MessageReceived)
    return item


async def content(connector: Connector, media: Media) -> bytes:
    stream = await connector.fetch(media)
    return b"".join([chunk async for chunk in stream.chunks])


async def test_a_picture_is_fetched_with_its_type(connector: Connector, line: Simulator, ada: Customer) -> None:
    await ada.image("cup")
    (media,) = media_of(received(connector, line).content)
    stream = await connector.fetch(media)
    assert (stream.mime, stream.size) == ("image/jpeg", len(picture("cup")))
    assert b"".join([chunk async for chunk in stream.chunks]) == picture("cup")


async def test_a_file_keeps_its_name(connector: Connector, line: Simulator, ada: Customer) -> None:
    await ada.file("invoice.pdf", b"%PDF-")
    (media,) = media_of(received(connector, line).content)
    assert (await connector.fetch(media)).name == "invoice.pdf"
    assert await content(connector, media) == b"%PDF-"


@pytest.mark.parametrize("kind", ["video", "audio"])
async def test_a_film_is_fetched_when_line_has_prepared_it(
    connector: Connector, line: Simulator, ada: Customer, kind: str
) -> None:
    await getattr(ada, kind)(b"bytes", polls=2)
    (media,) = media_of(received(connector, line).content)
    for _ in range(2):
        with pytest.raises(TryLater) as early:
            await connector.fetch(media)
        assert early.value.code == "not_ready"
    assert await content(connector, media) == b"bytes"


async def test_a_film_that_cannot_be_prepared_is_final(connector: Connector, line: Simulator, ada: Customer) -> None:
    await ada.video(failed=True)
    with pytest.raises(Undeliverable) as failed:
        await connector.fetch(media_of(received(connector, line).content)[0])
    assert failed.value.code == "not_prepared"


async def test_content_answered_202_is_asked_for_again(connector: Connector, line: Simulator, ada: Customer) -> None:
    await ada.image()
    (media,) = media_of(received(connector, line).content)
    line.fail(Fault(do="answer", path="*/content", status=202))
    with pytest.raises(TryLater):
        await connector.fetch(media)


async def test_what_was_unsent_or_never_there_is_gone(connector: Connector, line: Simulator, ada: Customer) -> None:
    said = await ada.image()
    (media,) = media_of(received(connector, line).content)
    await ada.unsend(said)
    for wanted, code in ((media, "recalled"), (Media(source=MediaSource(reference="7")), "not_found")):
        with pytest.raises(Undeliverable) as gone:
            await connector.fetch(wanted)
        assert gone.value.code == code


async def test_our_token_never_goes_to_a_foreign_address(connector: Connector, line: Simulator, ada: Customer) -> None:
    await ada.image(url="https://cdn.example.test/o.jpg")
    (media,) = media_of(received(connector, line).content)
    assert media.source
    assert (media.source.external, media.source.reference) == (True, "https://cdn.example.test/o.jpg")
    asked = len(line.journal)
    with pytest.raises(Undeliverable):
        await connector.fetch(media)
    assert len(line.journal) == asked


async def test_an_id_cannot_leave_its_path(connector: Connector, line: Simulator) -> None:
    with pytest.raises(Undeliverable):
        await connector.fetch(Media(source=MediaSource(reference="../../info?x=")))
    assert [entry.path for entry in line.journal if "info" in entry.path] == ["/v2/bot/message/../../info?x=/content"]


async def test_profiles_of_people_groups_and_members(connector: Connector, line: Simulator, ada: Customer) -> None:
    member, *_ = line.group("Family", "Ada", "Bo")
    group = Address(external_id=member.chat.id, kind=AddressKind.GROUP)
    person = await connector.profile(Address(external_id=ada.id))
    assert person
    assert (person.name, person.language, person.about) == ("Ada", "en", "hello")
    family = await connector.profile(group)
    assert family
    assert (family.name, family.members) == ("Family", 2)
    inside = await connector.profile(Address(external_id=member.id), group)
    assert inside
    assert (inside.name, inside.language) == ("Ada", None)
    (guest,) = line.group("Hall", "Cy", kind="room")
    room = Address(external_id=guest.chat.id, kind=AddressKind.ROOM)
    assert await connector.profile(room) is None
    in_room = await connector.profile(Address(external_id=guest.id), room)
    assert in_room
    assert in_room.name == "Cy"


async def test_who_blocked_us_has_no_profile(connector: Connector, ada: Customer) -> None:
    await ada.unfollow()
    assert await connector.profile(Address(external_id=ada.id)) is None
    await ada.follow()
    assert await connector.profile(Address(external_id=ada.id))


async def test_typing_is_shown_at_most_every_15_seconds_and_never_to_a_group(
    connector: Connector, line: Simulator, ada: Customer, clock: HandClock
) -> None:
    def typing(chat: str, kind: AddressKind = AddressKind.PERSON) -> Signal:
        return Signal(kind="typing", to=Address(external_id=chat, kind=kind), thread_key=chat)

    member, *_ = line.group("Family", "Ada", "Bo")
    for seconds, calls in ((0, 1), (1, 1), (13, 1), (2, 2)):
        clock.move(seconds)
        await connector.signal(typing(ada.id))
        await connector.signal(typing(member.chat.id, AddressKind.GROUP))
        assert len(line.requests("*/loading/start")) == calls
    assert [one.typing for one in line.customers() if one.id == ada.id] == [True]
    clock.move(21)
    assert not any(one.typing for one in line.customers())


async def test_a_message_and_all_before_it_are_marked_as_read(
    connector: Connector, line: Simulator, ada: Customer
) -> None:
    await ada.text("one")
    await ada.text("two")
    token = received(connector, line).read_token
    await ada.text("three")
    await connector.signal(Signal(kind="read", to=Address(external_id=ada.id), thread_key=ada.id, token=token))
    assert [bubble.state for bubble in line.chat(ada.id)] == ["Read", "Read", ""]
    await connector.signal(Signal(kind="read", to=Address(external_id=ada.id), thread_key=ada.id))
    assert len(line.requests("*/markAsRead")) == 1


async def test_the_probe_tells_name_quota_and_advice(build: Build, line: Simulator) -> None:
    line.world.used, line.chat_mode, line.active = 123, "bot", False
    line.webhook_url = "http://127.0.0.1:9/nobody"
    health = await build(destination="U" + "2" * 32).probe()
    assert (health.state, health.title, health.quota_left) == ("connected", "Simulated shop", 4877)
    advice = " ".join(health.advice)
    for words in (
        "“Use webhook”",
        "“Webhook redelivery”",
        "“Error statistics”",
        "auto-reply",
        "Chat",
        line.world.bot,
        "COULD_NOT_CONNECT",
    ):
        assert words in advice


async def test_a_good_account_gets_no_advice_but_the_switches_that_line_hides(
    connector: Connector, line: Simulator
) -> None:
    line.webhook_url, line.world.quota = f"{line.url}/_sim/journal", None
    line.send_webhook = always_fine  # type: ignore[method-assign,assignment]  # a webhook that answers
    health = await connector.probe()
    assert len(health.advice) == 2
    assert health.quota_left is None


async def always_fine(*_: Any) -> int:
    return 200


@pytest.mark.parametrize(
    ("fault", "state"),
    [
        (Fault(do="answer", status=401, body="{}", times=9), "sign_in_needed"),
        (Fault(do="answer", status=403, body="{}", times=9), "sign_in_needed"),
        (Fault(do="answer", status=500, body="{}", times=9), "failing"),
        (Fault(do="answer", status=404, body="{}", path="*/quota"), "failing"),
    ],
)
async def test_a_probe_that_fails_says_so(connector: Connector, line: Simulator, fault: Fault, state: str) -> None:
    line.fail(fault)
    health = await connector.probe()
    assert health.state == state
    assert health.summary


async def test_errors_of_signals_are_delivery_errors(connector: Connector, line: Simulator, ada: Customer) -> None:
    with pytest.raises(DeliveryError):
        await connector.signal(Signal(kind="read", to=Address(external_id=ada.id), thread_key=ada.id, token="nonsense"))

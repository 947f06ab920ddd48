"""Accounts: built from the file and the database, isolated from each other, told of in the log."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from cryptography.fernet import Fernet
from sqlalchemy import update

from tests.core.account_yard import KEY, ONE, TWO, World, enter
from tests.core.conftest import HandClock
from tests.core.plugin_maker import Shelf
from trunkline.log import forget_secrets, redact
from trunkline.service.secret_box import SecretBox
from trunkline.store import Store, schema


@pytest.fixture(autouse=True)
def _clean() -> None:
    forget_secrets()


@pytest.fixture
async def world(store: Store, tmp_path: Path, clock: HandClock) -> World:
    return World(store, tmp_path, clock)


# ---------------------------------------------------------------- from the file


async def test_an_account_of_the_file_is_built_written_and_told_of(world: World, shelf: Shelf) -> None:
    shelf.install_connector("shop")
    accounts = await world.load(ONE + TWO)
    one = accounts.get("one")
    assert one is not None
    assert one.connector is not None
    assert (one.connector_name, one.channel, one.title, one.locked) == ("shop", "shop", "shop shop", True)
    assert one.state == "connecting"
    assert [account.id for account in accounts.all()] == ["one", "two"]
    assert sorted(told["id"] for told in world.told) == ["one", "two"]
    row = (await world.rows())["two"]
    assert (row.title, row.locked, row.state) == ("Two", True, "connecting")
    assert b"the-key" not in row.settings


async def test_an_unknown_account_is_none(world: World, shelf: Shelf) -> None:
    shelf.install_connector("shop")
    accounts = await world.load(ONE)
    assert accounts.get("nobody") is None


async def test_a_restart_without_a_change_writes_no_event(world: World, shelf: Shelf) -> None:
    shelf.install_connector("shop")
    await world.load(ONE)
    before = (await world.rows())["one"]
    await world.load(ONE)
    assert world.told == []
    assert (await world.rows())["one"] == before


async def test_a_changed_title_is_told_of(world: World, shelf: Shelf) -> None:
    shelf.install_connector("shop")
    await world.load(TWO)
    await world.load(TWO.replace('"Two"', '"Second"'))
    assert [told["title"] for told in world.told] == ["Second"]


async def test_an_account_that_left_the_file_is_switched_off_and_may_come_back(world: World, shelf: Shelf) -> None:
    shelf.install_connector("shop")
    await world.load(ONE + TWO)
    accounts = await world.load(ONE)
    assert accounts.get("two") is None
    assert [(account.id, account.state) for account in accounts.all()] == [("one", "connecting"), ("two", "disabled")]
    assert [(told["id"], told["state"]) for told in world.told] == [("two", "disabled")]
    accounts = await world.load(ONE + TWO)
    two = accounts.get("two")
    assert two is not None
    assert two.state == "connecting"


async def test_secrets_of_an_account_are_kept_out_of_the_logs(world: World, shelf: Shelf) -> None:
    shelf.install_connector("shop")
    accounts = await world.load(ONE)
    assert redact("sent the-key-of-one to it") == "sent *** to it"
    assert "the-key-of-one" not in repr(accounts.all())


# ---------------------------------------------------------------- one bad account spares the others

BUILDS = {
    "it raises": ("self.config = services.config", "raise KeyError('the-key-of-one')", "cannot be built: KeyError."),
    "it returns nothing": ("build=Shop", "build=lambda services: None", "returned a NoneType instead of a Connector"),
    "it returns a class": ("build=Shop", "build=lambda services: Shop", "instead of a Connector"),
    "it lacks a method": ("def parse(", "def prase(", "cannot be built: TypeError."),
}


@pytest.mark.parametrize("case", BUILDS)
async def test_an_account_that_cannot_be_built_fails_alone(case: str, world: World, shelf: Shelf) -> None:
    old, new, words = BUILDS[case]
    shelf.install_connector("shop", (old, new))
    shelf.install_connector("good")
    accounts = await world.load(ONE + TWO.replace('connector = "shop"', 'connector = "good"'))
    one, two = accounts.get("one"), accounts.get("two")
    assert one is not None
    assert two is not None
    assert one.connector is None
    assert one.state == "failing"
    assert words in (one.reason or "")
    assert "the-key" not in (one.reason or "")
    assert two.connector is not None
    assert two.state == "connecting"
    assert (await world.rows())["one"].state == "failing"


async def test_an_account_of_a_broken_plugin_fails_alone(world: World, shelf: Shelf) -> None:
    shelf.install_connector("shop", ("import base64", "import no_such_library"))
    shelf.install_connector("good")
    accounts = await world.load(ONE + TWO.replace('connector = "shop"', 'connector = "good"'))
    one, two = accounts.get("one"), accounts.get("two")
    assert one is not None
    assert two is not None
    assert one.state == "failing"
    assert "no_such_library" in (one.reason or "")
    assert two.connector is not None


async def test_an_account_recovers_when_its_plugin_is_mended(world: World, shelf: Shelf) -> None:
    module = shelf.install_connector("shop", ("build=Shop", "build=None or (lambda services: 1 / 0)"))
    await world.load(ONE)
    file = shelf.folder / f"{module}.py"
    fixed = file.read_text().replace("build=None or (lambda services: 1 / 0)", "build=Shop")
    (shelf.folder / "mended_shop.py").write_text(fixed)
    points = shelf.folder / "trunkline_shop-1.0.dist-info" / "entry_points.txt"
    points.write_text("[trunkline]\nshop = mended_shop\n")
    accounts = await world.load(ONE)
    one = accounts.get("one")
    assert one is not None
    assert one.state == "connecting"
    assert [told["state"] for told in world.told] == ["connecting"]


# ---------------------------------------------------------------- from the database


async def test_an_account_of_the_database_is_built_and_not_locked(world: World, shelf: Shelf) -> None:
    shelf.install_connector("shop")
    await enter(world, {"shop_key": "the-key-that-was-entered"})
    accounts = await world.load(ONE)
    entered = accounts.get("entered")
    assert entered is not None
    assert entered.connector is not None
    assert entered.locked is False
    assert redact("the-key-that-was-entered") == "***"


@pytest.mark.parametrize(
    ("settings", "key", "connector", "words"),
    [
        ({"shop_key": "x" * 9}, Fernet.generate_key().decode(), "shop", "cannot be opened"),
        ({"shop_kye": "the-key"}, KEY, "shop", "do not fit the connector"),
        ({"shop_key": "x" * 9}, KEY, "gone", "No plugin brings the connector gone"),
    ],
    ids=["another-key", "a-mistyped-setting", "no-such-connector"],
)
async def test_a_bad_account_of_the_database_fails_alone(
    settings: dict[str, Any], key: str, connector: str, words: str, world: World, shelf: Shelf
) -> None:
    shelf.install_connector("shop")
    await enter(world, settings, key=key, connector=connector)
    accounts = await world.load(ONE)
    entered, one = accounts.get("entered"), accounts.get("one")
    assert entered is not None
    assert one is not None
    assert entered.state == "failing"
    assert words in (entered.reason or "")
    assert one.connector is not None


async def test_a_new_key_in_front_seals_the_rows_again(world: World, shelf: Shelf) -> None:
    shelf.install_connector("shop")
    await world.load(ONE)
    old = (await world.rows())["one"].settings
    newer = Fernet.generate_key().decode()
    await world.load(ONE, key=f"{newer},{KEY}")
    new = (await world.rows())["one"].settings
    assert new.split(b".")[0] != old.split(b".")[0]
    assert SecretBox([newer]).decrypt(new) == {"shop_key": "the-key-of-one"}
    assert world.told == []


# ---------------------------------------------------------------- probes and states


async def test_a_probe_is_remembered_and_told_of(world: World, shelf: Shelf) -> None:
    shelf.install_connector("shop")
    accounts = await world.load(ONE)
    world.told.clear()
    health = await accounts.probe("one")
    one = accounts.get("one")
    assert one is not None
    assert (health.state, one.state, one.health) == ("connected", "connected", health)
    assert health.advice == ("Switch redelivery on.",)
    assert [told["state"] for told in world.told] == ["connected"]
    again = (await world.load(ONE)).get("one")
    assert again is not None
    assert again.state == "connected"
    assert again.health == health


async def test_changed_settings_forget_the_last_probe(world: World, shelf: Shelf) -> None:
    shelf.install_connector("shop")
    await (await world.load(ONE)).probe("one")
    one = (await world.load(ONE.replace("the-key-of-one", "another-key-of-one"))).get("one")
    assert one is not None
    assert one.state == "connecting"


@pytest.mark.parametrize(
    ("body", "state", "words"),
    [
        ("raise KeyError('the-key-of-one')", "failing", "The probe failed: KeyError."),
        ("raise SystemError", "failing", "The probe failed: SystemError."),
        ("raise TryLater('Busy with the-key-of-one.')", "failing", "The probe failed: Busy with ***."),
        ("from trunkline.errors import SignInNeeded; raise SignInNeeded('Bad key.')", "sign_in_needed", "Bad key."),
        ("return 42", "failing", "returned a int instead of a Health"),
        ("return Health(state='splendid', summary='?')", "failing", "answered with the unknown state splendid"),
    ],
)
async def test_a_probe_that_fails_is_an_answer_in_words(
    body: str, state: str, words: str, world: World, shelf: Shelf
) -> None:
    shelf.install_connector("shop", ("async def probe(self):", f"async def probe(self):\n        {body}"))
    accounts = await world.load(ONE)
    health = await accounts.probe("one")
    assert health.state == state
    assert words in health.summary
    one = accounts.get("one")
    assert one is not None
    assert (one.state, one.reason) == (state, health.summary)
    assert "the-key" not in repr(world.told)


async def test_a_probe_that_hangs_ends(world: World, shelf: Shelf, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("trunkline.service.account.PROBE_TIMEOUT_S", 0.01)
    body = "async def probe(self):\n        import asyncio; await asyncio.Event().wait()"
    shelf.install_connector("shop", ("async def probe(self):", body))
    health = await (await world.load(ONE)).probe("one")
    assert health.state == "failing"
    assert "did not answer" in health.summary


async def test_a_state_set_in_a_transaction_that_fails_is_not_remembered(world: World, shelf: Shelf) -> None:
    shelf.install_connector("shop")
    accounts = await world.load(ONE)

    def fail(tx: Any) -> None:
        accounts.set_state(tx, "one", "sign_in_needed", "Refused.")
        raise RuntimeError

    with pytest.raises(RuntimeError):
        await world.store.writer.write(fail)
    one = accounts.get("one")
    assert one is not None
    assert one.state == "connecting"
    assert await world.store.writer.write(lambda tx: accounts.set_state(tx, "one", "sign_in_needed", "Refused."))
    assert (one.state, one.reason) == ("sign_in_needed", "Refused.")
    assert not await world.store.writer.write(lambda tx: accounts.set_state(tx, "one", "sign_in_needed", "Refused."))


@pytest.mark.parametrize(
    ("rule", "receives", "state"),
    [
        ("Effective(capabilities=Capabilities(receives={}, sends={}))", 0, "connecting"),
        ("Effective(capabilities=can if context.account_id == 'one' else None)", 1, "connecting"),
        ("can.nothing_of_the_kind", 1, "failing"),
    ],
)
async def test_what_a_channel_can_do_follows_the_settings_of_the_account(
    rule: str, receives: int, state: str, world: World, shelf: Shelf
) -> None:
    adjusted = f"capabilities=CAPABILITIES, adjust=lambda can, context: {rule}"
    imported = "from trunkline.contract import Effective\nCAPABILITIES = "
    shelf.install_connector("shop", ("capabilities=CAPABILITIES", adjusted), ("CAPABILITIES = ", imported))
    one = (await world.load(ONE)).get("one")
    assert one is not None
    assert (len(one.capabilities.receives), one.state) == (receives, state)


async def test_a_change_by_another_process_is_taken_over(world: World, shelf: Shelf) -> None:
    shelf.install_connector("shop")
    accounts = await world.load(ONE)
    accounts.apply({"account": {"id": "one", "state": "connected", "reason": None}})
    accounts.apply({"account": {"id": "stranger", "state": "connected", "reason": None}})
    assert [account.state for account in accounts.all()] == ["connected"]


async def test_closing_closes_every_client_and_forgives_connectors(world: World, shelf: Shelf) -> None:
    shelf.install_connector(
        "shop", ("    async def probe", "    async def aclose(self):\n        raise KeyError\n\n    async def probe")
    )
    accounts = await world.load(ONE + TWO)
    await accounts.close()
    assert world.client.closed == 2


async def test_disabled_in_the_database_stays_disabled(world: World, shelf: Shelf) -> None:
    shelf.install_connector("shop")
    await enter(world, {"shop_key": "the-key-that-was-entered"})
    table = schema.account
    off = update(table).where(table.c.id == "entered").values(state="disabled", reason="Switched off.")
    await world.store.writer.write(lambda tx: tx.execute(off))
    accounts = await world.load(ONE)
    assert accounts.get("entered") is None
    assert [account.reason for account in accounts.all() if account.id == "entered"] == ["Switched off."]

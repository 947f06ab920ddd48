"""A database with accounts, loaded again and again as by restarts."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import msgspec
from cryptography.fernet import Fernet
from sqlalchemy import insert, select

from tests.core.conftest import HandClock
from trunkline.contract import AccessToken
from trunkline.plugins import load_registry
from trunkline.service.accounts import Accounts
from trunkline.service.secret_box import SecretBox
from trunkline.settings import Settings, load_settings
from trunkline.store import LogRow, Store, schema
from trunkline.testing.services import MemoryMedia

__all__ = ["KEY", "ONE", "TWO", "Client", "World", "enter"]

KEY = Fernet.generate_key().decode()
ONE = '[[accounts]]\nid = "one"\nconnector = "shop"\nsettings = { shop_key = "the-key-of-one" }\n'
TWO = '[[accounts]]\nid = "two"\nconnector = "shop"\ntitle = "Two"\nsettings = { shop_key = "the-key-of-two" }\n'


class Client:
    """Stands for the guarded client."""

    closed = 0

    async def aclose(self) -> None:
        self.closed += 1


class Tokens:
    """Stands for the token cache."""

    async def get(self, renew: Callable[[], Any], *, name: str = "access") -> str:
        token: AccessToken = await renew()
        return token.value

    async def forget(self, value: str, *, name: str = "access") -> None:
        return


class World:
    """A database with accounts that can be loaded again and again, as by restarts."""

    def __init__(self, store: Store, folder: Path, clock: HandClock) -> None:
        self.store, self.folder, self.clock = store, folder, clock
        self.told: list[dict[str, Any]] = []
        self.client = Client()
        store.writer.listen(self._listen)

    def _listen(self, events: Sequence[LogRow], _wakes: set[str]) -> None:
        self.told += [msgspec.json.decode(row.payload)["account"] for row in events if row.kind == "account_changed"]

    def settings(self, text: str) -> Settings:
        (self.folder / "trunkline.toml").write_text(text, encoding="utf-8")
        return load_settings(self.folder / "trunkline.toml")

    async def load(self, text: str, *, key: str = KEY) -> Accounts:
        self.told.clear()
        accounts = Accounts(
            self.store,
            load_registry(),
            SecretBox(key.split(",")),
            self.clock,
            client=lambda _spec, _account: self.client,  # type: ignore[arg-type, return-value]  # stands for it
            tokens=lambda _account_id: Tokens(),
            media=MemoryMedia(),
        )
        await accounts.load(self.settings(text))
        return accounts

    async def rows(self) -> dict[str, Any]:
        async with self.store.read() as connection:
            return {row.id: row for row in await connection.execute(select(schema.account))}


async def enter(world: World, settings: dict[str, Any], *, key: str = KEY, connector: str = "shop") -> None:
    """Put an account into the table as the inbox does."""
    sealed = SecretBox([key]).encrypt(settings)
    values: dict[str, Any] = {
        "id": "entered",
        "connector": connector,
        "channel": connector,
        "title": "Entered",
        "settings": sealed,
    }
    values |= {"locked": False, "state": "connecting", "state_at": 1, "created_at": 1}
    await world.store.writer.write(lambda tx: tx.execute(insert(schema.account).values(**values)))

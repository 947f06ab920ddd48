"""The desk as an application: a consumer of the log, background work, doors."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from aiohttp import web
from sqlalchemy import update

from trunkline.contract import Application
from trunkline.log import get_logger
from trunkline.model import Actor, ActorKind
from trunkline_desk.api.desk import Desk
from trunkline_desk.api.doors import add_doors
from trunkline_desk.api.housekeeping import forget_old
from trunkline_desk.people.agents import create_agent, set_up
from trunkline_desk.people.links import link_address, make_first_link
from trunkline_desk.people.roles import Role
from trunkline_desk.people.secrets import new_secret
from trunkline_desk.schema import agent_token
from trunkline_desk.threads.states import renew

if TYPE_CHECKING:
    from trunkline.model import Event
    from trunkline.service.house import House
    from trunkline.store import Transaction

__all__ = ["DeskApplication", "build", "routes"]

log = get_logger("desk")

#: Beside the database; readable by its owner alone.
SETUP_FILE = "trunkline-setup.txt"
_FORGET_EVERY_S = 3600.0
_DEMO_AGENTS = (("ada@demo.example", "Ada", Role.ADMIN.value), ("bo@demo.example", "Bo", Role.AGENT.value))


class DeskApplication(Application):
    """The desk of one house. `announce` is where the first set-up link is shown: the terminal."""

    def __init__(self, house: House, announce: Callable[[str], object] | None = None) -> None:
        self.desk = Desk(house)
        self._house, self._announce = house, announce or _to_terminal
        self._housekeeper: asyncio.Task[None] | None = None

    def wants(self, kind: str, payload: str) -> bool:
        """Only what a customer writes into a closed thread concerns us."""
        return kind == "message_received" and '"state":"closed"' in payload

    def consume(self, tx: Transaction, events: Sequence[Event]) -> None:
        """Begin a new round where a customer writes into a closed thread."""
        renew(tx, [event for event in events if event.kind == "message_received"])

    async def start(self) -> None:
        """Look after connections, forget what is old, and let the first admin in."""
        self.desk.sockets.start()
        self.desk.presences.start()
        self._housekeeper = asyncio.create_task(self._forget(), name="desk-housekeeping")
        await self._invite_first_admin()

    async def stop(self) -> None:
        """Close connections and let background work finish."""
        if self._housekeeper is not None:
            self._housekeeper.cancel()
            await asyncio.gather(self._housekeeper, return_exceptions=True)
        await self.desk.sockets.stop()
        self.desk.presences.stop()
        await self.desk.stop()

    async def jumped(self, by_ms: int) -> None:
        """Keep everybody signed in, and let them come back to hear the time."""

        def work(tx: Transaction) -> None:
            values = {name: agent_token.c[name] + by_ms for name in ("last_used_at", "expires_at")}
            tx.execute(update(agent_token).values(values))

        await self._house.store.writer.write(work)
        await self.desk.sockets.close_all()

    async def demonstrate(self) -> Sequence[tuple[str, str]]:
        """Invent two agents with passwords that nobody knows, and return addresses that are signed in."""
        now, secret = self.desk.now(), await self.desk.passwords.hash(new_secret("demo_"))

        def work(tx: Transaction) -> list[tuple[str, str]]:
            doors = []
            for email, name, role in _DEMO_AGENTS:
                _, link = create_agent(tx, (email, name, role), Actor(ActorKind.SYSTEM), now)
                grant = set_up(tx, link, (email, name, secret), now)
                # The token stands behind the "#": browsers send that part to nobody.
                doors.append((name, f"/inbox/sign-in#token={grant.token}"))
            return doors

        return await self._house.store.writer.write(work)

    @property
    def setup_file(self) -> Path:
        """Where the first set-up link is written."""
        return self._house.settings.key_file.parent / SETUP_FILE

    async def _invite_first_admin(self) -> None:
        """Make a one-time link while there is no agent: there is no default password and no open sign-up."""
        now = self.desk.now()
        token = await self._house.store.writer.write(lambda tx: make_first_link(tx, now))
        if token is None:
            with suppress(OSError):
                await asyncio.to_thread(self.setup_file.unlink, missing_ok=True)
            return
        link = link_address(self.desk.public_url, token)
        self._announce(f"\nThere is no agent yet. Make the first admin within an hour:\n\n  {link}\n\n")
        try:
            await asyncio.to_thread(_write_privately, self.setup_file, f"{link}\n")
        except OSError as error:
            log.warning("desk.setup_file_failed", error=type(error).__name__)

    async def _forget(self) -> None:
        while True:
            await asyncio.sleep(_FORGET_EVERY_S)
            await forget_old(self._house.store, self.desk.now())


def _to_terminal(words: str) -> None:
    """Write to the terminal itself: the log would mask the link."""
    sys.stderr.write(words)


def _write_privately(file: Path, text: str) -> None:
    """Write a file that nobody else could read at any moment."""
    file.unlink(missing_ok=True)
    descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as stream:
        stream.write(text)


def build(house: Any) -> DeskApplication:
    """Return the desk of a house."""
    return DeskApplication(house)


def routes(app: web.Application, _house: Any, application: Any) -> None:
    """Add the desk's doors."""
    add_doors(app, application.desk)

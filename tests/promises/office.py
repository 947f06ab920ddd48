"""A branch office on any platform: the real house beside a simulator, where nothing happens until a test says so.

The connectors are all that are installed, found by their own declarations: a new one is held to the same promises
without a line here. Time is a hand's; the outbox and the puller take steps when `settle` lets them, so no test waits.
"""

from __future__ import annotations

import contextlib
import json
import random
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from pkgutil import resolve_name
from typing import Any

from aiohttp import web

from tests.core.conftest import HandClock
from tests.promises.history import Database
from trunkline.contract import Idempotency, Transport
from trunkline.main import build_app, open_house
from trunkline.model import Actor, ActorKind, Author, AuthorKind
from trunkline.plugins import Registry, load_registry
from trunkline.service.house import House
from trunkline.service.puller import Puller
from trunkline.service.replies import Draft, post_reply
from trunkline.settings import load_settings
from trunkline.store import Store
from trunkline.testing.conformance.checks import Subject
from trunkline.testing.faults import Fault, abort
from trunkline.testing.phones import Action
from trunkline.testing.simulator import Simulator

__all__ = [
    "ACCOUNT",
    "PLATFORMS",
    "SEEDED",
    "SILENT_AFTER",
    "SILENT_BEFORE",
    "SUBJECTS",
    "Office",
    "account_toml",
    "only",
    "open_office",
    "platform_of",
]

ACCOUNT = "office"
_ADA = Actor(ActorKind.AGENT, "1", "Ada")
_AGENT = Author(kind=AuthorKind.AGENT, id="1", name="Ada")
#: Turns of the clock that anything may take.
_PATIENCE = 500
_MOVING = ("queued", "sending", "retrying", "held", "uncertain")

_INSTALLED = load_registry(())
#: Channel → its connector and itself, for all that speak to a platform of somebody else.
SUBJECTS: dict[str, Subject] = {
    code: Subject(spec, channel)
    for code, (spec, channel) in sorted(_INSTALLED.channels.items())
    if channel.capabilities.receiving.transport is not Transport.HOSTED and spec.simulator
}
PLATFORMS = tuple(SUBJECTS)
#: Where seeds are planted that break the house and no connector: a platform with a key, one whose echoes tell, and one
#: with neither.
SEEDED = ("line", "weibo", "whatsapp")


def only(*subjects: Subject) -> Registry:
    """Return what is installed when nothing but these connectors is."""
    return Registry(
        connectors={one.spec.name: one.spec for one in subjects},
        channels={channel.code: (one.spec, channel) for one in subjects for channel in one.spec.channels},
    )


#: The platform keeps silent until our patience ends; it took the message, or did not.
SILENT_BEFORE = Fault(do="delay", seconds=-1.0)
SILENT_AFTER = Fault(do="delay", seconds=-2.0)


class Weather:
    """What goes wrong at a platform with its sends, by lot or a number of times."""

    def __init__(self, seed: int = 20) -> None:
        self.fault: Fault | None = None
        self.share, self.times = 1.0, 10**9
        #: Ends the time that the house gives the one request under way.
        self.out_of_patience: Callable[[], None] = lambda: None
        #: Paths of the requests that carry messages; see `Office.greet`.
        self.paths: set[str] = set()
        #: Requests that carried messages, and those of them that failed.
        self.sends = self.failed = 0
        self._lot = random.Random(seed)

    def next(self, path: str) -> Fault | None:
        """Return what goes wrong with a request."""
        if path not in self.paths:
            return None
        self.sends += 1
        if self.fault is None or not self.times or self._lot.random() >= self.share:
            return None
        self.failed += 1
        self.times -= 1
        return self.fault


def platform_of(subject: Subject, clock: Any) -> Any:
    """Return a simulator of the channel, with a `weather`."""
    named: Any = resolve_name(str(subject.spec.simulator))

    class Outdoors(named):  # type: ignore[misc]  # the class is known at run time
        def _next_fault(self, request: web.Request) -> Fault | None:
            found: Fault | None = self.weather.next(self.shown_path(request.path)) or super()._next_fault(request)
            return found

        async def _answered(self, request: web.Request, handler: Any, entry: Any, fault: Fault | None) -> Any:
            if fault is not SILENT_BEFORE and fault is not SILENT_AFTER:
                return await super()._answered(request, handler, entry, fault)
            if fault is SILENT_AFTER:
                await super()._answered(request, handler, entry, None)
            self.weather.out_of_patience()
            return abort(request)

    channel = {"channel": subject.channel.code} if named.channels else {}
    platform = Outdoors(clock=clock, **channel)
    platform.weather = Weather()
    _unmetered(platform)
    return platform


def _unmetered(platform: Any) -> None:
    """Let quotas of test accounts, which are small, end nothing here."""
    if hasattr(platform.world, "quota"):
        platform.world.quota = None


def account_toml(subject: Subject, settings: Mapping[str, Any], name: str = ACCOUNT) -> str:
    """Return the TOML of an account."""
    lines = "\n".join(f"{key} = {json.dumps(value)}" for key, value in settings.items())
    head = f'[[accounts]]\nid = "{name}"\nconnector = "{subject.spec.name}"\n'
    return f"{head}[accounts.settings]\n{lines}\n"


class Office:
    """What a test holds in hand: the customers' side, the house, and the time."""

    house: House
    puller: Puller

    def __init__(self, subject: Subject, platform: Any, clock: HandClock, folder: Path) -> None:
        self.subject, self.clock, self.folder = subject, clock, folder
        self._open = contextlib.AsyncExitStack()
        self.platform: Simulator = platform
        self.weather: Weather = platform.weather
        self.database = Database(f"sqlite:///{folder}/office.db")
        #: Text → our id of the message.
        self.posted: dict[str, str] = {}
        #: Whether the platform has tokens that end; found out by a test that ends them.
        self.renews = False
        self._written = 0

    @property
    def idempotency(self) -> Idempotency:
        return self.subject.capabilities.sending.idempotency

    @property
    def budget(self) -> int | None:
        """How many answers one message of a customer allows."""
        reply = next(iter(self.subject.capabilities.windows), None)
        return None if reply is None else reply.budget

    @property
    def account(self) -> Any:
        return self.house.accounts.get(ACCOUNT)

    async def open(self, settings: Mapping[str, Any] | None = None, **neighbours: Any) -> None:
        """Close the house if it is open, and open it with the platform's settings or others."""
        await self.close()
        await self._open.enter_async_context(_at_work(self, settings or self.platform.settings(), **neighbours))

    async def close(self) -> None:
        await self._open.aclose()

    # ---------------------------------------------------------------- customers

    async def write(self, customer: str, text: str | None = None) -> None:
        """Let a customer write."""
        self._written += 1
        await self.platform.act(customer, Action(kind="text", text=text or f"Question {self._written}"))

    async def customers(self, count: int, name: str = "Customer") -> dict[str, str]:
        """Let so many new people write; returns customer → our id of the thread."""
        people = [self.platform.add_customer(f"{name} {number}") for number in range(count)]
        for customer in people:
            # Not all in one second: platforms have rates for what they send, too.
            self.clock.advance(seconds=0.1)
            await self.write(customer)
        await self.settle()
        known = self.threads()
        return {customer: known[customer] for customer in people}

    def threads(self) -> dict[str, str]:
        """Return customer → thread."""
        query = "SELECT i.external_id, t.id FROM thread t JOIN identity i ON i.id = t.identity_id"
        return {str(customer): str(thread) for customer, thread in self.database.rows(query)}

    async def greet(self) -> None:
        """Learn from two first answers which requests carry messages."""
        ((customer, thread),) = (await self.customers(1, "First")).items()
        for words in ("first answer", "second answer"):
            before = len(self.platform.journal)
            await self.post({thread: [words]})
            await self.drain()
            made = list(self.platform.journal)[before:]
            carried = [entry.path for entry in made if words in entry.body] or [made[-1].path]
            self.weather.paths |= set(carried)
        assert self.heard(customer) == ["first answer", "second answer"]

    def heard(self, customer: str) -> list[str]:
        """Return what a customer reads of us, in order."""
        return [bubble.text for bubble in self.platform.chat(customer) if not bubble.mine]

    def seen(self, customers: Iterable[str]) -> Counter[str]:
        """Return how often each text was read."""
        return Counter(text for customer in customers for text in self.heard(customer))

    # ---------------------------------------------------------------- agents

    async def post(self, texts: Mapping[str, Sequence[str]]) -> None:
        """Write replies, thread → texts, all in one transaction."""
        now = self.clock.now_ms()

        def work(tx: Any) -> dict[str, str]:
            return {
                text: post_reply(tx, self.house, thread, Draft(text=text), author=_AGENT, actor=_ADA, now=now)
                for thread, said in texts.items()
                for text in said
            }

        self.posted |= await self.house.store.writer.write(work)

    def states(self) -> Counter[str]:
        """Return how many deliveries are in which state."""
        return Counter(dict(self.database.rows("SELECT state, count(*) FROM delivery GROUP BY state")))

    def flagged(self) -> set[str]:
        """Return the texts that are shown as possible duplicates."""
        rows = self.database.rows("SELECT message_id FROM delivery WHERE maybe_duplicate")
        ids = {str(message) for (message,) in rows}
        return {text for text, message in self.posted.items() if message in ids}

    def given_up(self) -> set[str]:
        """Return replies that ended visibly without being sent."""
        rows = self.database.rows("SELECT message_id FROM delivery WHERE state IN ('failed', 'expired', 'suppressed')")
        ended = {str(message) for (message,) in rows}
        return {text for text, message in self.posted.items() if message in ended}

    def silent(self, seen: Mapping[str, int]) -> set[str]:
        """Return replies that were neither read nor ended visibly."""
        return set(self.posted) - self.given_up() - set(seen) - {"first answer", "second answer"}

    def account_state(self) -> tuple[str, str]:
        """Return the account's state and reason as agents see them."""
        ((state, reason),) = self.database.rows("SELECT state, reason FROM account WHERE id = ?", ACCOUNT)
        return str(state), str(reason or "")

    # ---------------------------------------------------------------- time

    async def settle(self) -> None:
        """Let everything happen that is due now: pulls, sends, and what the platform tells of them."""
        await self.puller.settle()
        await self.house.outbox.settle()
        if hasattr(self.platform, "settled"):
            await self.platform.settled()
        await self.puller.settle()

    async def later(self, seconds: float) -> None:
        """Let time pass, and everything happen that is due by then."""
        self.clock.advance(seconds=seconds)
        await self.settle()

    async def drain(self, *, step_s: float = 5.0) -> None:
        """Let time pass until no reply is on its way.

        Raises:
            AssertionError: some never get anywhere; says how they stand.
        """
        await self.settle()
        for turn in range(_PATIENCE):
            if not any(self.states()[state] for state in _MOVING):
                return
            # What waits longer than some minutes waits for the next day of a quota.
            await self.later(step_s if turn < 100 else max(step_s, 600))
        raise AssertionError(dict(self.states()))


_EMPTY: dict[str, bytes] = {}


async def _empty(folder: Path) -> bytes:
    """Return a database with tables and nothing in them; made once."""
    if "file" not in _EMPTY:
        file = folder / "empty.db"
        store = Store(f"sqlite:///{file}")
        await store.open()
        await store.close()
        _EMPTY["file"] = file.read_bytes()
    return _EMPTY["file"]


@asynccontextmanager
async def open_office(folder: Path, channel: str, **neighbours: Any) -> AsyncIterator[Office]:
    """Open an office, and learn how its platform is written to."""
    subject, clock = SUBJECTS[channel], HandClock()
    (folder / "office.db").write_bytes(await _empty(folder))
    async with platform_of(subject, clock) as platform:
        office = Office(subject, platform, clock, folder)
        try:
            await office.open(**neighbours)
            await office.greet()
            yield office
        finally:
            await office.close()


@asynccontextmanager
async def _at_work(
    office: Office, settings: Mapping[str, Any], *, more: Sequence[Subject] = (), accounts: str = ""
) -> AsyncIterator[None]:
    """Run the house of an office with these settings; `more` and `accounts` are its neighbours."""
    written = office.folder / "trunkline.toml"
    host = office.platform.url.partition("//")[2]
    written.write_text(
        f'[server]\npublic_url = "http://office.example"\nallow_hosts = ["{host}"]\nmetrics_listen = "off"\n'
        f'[database]\nurl = "{office.database.url}"\n[log]\nlevel = "ERROR"\n[media]\nfree_space_floor = 0\n'
        f"{account_toml(office.subject, settings)}{accounts}"
    )
    registry = only(office.subject, *more)
    async with open_house(load_settings(written), clock=office.clock, registry=registry) as office.house:
        office.puller = Puller(office.house)
        async with _door(office):
            yield
            await office.house.outbox.stop()
            await office.puller.stop()


@asynccontextmanager
async def _door(office: Office) -> AsyncIterator[None]:
    runner = web.AppRunner(build_app(office.house), access_log=None, shutdown_timeout=1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    office.platform.webhook_url = f"http://127.0.0.1:{runner.addresses[0][1]}/webhooks/{ACCOUNT}"
    try:
        yield
    finally:
        await runner.cleanup()

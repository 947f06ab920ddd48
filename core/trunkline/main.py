"""The composition root: builds the house from its settings, opens its doors, and closes everything again.

Nothing is built when a module is imported; everything that runs is built here.
"""

from __future__ import annotations

import asyncio
import contextlib
import functools
import gc
import signal
import socket
from collections.abc import AsyncIterator, Callable, Sequence
from importlib import import_module
from typing import TYPE_CHECKING, Any

from aiohttp import web

from trunkline.clock import SystemClock, monotonic
from trunkline.contract import Transport
from trunkline.errors import StartRefused
from trunkline.http.health import add_health_routes, open_metrics_door
from trunkline.http.problems import TRUSTED_PROXIES, client_address
from trunkline.http.public_media import add_public_media, file_response, files_alone
from trunkline.http.rough import server_logger
from trunkline.http.webhooks import MAX_BODY, Webhooks
from trunkline.log import get_logger
from trunkline.model import Actor, ActorKind
from trunkline.plugins import Registry, load_registry
from trunkline.service.account import Account
from trunkline.service.account_watch import AccountRefresh, AccountWatch
from trunkline.service.accounts import Accounts, check_accounts
from trunkline.service.applications import Consumer
from trunkline.service.early_receipts import EarlyReceipts
from trunkline.service.feed import Feed
from trunkline.service.house import House
from trunkline.service.intake import Intake
from trunkline.service.loop_watch import LoopWatch
from trunkline.service.media import MediaStore
from trunkline.service.media_bytes import StoredMedia
from trunkline.service.media_fetcher import MediaFetcher, MediaSweeper
from trunkline.service.media_files import MediaLimits
from trunkline.service.metrics import Metrics
from trunkline.service.moments import Moments
from trunkline.service.outbox import Outbox
from trunkline.service.platform_http import build_client, build_open_client
from trunkline.service.profiles import Profiles
from trunkline.service.puller import Puller
from trunkline.service.quarantine import QuarantineRetry
from trunkline.service.retention import Forgetting
from trunkline.service.search import Indexer
from trunkline.service.secret_box import SecretBox, secret_keys
from trunkline.service.timers import Timers
from trunkline.service.tokens import Tokens
from trunkline.service.vitals import Vitals
from trunkline.store import LogRow, MigrationSet, Store

if TYPE_CHECKING:
    from trunkline.contract import Clock, Connector, ConnectorSpec
    from trunkline.settings import Settings

__all__ = ["open_house", "serve", "serve_house"]

log = get_logger("main")

#: How long requests under way may take after a SIGTERM.
_DRAIN_S = 8.0
#: How long what still comes of a refused body is read and dropped, so that its sender can read the refusal. A sender
#: who left counts too, and holds up the end of the process for as long.
_LINGER_S = 2.0


@contextlib.asynccontextmanager
async def open_house(
    settings: Settings, *, clock: Clock | None = None, registry: Registry | None = None
) -> AsyncIterator[House]:
    """Build everything but the background work and the doors; for `serve` and for commands that work beside none.

    Raises:
        StartRefused, ConfigError: it cannot be built; the message says what to do.
    """
    the_clock, plugins = clock or SystemClock(), registry or load_registry(settings.plugins.disabled)
    check_accounts(plugins, settings)
    database = settings.database
    store = Store(database.url, migrations=_migrations(plugins), may_migrate=database.migrate)
    await store.open()
    async with contextlib.AsyncExitStack() as stack:
        stack.push_async_callback(store.close)
        box = SecretBox(secret_keys(settings))
        tokens = Tokens(store, the_clock, box)
        stack.push_async_callback(tokens.aclose)
        house = _build(settings, the_clock, plugins, store, box, tokens)
        stack.push_async_callback(house.accounts.close)
        await house.accounts.load(settings)
        if _is_hosting(plugins):
            _hosted("front").check_public_keys(house.accounts)
            _hosted("front").check_files_url(house.settings.server)
        house.metrics.know(house.accounts.all())
        yield house


def _build(  # noqa: PLR0917 - the six things that everything else is made of
    settings: Settings, clock: Clock, registry: Registry, store: Store, box: SecretBox, tokens: Tokens
) -> House:
    metrics = Metrics()
    store.writer.on_commit = metrics.committed

    def client(spec: ConnectorSpec, _account: Account) -> Any:
        allowed = settings.server.allow_hosts
        return build_client(spec.hosts, allow_hosts=allowed, on_refused=_counting(metrics))

    files = _media(settings, store, clock, metrics)
    media = StoredMedia(files)
    accounts = Accounts(
        store, registry, box, clock, client=client, tokens=tokens.of, media=media, on_replaced=tokens.drop
    )
    house = House(
        settings=settings,
        clock=clock,
        store=store,
        registry=registry,
        secrets=box,
        accounts=accounts,
        intake=Intake(store, clock, metrics.event_process.observe),
        outbox=Outbox(store, clock, accounts.all, metrics),
        media=files,
        feed=Feed(store),
        moments=Moments(store),
        metrics=metrics,
        vitals=Vitals(store, settings, clock),
    )
    for name, spec in registry.applications.items():
        house.applications[name] = spec.build(house)
    return house


def _counting(metrics: Metrics) -> Callable[[str], None]:
    return lambda reason: metrics.egress_refused.labels(reason).inc()


def _media(settings: Settings, store: Store, clock: Clock, metrics: Metrics) -> MediaStore:
    limits = MediaLimits(max_bytes=settings.media.max_bytes, free_space_floor=settings.media.free_space_floor)
    return MediaStore(settings.media.folder, store, clock, limits, on_bytes=metrics.media_bytes.inc)


def _migrations(registry: Registry) -> tuple[MigrationSet, ...]:
    found = []
    for spec in registry.applications.values():
        if spec.migrations is not None:
            module, _, name = spec.migrations.partition(":")
            found.append(getattr(import_module(module), name)())
    return tuple(found)


@contextlib.asynccontextmanager
async def _working(house: House) -> AsyncIterator[None]:
    """Make the background work, not yet begun; ends it in reverse order."""
    async with contextlib.AsyncExitStack() as stack:
        await house.feed.start()
        stack.push_async_callback(house.feed.stop)
        web_client = build_open_client(
            # Addresses that customers send lead to no private host, but for the demo's own simulators.
            allow_hosts=house.settings.server.allow_hosts if house.is_demo else (),
            on_refused=_counting(house.metrics),
        )
        stack.push_async_callback(web_client.aclose)
        for worker in _workers(house, web_client):
            house.workers[worker.name] = worker
        readers = [worker for worker in house.workers.values() if isinstance(worker, Consumer | Indexer)]
        house.store.writer.listen(lambda rows, wakes: _committed(house, readers, rows, wakes))
        house.store.on_remote_commit = lambda seq, wakes: _remote(house, seq, wakes)
        for application in house.applications.values():
            stack.push_async_callback(application.stop)
            await application.start()
        for worker in house.workers.values():
            stack.push_async_callback(worker.stop)
        house.vitals.start()
        stack.push_async_callback(house.vitals.stop)
        house.metrics.watch_loop()
        stack.callback(house.metrics.close)
        watch = LoopWatch()
        stack.callback(watch.stop)
        watch.start()
        yield


def _workers(house: House, web_client: Any) -> list[Any]:
    specs = house.registry.applications
    consumers = [
        Consumer(specs[name], application, house.store, house.clock)
        for name, application in house.applications.items()
        if specs[name].consumes
    ]
    return [
        house.outbox,
        MediaFetcher(house.store, house.media, connector_of(house), web=web_client, clock=house.clock),
        MediaSweeper(house.store, house.media, house.clock),
        Profiles(house.store, house.media, connector_of(house), web=web_client, clock=house.clock),
        Puller(house),
        Timers(house.store, house.clock, house.applications),
        QuarantineRetry(house, Actor(ActorKind.SYSTEM)),
        AccountWatch(house.accounts, house.clock),
        AccountRefresh(house),
        EarlyReceipts(house.store, house.clock),
        Indexer(house.store, house.clock),
        Forgetting(house.store, house.clock, house.settings.retention),
        *(_hosted("pusher").workers(house) if _is_hosting(house.registry) else ()),
        *consumers,
    ]


def connector_of(house: House) -> Callable[[str], Connector | None]:
    """Return how background work finds the connector of an account."""

    def find(account_id: str) -> Connector | None:
        account = house.accounts.get(account_id)
        return None if account is None else account.connector

    return find


def _committed(house: House, readers: Sequence[Consumer | Indexer], rows: Sequence[LogRow], wakes: set[str]) -> None:
    """This process committed."""
    if wakes:
        house.wake(wakes)
    if rows:
        # The feed has listened first: what its readers wait for is on its way.
        house.metrics.live_delay.observe(monotonic() - house.store.writer.committed_at)
        for reader in readers:
            reader.offer(rows)


def _remote(house: House, seq: int, wakes: set[str]) -> None:
    """Another process committed."""
    house.feed.catch_up(seq)
    house.wake(wakes | {name for name in house.workers if seq > 0 and name.startswith("application:")})
    indexer = house.workers.get("search")
    if isinstance(indexer, Indexer):
        indexer.wake_soon()


def build_app(house: House) -> web.Application:
    """Return the doors of a house."""
    app = web.Application(client_max_size=MAX_BODY)
    if house.settings.server.files_url is not None:
        app.middlewares.append(files_alone(house.settings.server.files_url))
    app[TRUSTED_PROXIES] = house.settings.server.trusted_proxies
    Webhooks(house).add_to(app)
    add_health_routes(app, house.vitals)
    add_public_media(app, house.media)
    if _is_hosting(house.registry):
        _add_hosted(app, house)
    for name, application in house.applications.items():
        routes = house.registry.applications[name].routes
        if routes is not None:
            routes(app, house, application)
    return app


def _is_hosting(registry: Registry) -> bool:
    """Whether a connector is installed of whose channels we own both ends."""
    return any(
        channel.capabilities.receiving.transport is Transport.HOSTED
        for spec in registry.connectors.values()
        for channel in spec.channels
    )


def _hosted(room: str) -> Any:
    """Load a part of the visitor protocol: what nobody uses costs no time at the start."""
    return import_module(f"trunkline.hosted.{room}")


def _add_hosted(app: web.Application, house: House) -> None:
    """Open the visitor protocol, and the pages of hosted connectors."""
    front = _hosted("front")
    client = _hosted("door").client_app(house, address_of=client_address, file_response=file_response)
    app.add_subapp(front.PREFIX, client)
    taken: set[str] = set()
    for spec in house.registry.connectors.values():
        if spec.pages is None:
            continue
        if spec.pages_at in taken:
            words = f"Two connectors have their pages at {spec.pages_at}"
            raise StartRefused(f'{words}: leave one out, [plugins] disabled = ["{spec.name}"].')
        taken.add(spec.pages_at)
        app.add_subapp(spec.pages_at, spec.pages(front.Directory(house)))


async def _expose(house: House) -> bytes:
    """Return all metrics as Prometheus reads them."""
    house.metrics.ws_queue_bytes.set(house.feed.queued_bytes)
    return await house.metrics.expose(house.store, house.accounts.all(), house.clock, house.settings.folder)


@contextlib.asynccontextmanager
async def serve_house(
    house: House, listen: str, *, add_routes: Callable[[web.Application], None] | None = None
) -> AsyncIterator[str]:
    """Work and open the doors; yields the address. On leaving, nothing new is taken and what runs is finished."""
    async with contextlib.AsyncExitStack() as stack:
        # Before anything works: a start that is refused must leave no trace.
        bound = stack.enter_context(_bound(listen))
        await stack.enter_async_context(_working(house))
        app = build_app(house)
        if add_routes is not None:
            add_routes(app)
        runner = web.AppRunner(
            app, access_log=None, logger=server_logger(), shutdown_timeout=_DRAIN_S, lingering_time=_LINGER_S
        )
        await runner.setup()
        stack.push_async_callback(runner.cleanup)
        await web.SockSite(runner, bound, backlog=1024).start()
        door = await open_metrics_door(
            house.settings,
            house.vitals,
            functools.partial(_expose, house),
        )
        if door is not None:
            stack.push_async_callback(door.cleanup)
        await house.vitals.beat()
        house.vitals.started = True
        # Last of all: the first steps of all workers together take as long as opening the doors.
        for worker in house.workers.values():
            await worker.start()
        try:
            yield _address(bound)
        finally:
            house.vitals.draining = True


def _bound(listen: str) -> socket.socket:
    """Return a socket bound to "host:port".

    Raises:
        StartRefused: the address is taken, not of this machine, or not for us.
    """
    host, _, port = listen.rpartition(":")
    try:
        return socket.create_server((host.strip("[]") or "127.0.0.1", int(port)), family=_family(host), backlog=1024)
    except OSError as error:
        words = f"The address {listen} cannot be opened ({str(error.strerror).partition(' (')[0]})"
        raise StartRefused(f"{words}: stop what uses it, or choose another with --listen.") from error


def _family(host: str) -> socket.AddressFamily:
    return socket.AF_INET6 if ":" in host else socket.AF_INET


def _address(bound: socket.socket) -> str:
    host, port = bound.getsockname()[:2]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


async def serve(
    settings: Settings, *, clock: Clock | None = None, on_ready: Callable[[House, str], None] | None = None
) -> None:
    """Run until SIGTERM or SIGINT."""
    stopping = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stopping.set)
    log.info("service.starting")
    async with (
        open_house(settings, clock=clock) as house,
        serve_house(house, settings.server.listen) as address,
    ):
        log.info("service.ready", address=address)
        # What was made for the start stays until the end: no search for garbage need look through it again.
        gc.freeze()
        gc.enable()
        if on_ready is not None:
            on_ready(house, address)
        await stopping.wait()
        log.info("service.draining")
    log.info("service.stopped")

"""The base of all simulated platforms: a loopback server with faults, a journal and customers' phones.

A platform's simulator adds its API (`routes`), its rules, and what its customers see (`chat`). The base
serves the phone page and the same JSON for all of them: the demo and the tests drive any platform alike::

    GET  /                              the phone page
    GET  /_sim/customers                who is there
    POST /_sim/customers                {"name": …}: somebody new
    GET  /_sim/customers/{id}/chat      what this customer sees
    POST /_sim/customers/{id}/send      an Action: write, press, …
    GET  /_sim/live                     server-sent events: {"customer": id} whenever a chat changed
    GET, POST, DELETE /_sim/faults      the fault script
    GET, DELETE       /_sim/journal     every request of the platform's API
    GET, POST         /_sim/lab…        the clock and outages by hand: see `trunkline.testing.lab`
"""

from __future__ import annotations

import asyncio
import contextlib
import fnmatch
from abc import ABC, abstractmethod
from collections import deque
from collections.abc import AsyncGenerator, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar, Self

import aiohttp
import msgspec
from aiohttp import web

from trunkline.clock import SystemClock
from trunkline.contract import Clock, WebhookRequest
from trunkline.model import ContentKind, DeliveryState
from trunkline.testing.faults import Entry, Fault, abort, slowly
from trunkline.testing.lab import Lab
from trunkline.testing.phones import Action, Bubble, Customer
from trunkline.testing.pictures import PICTURES, picture

__all__ = ["Simulator"]

_PAGE = Path(__file__).parent / "phone_page"
_OWN_PATHS = ("/_sim/", "/phone/")


class Simulator(ABC):
    """A simulated platform on a loopback port. Use it as `async with`."""

    #: The platform's name on the phone page, and its colour.
    title: ClassVar[str] = "Simulator"
    accent: ClassVar[str] = "#3b5bdb"
    #: Paths whose bodies are credentials: the journal leaves them out.
    secret_paths: ClassVar[tuple[str, ...]] = ()
    #: The channels that one class can be, given as `channel=`; empty where there is one.
    channels: ClassVar[tuple[str, ...]] = ()
    #: How a customer sends each kind of content that the platform has, for every kind that a channel receives.
    writes: ClassVar[Mapping[ContentKind, Action]] = {}
    #: Seconds for which a signed request is good, None where the platform signs no time.
    signed_for_s: ClassVar[int | None] = None
    #: False where the proof is a word that does not cover the body: whoever has it may send anything.
    signs_body: ClassVar[bool] = True

    def __init__(self, *, clock: Clock | None = None, webhook_url: str | None = None) -> None:
        self.clock: Clock = clock or SystemClock()
        #: Where webhooks go; None while nobody listens.
        self.webhook_url = webhook_url
        self.journal: deque[Entry] = deque(maxlen=50_000)
        self._faults: list[Fault] = []
        self._watchers: set[asyncio.Queue[str | None]] = set()
        self._runner: web.AppRunner | None = None
        self._session: aiohttp.ClientSession | None = None
        self._port = 0

    # ---------------------------------------------------------------- what a platform adds

    @abstractmethod
    def routes(self) -> Iterable[web.RouteDef]:
        """Return the platform's API."""

    @abstractmethod
    def settings(self) -> dict[str, Any]:
        """Return the settings with which the real connector speaks to this simulator, secrets included."""

    @abstractmethod
    def customers(self) -> list[Customer]:
        """Return the phone's list, newest first."""

    @abstractmethod
    def chat(self, customer: str) -> list[Bubble]:
        """Return what this customer sees, oldest first. KeyError for nobody."""

    @abstractmethod
    def add_customer(self, name: str) -> str:
        """Invent somebody and return their id."""

    @abstractmethod
    async def act(self, customer: str, action: Action) -> None:
        """Let a customer do something; its webhook was sent when this returns. ValueError if they cannot."""

    # ---------------------------------------------------------------- what the conformance suite asks for

    def webhook(self, body: bytes) -> WebhookRequest:
        """Return the request with which the platform would send these bytes: signed, encrypted where it encrypts.

        `body` is what `parse` takes; `connector.authenticate(simulator.webhook(body)) == body`.
        """
        raise NotImplementedError

    def strange(self, customer: str) -> bytes:
        """Return a body with one event of this customer, of a kind that does not exist."""
        raise NotImplementedError

    def joined(self, bodies: Sequence[bytes]) -> bytes | None:
        """Return one body with the events of several, None where the platform sends them one by one."""
        return None

    def challenge(self) -> tuple[WebhookRequest, bytes] | None:
        """Return the request that checks our address and the answer that it wants, None where there is none."""
        return None

    def add_group(self, name: str, members: Sequence[str]) -> str | None:
        """Put customers into a new group and return its id, None where the platform has none.

        `act` with this id lets the first member act, `chat` shows what that member sees.
        """
        return None

    async def tell(self, customer: str, state: DeliveryState) -> bool:
        """Send the platform's word that our newest message to a customer was delivered, read, or failed after its yes.

        Return False where the platform tells no such thing.
        """
        return False

    def expire_tokens(self) -> bool:
        """Make every access token that was given out invalid; False where there are none that expire."""
        return False

    def limited(self, *, after_s: int | None) -> Fault:
        """Return how the platform says "too many requests", with or without a time."""
        headers = {} if after_s is None else {"Retry-After": str(after_s)}
        return Fault(do="answer", status=429, body="{}", headers=headers)

    def shown_path(self, path: str) -> str:
        """Return a path as the journal shows it: "*" for a credential, where the platform has one there."""
        return path

    # ---------------------------------------------------------------- running

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._port}"

    @property
    def connections(self) -> int:
        """How many connections to this platform are open."""
        server = self._runner.server if self._runner else None
        return len(server.connections) if server else 0

    async def start(self, *, port: int = 0) -> Self:
        app = web.Application(middlewares=[self._middleware()], client_max_size=64 * 1024 * 1024)
        app.add_routes([*self._own_routes(), *self.routes()])
        app.router.add_static("/phone/", _PAGE)
        app.on_shutdown.append(self._hang_up)
        self._runner = web.AppRunner(app, access_log=None, handle_signals=False, shutdown_timeout=1)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", port)
        await site.start()
        self._port = int(self._runner.addresses[0][1])
        self._session = aiohttp.ClientSession(auto_decompress=False)
        return self

    async def stop(self) -> None:
        if self._session is not None:
            await self._session.close()
        if self._runner is not None:
            await self._runner.cleanup()

    async def __aenter__(self) -> Self:
        return self if self._runner else await self.start()

    async def __aexit__(self, *_: object) -> None:
        await self.stop()

    async def send_webhook(
        self, body: bytes, headers: Mapping[str, str], query: Mapping[str, str] | None = None
    ) -> int:
        """Post to our webhook address. Returns the status, 0 when nobody answered."""
        if self.webhook_url is None or self._session is None:
            return 0
        with contextlib.suppress(aiohttp.ClientError, TimeoutError):
            async with self._session.post(
                self.webhook_url,
                data=body,
                headers=headers,
                params=query,
                timeout=aiohttp.ClientTimeout(total=10),
            ) as response:
                self.answered(await response.read())
                return response.status
        return 0

    def answered(self, body: bytes) -> None:  # noqa: B027 - most platforms read nothing there
        """Heed what a webhook was answered, on platforms where that says something."""

    # ---------------------------------------------------------------- faults and the journal

    def fail(self, fault: Fault) -> None:
        """Append to the fault script; the first fault that fits a request is used up by it."""
        self._faults.append(fault)

    def forgive(self) -> None:
        """Forget the faults that did not happen yet."""
        self._faults.clear()

    def requests(self, path: str = "*") -> list[Entry]:
        """Return the journal of the paths that fit a pattern."""
        return [entry for entry in self.journal if fnmatch.fnmatch(entry.path, path)]

    def _next_fault(self, request: web.Request) -> Fault | None:
        for at, fault in enumerate(self._faults):
            if fault.fits(request):
                left = fault.times - 1
                self._faults[at : at + 1] = [msgspec.structs.replace(fault, times=left)] if left else []
                return fault
        return None

    def _middleware(self) -> Any:
        @web.middleware
        async def middleware(request: web.Request, handler: Any) -> web.StreamResponse:
            if request.path == "/" or request.path.startswith(_OWN_PATHS):
                answer: web.StreamResponse = await handler(request)
                return answer
            entry, fault = await self._entered(request), self._next_fault(request)
            return await self._answered(request, handler, entry, fault)

        return middleware

    async def _entered(self, request: web.Request) -> Entry:
        body = (await request.read()).decode("utf-8", "replace")
        secret = request.path.startswith(self.secret_paths) if self.secret_paths else False
        entry = Entry(
            at_ms=self.clock.now_ms(),
            method=request.method,
            path=self.shown_path(request.path),
            headers={k.lower(): v for k, v in request.headers.items() if k.lower() != "authorization"},
            body="" if secret else body,
        )
        self.journal.append(entry)
        return entry

    async def _answered(
        self, request: web.Request, handler: Any, entry: Entry, fault: Fault | None
    ) -> web.StreamResponse:
        entry.outcome = fault.do if fault else "answered"
        if fault and fault.do == "close_before":
            return abort(request)
        if fault and fault.do == "answer":
            entry.status, entry.answer = fault.status, fault.body
            headers = {**fault.headers, "Content-Type": fault.content_type}
            return web.Response(status=fault.status, text=fault.body, headers=headers)
        if fault and fault.do == "delay":
            await asyncio.sleep(fault.seconds)
        response = await _handled(request, handler)
        entry.status, entry.answer = response.status, "" if entry.body == "" else response.text or ""
        if fault and fault.do == "close_after":
            return abort(request)
        if fault and fault.do in {"cut", "drip"}:
            return await slowly(request, response, fault)
        return response

    # ---------------------------------------------------------------- the phones

    def changed(self, customer: str) -> None:
        """Tell the open phone pages that a chat changed."""
        for watcher in self._watchers:
            watcher.put_nowait(customer)

    def _own_routes(self) -> list[web.RouteDef]:
        return [
            web.get("/", self.page),
            web.get("/_sim/info", self._get_info),
            web.get("/_sim/customers", self._get_customers),
            web.post("/_sim/customers", self._post_customer),
            web.get("/_sim/customers/{id}/chat", self._get_chat),
            web.post("/_sim/customers/{id}/send", self._post_action),
            web.get("/_sim/pictures/{name}.jpg", self._get_picture),
            web.get("/_sim/live", self._get_live),
            *Lab(self).routes(),
            web.get("/_sim/faults", self._get_faults),
            web.post("/_sim/faults", self._post_fault),
            web.delete("/_sim/faults", self._delete_faults),
            web.get("/_sim/journal", self._get_journal),
            web.delete("/_sim/journal", self._delete_journal),
        ]

    async def page(self, request: web.Request) -> web.StreamResponse:
        """Show what customers have before them: the phone, unless a platform has something else."""
        return web.FileResponse(_PAGE / "index.html", headers={"Cache-Control": "no-cache"})

    async def _get_info(self, request: web.Request) -> web.Response:
        return _json({"title": self.title, "accent": self.accent, "pictures": PICTURES})

    async def _get_customers(self, request: web.Request) -> web.Response:
        return _json(self.customers())

    async def _post_customer(self, request: web.Request) -> web.Response:
        name = str((await request.json())["name"]).strip() or "Somebody"
        return _json({"id": self.add_customer(name)}, status=201)

    async def _get_chat(self, request: web.Request) -> web.Response:
        try:
            return _json(self.chat(request.match_info["id"]))
        except KeyError:
            raise web.HTTPNotFound from None

    async def _post_action(self, request: web.Request) -> web.Response:
        try:
            action = msgspec.json.decode(await request.read(), type=Action)
            await self.act(request.match_info["id"], action)
        except KeyError:
            raise web.HTTPNotFound from None
        except (ValueError, msgspec.DecodeError) as error:
            return _json({"detail": str(error)}, status=400)
        return _json({}, status=201)

    async def _get_picture(self, request: web.Request) -> web.Response:
        if request.match_info["name"] not in PICTURES:
            raise web.HTTPNotFound
        return web.Response(body=picture(request.match_info["name"]), content_type="image/jpeg")

    async def _get_live(self, request: web.Request) -> web.StreamResponse:
        headers = {"Content-Type": "text/event-stream", "Cache-Control": "no-cache"}
        response = web.StreamResponse(headers=headers)
        await response.prepare(request)
        # A phone that is put away is no error.
        with contextlib.suppress(ConnectionError):
            async for customer in self._watch():
                await response.write(b"data: " + msgspec.json.encode({"customer": customer}) + b"\n\n")
        return response

    async def _watch(self) -> AsyncGenerator[str, None]:
        watcher: asyncio.Queue[str | None] = asyncio.Queue()
        self._watchers.add(watcher)
        try:
            yield ""
            while (customer := await watcher.get()) is not None:
                yield customer
        finally:
            self._watchers.discard(watcher)

    async def _hang_up(self, app: web.Application) -> None:
        for watcher in self._watchers:
            watcher.put_nowait(None)

    async def _get_faults(self, request: web.Request) -> web.Response:
        return _json(self._faults)

    async def _post_fault(self, request: web.Request) -> web.Response:
        self.fail(msgspec.json.decode(await request.read(), type=Fault))
        return _json({}, status=201)

    async def _delete_faults(self, request: web.Request) -> web.Response:
        self.forgive()
        return _json({})

    async def _get_journal(self, request: web.Request) -> web.Response:
        return _json(self.requests(request.query.get("path", "*")))

    async def _delete_journal(self, request: web.Request) -> web.Response:
        self.journal.clear()
        return _json({})


def _json(value: Any, *, status: int = 200) -> web.Response:
    return web.Response(body=msgspec.json.encode(value), status=status, content_type="application/json")


async def _handled(request: web.Request, handler: Any) -> web.Response:
    try:
        response: web.Response = await handler(request)
    except web.HTTPException as error:
        return web.json_response({"message": error.reason}, status=error.status)
    return response

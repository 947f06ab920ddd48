"""What the simulated Baidu remembers, and its calls with their rules and words."""

from __future__ import annotations

import hashlib
import hmac
import itertools
import secrets
from dataclasses import dataclass, field
from typing import Protocol

from aiohttp import web

from trunkline.contract import Clock
from trunkline.testing.phones import Bubble

TWO_DAYS_MS = 48 * 3_600_000
#: Answers to one message of a customer.
BUDGET = 5
#: How long a token lasts, seconds; Baidu's own life is not told.
TOKEN_S = 30 * 86_400


@dataclass
class Said:
    """One message in a customer's chat: a text, or the address of a picture."""

    id: str
    at_ms: int
    mine: bool
    kind: str
    words: str

    def bubble(self) -> Bubble:
        image = self.words if self.kind == "image" else None
        text, kind = ("", "image") if image else (self.words, "text")
        name = "" if self.mine else "Shop"
        return Bubble(
            id=self.id, mine=self.mine, at_ms=self.at_ms, kind=kind, text=text, name=name, url=image, image=image
        )


@dataclass
class Person:
    id: str
    name: str
    open_until_ms: int = 0
    left: int = 0
    said: list[Said] = field(default_factory=list)


class World:
    """The state of one simulated mini program."""

    def __init__(self, clock: Clock) -> None:
        self.clock = clock
        self.app_id, self.app_key = "10000001", secrets.token_hex(16)
        self.app_secret, self.push_token = secrets.token_hex(16), secrets.token_hex(12)
        #: Access tokens → end in ms.
        self.tokens: dict[str, int] = {}
        self.people: dict[str, Person] = {}
        #: Whether customer service is switched on.
        self.is_enabled = True
        self._count = itertools.count(3001)

    def number(self) -> int:
        return next(self._count)

    def person(self, name: str) -> Person:
        """Return the person of this name, invented at need; the same name has the same id in every run."""
        id_ = "oBAIDU_" + hashlib.sha256(name.encode()).hexdigest()[:20]
        return self.people.setdefault(id_, Person(id=id_, name=name))

    def open(self, person: Person) -> None:
        """Counts do not add up: a new message sets them anew."""
        person.open_until_ms, person.left = self.clock.now_ms() + TWO_DAYS_MS, BUDGET

    def issue(self) -> str:
        token = "24." + secrets.token_hex(20)
        self.tokens[token] = self.clock.now_ms() + TOKEN_S * 1000
        return token


class Refusal(Exception):
    """An answer of Baidu that is no success."""

    def __init__(self, errno: int, words: str) -> None:
        super().__init__(words)
        self.errno, self.words = errno, words


class Account(Protocol):
    """What the calls need of the simulator that they belong to."""

    world: World

    def changed(self, customer: str) -> None: ...


class Platform:
    """The calls. One object per simulator."""

    def __init__(self, simulator: Account) -> None:
        self._simulator, self._world = simulator, simulator.world
        #: The forms of the messages accepted, with the path.
        self.sent: list[tuple[str, dict[str, str]]] = []

    def routes(self) -> list[web.RouteDef]:
        send = "/rest/2.0/smartapp/message/custom/send"
        return [
            web.get("/oauth/2.0/token", self._token),
            web.post(send, self._send),
            web.post(f"{send}bytp", self._send),
        ]

    async def _token(self, request: web.Request) -> web.Response:
        query, world = request.query, self._world
        known = hmac.compare_digest(query.get("client_secret", ""), world.app_secret)
        if query.get("grant_type") != "client_credentials" or query.get("scope") != "smartapp_snsapi_base":
            return web.json_response(
                {"error": "invalid_request", "error_description": "bad grant or scope"}, status=400
            )
        if query.get("client_id") != world.app_key or not known:
            refusal = {"error": "invalid_client", "error_description": "Client authentication failed"}
            return web.json_response(refusal, status=401)
        return web.json_response({"access_token": world.issue(), "expires_in": TOKEN_S})

    async def _send(self, request: web.Request) -> web.Response:
        form = {name: str(value) for name, value in (await request.post()).items()}
        try:
            self._admit(request.query.get("access_token", ""))
            self._take(form)
        except Refusal as refusal:
            return web.json_response({"errno": refusal.errno, "msg": refusal.words})
        self.sent.append((request.path, form))
        return web.json_response({"errno": 0, "msg": "success"})

    def _admit(self, token: str) -> None:
        ends = self._world.tokens.get(token)
        if ends is None:
            raise Refusal(110, "Access token invalid or no longer valid")
        if ends <= self._world.clock.now_ms():
            raise Refusal(111, "Access token expired")

    def _take(self, form: dict[str, str]) -> None:
        if not self._world.is_enabled:
            raise Refusal(90002, "customer service is not enabled")
        words = {"text": form.get("content"), "image": form.get("pic_url")}.get(form.get("msg_type", ""))
        if form.get("user_type") not in {"1", "2"} or not words or len(words.encode()) > 2048:
            raise Refusal(3001, "invalid parameter")
        person = self._world.people.get(form.get("open_id", ""))
        if person is None:
            raise Refusal(30022, "invalid openid")
        now = self._world.clock.now_ms()
        if now >= person.open_until_ms or person.left <= 0:
            raise Refusal(90001, "message count over limit")
        person.left -= 1
        person.said.append(Said(str(self._world.number()), now, mine=False, kind=form["msg_type"], words=words))
        self._simulator.changed(person.id)

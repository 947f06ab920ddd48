"""Whose a customer's session is: ours, nobody's, the queue's, a colleague's in WeCom.

The platform refuses what we send while a session is not ours, and gives new ones to staff in WeCom where it can.

Source: https://developer.work.weixin.qq.com/document/path/94669 (read 2026-11-22)
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping
from enum import IntEnum
from typing import Any

import httpx2

from trunkline.contract import Clock
from trunkline.errors import DeliveryError, Undeliverable, WindowClosed
from trunkline.log import get_logger
from trunkline_wechat.api import Api
from trunkline_wechat.kf.inbound import joined

Json = dict[str, Any]

log = get_logger("wechat")

#: A session ends by itself after this time without the customer.
SESSION_MS = 48 * 3600 * 1000
#: How long a page may wait for sessions to be taken before it is stored, and how many at once.
_PATIENCE_S, _AT_ONCE = 5.0, 8


class State(IntEnum):
    """`service_state`."""

    UNTOUCHED = 0
    OURS = 1
    QUEUED = 2
    STAFF = 3
    ENDED = 4


_QUEUED = (
    "The customer waits in WeChat's own queue for a colleague in WeCom, so WeChat takes nothing from here. "
    "Take the conversation over in WeCom, or end it there; to answer from here, set the desk to API hosting."
)
_STAFF = (
    "{who} serves this customer in WeCom, so WeChat takes nothing from here. "
    "Answer there, or let the colleague end the conversation; then the customer's next message is ours."
)


class Sessions:
    """Sessions of one company's desks."""

    def __init__(self, api: Api, clock: Clock) -> None:
        self._api, self._clock = api, clock
        #: Desk and customer → when we need not look any more. Forgotten at a restart: it costs a question.
        self._ours: dict[str, int] = {}

    async def take(self, items: Iterable[Any]) -> None:
        """Keep the sessions of all who wrote with us. What fails here costs nothing but the session."""
        places = self._written(items)
        if not places:
            return
        limit = asyncio.Semaphore(_AT_ONCE)

        async def one(desk: str, customer: str) -> None:
            try:
                async with limit:
                    await self._take(desk, customer)
            except (DeliveryError, httpx2.TransportError) as error:
                log.info("wechat.session_not_taken", desk=desk, error=type(error).__name__)

        try:
            async with asyncio.timeout(_PATIENCE_S):
                await asyncio.gather(*(one(*place) for place in places))
        except TimeoutError:
            log.info("wechat.sessions_not_taken", count=len(places))

    def _written(self, items: Iterable[Any]) -> list[tuple[str, str]]:
        """Return desk and customer of the fresh messages whose session is not known to be ours."""
        now = self._clock.now_ms()
        self._ours = {key: until for key, until in self._ours.items() if until > now}
        places: dict[tuple[str, str], None] = {}
        for item in items:
            match item:
                case {"event": {"event_type": "session_status_change", "open_kfid": desk, "external_userid": customer}}:
                    self._ours.pop(joined(str(desk), str(customer)), None)
                case {"origin": 3, "open_kfid": str(desk), "external_userid": str(customer), "send_time": int(at)}:
                    if at * 1000 + SESSION_MS > now:
                        places[desk, customer] = None
        return [place for place in places if joined(*place) not in self._ours]

    async def _take(self, desk: str, customer: str) -> None:
        answer = await self._state(desk, customer)
        state = answer.get("service_state")
        if state == State.UNTOUCHED:
            body = {"open_kfid": desk, "external_userid": customer, "service_state": int(State.OURS)}
            await self._api.post("/cgi-bin/kf/service_state/trans", body)
        if state in {State.UNTOUCHED, State.OURS}:
            self._ours[joined(desk, customer)] = self._clock.now_ms() + SESSION_MS

    async def _state(self, desk: str, customer: str) -> Json:
        body = {"open_kfid": desk, "external_userid": customer}
        return await self._api.post("/cgi-bin/kf/service_state/get", body)

    async def explain(self, refusal: Undeliverable, desk: str, customer: str) -> DeliveryError:
        """Return what a refusal because of the session's state means, by what the state is."""
        self._ours.pop(joined(desk, customer), None)
        try:
            answer = await self._state(desk, customer)
        except (DeliveryError, httpx2.TransportError):
            return refusal
        return _meaning(answer, refusal)


def _meaning(answer: Mapping[str, Any], refusal: Undeliverable) -> DeliveryError:
    match answer.get("service_state"):
        case State.QUEUED:
            return Undeliverable(_QUEUED, whose="account", code="session_queued", answer=refusal.answer)
        case State.STAFF:
            words = _STAFF.format(who=answer.get("servicer_userid") or "A colleague")
            return Undeliverable(words, whose="account", code="session_with_staff", answer=refusal.answer)
        case State.UNTOUCHED | State.OURS:
            return WindowClosed("The customer has not written for 48 hours.", answer=refusal.answer)
        case State.ENDED:
            words = "The session is ended: the customer has to write first."
            return WindowClosed(words, code="session_ended", answer=refusal.answer)
        case _:
            return refusal

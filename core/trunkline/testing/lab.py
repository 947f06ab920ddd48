"""The drawer of the phone page: move the clock, and let the platform have a bad hour.

::

    GET  /_sim/lab            {"now_ms", "movable", "outage", "outages": [{"name", "title"}], "tokens"}
    POST /_sim/lab/clock      {"seconds": 86100}: time goes forward, also for whoever shares the clock
    POST /_sim/lab/outage     {"name": "busy"}: until another one is chosen
    POST /_sim/lab/tokens     {}: every access token ends now
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any, Protocol

import msgspec
from aiohttp import web

from trunkline.testing.faults import Fault

if TYPE_CHECKING:
    from trunkline.contract import Clock

__all__ = ["Lab"]


class _Platform(Protocol):
    """What the lab needs of a simulator."""

    clock: Clock

    def fail(self, fault: Fault) -> None: ...
    def forgive(self) -> None: ...
    def expire_tokens(self) -> bool: ...
    def limited(self, *, after_s: int | None) -> Fault: ...


#: As good as for ever.
_ALWAYS = 1_000_000
#: The longest jump, seconds.
_LONGEST = 31 * 86_400

#: Name → (what the button says, what goes wrong with every call).
_OUTAGES: dict[str, tuple[str, Callable[[_Platform], Fault | None]]] = {
    "none": ("All is well", lambda _: None),
    "busy": ("Too many requests", lambda simulator: simulator.limited(after_s=30)),
    "down": ("Server errors", lambda _: Fault(do="answer", status=503, body="{}")),
    "slow": ("Slow answers", lambda _: Fault(do="delay", seconds=6)),
    "silent": ("Takes it, never answers", lambda _: Fault(do="close_after")),
}


class Lab:
    """What can be done to one simulated platform by hand."""

    def __init__(self, simulator: _Platform) -> None:
        self._simulator = simulator
        self._outage = "none"

    def routes(self) -> Iterable[web.RouteDef]:
        """Return its addresses."""
        return [
            web.get("/_sim/lab", self._get),
            web.post("/_sim/lab/clock", self._move),
            web.post("/_sim/lab/outage", self._break),
            web.post("/_sim/lab/tokens", self._expire),
        ]

    def _state(self) -> dict[str, Any]:
        return {
            "now_ms": self._simulator.clock.now_ms(),
            "movable": self._moves() is not None,
            "outage": self._outage,
            "outages": [{"name": name, "title": title} for name, (title, _) in _OUTAGES.items()],
        }

    def _moves(self) -> Any:
        return getattr(self._simulator.clock, "move", None)

    async def _get(self, _request: web.Request) -> web.Response:
        return _json(self._state())

    async def _move(self, request: web.Request) -> web.Response:
        move, seconds = self._moves(), (await request.json()).get("seconds")
        if move is None:
            return _json({"detail": "This clock goes by itself."}, status=409)
        if not isinstance(seconds, int) or not 0 < seconds <= _LONGEST:
            return _json({"detail": "Time goes forward, by at most 31 days."}, status=400)
        move(seconds)
        return _json(self._state())

    async def _break(self, request: web.Request) -> web.Response:
        name = (await request.json()).get("name")
        if name not in _OUTAGES:
            return _json({"detail": f"One of: {', '.join(_OUTAGES)}."}, status=400)
        self._outage = name
        self._simulator.forgive()
        fault = _OUTAGES[name][1](self._simulator)
        if fault is not None:
            self._simulator.fail(msgspec.structs.replace(fault, times=_ALWAYS))
        return _json(self._state())

    async def _expire(self, _request: web.Request) -> web.Response:
        if not self._simulator.expire_tokens():
            return _json({"detail": "This platform has no tokens that end."}, status=409)
        return _json(self._state())


def _json(value: Any, *, status: int = 200) -> web.Response:
    return web.Response(body=msgspec.json.encode(value), status=status, content_type="application/json")

"""Deliberate breaks for the promises on every platform, planted into this process for the length of a block."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from typing import Any

import msgspec

from trunkline.contract import EchoReceived, ReceiptReceived
from trunkline.errors import SignInNeeded
from trunkline.service import arrivals, items, tokens
from trunkline.service.outbox import brakes, claims, dispatcher, pending, results, rulings, schedule
from trunkline.service.outbox.dispatcher import Outbox
from trunkline.service.outbox.rulings import Ruling

__all__ = ["planted"]

#: Whatever a seed may change.
_OWNERS: tuple[Any, ...] = (
    claims, dispatcher, pending, results, rulings, schedule, brakes, Outbox, tokens.Tokens, arrivals.WorkingSet,
)  # fmt: skip


@contextlib.contextmanager
def planted(name: str) -> Iterator[None]:
    """Break this process in the way that a seed names; mended at the end of the block."""
    kept = [(owner, dict(vars(owner))) for owner in _OWNERS]
    handlers = dict(items.HANDLERS)
    from tests.promises.outbox_seeds import SEEDS

    try:
        ({**SEEDS, **_SEEDS})[name]("")
        yield
    finally:
        for owner, before in kept:
            _mend(owner, before)
        items.HANDLERS.update(handlers)


def _mend(owner: Any, before: dict[str, Any]) -> None:
    for key in vars(owner).keys() - before.keys():
        delattr(owner, key)
    for key, value in before.items():
        if vars(owner).get(key) is not value:
            setattr(owner, key, value)


def _unflagged(_value: str) -> None:
    """Take every repeated send for a safe one."""
    results._is_safe = lambda *_given: True


def _deaf(_value: str) -> None:
    """Hear no echo and no receipt."""
    for kind in (EchoReceived, ReceiptReceived):
        items.HANDLERS[kind] = lambda *_given: None


def _forgetful(_value: str) -> None:
    """Do not remember that an attempt may have arrived."""
    outbound = pending._outbound

    def fresh(*given: Any) -> Any:
        return msgspec.structs.replace(outbound(*given), after_uncertain=False)

    vars(pending)["_outbound"] = fresh


def _storm(_value: str) -> None:
    """Try again at once, and never let an account wait."""
    vars(rulings)["next_try"] = lambda now, *_given, **_more: now + 1_000
    brakes._LIMIT = 10**9


def _refresh_each(_value: str) -> None:
    """Fetch a token for every send."""

    async def get(self: Any, key: Any, renew: Any) -> str:
        return str((await renew()).value)

    tokens.Tokens.get = get  # type: ignore[method-assign]  # that is the fault


def _fail_signed_out(_value: str) -> None:
    """Give a message up when the account must sign in."""

    def decide(_result: Any, error: SignInNeeded) -> Ruling:
        return Ruling(state="failed", code=error.code, text="The token is dead.")

    rulings._RULES = ((SignInNeeded, decide), *rulings._RULES)


def _one_by_one(_value: str) -> None:
    """Begin nothing while something is under way."""
    spawn = Outbox.spawn

    def serial(self: Outbox, work: Any) -> None:
        spawn(self, _in_turn(self, work))

    setattr(Outbox, "spawn", serial)  # noqa: B010 - it has none of its own yet: that is the fault


async def _in_turn(outbox: Any, work: Any) -> None:
    import asyncio

    lock = vars(outbox).setdefault("_turn", asyncio.Lock())
    async with lock:
        await work


#: Name → what it breaks.
_SEEDS: dict[str, Callable[[str], None]] = {
    "deaf": _deaf,
    "fail_signed_out": _fail_signed_out,
    "forgetful": _forgetful,
    "one_by_one": _one_by_one,
    "refresh_each": _refresh_each,
    "storm": _storm,
    "unflagged": _unflagged,
}

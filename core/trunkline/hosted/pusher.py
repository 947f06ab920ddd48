"""Waking apps: a reader of the log plans pushes, a worker hands those that are still needed to providers."""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import msgspec
from pydantic import SecretStr
from sqlalchemy import func, select

from trunkline.contract import Application, ApplicationSpec
from trunkline.errors import TrunklineError
from trunkline.hosted import push_jobs
from trunkline.hosted.asking import ask
from trunkline.hosted.connector import HostedConnector
from trunkline.hosted.push import Notice, PushAnswer, PushResult, PushSender, PushTarget, push_of
from trunkline.log import get_logger
from trunkline.model import Content, new_id
from trunkline.service.applications import Consumer
from trunkline.service.snapshots import preview_of
from trunkline.service.worker import Worker
from trunkline.store import schema

if TYPE_CHECKING:
    from trunkline.hosted.push import Push
    from trunkline.hosted.push_jobs import Claim
    from trunkline.model import Event
    from trunkline.service.account import Account
    from trunkline.service.house import House
    from trunkline.store import Transaction

__all__ = ["Planner", "Pusher", "workers"]

log = get_logger("push")

#: Pushes of one account that are handed over at once.
_AT_ONCE = 20
_SEND_S = 25.0
_FIRST_PAUSE_S, _LONGEST_PAUSE_S = 10.0, 3600.0
#: How long nothing goes to a provider that does not believe us.
_STOPPED_MS = 10 * 60 * 1000
_DAY_MS = 24 * 3600 * 1000
_OTHER = {"production": "sandbox", "sandbox": "production"}
_content = msgspec.json.Decoder(Content).decode


class Planner(Application):
    """Plans pushes from the log, each once."""

    def __init__(self, house: House) -> None:
        self._house = house

    def wants(self, kind: str, payload: str) -> bool:
        """Whether anybody pushes at all; a house without credentials pays nothing."""
        return is_pushing(self._house)

    def consume(self, tx: Any, events: Sequence[Event]) -> None:
        """Plan the pushes of new messages; what is older than a push lives is nobody's news."""
        oldest = self._house.clock.now_ms() - push_jobs.LIFE_MS
        push_jobs.plan(tx, [event for event in events if event.at_ms > oldest])


class _Reader(Consumer):
    """The planner's place in the log: where it was first needed, and it stays where it is while nobody pushes."""

    def __init__(self, house: House) -> None:
        spec = ApplicationSpec(name="push", title={"en": "Push"}, build=Planner, kinds=push_jobs.KINDS)
        super().__init__(spec, Planner(house), house.store, house.clock)
        self._house = house

    async def step(self) -> int | None:
        return await super().step() if is_pushing(self._house) else None

    def _position(self, tx: Transaction, now: int) -> int | None:
        name = schema.cursor.c.name
        if tx.execute(select(name).where(name == self._name)).one_or_none() is None:
            last = tx.execute(select(func.max(schema.event.c.seq))).scalar() or 0
            columns = ("name", "position", "owner", "lease_until", "fence")
            tx.insert_new(schema.cursor, [(self._name, str(last), self._me, now, 1)], columns, ("name",))
        return super()._position(tx, now)


def workers(house: House) -> list[Worker]:
    """Return what wakes apps."""
    return [_Reader(house), Pusher(house)]


def is_pushing(house: House) -> bool:
    """Whether an account has credentials of a provider."""
    return any(
        ask(one, "pushes", lambda connector: connector.pushes(), otherwise=False) for one in house.accounts.all()
    )


class Pusher(Worker):
    """Hands over what is due. Several processes may run one each: a lease gives every push to one of them."""

    def __init__(self, house: House) -> None:
        super().__init__("push", house.clock)
        self._house, self._me = house, new_id()
        #: (account, provider) → until when nothing is sent.
        self._stopped: dict[tuple[str, str], int] = {}
        #: Account → pushes that are being handed over.
        self._under_way: Counter[str] = Counter()
        self._swept = 0

    async def step(self) -> int | None:
        """Take what is due of every account with room, and say when the next is."""
        if not is_pushing(self._house):
            return None
        now = self.clock.now_ms()
        await self._sweep(now)
        async with self._house.store.read() as connection:
            found = await connection.execute(push_jobs.NEXT_DUE)
            waiting = {row.account_id: row.due_at for row in found}
        rooms = {account: self._room(account) for account, due in waiting.items() if due <= now and self._room(account)}
        if rooms:
            write = self._house.store.writer.write
            claims, waiting = await write(lambda tx: push_jobs.claim(tx, self._me, now, rooms))
            for taken in claims:
                self._under_way[taken.account_id] += 1
                self.spawn(self._work(taken))
        # An account without room wakes us when one of its pushes ends.
        return min((due for account, due in waiting.items() if self._room(account)), default=None)

    def _room(self, account_id: str) -> int:
        """Return how many pushes of an account may begin now: one that hangs holds up nobody else's."""
        return _AT_ONCE - self._under_way[account_id]

    async def _work(self, taken: Claim) -> None:
        try:
            await self._hand_over(taken)
        finally:
            self._under_way[taken.account_id] -= 1

    async def _sweep(self, now: int) -> None:
        """Once a day, forget devices that nobody uses any more."""
        if now - self._swept < _DAY_MS:
            return
        self._swept = now
        if forgotten := await self._house.store.writer.write(lambda tx: push_jobs.sweep(tx, now)):
            log.info("push.devices_forgotten", devices=forgotten)

    async def _hand_over(self, taken: Claim) -> None:
        """Send one push and write down what became of it."""
        account, write = self._house.accounts.get(taken.account_id), self._house.store.writer.write
        sender = None if account is None else _sender_of(account, taken)
        if account is None or sender is None:
            await write(lambda tx: push_jobs.finish(tx, taken))
            return
        place, now = (taken.account_id, taken.provider), self.clock.now_ms()
        if self._stopped.get(place, 0) > now:
            await write(lambda tx: push_jobs.put_off(tx, taken, self._stopped[place]))
            return
        try:
            target = self._target(taken)
        except TrunklineError:
            log.warning("push.token_unreadable", account_id=taken.account_id)
            await write(lambda tx: push_jobs.forget_device(tx, taken))
            return
        notice = None if taken.kind == "read" else _notice(account, taken)
        answer, environment = await _insist(sender, target, _push(taken, notice))
        log.info("push.sent", account_id=taken.account_id, result=answer.result.value, code=answer.code)
        await self._settle(taken, answer, environment)

    def _target(self, taken: Claim) -> PushTarget:
        opened = self._house.secrets.decrypt(taken.push_token)
        known = ("device_id", "provider", "environment", "bundle_id", "locale")
        return PushTarget(**{name: getattr(taken, name) for name in known}, push_token=SecretStr(opened["push_token"]))

    async def _settle(self, taken: Claim, answer: PushAnswer, environment: str | None) -> None:
        write, now = self._house.store.writer.write, self.clock.now_ms()
        match answer.result:
            case PushResult.SENT:
                await write(lambda tx: push_jobs.finish(tx, taken, badge=taken.unread, environment=environment))
            case PushResult.UNREGISTERED:
                await write(lambda tx: push_jobs.forget_device(tx, taken))
            case PushResult.SIGN_IN_NEEDED:
                self._stopped[taken.account_id, taken.provider] = now + _STOPPED_MS
                log.error("push.sign_in_needed", account_id=taken.account_id, provider=taken.provider, code=answer.code)
                await write(lambda tx: push_jobs.put_off(tx, taken, now + _STOPPED_MS))
                # The account says it to whoever looks after it: nothing reaches anybody's phone.
                await self._house.accounts.probe(taken.account_id)
            case _:
                pause_s = min(_LONGEST_PAUSE_S, _FIRST_PAUSE_S * 2 ** min(taken.attempts, 10))
                pause_s *= random.uniform(0.8, 1.2)  # noqa: S311 - spreads a crowd, guards nothing
                due_at = now + round(max(pause_s, answer.after_s or 0) * 1000)
                await write(lambda tx: push_jobs.put_off(tx, taken, due_at))


class _Unable(PushSender):
    """Stands for a provider when the connector fails to name it: its pushes wait."""

    async def send_push(self, target: PushTarget, push: Push) -> PushAnswer:
        return PushAnswer(PushResult.LATER, code="crashed")


def _sender_of(account: Account, taken: Claim) -> PushSender | None:
    """Return who pushes to a device; None if nobody does, or the account is not in use."""
    if not isinstance(account.connector, HostedConnector):
        return None
    unable: PushSender | None = _Unable()
    return ask(account, "push_sender", lambda connector: connector.push_sender(taken.provider), unable)


def _notice(account: Account, taken: Claim) -> Notice:
    preview = "" if taken.content is None else preview_of(_content(taken.content), taken.author_kind or "agent").text
    plain = Notice("", "You have a new message")
    notice = ask(account, "notice", lambda connector: connector.notice(taken.locale, preview), plain)
    return notice if notice.title else msgspec.structs.replace(notice, title=account.title)


def _push(taken: Claim, notice: Notice | None) -> Push:
    return push_of(
        notice,
        kind=taken.kind,
        thread=f"th_{taken.thread_id}",
        position=taken.position,
        unread=taken.unread,
        collapse=f"th_{taken.thread_id}",
        expires_at=taken.expires_at,
    )


async def _insist(sender: PushSender, target: PushTarget, push: Push) -> tuple[PushAnswer, str | None]:
    """Send, once more without what may be wrong; returns the answer and the environment that turned out to be right.

    Whoever is refused twice has a bad token.
    """
    answer = await _send(sender, target, push)
    if answer.result is PushResult.REFUSED:
        answer = await _send(sender, target, push.smallest())
        return _given_up(answer), None
    other = _OTHER.get(target.environment or "production")
    if answer.result is not PushResult.WRONG_ENVIRONMENT or other is None:
        return answer, None
    answer = await _send(sender, msgspec.structs.replace(target, environment=other), push)
    return _given_up(answer), other


def _given_up(answer: PushAnswer) -> PushAnswer:
    if answer.result in {PushResult.REFUSED, PushResult.WRONG_ENVIRONMENT}:
        return PushAnswer(PushResult.UNREGISTERED, code=answer.code)
    return answer


async def _send(sender: PushSender, target: PushTarget, push: Push) -> PushAnswer:
    try:
        async with asyncio.timeout(_SEND_S):
            return await sender.send_push(target, push)
    except TimeoutError:
        return PushAnswer(PushResult.LATER, code="timeout")
    # Isolation point: a provider's fault costs this push a delay, and nobody anything else.
    except Exception as error:
        log.exception("push.crashed", provider=target.provider, error=type(error).__name__)
        return PushAnswer(PushResult.LATER, code="crashed")

"""The deliberate breaks of the visitor protocol. See `seeds.py`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

__all__ = ["SEEDS"]


def _no_client_ids(_value: str) -> None:
    """Forget which client ids were seen."""
    from trunkline.hosted import sending

    vars(sending)["_known"] = lambda *_given: None
    _take_all()


def _client_ids_in_memory(_value: str) -> None:
    """Keep the client ids that were seen in this process alone."""
    from trunkline.hosted import sending
    from trunkline.hosted.envelope import external_id

    seen: set[str] = set()
    sign = sending._sign

    def known(_tx: Any, sent: Any, claimed: set[tuple[str, str]], visitor_id: str) -> Any:
        key = sending._message_key(sent, visitor_id)
        if key not in seen and (sent.arrival.account.id, key) not in claimed:
            return None
        return sending.Taken(external_id=external_id(visitor_id, sent.envelope.client_id), replayed=True)

    def remember(tx: Any, sent: Any) -> None:
        seen.add(sending._message_key(sent))
        sign(tx, sent)

    vars(sending).update(_known=known, _sign=remember)
    _take_all()


def _take_all() -> None:
    """Let the table of what arrived refuse nothing."""
    from trunkline.service.arrivals import WorkingSet

    WorkingSet.claim = lambda self, keys: {(account, key) for account, key, _ in keys}  # type: ignore[method-assign]  # that is the fault


def _steps_back(_value: str) -> None:
    """Let sockets go on some events before the cursor."""
    from trunkline.hosted.hub import Line

    catch_up = Line._catch_up

    async def behind(self: Line) -> Any:
        self.seq = max(0, self.seq - 50)
        async for row in catch_up(self):
            yield row

    Line._catch_up = behind  # type: ignore[method-assign]  # that is the fault


def _newest_first(_value: str) -> None:
    """Tell the newest event of a page first."""
    from trunkline.hosted import hub

    read = vars(hub)["read_changes"]

    async def backwards(*given: Any) -> list[Any]:
        return list(reversed(await read(*given)))

    vars(hub)["read_changes"] = backwards


def _cursors_of_one_start(_value: str) -> None:
    """Sign with something that every start makes anew: cursors of before are worth nothing."""
    from uuid import uuid4

    from trunkline.hosted.signing import Signer

    sign, verify, salt = Signer.sign, Signer.verify, str(uuid4())
    Signer.sign = lambda self, *words: sign(self, salt, *words)  # type: ignore[method-assign]  # that is the fault
    Signer.verify = lambda self, given, *words: verify(self, given, salt, *words)  # type: ignore[method-assign]  # the same


#: Name → what it breaks.
SEEDS: dict[str, Callable[[str], None]] = {
    "client_ids_in_memory": _client_ids_in_memory,
    "cursors_of_one_start": _cursors_of_one_start,
    "newest_first": _newest_first,
    "no_client_ids": _no_client_ids,
    "steps_back": _steps_back,
}

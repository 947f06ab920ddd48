"""Receipts that came before we knew their message.

The platform's answer finds them when it is recorded. Only where two processes store both in the same moment does
neither see the other, and a receipt for what another program sent belongs to nobody: this worker finds the first and
forgets the second.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec
from sqlalchemy import and_, or_, select

from trunkline.contract import ReceiptReceived
from trunkline.model import DeliveryState
from trunkline.service.receipts import LateAnswer, apply_receipt
from trunkline.service.worker import Worker
from trunkline.store import schema

if TYPE_CHECKING:
    from trunkline.contract import Clock
    from trunkline.store import Store, Transaction

__all__ = ["EarlyReceipts"]

_EVERY_S = 30.0
_LONGEST_MS = 24 * 3600 * 1000
_PAGE = 200
_early, _known = schema.early_receipt, schema.delivery_id_at_platform.c
_decode = msgspec.json.Decoder(LateAnswer).decode


class EarlyReceipts(Worker):
    """Looks now and then whether a receipt's message is known by now."""

    def __init__(self, store: Store, clock: Clock) -> None:
        super().__init__("early_receipts", clock, poll_s=_EVERY_S)
        self._store = store

    async def step(self) -> int | None:
        """Take one page of those whose message is known or that are too old."""
        before = self.clock.now_ms() - _LONGEST_MS
        same = and_(_known.account_id == _early.c.account_id, _known.external_id == _early.c.external_id)
        known = select(_known.delivery_id).where(same).exists()
        page = select(_early.c.id).where(or_(known, _early.c.at < before)).order_by(_early.c.id).limit(_PAGE)
        async with self._store.read() as connection:
            ids = list((await connection.execute(page)).scalars())
        if ids:
            await self._store.writer.write(lambda tx: self._take(tx, ids))
        return self.clock.now_ms() + (0 if len(ids) == _PAGE else round(_EVERY_S * 1000))

    def _take(self, tx: Transaction, ids: list[str]) -> None:
        """Apply receipts and forget them; who deletes a row, in whichever process, is the one who applies it."""
        now = self.clock.now_ms()
        gone = _early.delete().where(_early.c.id.in_(ids)).returning(*_early.c)
        for row in sorted(tx.execute(gone).fetchall(), key=lambda row: row.id):
            if _is_known(tx, row):
                apply_receipt(tx, row.account_id, _receipt(row), now)


def _is_known(tx: Transaction, row: Any) -> bool:
    query = select(_known.delivery_id).where(_known.account_id == row.account_id, _known.external_id == row.external_id)
    return tx.execute(query.limit(1)).first() is not None


def _receipt(row: Any) -> ReceiptReceived:
    answer = None if row.answer is None else _decode(row.answer)
    return ReceiptReceived(
        dedupe_key=row.id,
        external_id=row.external_id,
        state=DeliveryState(row.state),
        at_ms=row.at,
        answer=answer,
        window_code=None if answer is None else answer.window_code,
    )

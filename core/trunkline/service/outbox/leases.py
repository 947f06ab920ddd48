"""Giving leases back: of what was taken and not begun, and of a process that is no more."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from sqlalchemy import bindparam, literal_column, update

from trunkline.service.outbox.claims import Claim
from trunkline.store import Prepared, schema

if TYPE_CHECKING:
    from trunkline.store import Transaction

__all__ = ["abandon_leases", "release"]

_d, _credential = schema.delivery.c, schema.reply_credential.c

_RELEASE = Prepared(
    update(schema.delivery)
    .where(_d.id == bindparam("delivery"), _d.fence == bindparam("fence"))
    .values(
        state=bindparam("state"),
        owner=None,
        lease_until=None,
        attempts=_d.attempts - 1,
        due_at=bindparam("now"),
        updated_at=bindparam("now"),
    )
)
_FREE_CREDENTIAL = Prepared(
    update(schema.reply_credential).where(_credential.id == bindparam("credential")).values(used_by=None)
)


def release(tx: Transaction, claims: list[Claim], now: int) -> None:
    """Give back what was taken and not begun: it counts as no attempt."""
    for one in (each for claim in claims for each in claim.all):
        state = "uncertain" if one.message.after_uncertain else "queued"
        tx.run(_RELEASE, {"delivery": one.message.delivery_id, "fence": one.fence, "state": state, "now": now})
        if one.credential_id is not None and not one.message.after_uncertain:
            tx.run(_FREE_CREDENTIAL, {"credential": one.credential_id})


_ABANDONED = Prepared(
    update(schema.delivery)
    .where(_d.state == literal_column("'sending'"), _d.account_id == bindparam("account"))
    .values(lease_until=0, due_at=bindparam("due"))
)


def abandon_leases(tx: Transaction, due_by_account: Mapping[str, int]) -> None:
    """End every lease, for a process that knows itself alone; what was under way may be looked at from then on."""
    for account_id, due_at in due_by_account.items():
        tx.run(_ABANDONED, {"account": account_id, "due": due_at})

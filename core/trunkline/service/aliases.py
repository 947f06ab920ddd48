"""People whom a platform knows by several ids: a number and an id of the business, an old number and a new one.

Identities that are one person point to the first of them (`same_as`); so does that first one itself, once it has
company. Only such people cost more than a look at one column.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

from sqlalchemy import bindparam, select, update

from trunkline.model import Address, AddressKind, new_id
from trunkline.store import Lookup, Prepared, schema

if TYPE_CHECKING:
    from trunkline.store import Transaction

__all__ = ["join_ids", "known_aliases", "moved_to", "thread_keys_elsewhere"]

_i, _t = schema.identity.c, schema.thread.c
_COLUMNS = ("external_id", "id", "contact_id", "same_as")
_FIND = Lookup([_i[name] for name in _COLUMNS], scope=_i.account_id, key=_i.external_id)
_NEW = ("account_id", "external_id", "id", "contact_id", "same_as", "name", "reachable", "kind", "created_at")
_POINT = Prepared(
    update(schema.identity)
    .where(_i.id == bindparam("identity"))
    .values(same_as=bindparam("root"), contact_id=bindparam("contact"))
)
_ALIASES = Prepared(
    select(_i.external_id)
    .where(_i.same_as == bindparam("root"), _i.external_id != bindparam("but"))
    .order_by(_i.created_at.desc(), _i.id.desc())
)
_ELSEWHERE = Prepared(
    select(_t.key)
    .join(schema.identity, _i.id == _t.identity_id)
    .where(_i.same_as == bindparam("root"), _t.account_id == bindparam("account"))
    .order_by(_t.last_message_at.desc())
    .limit(1)
)


def join_ids(tx: Transaction, account_id: str, address: Address, now: int) -> None:
    """Make sure that every id of an address is known, and that all of them are one person."""
    ids = tuple(dict.fromkeys((address.external_id, *address.aliases)))
    known = _known(tx, account_id, ids)
    if len(known) == len(ids) and len({row[2] for row in known.values()}) == 1 and None not in _roots(known):
        return
    first = next((known[one] for one in ids if one in known), None)
    root, contact_id = (first[2] or first[0], first[1]) if first else (new_id(), new_id())
    if first is None:
        tx.insert(schema.contact, [(contact_id, address.name, now)], ("id", "name", "created_at"))
    missing = [one for one in ids if one not in known]
    rows = []
    for one in missing:
        identity_id = root if first is None and one == missing[0] else new_id()
        rows.append((account_id, one, identity_id, contact_id, root, address.name, True, address.kind.value, now))
    tx.insert_new(schema.identity, rows, _NEW, ("id",))
    for identity_id, _, same_as in known.values():
        if same_as != root:
            tx.run(_POINT, {"identity": identity_id, "root": root, "contact": contact_id})
    tx.wake("profiles")


def moved_to(tx: Transaction, account_id: str, *, new: Address, old: Address, now: int) -> None:
    """One address takes the place of another: what is sent from now on goes to the new one."""
    known = _known(tx, account_id, (old.external_id, *old.aliases))
    if not known:
        return
    # Whoever is known under the new address already stays who they are.
    ids = (new.external_id, *new.aliases, *known, old.external_id, *old.aliases)
    join_ids(tx, account_id, Address(external_id=ids[0], name=new.name, aliases=ids[1:]), now)
    after = _known(tx, account_id, (new.external_id,))[new.external_id][0]
    for before, _, _ in known.values():
        tx.execute(update(schema.thread).where(_t.identity_id == before).values(identity_id=after))


def known_aliases(tx: Transaction, root: str, but: str) -> tuple[str, ...]:
    """Return the other ids of a person, the newest first."""
    return tuple(external_id for (external_id,) in tx.run(_ALIASES, {"root": root, "but": but}))


def thread_keys_elsewhere(
    tx: Transaction, missing: Iterable[tuple[tuple[str, str], Address]]
) -> dict[tuple[str, str], str]:
    """Find the threads that people have under another of their ids: (account, key) → the key that it has."""
    found: dict[tuple[str, str], str] = {}
    for (account_id, key), address in missing:
        if address.kind is not AddressKind.PERSON or address.external_id != key:
            continue
        root = _known(tx, account_id, (key,)).get(key, (None, None, None))[2]
        for (known_key,) in tx.run(_ELSEWHERE, {"root": root, "account": account_id}) if root else ():
            found[account_id, key] = known_key
    return found


def _known(tx: Transaction, account_id: str, ids: Sequence[str]) -> dict[str, tuple[Any, ...]]:
    """Return external id → (id, contact, same_as)."""
    return {external_id: tuple(rest) for external_id, *rest in tx.look_up(_FIND, account_id, sorted(ids))}


def _roots(known: dict[str, tuple[Any, ...]]) -> set[str | None]:
    return {row[2] for row in known.values()}

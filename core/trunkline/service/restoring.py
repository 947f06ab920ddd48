"""Reading stored requests again: what is new, what was a placeholder, what now reads otherwise."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec
from sqlalchemy import select

from trunkline.contract import MessageReceived
from trunkline.model import Actor, ActorKind, Content, Media, content_kind, media_of, new_id
from trunkline.service.arrivals import MEDIA_COLUMNS, placeholder_id
from trunkline.service.media_rows import media_row, replace_media, source_text
from trunkline.service.snapshots import decode, media_snapshot, message_snapshot
from trunkline.store import Lookup, schema

if TYPE_CHECKING:
    from trunkline.service.arrivals import Arrival
    from trunkline.service.intake import Intake
    from trunkline.store import Transaction

__all__ = ["Difference", "compare", "repair"]

_m = schema.message.c
_encode = msgspec.json.Encoder().encode
_SEEN = Lookup(
    [schema.inbound_item.c.dedupe_key],
    scope=schema.inbound_item.c.account_id,
    key=schema.inbound_item.c.dedupe_key,
)
#: Keys that our own work adds to content.
_OURS = frozenset({"id", "url", "preview_url", "raw"})


class Difference(msgspec.Struct, frozen=True):
    """One item that today's code reads otherwise than what is stored."""

    #: new, restored (a placeholder that can be read now), changed
    kind: str
    account_id: str
    dedupe_key: str
    platform_kind: str
    before: str | None = None
    after: str | None = None


def compare(tx: Transaction, arrival: Arrival) -> list[Difference]:
    """Return what `repair` would do, writing nothing."""
    return [difference for difference, _row in _differences(tx, arrival)]


def repair(tx: Transaction, intake: Intake, arrival: Arrival, now: int) -> list[Difference]:
    """Store what is new, put messages in the place of placeholders, correct what was read wrongly."""
    found = _differences(tx, arrival)
    by_key = {item.dedupe_key: item for item in arrival.items}
    for difference, row in found:
        item = by_key[difference.dedupe_key]
        if row is not None and isinstance(item, MessageReceived):
            _rewrite(tx, row, item, now)
    intake.apply(tx, [arrival])
    return [difference for difference, _row in found]


def _differences(tx: Transaction, arrival: Arrival) -> list[tuple[Difference, Any]]:
    known = _known(tx, arrival)
    found: list[tuple[Difference, Any]] = []
    for item in arrival.items:
        facts = (arrival.account.id, item.dedupe_key, item.platform_kind)
        if item.dedupe_key not in known:
            found.append((Difference("new", *facts, after=type(item).__name__), None))
        elif isinstance(item, MessageReceived):
            found.extend(_against_stored(tx, arrival, item, facts))
    return found


def _known(tx: Transaction, arrival: Arrival) -> set[str]:
    rows = tx.look_up(_SEEN, arrival.account.id, [f"e:{item.dedupe_key}" for item in arrival.items])
    return {str(key)[2:] for (key,) in rows}


def _against_stored(
    tx: Transaction, arrival: Arrival, item: MessageReceived, facts: tuple[str, str, str]
) -> list[tuple[Difference, Any]]:
    wanted = (placeholder_id(item.dedupe_key), item.external_id)
    query = select(schema.message).where(_m.account_id == arrival.account.id, _m.external_id.in_(wanted))
    row = tx.execute(query).one_or_none()
    if row is None or row.recalled_at is not None or row.edited_at is not None:
        return []
    after = _plain(decode.decode(_encode(item.content)))
    before = _plain(decode.decode(row.content))
    if before == after:
        return []
    kind = "restored" if row.placeholder else "changed"
    return [(Difference(kind, *facts, before=str(before["type"]), after=content_kind(item.content).value), row)]


def _plain(value: Any) -> Any:
    """Leave out what storing adds."""
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items() if key not in _OURS}
    return [_plain(item) for item in value] if isinstance(value, list) else value


def _rewrite(tx: Transaction, row: Any, item: MessageReceived, now: int) -> None:
    """Give a stored message the content that its request has, and let the files be fetched that are new in it."""
    values = {
        "content": _encode(_adopt_media(tx, row, item.content, now)).decode(),
        "external_id": item.external_id,
        "quotes": item.quotes,
        "quote_token": item.quote_token,
        "read_token": item.read_token,
        "placeholder": None,
    }
    tx.execute(schema.message.update().where(_m.id == row.id).values(values))
    changed = tx.execute(select(schema.message).where(_m.id == row.id)).one()
    files = tx.execute(select(schema.media).where(schema.media.c.message_id == row.id))
    actor = Actor(ActorKind.SYSTEM, row.account_id)
    payload = {"message": message_snapshot(changed, media={file.id: media_snapshot(file) for file in files})}
    tx.append("message_restored", actor=actor, at=row.at, payload=payload, thread_id=row.thread_id)


def _adopt_media(tx: Transaction, row: Any, content: Content, now: int) -> Content:
    """Give every medium its row: the one that the message has of the same source, or a new one."""
    wanted = [medium for medium in media_of(content) if medium.source is not None]
    if not wanted:
        return content
    known = select(schema.media.c.source, schema.media.c.id).where(schema.media.c.message_id == row.id)
    there = {str(kept.source): str(kept.id) for kept in tx.execute(known)}
    adopted = {id(medium): _with_id(medium, there) for medium in wanted}
    new = [medium for medium in adopted.values() if medium.id not in there.values()]
    if new:
        place = (row.account_id, row.thread_id)
        tx.insert(schema.media, [media_row(medium, row.id, place, now) for medium in new], MEDIA_COLUMNS)
        tx.wake("media")
    replaced: Content = replace_media(content, adopted)
    return replaced


def _with_id(medium: Media, there: dict[str, str]) -> Media:
    return msgspec.structs.replace(medium, id=there.get(source_text(medium)) or new_id())

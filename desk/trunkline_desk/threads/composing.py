"""What the composer of a thread may do, derived from the channel's capabilities as they hold now."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec
from sqlalchemy import func, select

from trunkline.clock import to_text
from trunkline.contract import ContentRule, Context
from trunkline.model import Cost
from trunkline.store import schema
from trunkline_desk.threads.summaries import channel_of

if TYPE_CHECKING:
    from trunkline.contract import Capabilities
    from trunkline.service.house import House
    from trunkline_desk.threads.rows import Database

__all__ = ["composer", "effective"]

_credential = schema.reply_credential


def effective(house: House, thread: Any, now: int) -> Capabilities:
    """Return what a thread's channel can do now. `thread` has the columns of `thread_query`."""
    context = Context(account_id=thread.account_id, address_kind=thread.identity_kind, at_ms=now)
    return channel_of(house, thread.account_id, thread.channel).effective(context).capabilities


def composer(database: Database, house: House, thread: Any, now: int) -> dict[str, Any]:
    """Return what may be written. `thread` has the columns of `thread_query`."""
    capabilities = effective(house, thread, now)
    free_until = _free_until(database, thread.id, now) if capabilities.sending.reply_credentials else None
    return {
        "content": {kind.value: _limits(rule) for kind, rule in sorted(capabilities.sends.items())},
        "quick_replies": _quick_replies(capabilities),
        "items_per_request": capabilities.sending.items_per_request,
        "extras": sorted(extra.value for extra in capabilities.extras),
        "cost": Cost.FREE.value if free_until else capabilities.sending.cost.value,
        "free_until": to_text(free_until) if free_until else None,
        "quota_left": _quota_left(house, thread.account_id),
    }


def _limits(rule: ContentRule) -> dict[str, Any]:
    limits: dict[str, Any] = {"level": rule.level.value}
    if rule.text is not None:
        limits |= {"max": rule.text.max, "unit": rule.text.unit.value}
    if rule.media:
        durations = [row.max_duration_s for row in rule.media if row.max_duration_s is not None]
        limits |= {
            "mimes": [mime for row in rule.media for mime in row.mimes],
            "max_bytes": max(row.max_bytes for row in rule.media),
            "max_duration_s": max(durations, default=None),
        }
    if rule.card is not None:
        limits["card"] = msgspec.to_builtins(rule.card)
    if rule.becomes is not None:
        limits["becomes"] = rule.becomes.value
    return limits | ({"note": rule.note} if rule.note else {})


def _quick_replies(capabilities: Capabilities) -> dict[str, Any] | None:
    limit = capabilities.quick_replies
    if limit is None:
        return None
    return {"max": limit.max, "title_max": limit.title_max, "title_unit": limit.title_unit.value}


def _free_until(database: Database, thread_id: str, now: int) -> int | None:
    """Return until when an unused reply credential makes an answer free."""
    newest = select(func.max(_credential.c.expires_at)).where(
        _credential.c.thread_id == thread_id,
        _credential.c.expires_at > now,
        _credential.c.used_by.is_(None),
        _credential.c.cost == Cost.FREE.value,
    )
    found: int | None = database.execute(newest).scalar_one()
    return found


def _quota_left(house: House, account_id: str) -> int | None:
    account = house.accounts.get(account_id)
    health = account.health if account else None
    return health.quota_left if health else None

"""The flight recorder: one account's health from what is stored, for the inbox, a command, and whoever helps.

Reads only, and no more than the newest rows. Nothing that customers wrote, and no secret, is ever read.
"""

from __future__ import annotations

from collections.abc import Iterable
from importlib.metadata import distributions
from platform import python_version
from typing import TYPE_CHECKING, Any

import msgspec
from sqlalchemy import ColumnElement, func, select

from trunkline.clock import to_text
from trunkline.contract import Health
from trunkline.log import redact
from trunkline.service.rhythm import DAY, WEEK, Silence, silence
from trunkline.service.snapshots import ACTIVE, time_text
from trunkline.store import schema

if TYPE_CHECKING:
    from prometheus_client import Histogram

    from trunkline.service.reading import Database

__all__ = ["acknowledged", "bundle", "read_record"]

_HOUR_MS, _DAY_MS = 3_600_000, 86_400_000
#: How far back requests and attempts are looked at, whichever ends first.
_HOURS, _MOST_REQUESTS, _MOST_ATTEMPTS = 4 * WEEK + WEEK // 7, 200_000, 50_000

_raw, _d, _a, _token, _b = (
    schema.raw_request.c,
    schema.delivery.c,
    schema.attempt.c,
    schema.access_token.c,
    schema.breaker.c,
)


def _counted(at: ColumnElement[Any]) -> tuple[ColumnElement[Any], ColumnElement[Any]]:
    """Return how many rows, and when the last of them was."""
    return func.count().label("requests"), func.max(at).label("last_at")


def read_record(database: Database, account_id: str, now: int) -> dict[str, Any]:
    """Return the record of an account; times are RFC 3339 in UTC, rates from 0 to 1."""
    requests = _requests(database, account_id, now)
    return {
        "at": to_text(now),
        "last_inbound_at": time_text(requests.last_good_at),
        "requests": requests.day,
        "redelivered": requests.redelivered,
        "redelivery_rate": round(requests.redelivered / requests.day, 4) if requests.day else None,
        "silence": _told(requests.silence(now)),
        "quarantined": _quarantined(database, account_id),
        "acknowledged": None,
        **_attempts(database, account_id, now),
        **_waiting(database, account_id),
        "tokens": _tokens(database, account_id),
        "breaker": _breaker(database, account_id, now),
        "health": _health(database, account_id),
    }


class _Requests:
    """What came in, by hour counted back from now."""

    def __init__(self, now: int) -> None:
        self.hours, self._from = [0] * _HOURS, now - _DAY_MS
        self.last_at: int | None = None
        self.last_good_at: int | None = None
        self.day = self.redelivered = self.known = 0

    def add(self, row: Any) -> None:
        """Take in what came in one hour with one outcome."""
        if not 0 <= row.bucket < _HOURS:
            return
        self.hours[row.bucket] += row.requests
        self.known = max(self.known, row.bucket + 1)
        self.last_at = max(self.last_at or 0, row.last_at)
        if row.state != "quarantined":
            self.last_good_at = max(self.last_good_at or 0, row.last_at)
        if row.bucket < DAY:
            self.day += row.requests
            self.redelivered += row.requests if (row.state, row.reason) == ("ignored", "duplicate") else 0

    def silence(self, now: int) -> Silence:
        quiet_s = None if self.last_at is None else max(0, now - self.last_at) // 1000
        return silence(self.hours[: self.known], quiet_s)


def _requests(database: Database, account_id: str, now: int) -> _Requests:
    columns = (_raw.account_id, _raw.received_at, _raw.state, _raw.reason)
    newest = select(*columns).order_by(_raw.id.desc()).limit(_MOST_REQUESTS).subquery().c
    bucket = ((now - newest.received_at) // _HOUR_MS).label("bucket")
    found = _Requests(now)
    grouped = (
        select(bucket, newest.state, newest.reason, *_counted(newest.received_at))
        .where(newest.account_id == account_id, newest.received_at <= now)
        .group_by(bucket, newest.state, newest.reason)
    )
    for row in database.execute(grouped):
        found.add(row)
    return found


def _told(found: Silence) -> dict[str, Any]:
    return {
        "state": found.state,
        "quiet_s": found.quiet_s,
        "usual_per_hour": round(found.usual_per_hour, 1),
        "missed": round(found.missed, 1),
        "words": found.words,
    }


def _quarantined(database: Database, account_id: str) -> int:
    waiting = select(func.count()).where(_raw.account_id == account_id, _raw.state == "quarantined")
    return int(database.execute(waiting).scalar_one())


def _attempts(database: Database, account_id: str, now: int) -> dict[str, Any]:
    """Return what sending came to in the last 24 hours, failures by their class."""
    newest = select(_a.delivery_id, _a.ended_at, _a.outcome).order_by(_a.id.desc()).limit(_MOST_ATTEMPTS).subquery().c
    counted = (
        select(newest.outcome, *_counted(newest.ended_at))
        .join(schema.delivery, _d.id == newest.delivery_id)
        .where(_d.account_id == account_id, newest.ended_at > now - _DAY_MS)
        .group_by(newest.outcome)
    )
    rows = sorted(database.execute(counted).all(), key=lambda row: (-row.requests, row.outcome))
    return {
        "accepted": sum(row.requests for row in rows if row.outcome == "accepted"),
        "errors": [
            {"code": row.outcome, "count": row.requests, "last_at": to_text(row.last_at)}
            for row in rows
            if row.outcome != "accepted"
        ],
    }


def _waiting(database: Database, account_id: str) -> dict[str, Any]:
    counted = select(func.count().label("replies"), func.min(_d.created_at).label("oldest"))
    row = database.execute(counted.where(_d.account_id == account_id, _d.state.in_(ACTIVE))).one()
    return {"waiting": row.replies, "waiting_since": time_text(row.oldest)}


def _tokens(database: Database, account_id: str) -> list[dict[str, Any]]:
    """Return the life of access tokens, never their values."""
    found = select(_token.name, _token.expires_at).where(_token.account_id == account_id).order_by(_token.name)
    return [{"name": row.name, "expires_at": time_text(row.expires_at or None)} for row in database.execute(found)]


def _breaker(database: Database, account_id: str, now: int) -> dict[str, Any]:
    row = database.execute(select(schema.breaker).where(_b.account_id == account_id)).one_or_none()
    if row is None:
        return {"open": False, "until": None, "quota_until": None, "failures": 0, "reason": None}
    until, quota = (at if at and at > now else None for at in (row.blocked_until, row.quota_blocked_until))
    return {
        "open": row.state == "open",
        "until": time_text(until),
        "quota_until": time_text(quota),
        "failures": row.failures,
        "reason": None if row.reason is None else str(redact(row.reason)),
    }


def _health(database: Database, account_id: str) -> dict[str, Any] | None:
    """Return what the last probe found, but for its details."""
    query = select(schema.account.c.health).where(schema.account.c.id == account_id)
    encoded = database.execute(query).scalar_one_or_none()
    if encoded is None:
        return None
    try:
        found = msgspec.json.decode(encoded, type=Health)
    except msgspec.MsgspecError:
        return None
    return {
        "state": found.state,
        "summary": str(redact(found.summary)),
        "title": found.title,
        "advice": [str(redact(line)) for line in found.advice],
        "quota_left": found.quota_left,
        "remedies": [{"code": remedy.code, "title": remedy.title} for remedy in found.remedies],
    }


# ---------------------------------------------------------------- how fast we answer


def acknowledged(histogram: Histogram) -> dict[str, Any] | None:
    """Return how long webhooks waited for our answer, of all accounts since this process began; None before the first.

    The figures are read off a histogram: they lie between its steps.
    """
    samples = [sample for metric in histogram.collect() for sample in metric.samples]
    steps = [(float(sample.labels["le"]), int(sample.value)) for sample in samples if sample.name.endswith("_bucket")]
    count = steps[-1][1] if steps else 0
    if not count:
        return None
    return {"count": count, "p50_ms": _quantile(steps, 0.5), "p99_ms": _quantile(steps, 0.99)}


def _quantile(steps: Iterable[tuple[float, int]], part: float) -> float:
    """Return milliseconds below which `part` of all lie; beyond the last step it is that step."""
    known = list(steps)
    wanted, low, below = part * known[-1][1], 0.0, 0
    for most, count in known:
        if count >= wanted:
            high = low if most == float("inf") else most
            return round(1000 * (low + (high - low) * (wanted - below) / max(1, count - below)), 1)
        low, below = most, count
    return round(1000 * low, 1)


# ---------------------------------------------------------------- for whoever helps


def bundle(account: dict[str, Any], record: dict[str, Any], settings: dict[str, Any] | None) -> dict[str, Any]:
    """Return what somebody who helps needs to know: the record, what is installed, settings without their secrets.

    `account` has the columns of a list; `settings` are those of a form, where a secret is `{"set": true}`.
    """
    # What a platform says of a failure may repeat what somebody wrote.
    shown = record | {"breaker": record["breaker"] | {"reason": None}}
    told: dict[str, Any] = _masked(
        {
            "format": "trunkline-account-bundle-1",
            "account": {name: account.get(name) for name in _TOLD},
            "record": shown,
            "settings": _without_refs(settings),
            "python": python_version(),
            "packages": _installed(),
        }
    )
    return told


def _masked(value: Any) -> Any:
    """Return a value with every registered secret in its texts masked. Names of things stay: a token has a life."""
    if isinstance(value, dict):
        return {name: _masked(item) for name, item in value.items()}
    if isinstance(value, list | tuple):
        return [_masked(item) for item in value]
    return redact(value) if isinstance(value, str) else value


#: What of an account is told: its title and the platform's words about it are nobody's business.
_TOLD = ("id", "connector", "channel", "state", "locked")


def _without_refs(value: Any) -> Any:
    """Return settings without the names of secrets, which tell whether two are equal."""
    if isinstance(value, dict):
        if value.get("set") is True and value.keys() <= {"set", "ref"}:
            return "(set)"
        return {name: _without_refs(item) for name, item in value.items()}
    return [_without_refs(item) for item in value] if isinstance(value, list | tuple) else value


def _installed() -> dict[str, str]:
    found = ((one.metadata["Name"] or "", one.version) for one in distributions())
    return dict(sorted((name, version) for name, version in found if name.lower().startswith("trunkline")))

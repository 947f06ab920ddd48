"""Calls about oneself: what visitors say of themselves, their devices, where they are."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import datetime
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

import msgspec
from sqlalchemy import select

from trunkline.clock import to_ms, to_text
from trunkline.hosted import answers, models
from trunkline.hosted.call import Call
from trunkline.hosted.calls import ClientRoute
from trunkline.hosted.objects import profile_of
from trunkline.hosted.reading import live_thread
from trunkline.hosted.refusals import ClientRefused
from trunkline.hosted.visitors import (
    keep_facts,
    merged_facts,
    note_visits,
)
from trunkline.model import Actor, ActorKind
from trunkline.service.moments import Moment
from trunkline.store import schema

if TYPE_CHECKING:
    from trunkline.hosted.front import Front
    from trunkline.hosted.visitors import Holder
    from trunkline.store import Transaction

__all__ = ["MOST_ATTRIBUTES", "ROUTES", "note_views", "stated_in", "view_of", "views_in"]

_DAY_MS = 24 * 3600 * 1000
MOST_ATTRIBUTES, _MOST_NAME, _MOST_VALUE = 50, 255, 1000
#: Parameters of addresses that are nobody's business.
_SECRETS = re.compile(r"token|code|password|passwd|secret|email|mail|key|auth|session|sid|jwt|otp", re.IGNORECASE)


# ---------------------------------------------------------------- oneself


async def me(call: Call) -> dict[str, Any]:
    """Say what is known of the caller."""
    return _contact(call.holder)


def _contact(holder: Holder) -> dict[str, Any]:
    return {
        **profile_of(holder.visitor_id, holder.stated, holder.verified),
        "identity": "anonymous" if holder.subject is None else "verified",
        "verified_fields": sorted(set(holder.verified) - {"attributes"}),
    }


async def describe(call: Call) -> dict[str, Any]:
    """Keep what the caller says of themselves."""
    holder, stated = call.holder, stated_in(call.body)
    signed = sorted(set(stated) & (set(holder.verified) - {"attributes"}))
    if signed:
        raise ClientRefused("verified_field", field=signed[0])

    after = msgspec.structs.replace(holder, stated=merged_facts(holder.stated, stated))

    def work(tx: Transaction) -> None:
        keep_facts(tx, holder.visitor_id, stated=stated)
        _show_to_agents(tx, after, stated.get("name"), call.now)

    await call.front.house.store.writer.write(work)
    return _contact(after)


def _show_to_agents(tx: Transaction, holder: Holder, name: str | None, now: int) -> None:
    """Let a stated name stand where agents see the contact, unless they gave it another themselves."""
    identity, contact, thread = schema.identity, schema.contact, schema.thread
    mine = (identity.c.account_id == holder.account_id, identity.c.external_id == holder.address)
    row = tx.execute(select(identity.c.id, identity.c.contact_id, identity.c.name).where(*mine)).one_or_none()
    if row is None:
        return
    if name:
        tx.execute(identity.update().where(identity.c.id == row.id).values(name=name))
        ours = (contact.c.id == row.contact_id, contact.c.name.is_(None) | (contact.c.name == row.name))
        tx.execute(contact.update().where(*ours).values(name=name))
    shown = tx.execute(select(contact.c.id, contact.c.name).where(contact.c.id == row.contact_id)).one()
    actor = Actor(ActorKind.CONTACT, row.contact_id, shown.name)
    profile = profile_of(holder.visitor_id, holder.stated, holder.verified)
    for thread_id in tx.execute(select(thread.c.id).where(thread.c.identity_id == row.id)).scalars().all():
        told = {"contact": {"id": shown.id, "name": shown.name, "avatar": None}}
        tx.append("contact_changed", actor=actor, at=now, payload=told, thread_id=thread_id)
        tx.append("visitor_changed", actor=actor, at=now, payload={"profile": profile}, thread_id=thread_id)


def stated_in(body: models.MeBody | None) -> dict[str, Any]:
    """Return the fields that were sent, null ones too.

    Raises:
        ClientRefused: 422, too many attributes or too long ones.
    """
    if body is None:
        return {}
    given = body.model_dump(include=body.model_fields_set & set(models.MeBody.model_fields))
    attributes = given.get("attributes") or {}
    long = any(len(name) > _MOST_NAME or len(str(value)) > _MOST_VALUE for name, value in attributes.items())
    if len(attributes) > MOST_ATTRIBUTES or long or any("\0" in f"{name}{value}" for name, value in attributes.items()):
        raise ClientRefused("invalid_field", field="attributes")
    return given


# ---------------------------------------------------------------- devices

_WORD = re.compile(r"[\x21-\x7e]+")
#: What a push token of a provider looks like.
_PUSH_TOKENS = {
    "apns": re.compile(r"(?:[0-9a-fA-F]{2}){32,100}"),
    "fcm": _WORD,
    "hms": _WORD,
    # A browser's subscription is a piece of JSON.
    "webpush": re.compile(r"[\x20-\x7e]+"),
}


async def put_device(call: Call) -> dict[str, Any]:
    """Remember where a push may wake an app; the device is this token's from now on."""
    device_id, body, holder = call.path("device_id"), call.body, call.holder
    if not _PUSH_TOKENS[body.provider].fullmatch(body.push_token):
        raise ClientRefused("invalid_push_token", field="push_token")
    table = schema.visitor_device
    values = {
        "token_id": holder.token_id,
        "provider": body.provider,
        "push_token": call.front.house.secrets.encrypt({"push_token": body.push_token}),
        **{name: getattr(body, name) for name in ("environment", "bundle_id", "locale", "enabled")},
        "updated_at": call.now,
    }

    def work(tx: Transaction) -> None:
        mine = (table.c.account_id == holder.account_id, table.c.device_id == device_id)
        if tx.execute(table.update().where(*mine).values(values)).rowcount == 0:
            tx.execute(table.insert().values(account_id=holder.account_id, device_id=device_id, **values))

    await call.front.house.store.writer.write(work)
    shown = {name: values[name] for name in ("provider", "environment", "bundle_id", "locale", "enabled")}
    return {"device_id": device_id, **shown}


async def drop_device(call: Call) -> None:
    """Forget a device of this visitor's tokens; one that is not there is forgotten already."""
    table, token, holder = schema.visitor_device, schema.visitor_token, call.holder
    tokens = select(token.c.id).where(token.c.visitor_id == holder.visitor_id)
    mine = (table.c.account_id == holder.account_id, table.c.device_id == call.path("device_id"))
    statement = table.delete().where(*mine, table.c.token_id.in_(tokens))
    await call.front.house.store.writer.write(lambda tx: tx.execute(statement).rowcount)


# ---------------------------------------------------------------- where somebody is


async def seen(call: Call) -> None:
    """Keep which pages the caller saw."""
    views, origin = views_in(call.body, call.now)
    await note_views(call.front, call.holder, views, origin)


async def note_views(front: Front, holder: Holder, views: list[dict[str, Any]], origin: Any = None) -> None:
    """Keep the last pages, and let agents who look see the newest at once.

    What was seen is no event: the log remembers what was said and done, not where somebody looked.
    """
    if not views and not origin:
        return
    now = front.house.clock.now_ms()
    await front.house.store.writer.write(lambda tx: note_visits(tx, holder.visitor_id, views, origin, now=now))
    async with front.house.store.read() as connection:
        row = await live_thread(connection, holder)
    if row is not None and not holder.blocked:
        actor = {"actor_kind": "contact", "actor_id": row.contact_id, "actor_name": holder.name}
        front.house.moments.tell(Moment(kind="visited", thread_id=row.id, ttl_s=0, **actor))


def views_in(body: models.ContextBody | None, now: int) -> tuple[list[dict[str, Any]], dict[str, Any]]:
    if body is None:
        return [], {}
    views = [view_of(view.model_dump(), now) for view in body.views]
    referrer = body.referrer and clean_address(body.referrer)
    origin = {"utm": body.utm, "referrer": referrer}
    return [view for view in views if view], {name: value for name, value in origin.items() if value}


def view_of(given: Mapping[str, Any], now: int) -> dict[str, Any]:
    """Return a page as it is kept: without what is nobody's business, at a time that can be true."""
    url = given.get("url")
    shown = {"url": url and clean_address(url), "screen": given.get("screen"), "title": given.get("title")}
    kept = {name: value for name, value in shown.items() if value}
    return {**kept, "at": to_text(_seen_at(given.get("at"), now))} if kept else {}


def _seen_at(told: str | None, now: int) -> int:
    """Return when a page was seen: what the client says of the last day, else now."""
    try:
        seen = datetime.fromisoformat(told or "")
    except ValueError:
        return now
    # A time without its zone says nothing; one before the first year cannot be counted.
    at = to_ms(seen) if seen.tzinfo is not None and 1 < seen.year < 9999 else now
    return at if now - _DAY_MS <= at <= now else now


def clean_address(url: str) -> str:
    """Return an address without fragment, credentials and the parameters that may be secret."""
    try:
        parts = urlsplit(url)
        host = parts.netloc.rpartition("@")[2]
    except ValueError:
        return ""
    if parts.scheme not in {"http", "https", ""}:
        return ""
    kept = [(name, value) for name, value in parse_qsl(parts.query)[:50] if not _SECRETS.search(name)]
    return urlunsplit((parts.scheme, host, parts.path, urlencode(kept), ""))[:2048]


ROUTES = (
    ClientRoute(
        method="GET",
        path="/me",
        handler=me,
        operation="me",
        summary="What is known of oneself.",
        answer=answers.Contact,
    ),
    ClientRoute(
        method="PATCH",
        path="/me",
        handler=describe,
        operation="change_me",
        summary="Say something of oneself; what the site signed stays.",
        body=models.MeBody,
        answer=answers.Contact,
        refusals=("verified_field",),
        limits=("contact",),
    ),
    ClientRoute(
        method="PUT",
        path="/devices/{device_id}",
        handler=put_device,
        operation="put_device",
        summary="Where a push may wake this app; the device belongs to one token.",
        body=models.DeviceBody,
        answer=answers.Device,
        refusals=("invalid_push_token",),
        limits=("contact",),
    ),
    ClientRoute(
        method="DELETE",
        path="/devices/{device_id}",
        handler=drop_device,
        operation="drop_device",
        summary="Forget a device.",
        status=204,
    ),
    ClientRoute(
        method="POST",
        path="/context",
        handler=seen,
        operation="note_context",
        summary="Pages that were seen; the last 20 are kept.",
        status=204,
        body=models.ContextBody,
        limits=("calls.ip",),
    ),
)

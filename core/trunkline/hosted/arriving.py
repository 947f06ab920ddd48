"""Calls at the beginning and at the end: the configuration, a token, sign-in, sign-out."""

from __future__ import annotations

import hashlib
import re
from typing import TYPE_CHECKING, Any

import msgspec
from aiohttp import web

from trunkline.clock import to_text
from trunkline.hosted import answers, models
from trunkline.hosted.being import MOST_ATTRIBUTES, stated_in, views_in
from trunkline.hosted.call import Call
from trunkline.hosted.calls import KEY, ClientRoute
from trunkline.hosted.connector import CLIENT_HEADERS, IdentityMode
from trunkline.hosted.identity import HmacProof, Proved, prove
from trunkline.hosted.merging import Exchange, exchange
from trunkline.hosted.objects import profile_of, thread_object
from trunkline.hosted.reading import threads_of, unread_in
from trunkline.hosted.refusals import ClientRefused
from trunkline.hosted.visitors import (
    Grant,
    NewToken,
    address_of,
    give_token,
    keep_facts,
    new_visitor,
    note_visits,
    revoke,
)
from trunkline.model import ContentKind
from trunkline.service.moments import Moment

if TYPE_CHECKING:
    from trunkline.contract import Capabilities
    from trunkline.hosted.calls import Inbox
    from trunkline.hosted.front import Front
    from trunkline.store import Transaction

__all__ = [
    "ENDED",
    "HEARTBEAT_S",
    "MAX_BODY",
    "MAX_FRAME",
    "MAX_TEXT",
    "MAX_UPLOAD",
    "ROUTES",
    "TEXT_METADATA",
    "upload_types",
]

HEARTBEAT_S = 25
MAX_FRAME = 64 * 1024
MAX_BODY = 256 * 1024
MAX_TEXT = 10_000
TEXT_METADATA = 4096
MAX_UPLOAD = 20 * 2**20
_TYPES = {ContentKind.IMAGE: "image/*", ContentKind.AUDIO: "audio/*", ContentKind.VIDEO: "video/*"}
#: What decides what a client is told; a browser must not take the answer to another one for its own.
_VARY = ", ".join(("X-Inbox-Key", "Accept-Language", *CLIENT_HEADERS.values()))
_encode = msgspec.json.Encoder().encode


async def config(call: Call) -> web.Response:
    """Say what a client needs to know."""
    front, inbox = call.front, call.inbox
    client = call.client
    if call.query.locale:
        client = msgspec.structs.replace(client, locale=call.query.locale)
    features = await front.features(inbox, client, verified=False)
    channel = inbox.channel(client)
    known = {
        "inbox": {"id": f"ib_{inbox.id}", "name": inbox.account.title, "channel_type": channel.code},
        "protocol": {"min": 1, "max": 1},
        "features": features.offered,
        "feature_reasons": features.reasons,
        "identity": {"mode": inbox.terms.policy.mode.value},
        "heartbeat_s": HEARTBEAT_S,
        "availability": {"state": "available", "open": True, "next_change_at": None},
        "limits": limits_of(front, inbox, channel.capabilities),
        "locale": client.locale,
        "consent": {"required": False},
        "prechat": {"required": False, "fields": []},
        "campaigns": [],
        **inbox.connector.presentation(client),
    }
    tag = f'"{hashlib.sha256(_encode(known)).hexdigest()[:32]}"'
    headers = {"ETag": tag, "Cache-Control": "private, max-age=60", "Vary": _VARY}
    if {tag, "*"} & set(re.split(r"(?:,|^)\s*(?:W/)?", call.request.headers.get("If-None-Match", ""))):
        return web.Response(status=304, headers=headers)
    body = _encode({**known, "server_time": to_text(call.now)})
    return web.Response(body=body, content_type="application/json", headers=headers)


def limits_of(front: Front, inbox: Inbox, capabilities: Capabilities) -> dict[str, Any]:
    """Return what is too much for customers of a channel."""
    messages = front.limiter.figure("messages", own=inbox.limit("messages"))
    return {
        "text": MAX_TEXT,
        "upload_bytes": min(MAX_UPLOAD, front.house.settings.media.max_bytes),
        "upload_types": upload_types(capabilities),
        "attachments": 1,
        "metadata_bytes": TEXT_METADATA,
        "frame_bytes": MAX_FRAME,
        "body_bytes": MAX_BODY,
        "attributes": MOST_ATTRIBUTES,
        "messages_page": models.MESSAGES_PAGE,
        "changes_page": models.CHANGES_PAGE,
        "messages_per_minute": int(messages.per_hour / 60),
        "messages_at_once": int(messages.burst),
    }


def upload_types(capabilities: Capabilities) -> list[str]:
    """Return the types of files that customers may send; "*/*" where the channel takes any."""
    found: list[str] = []
    for kind in (ContentKind.IMAGE, ContentKind.VIDEO, ContentKind.AUDIO, ContentKind.FILE):
        rule = capabilities.receives.get(kind)
        if rule is not None and rule.level.value not in {"dropped", "rejected"}:
            declared = [mime for limit in rule.media for mime in limit.mimes]
            found += declared or [_TYPES.get(kind, "*/*")]
    return list(dict.fromkeys(found))


# ---------------------------------------------------------------- tokens


async def give(call: Call) -> Any:
    """Give a token, to somebody who is proved or to nobody in particular."""
    proved = None if call.body.identity is None else _prove(call, call.body.identity)
    if proved is None and call.inbox.terms.policy.mode is IdentityMode.REQUIRE:
        raise ClientRefused("identity_required")
    stated = stated_in(call.body.profile)
    views, origin = views_in(call.body.context, call.now)

    def work(tx: Transaction) -> NewToken:
        visitor_id = new_visitor(tx, call.inbox.id, address_of(proved), proved, call.now)
        keep_facts(tx, visitor_id, stated=stated, proved=proved)
        if views or origin:
            note_visits(tx, visitor_id, views, origin, now=call.now)
        return give_token(
            tx, Grant(call.inbox.id, visitor_id, call.inbox.key, call.client, call.body.device_id), call.now
        )

    return await _token_answer(call, await call.front.house.store.writer.write(work))


async def change(call: Call) -> Any:
    """Exchange a token for one of somebody who is proved."""
    wish = Exchange(
        holder=call.holder,
        proved=_prove(call, call.body.identity),
        client=call.client,
        switch=call.body.switch,
        now=call.now,
    )
    given, ended = await call.front.house.store.writer.write(lambda tx: exchange(tx, wish))
    announce_end(call.front, ended)
    return await _token_answer(call, given)


async def drop(call: Call) -> None:
    """Sign out: the token dies at once."""
    holder = call.holder
    if holder.subject is None and not call.query.force:
        raise ClientRefused("anonymous_history_loss")
    await call.front.house.store.writer.write(lambda tx: revoke(tx, [holder.token_id], call.now))
    announce_end(call.front, [holder.token_id])


#: Kind of the moment that tells all processes that tokens ended.
ENDED = "tokens_ended"


def announce_end(front: Front, token_ids: list[str]) -> None:
    """Let every process close what these tokens opened."""
    details = {"token_ids": token_ids}
    moment = Moment(
        kind=ENDED, thread_id=None, actor_kind="contact", actor_id=None, actor_name=None, ttl_s=0, details=details
    )
    front.house.moments.tell(moment)


def _prove(call: Call, given: Any) -> Proved:
    proof = given if isinstance(given, str) else HmacProof(given.id, given.hmac)
    inbox = call.inbox
    return prove(proof, inbox.terms.policy, inbox.key, call.now)


async def _token_answer(call: Call, given: NewToken) -> dict[str, Any]:
    front, holder = call.front, given.holder
    async with front.house.store.read() as connection:
        threads = await threads_of(connection, holder)
        unread = [await unread_in(connection, row) for row in threads]
    live = next((row for row in threads if row.key == holder.address), None)
    shown = None if live is None else thread_object(live, live_key=holder.address, unread=unread[threads.index(live)])
    features = await front.features(call.inbox, call.client, verified=holder.subject is not None)
    profile = profile_of(holder.visitor_id, holder.stated, holder.verified)
    return {
        "token": given.token,
        "expires_at": to_text(holder.expires_at),
        "identity": "anonymous" if holder.subject is None else "verified",
        "contact": {name: profile[name] for name in ("id", "name", "locale")},
        "merged": given.merged,
        "thread": shown,
        "unread": sum(unread),
        "cursor": front.cursor(holder, front.house.feed.last_seq),
        "server_time": to_text(call.now),
        "features": features.offered,
        "feature_reasons": features.reasons,
    }


_IDENTITY = ("identity_invalid", "identity_expired", "identity_not_yet_valid")

ROUTES = (
    ClientRoute(
        method="GET",
        path="/config",
        handler=config,
        auth=KEY,
        operation="config",
        summary="What a client needs to know of the inbox.",
        query=models.ConfigQuery,
        answer=answers.Config,
        also=(304,),
        open_to_pages=True,
    ),
    ClientRoute(
        method="POST",
        path="/tokens",
        handler=give,
        auth=KEY,
        operation="give_token",
        summary="A token: anonymous, or of somebody who is proved.",
        status=201,
        body=models.TokenBody,
        answer=answers.TokenAnswer,
        refusals=(*_IDENTITY, "identity_required"),
        limits=("tokens.ip",),
    ),
    ClientRoute(
        method="POST",
        path="/tokens/exchange",
        handler=change,
        operation="exchange_token",
        summary="Sign in, renew, or with `switch` change the user; the old token dies.",
        body=models.ExchangeBody,
        answer=answers.TokenAnswer,
        refusals=(*_IDENTITY, "identity_conflict"),
        limits=("exchanges.ip",),
        ends_token=True,
    ),
    ClientRoute(
        method="DELETE",
        path="/tokens/current",
        handler=drop,
        operation="drop_token",
        summary="Sign out. For an anonymous visitor the history is lost, so `force` is needed.",
        status=204,
        query=models.ForceQuery,
        refusals=("anonymous_history_loss",),
        ends_token=True,
    ),
)

"""The desks of one company with WeChat customer service."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import httpx2

from trunkline.contract import (
    Accepted,
    AcceptedPart,
    Health,
    Item,
    OutboundMessage,
    Page,
    PullRequest,
    Services,
    TrustedBody,
)
from trunkline.errors import DeliveryError, TryLater, Undeliverable, WindowClosed
from trunkline.model import Address, Profile
from trunkline_wechat.config import Config
from trunkline_wechat.enterprise import Draft, EnterpriseConnector, Json, own_id
from trunkline_wechat.kf.capabilities import REPLY, WELCOME
from trunkline_wechat.kf.inbound import items_of, joined
from trunkline_wechat.kf.outbound import drafts_of
from trunkline_wechat.kf.sessions import Sessions

_SEND, _ANSWER_EVENT = "/cgi-bin/kf/send_msg", "/cgi-bin/kf/send_msg_on_event"
_PAGE = 1000
_DESKS = 100
_TAKING = 0
_STALE, _STATE = "stale_callback_token", "session_state"
_HOSTING = (
    "Desk {desk} has staff on duty in WeCom ({who}): WeChat may give customers to them and then refuses our replies "
    "(95018). Take them off duty, or set the desk to API hosting."
)


class KfConnector(EnterpriseConnector):
    def __init__(self, services: Services[Config]) -> None:
        super().__init__(services)
        self._desks, self._sessions = services.config.open_kfid, Sessions(self._api, services.clock)

    def parse(self, body: TrustedBody) -> Sequence[Item]:
        return items_of(body, desks=self._desks)

    # ---------------------------------------------------------------- in

    def scopes(self) -> Sequence[str]:
        return self._desks

    async def pull(self, request: PullRequest) -> Page:
        """Fetch a page of a desk. A stale token of the callback is left out: the cursor says enough."""
        body: Json = {"open_kfid": request.scope, "limit": _PAGE, "voice_format": 0}
        if request.cursor:
            body["cursor"] = request.cursor
        try:
            answer = await self._synced(body, request.token)
        except httpx2.TransportError as error:
            raise TryLater("WeChat did not answer when asked for messages.", code="no_answer") from error
        if self._config.take_sessions:
            await self._sessions.take(answer.get("msg_list") or ())
        cursor = answer.get("next_cursor") or request.cursor
        more = answer.get("has_more") == 1 and cursor != request.cursor
        # Half a surrogate pair is no text anywhere, and must not spoil its page.
        return Page(raw=json.dumps(answer, ensure_ascii=False).encode("utf-8", "replace"), cursor=cursor, more=more)

    async def _synced(self, body: Json, token: str | None) -> Json:
        path = "/cgi-bin/kf/sync_msg"
        if token:
            try:
                return await self._api.post(path, {**body, "token": token})
            except TryLater as error:
                if error.code != _STALE:
                    raise
        return await self._api.post(path, body)

    # ---------------------------------------------------------------- out

    async def deliver(self, message: OutboundMessage) -> Accepted:
        """Send from the desk of the thread; who has just come in is greeted with the code that the event brought."""
        desk, drafts = self._desk(message), drafts_of(message)
        if message.window == WELCOME or (message.credential and message.window != REPLY):
            return await self._welcome(message, desk, drafts)
        ids = [own_id(message.key, at) for at in range(len(drafts))]
        for id_, draft in zip(ids, drafts, strict=True):
            fields = {"touser": message.to.external_id, "open_kfid": desk, "msgid": id_}
            await self._once(_SEND, fields, draft, desk=desk)
        parts = tuple(AcceptedPart(external_id=joined(desk, id_)) for id_ in ids)
        return Accepted(parts=parts, route="send_msg", evidence=ids[0])

    def _desk(self, message: OutboundMessage) -> str:
        desk, divider, _ = message.thread_key.partition(":")
        if divider and desk in self._desks:
            return desk
        if not divider and len(self._desks) == 1:
            return self._desks[0]
        words = f"This account does not serve the desk {desk} of this conversation: add it to open_kfid."
        raise Undeliverable(words, whose="account", code="desk_not_served")

    async def _welcome(self, message: OutboundMessage, desk: str, drafts: Sequence[Draft]) -> Accepted:
        if message.credential is None:
            raise WindowClosed("WeChat gave no code to greet this customer with.", code="no_welcome_code")
        if len(drafts) != 1 or drafts[0].kind not in {"text", "msgmenu"}:
            words = "Who has not written yet can be greeted with one text or menu only."
            raise Undeliverable(words, code="greeting_not_text")
        id_ = own_id(message.key, 0)
        try:
            await self._once(_ANSWER_EVENT, {"code": message.credential.value, "msgid": id_}, drafts[0], desk=desk)
        except Undeliverable as error:
            if message.credential.expires_at_ms > self._clock.now_ms():
                raise
            raise WindowClosed("The 20 seconds to greet the customer are over.", answer=error.answer) from error
        part = AcceptedPart(external_id=joined(desk, id_))
        return Accepted(parts=(part,), route="send_msg_on_event", evidence=id_, credential_used=True)

    async def _once(self, path: str, fields: Json, draft: Draft, *, desk: str) -> None:
        """Send under an id of ours: a complaint about the id says that WeChat has the message already.

        It is well-formed, so nothing else can be wrong with it; the number of that error is nowhere published.
        """
        try:
            await self._post(path, fields, draft)
        except Undeliverable as error:
            if error.answer is not None and "msgid" in (error.answer.text or "").lower():
                return
            if error.code == _STATE and "touser" in fields:
                raise await self._sessions.explain(error, desk, fields["touser"]) from error
            raise

    # ---------------------------------------------------------------- around

    async def profile(self, address: Address, group: Address | None = None) -> Profile | None:
        """Look a customer up. The one surface of WeChat that still tells names and pictures."""
        body = {"external_userid_list": [address.external_id], "need_enter_session_context": 0}
        try:
            found = (await self._api.post("/cgi-bin/kf/customer/batchget", body)).get("customer_list") or ()
        except Undeliverable:
            return None
        about: Json = next((one for one in found if one.get("external_userid") == address.external_id), {})
        if not about:
            return None
        return Profile(name=about.get("nickname") or None, picture_url=about.get("avatar") or None)

    async def _found(self) -> Health:
        known = {desk["open_kfid"]: str(desk.get("name") or desk["open_kfid"]) for desk in await self._all_desks()}
        missing = [desk for desk in self._desks if desk not in known]
        names = ", ".join(known[desk] for desk in self._desks if desk in known)
        if missing:
            words = f"WeChat does not let this app serve {', '.join(missing)}: authorise it for the desk in WeCom."
            return Health(state="failing", summary=words, title=names or None, details={"desks": known})
        advice = [words for desk in self._desks for words in await self._advice(desk, known[desk])]
        summary = f"Connected to {names}."
        return Health(state="connected", summary=summary, title=names, advice=tuple(advice), details={"desks": known})

    async def _all_desks(self) -> list[Any]:
        found: list[Any] = []
        while True:
            body = {"offset": len(found), "limit": _DESKS}
            page = (await self._api.post("/cgi-bin/kf/account/list", body)).get("account_list") or []
            found.extend(page)
            if len(page) < _DESKS:
                return found

    async def _advice(self, desk: str, name: str) -> list[str]:
        """Staff on duty get customers before we do; that a desk's list is not ours to read says nothing."""
        try:
            answer = await self._api.get("/cgi-bin/kf/servicer/list", open_kfid=desk)
        except DeliveryError:
            return []
        people = answer.get("servicer_list") or ()
        taking = [str(one.get("userid")) for one in people if one.get("status") == _TAKING and one.get("userid")]
        return [_HOSTING.format(desk=name, who=", ".join(taking))] if taking else []

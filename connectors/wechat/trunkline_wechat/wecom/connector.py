"""One self-built app of WeCom: its customers are the members of the company."""

from __future__ import annotations

from collections.abc import Sequence

from trunkline.contract import (
    Accepted,
    AcceptedPart,
    Health,
    Item,
    OutboundMessage,
    Signal,
    TrustedBody,
)
from trunkline.errors import SignInNeeded, Undeliverable
from trunkline.model import Address, Profile
from trunkline_wechat.enterprise import Draft, EnterpriseConnector, Json
from trunkline_wechat.wecom.capabilities import REMEMBERED_S
from trunkline_wechat.wecom.inbound import items_of
from trunkline_wechat.wecom.outbound import drafts_of

_BY_HAND = ("WeCom does not tell: the app must not be set to always open its home page, or texts are cut at 20 bytes.",)


class WeComConnector(EnterpriseConnector):
    def parse(self, body: TrustedBody) -> Sequence[Item]:
        return items_of(body, agentid=self._config.agent_id)

    async def deliver(self, message: OutboundMessage) -> Accepted:
        """Send; in doubt whether it has the message, WeCom is asked to drop what is like one of the last hours.

        Only then: it compares words, and a second "yes" is not a copy of the first.
        """
        user, again = message.to.external_id, message.after_uncertain
        ids = [await self._send(user, draft, again=again) for draft in drafts_of(message)]
        parts = tuple(AcceptedPart(external_id=id_) for id_ in ids if id_)
        return Accepted(parts=parts, route="message/send", evidence=ids[0] or None)

    async def _send(self, user: str, draft: Draft, *, again: bool) -> str:
        fields: Json = {"touser": user, "agentid": self._config.agent_id, "enable_duplicate_check": int(again)}
        if again:
            fields["duplicate_check_interval"] = REMEMBERED_S
        try:
            answer = await self._post("/cgi-bin/message/send", fields, draft)
        except Undeliverable as error:
            # Every card has an id of its own, and so has its repeat: WeCom has had the card.
            if draft.kind == "template_card" and "task_id" in str(error):
                return ""
            raise
        if _names(answer, "unlicenseduser", user):
            words = "This member has no licence for the app: the company has to buy one."
            raise Undeliverable(words, whose="account", code="no_licence")
        if _names(answer, "invaliduser", user):
            words = "This member is outside of the app's visible range, or has left the company."
            raise Undeliverable(words, whose="recipient", code="invalid_user")
        return str(answer.get("msgid") or "")

    async def signal(self, signal: Signal) -> None:
        """Take a message back; WeCom lets an app do so for 24 hours."""
        if signal.kind == "recall" and signal.external_id:
            await self._api.post("/cgi-bin/message/recall", {"msgid": signal.external_id})

    async def profile(self, address: Address, group: Address | None = None) -> Profile | None:
        """Look a member up; an app may be allowed to know the name, and rarely more."""
        try:
            about = await self._api.get("/cgi-bin/user/get", userid=address.external_id)
        except (Undeliverable, SignInNeeded):
            return None
        return Profile(name=about.get("name") or None, picture_url=about.get("avatar") or None)

    async def _found(self) -> Health:
        app = await self._api.get("/cgi-bin/agent/get", agentid=self._config.agent_id)
        title = str(app.get("name") or self._config.agent_id)
        closed = ("The app is disabled in WeCom's console: nothing is sent or received.",) if app.get("close") else ()
        details = {"agentid": self._config.agent_id, "name": title, "home_url": app.get("home_url")}
        summary = f"Connected as the app {title}."
        return Health(state="connected", summary=summary, title=title, advice=(*closed, *_BY_HAND), details=details)


def _names(answer: Json, field: str, user: str) -> bool:
    """Whether an answer names the user; it writes ids in lower case, divided by bars."""
    return user.lower() in str(answer.get(field) or "").lower().split("|")

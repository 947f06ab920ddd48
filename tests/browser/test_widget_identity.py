"""A visitor whom the site vouches for: what they wrote before comes along, and everything is one conversation."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from pathlib import Path

import pytest

from tests.browser.visitor import Site, Visit, Visitor, open_site, visitor
from tests.desk.conftest import KEY, Template
from trunkline_web.simulator import KEY as PUBLIC_KEY

__all__ = ["visitor"]

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="session")]

SECRET = "identity-secret-for-tests-000001"


async def test_who_the_site_says_it_is_takes_the_conversation_along(
    tmp_path: Path, sqlite_template: Template, visitor: Visit, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TRUNKLINE_SECRET_KEY", KEY)
    settings = {"identity": "accept", "identity_keys": [{"algorithm": "HS256", "key": SECRET}]}
    async with open_site(tmp_path, sqlite_template, **settings) as known:
        ana = await (await (await visitor(known)).arrive()).open()
        await ana.say("Before I signed in")
        await ana.sees("Before I signed in")
        now = known.shop.house.clock.now_ms() // 1000
        await ana.call("identify", _jwt(now, now + 600))
        await ana.sees("Before I signed in")
        other = await (await (await visitor(known)).arrive()).open()
        await other.call("identify", _jwt(now, now + 600))
        await other.sees("Before I signed in")
        with pytest.raises(Exception, match="identity_expired"):
            await other.call("identify", _jwt(now - 4000, now - 3000))
        await other.call("close")
        await _is_one_conversation(known, visitor, ana, _jwt(now, now + 600))


async def _is_one_conversation(known: Site, visitor: Visit, ana: Visitor, proof: str) -> None:
    """Somebody who has written before writes anonymously elsewhere: agents may go on in both threads."""
    older = (await known.thread())["id"]
    phone = await (await (await visitor(known)).arrive()).open()
    await phone.say("From my phone")
    await phone.sees("From my phone")
    await phone.call("identify", proof)
    told = ["Before I signed in", "From my phone"]
    for tab in (phone, ana):
        await tab.sees(*told)
        # Whoever has a panel open reads what comes, for all.
        await tab.call("close")
    await known.shop.reply(older, "In the older thread")
    await phone.until("Trunkline('unreadCount').then((count) => count === 1)")
    await phone.page.reload()
    await phone.until("!!window.Trunkline?.v")
    await phone.until("Trunkline('unreadCount').then((count) => count === 1)")
    for tab in (phone, ana):
        await tab.open()
        await tab.sees(*told, "In the older thread")
    await phone.until("Trunkline('unreadCount').then((count) => count === 0)")
    await phone.say("I see it")
    await ana.sees(*told, "In the older thread", "I see it")
    threads = [one for one in await known.shop.threads() if one["account_id"] == "shop-web"]
    said = {one["id"]: [two["content"]["text"] for two in await known.shop.messages(one["id"])] for one in threads}
    assert said.pop(older) == ["Before I signed in", "In the older thread"]
    assert list(said.values()) == [["From my phone", "I see it"]]


def _jwt(issued: int, ends: int) -> str:
    """Return what the site's own server says of its customer."""
    claims = {"sub": "cust-42", "aud": PUBLIC_KEY, "iat": issued, "exp": ends, "name": "Ana Example"}
    head, body = (_encoded(json.dumps(part).encode()) for part in ({"alg": "HS256", "typ": "JWT"}, claims))
    digest = hmac.digest(SECRET.encode(), f"{head}.{body}".encode(), hashlib.sha256)
    return f"{head}.{body}.{_encoded(digest)}"


def _encoded(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()

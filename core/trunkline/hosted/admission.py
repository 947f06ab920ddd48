"""Who may come in: which client it is, whether it is new enough, and whose token it holds."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from trunkline.hosted.connector import CLIENT_HEADERS, Client, IdentityMode
from trunkline.hosted.refusals import ClientRefused
from trunkline.hosted.rotating import is_good
from trunkline.hosted.versions import at_least
from trunkline.hosted.visitors import PREFIX, find_holder, fingerprint

if TYPE_CHECKING:
    from aiohttp import web

    from trunkline.hosted.calls import Inbox
    from trunkline.hosted.front import Front
    from trunkline.hosted.visitors import Holder

__all__ = ["PLATFORMS", "admit", "check_client", "client_of", "make_client"]

PLATFORMS = frozenset({"web", "ios", "android", "macos", "windows", "flutter", "reactnative"})
_LOCALE = re.compile(r"[A-Za-z]{2,3}(-[A-Za-z0-9]{2,8}){0,3}")
_VERSION_CHARACTERS = 40


def client_of(request: web.Request) -> Client:
    """Return what the headers tell of the client; what they do not tell well is not told."""
    told = {name: request.headers.get(header, "").strip() for name, header in CLIENT_HEADERS.items()}
    return make_client(told["platform"], told["version"], told["form"], request.headers.get("Accept-Language", ""))


def make_client(platform: str, version: str, form: str, languages: str) -> Client:
    """Return a client from what it says of itself."""
    first = languages.partition(",")[0].partition(";")[0].strip()
    return Client(
        platform=platform if platform in PLATFORMS else "unknown",
        version=version[:_VERSION_CHARACTERS] if version and version.isprintable() else None,
        form="mobile" if form == "mobile" else "desktop",
        locale=first if _LOCALE.fullmatch(first) else "en",
    )


def check_client(inbox: Inbox, client: Client) -> None:
    """Refuse clients that the key is not for, and those with known faults.

    Raises:
        ClientRefused: client_not_allowed, client_too_old.
    """
    terms = inbox.terms
    if terms.platforms is not None and client.platform not in terms.platforms:
        raise ClientRefused("client_not_allowed", "This key is not for this platform (X-SDK-Platform).")
    if terms.min_version is not None and client.platform != "web" and not at_least(client.version, terms.min_version):
        raise ClientRefused("client_too_old")


async def admit(front: Front, token: str) -> tuple[Inbox, Holder]:
    """Return who holds a token, and where.

    Raises:
        ClientRefused: token_invalid, token_expired, client_not_allowed, identity_required.
    """
    if not token.startswith(PREFIX) or len(token) != len(PREFIX) + 43:
        raise ClientRefused("token_invalid")
    async with front.house.store.read() as connection:
        holder = await find_holder(connection, token)
    inbox = None if holder is None else front.directory.of(holder.account_id, holder.key)
    if holder is None or inbox is None or holder.revoked_at is not None:
        raise ClientRefused("token_invalid")
    now = front.house.clock.now_ms()
    if holder.expires_at <= now or not is_good(holder.tokens, fingerprint(token), now):
        raise ClientRefused("token_expired")
    if holder.key not in inbox.connector.terms():
        raise ClientRefused("client_not_allowed", "The key of this app was withdrawn.")
    if holder.subject is None and inbox.terms.policy.mode is IdentityMode.REQUIRE:
        raise ClientRefused("identity_required")
    return inbox, holder

"""One app: its keys, how its users prove who they are, how it looks, how it is woken."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Mapping
from typing import Any

import msgspec

from trunkline.contract import Capabilities, Health, Services
from trunkline.hosted import Client, HostedConnector, IdentityKey, IdentityPolicy, Notice, PushSender, Terms
from trunkline_sdk.config import AppKey, Config
from trunkline_sdk.fcm import FcmSender
from trunkline_sdk.relay import RelaySender
from trunkline_sdk.words import NEW_MESSAGE, is_from_right, nearest

__all__ = ["CHANNEL", "SdkConnector", "key_for"]

CHANNEL = "app_sdk"


class SdkConnector(HostedConnector):
    def __init__(self, services: Services[Config]) -> None:
        self.config = services.config
        self._keys = self.config.keys or (AppKey(key=key_for(services.account_id)),)
        self._fcm = FcmSender(services, self.config.fcm) if self.config.fcm else None
        self._relay = RelaySender(services, self.config.relay) if self.config.relay else None

    @property
    def public_key(self) -> str:
        return self._keys[0].key

    def terms(self) -> Mapping[str, Terms]:
        return {one.key: self._terms(one) for one in self._keys}

    def channel_for(self, client: Client) -> str:
        return CHANNEL

    def embed(self, public_url: str) -> str:
        return f"new TrunklineClient({{ server: '{public_url}', key: '{self.public_key}', platform, version, store }})"

    def narrowed(self, declared: Capabilities) -> Capabilities:
        """Leave out files where the settings take none."""
        if self.config.uploads:
            return declared
        kept = {kind: rule for kind, rule in declared.receives.items() if not rule.media}
        return msgspec.structs.replace(declared, receives=kept)

    def presentation(self, client: Client) -> dict[str, Any]:
        named = {"title": self.config.title, "greeting": self.config.greeting}
        found = {word: nearest(texts, client.locale, self.config.locale) for word, texts in named.items()}
        said = next((one[0] for one in found.values() if one is not None), client.locale)
        return {
            "theme": {"accent": self.config.accent, "mode": self.config.mode},
            "direction": "rtl" if is_from_right(said) else "ltr",
            "texts": {word: one[1] for word, one in found.items() if one is not None},
        }

    # ---------------------------------------------------------------- pushes

    def pushes(self) -> bool:
        return bool(self._fcm or self._relay)

    def push_sender(self, provider: str) -> PushSender | None:
        if provider == "fcm" and self._fcm:
            return self._fcm
        return self._relay if self._relay and provider in self._relay.providers else None

    def notice(self, locale: str | None, preview: str) -> Notice:
        wanted = (locale or self.config.locale, self.config.locale, "en")
        title = nearest(self.config.title, *wanted)
        said = nearest({**NEW_MESSAGE, **self.config.push_text}, *wanted)
        body = preview if self.config.push_preview and preview else ""
        return Notice(title[1] if title else "", body or (said[1] if said else NEW_MESSAGE["en"]))

    async def probe(self) -> Health:
        """Ask whether pushes would be taken; the chat itself needs nobody."""
        if self._fcm is not None:
            await self._fcm.check()
        troubles = [one.trouble for one in (self._fcm, self._relay) if one is not None and one.trouble]
        if troubles:
            return Health(state="sign_in_needed", summary=f"The chat works, pushes do not: {' '.join(troubles)}")
        return Health(state="connected", summary="We serve this channel ourselves.", advice=self._advice())

    def _advice(self) -> tuple[str, ...]:
        if self.pushes():
            return ()
        return ("Nobody is woken by an answer while the app is closed: give fcm or relay in the settings.",)

    def _terms(self, key: AppKey) -> Terms:
        keys = (IdentityKey(algorithm=one.algorithm, key=one.key, kid=one.kid) for one in self.config.identity_keys)
        return Terms(
            policy=IdentityPolicy(mode=key.identity or self.config.identity, keys=tuple(keys)),
            platforms=frozenset(key.platforms),
            min_version=key.min_supported_version,
        )


def key_for(account_id: str) -> str:
    """Return the public key of an account that was given none: the same for the same id."""
    digest = hashlib.sha256(f"trunkline-sdk:{account_id}".encode()).digest()
    return f"ak_{base64.urlsafe_b64encode(digest)[:22].decode()}"

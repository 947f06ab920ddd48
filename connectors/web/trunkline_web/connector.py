"""One widget: who it is, how it looks, what it says."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterator, Mapping
from typing import Any

import msgspec

from trunkline.contract import Capabilities, Services
from trunkline.hosted import Client, HostedConnector, IdentityKey, IdentityPolicy, Limit
from trunkline_web.config import Config

__all__ = ["DESKTOP", "LANGUAGES", "MOBILE", "WebConnector"]

DESKTOP, MOBILE = "web_desktop", "web_mobile"
#: Languages that the widget has words in.
LANGUAGES = ("en", "zh-Hans", "zh-Hant", "pl")
_FROM_RIGHT = frozenset({"ar", "ckb", "dv", "fa", "he", "ku", "ps", "sd", "ug", "ur", "yi"})
_TRADITIONAL = ("hant", "tw", "hk", "mo")


class WebConnector(HostedConnector):
    def __init__(self, services: Services[Config]) -> None:
        self.config = services.config
        self._key = self.config.key or key_for(services.account_id)

    @property
    def public_key(self) -> str:
        return self._key

    def identity_policy(self) -> IdentityPolicy:
        keys = (IdentityKey(algorithm=one.algorithm, key=one.key, kid=one.kid) for one in self.config.identity_keys)
        return IdentityPolicy(mode=self.config.identity, keys=tuple(keys), hmac_secret=self.config.identity_secret)

    def own_limits(self) -> Mapping[str, Limit]:
        messages, visitors = self.config.messages_per_minute, self.config.visitors_per_hour
        said = {"messages": messages and Limit(messages * 60, max(1, messages / 2))}
        come = {"tokens.ip": visitors and Limit(visitors, max(1, visitors / 4))}
        return {name: limit for name, limit in {**said, **come}.items() if limit}

    def channel_for(self, client: Client) -> str:
        return MOBILE if client.form == "mobile" else DESKTOP

    def embed(self, public_url: str) -> str:
        return f'<script async src="{public_url}/widget/loader.js?key={self._key}"></script>'

    def origins(self) -> tuple[str, ...]:
        return self.config.origins

    def narrowed(self, declared: Capabilities) -> Capabilities:
        """Leave out files where the settings take none."""
        if self.config.uploads:
            return declared
        kept = {kind: rule for kind, rule in declared.receives.items() if not rule.media}
        return msgspec.structs.replace(declared, receives=kept)

    def presentation(self, client: Client) -> dict[str, Any]:
        locale = self.locale_for(client.locale)
        return {
            "theme": {"accent": self.config.accent, "mode": self.config.mode, "position": self.config.position},
            "locale": locale,
            "direction": "rtl" if locale.split("-")[0].lower() in _FROM_RIGHT else "ltr",
            "texts": self._texts(locale),
            "prechat": {"required": False, "fields": []},
            "consent": {"required": False},
        }

    def locale_for(self, wanted: str) -> str:
        """Return the language that is there for the one asked for: the widget's own, or one that the settings bring."""
        own = (self.config.title, self.config.greeting, self.config.reply, self.config.texts)
        there = {name.lower(): name for name in (*LANGUAGES, *(name for texts in own for name in texts))}
        return next((there[tag] for tag in _ladder(wanted) if tag in there), self.config.locale)

    def _texts(self, locale: str) -> dict[str, str]:
        """Return what replaces the widget's own words, each in the nearest language that has it."""
        config = self.config
        named = {"title": config.title, "greeting": config.greeting, "reply": config.reply}
        told = {word: _nearest(texts, locale, config.locale) for word, texts in named.items()}
        words = _nearest(config.texts, locale, config.locale) or {}
        return {word: text for word, text in {**told, **words}.items() if text}


def key_for(account_id: str) -> str:
    """Return the public key of an account that was given none: the same for the same id."""
    digest = hashlib.sha256(f"trunkline-web:{account_id}".encode()).digest()
    return f"wk_{base64.urlsafe_b64encode(digest)[:22].decode()}"


def _nearest(texts: Mapping[str, Any], *locales: str) -> Any:
    there = {name.lower(): value for name, value in texts.items()}
    return next((there[tag] for locale in locales for tag in _ladder(locale) if tag in there), None)


def _ladder(locale: str) -> Iterator[str]:
    """Yield a language tag, then wider ones: "zh-tw", "zh-hant", "zh"."""
    tag = locale.lower().replace("_", "-")
    yield tag
    if tag.startswith("zh"):
        yield "zh-hant" if any(part in _TRADITIONAL for part in tag.split("-")) else "zh-hans"
    while "-" in tag:
        tag = tag.rpartition("-")[0]
        yield tag

"""The settings of one widget."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, SecretStr, model_validator

from trunkline.hosted import IdentityMode

__all__ = ["WORDS", "Config", "Key", "Texts"]

_ORIGIN = re.compile(r"https?://(\*\.)?[a-z0-9-]+(\.[a-z0-9-]+)*(:\d{1,5})?", re.IGNORECASE)
#: An HMAC key shorter than its hash can be guessed sooner than the hash. Source: RFC 7518 §3.2 (read 2026-11-21)
_SHORTEST_SECRET = 32


def _origin(site: str) -> str:
    if not _ORIGIN.fullmatch(site):
        raise ValueError(f'"{site}" is not the address of a site: write "https://shop.example", without a path')
    return site.lower()


def _long_enough(secret: SecretStr) -> SecretStr:
    if len(secret.get_secret_value().encode()) < _SHORTEST_SECRET:
        raise ValueError(f"must have at least {_SHORTEST_SECRET} bytes: make one with `openssl rand -hex 32`")
    return secret


#: Names of the widget's own words (`widget/src/words/en.ts`, `widget/src/words/more/en.ts`).
WORDS = frozenset({
    "title", "greeting", "reply", "you", "them", "log", "message", "send", "attach", "remove", "close", "skip",
    "earlier", "latest", "pending", "waiting", "sent", "seen", "edited", "again", "discard", "typing",
    "offline", "recalled", "unknown", "picture", "place", "drop", "tooLong", "tooLarge", "badType", "tooMany",
    "failed", "failedFile", "failedLarge", "failedText", "closed", "signIn", "old",
    "leave", "person", "missing", "back", "loading", "mustFill", "choose", "missed", "badEmail", "badPhone",
    "badAnswer", "mistakes", "outdated", "twice", "tooOften", "unsent", "refused", "off", "change", "thanks",
    "reference", "nextChat", "nextTicket", "another", "mine", "noneLeft", "stateNew", "stateTaken", "stateAnswered",
    "stateClosed", "nobodyFree", "asked", "inLine", "lineAt", "ahead", "nextUp", "estimate", "offered", "helps",
    "helped", "leaveLine", "instead", "end", "sure", "endYes", "endNo", "lineLeft", "nobody", "over", "overWith",
    "askAgain", "dismiss", "notNow",
})  # fmt: skip


def _known_words(texts: Mapping[str, str]) -> Mapping[str, str]:
    unknown = sorted(set(texts) - WORDS)
    if unknown:
        raise ValueError(f"the widget has no such word: {', '.join(unknown)} (it has {', '.join(sorted(WORDS))})")
    return texts


Origin = Annotated[str, AfterValidator(_origin)]
Locale = Annotated[str, Field(pattern=r"^[A-Za-z]{2,3}(-[A-Za-z0-9]{2,8}){0,3}$")]
Words = Annotated[str, Field(max_length=500)]
#: Locale → words.
Texts = Mapping[Locale, Words]


class Key(BaseModel):
    """A key with which the site's own server signs who its customer is."""

    model_config = ConfigDict(extra="forbid", frozen=True, defer_build=True)
    algorithm: Literal["HS256", "RS256", "ES256"] = "HS256"
    #: Names the key while it changes.
    kid: str | None = None
    #: The shared secret (HS256), or the public key as PEM.
    key: SecretStr

    @model_validator(mode="after")
    def _fits(self) -> Self:
        if self.algorithm == "HS256":
            _long_enough(self.key)
        elif "PUBLIC KEY" not in self.key.get_secret_value():
            raise ValueError(f"{self.algorithm} needs the public key as PEM")
        return self


class Config(BaseModel):
    """How a widget looks, where it may stand, and how its visitors prove who they are."""

    model_config = ConfigDict(extra="forbid", frozen=True, defer_build=True)
    #: Public: it stands in the page of the site. Without one it is made from the account's id.
    key: Annotated[str, Field(pattern=r"^wk_[A-Za-z0-9_-]{8,64}$")] | None = None
    #: Sites that may show the widget, such as "https://shop.example" or "https://*.shop.example"; none is any.
    origins: tuple[Origin, ...] = ()
    accent: Annotated[str, Field(pattern=r"^#[0-9A-Fa-f]{6}$")] = "#1f6feb"
    mode: Literal["auto", "light", "dark"] = "auto"
    #: "end" is the right on a page that is read from left to right.
    position: Literal["end", "start"] = "end"
    #: The language for visitors whose own is not there.
    locale: Locale = "en"
    #: What stands at the head of the panel; the account's title if there is nothing.
    title: Texts = {}
    #: First words, before anybody wrote.
    greeting: Texts = {}
    #: When an answer may be expected.
    reply: Texts = {}
    #: Other words of the widget: locale → name of the word → words.
    texts: Mapping[Locale, Annotated[Mapping[str, Words], AfterValidator(_known_words)]] = {}
    uploads: bool = True
    #: How many messages of one visitor are taken in a minute, half of them at once; 20 where nothing is said.
    messages_per_minute: Annotated[int, Field(ge=1, le=600)] | None = None
    #: How many new visitors may come from one public address in an hour, a quarter of them at once; else 20.
    visitors_per_hour: Annotated[int, Field(ge=1, le=100_000)] | None = None
    #: Parent domain of the visitor's cookie, so that several sub-domains share a conversation: "shop.example".
    cookie_domain: Annotated[str, Field(pattern=r"^[a-z0-9-]+(\.[a-z0-9-]+)+$")] | None = None
    identity: IdentityMode = IdentityMode.OFF
    identity_keys: tuple[Key, ...] = ()
    #: For HMAC-SHA256 of the customer's id; a proof of this kind never ends, so prefer keys.
    identity_secret: Annotated[SecretStr, AfterValidator(_long_enough)] | None = None

    @model_validator(mode="after")
    def _can_be_proved(self) -> Self:
        if self.identity is not IdentityMode.OFF and not self.identity_keys and self.identity_secret is None:
            raise ValueError(f'identity = "{self.identity}" needs identity_keys (or identity_secret)')
        return self

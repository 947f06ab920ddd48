"""The settings of one app."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Annotated, Any, Literal, Self, get_args

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, SecretStr, model_validator

from trunkline.contract import FilledSecret, HttpAddress
from trunkline.hosted import IdentityMode
from trunkline.hosted.versions import read_version

__all__ = ["PLATFORMS", "AppKey", "Config", "Fcm", "IdentityKey", "Relay"]

#: An HMAC key shorter than its hash can be guessed sooner than the hash. Source: RFC 7518 §3.2 (read 2026-11-21)
_SHORTEST_SECRET = 32

Platform = Literal["ios", "android", "macos", "windows", "flutter", "reactnative"]
PLATFORMS: tuple[Platform, ...] = get_args(Platform)
Provider = Literal["apns", "fcm", "hms", "webpush"]
Locale = Annotated[str, Field(pattern=r"^[A-Za-z]{2,3}(-[A-Za-z0-9]{2,8}){0,3}$")]
Words = Annotated[str, Field(max_length=500)]
#: Locale → words.
Texts = Mapping[Locale, Words]


def _long_enough(secret: SecretStr) -> SecretStr:
    if len(secret.get_secret_value().encode()) < _SHORTEST_SECRET:
        raise ValueError(f"must have at least {_SHORTEST_SECRET} bytes: make one with `openssl rand -hex 32`")
    return secret


def _version(text: str) -> str:
    if read_version(text) is None:
        raise ValueError(f'"{text}" is no version: write "3.0.3", at most four numbers')
    return text


def _service_account(secret: SecretStr) -> SecretStr:
    try:
        known: Any = json.loads(secret.get_secret_value())
        missing = [name for name in ("project_id", "client_email", "private_key") if not known.get(name)]
    except (ValueError, AttributeError):
        raise ValueError("must be the JSON file of a service account: Firebase console, Project settings") from None
    if missing:
        raise ValueError(f"the service account's file lacks {', '.join(missing)}")
    return secret


class _Settings(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, defer_build=True)


class AppKey(_Settings):
    """A public key for some platforms, so that one of them can be withdrawn or asked for more without the others."""

    #: It ships in the app: public, it proves nothing.
    key: Annotated[str, Field(pattern=r"^ak_[A-Za-z0-9_-]{8,64}$")]
    #: Who may use it (X-SDK-Platform).
    platforms: Annotated[tuple[Platform, ...], Field(min_length=1)] = PLATFORMS
    #: As the account's `identity` if it is left out.
    identity: IdentityMode | None = None
    #: Older versions are turned away (426): only for versions with security faults.
    min_supported_version: Annotated[str, AfterValidator(_version)] | None = None


class IdentityKey(_Settings):
    """A key with which your own server signs who its customer is."""

    #: Prefer RS256 or ES256: what only verifies cannot leak.
    algorithm: Literal["HS256", "RS256", "ES256"] = "ES256"
    #: Names the key while it changes.
    kid: str | None = None
    #: The public key as PEM, or the shared secret (HS256).
    key: FilledSecret

    @model_validator(mode="after")
    def _fits(self) -> Self:
        if self.algorithm == "HS256":
            _long_enough(self.key)
        elif "PUBLIC KEY" not in self.key.get_secret_value():
            raise ValueError(f"{self.algorithm} needs the public key as PEM")
        return self


class Fcm(_Settings):
    """Firebase Cloud Messaging: Android, and iOS where the app hands over FCM's own token."""

    #: The JSON file of a service account that may send messages, as text.
    service_account: Annotated[FilledSecret, AfterValidator(_service_account)]
    api_base: HttpAddress = "https://fcm.googleapis.com"
    oauth_base: HttpAddress = "https://oauth2.googleapis.com"


class Relay(_Settings):
    """Your own server sends the pushes: for APNs and vendors' services, or where no credential shall leave it."""

    #: Gets one signed POST per push; its host belongs into `server.allow_hosts`.
    url: HttpAddress
    #: Signs what we post.
    secret: Annotated[FilledSecret, AfterValidator(_long_enough)]
    #: For devices of these providers; "fcm" only where no service account is given.
    providers: tuple[Provider, ...] = ("apns", "fcm", "hms", "webpush")


class Config(_Settings):
    """Which apps may speak to this account, how their users prove who they are, and how they are woken."""

    #: Public keys, one per platform if you like. Without one, a key for all platforms is made from the account's id.
    keys: tuple[AppKey, ...] = ()
    identity: IdentityMode = IdentityMode.OFF
    identity_keys: tuple[IdentityKey, ...] = ()
    uploads: bool = True
    accent: Annotated[str, Field(pattern=r"^#[0-9A-Fa-f]{6}$")] = "#1f6feb"
    mode: Literal["auto", "light", "dark"] = "auto"
    #: The language for users whose own is not there.
    locale: Locale = "en"
    #: What stands above the chat and on notifications; the account's title if there is nothing.
    title: Texts = {}
    #: First words, before anybody wrote.
    greeting: Texts = {}
    fcm: Fcm | None = None
    relay: Relay | None = None
    #: The words of a notification, by language; ours if there are none.
    push_text: Texts = {}
    #: Show the beginning of the message on locked screens. It then passes through Google, Apple or your relay.
    push_preview: bool = False

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        names = [one.key for one in self.keys]
        if len(set(names)) < len(names):
            raise ValueError("two of the keys are the same")
        modes = {self.identity, *(one.identity for one in self.keys)} - {None, IdentityMode.OFF}
        if modes and not self.identity_keys:
            raise ValueError(f'identity = "{min(map(str, modes))}" needs identity_keys')
        return self

"""What WeCom and WeChat KF have in common: one host, encrypted callbacks, uploads, and the shape of what is sent.

Sources: https://developer.work.weixin.qq.com/document/path/90236, …/94677, …/90253 (read 2026-11-22)
"""

from __future__ import annotations

import hashlib
from abc import abstractmethod
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from trunkline import contract
from trunkline.contract import (
    Connector,
    ContentRule,
    Health,
    MediaStream,
    OutboundMessage,
    Services,
    TextLimit,
    TextUnit,
    TrustedBody,
    WebhookReply,
    WebhookRequest,
    cut,
    measure,
)
from trunkline.errors import DeliveryError, SignInNeeded, Undeliverable
from trunkline.model import Audio, Content, File, Image, Level, Link, Media, Text, Video, content_kind
from trunkline_wechat.api import Api
from trunkline_wechat.config import Config
from trunkline_wechat.crypto import Door

Json = dict[str, Any]

_MB = 1024 * 1024
_LEAST_BYTES = 6
_CAPTION = "A caption is a message of its own."
_FORGOTTEN = "40007"
#: Files live for three days there.
_REUSED_MS = 12 * 3600 * 1000
#: errcode → what helps, beside what the platform says itself.
_CURES = {
    "40001": "Check corp_secret: it is that of the app, not of another one and not of the company.",
    "40013": "Check corp_id.",
    "48002": "Authorise the app for this API in WeCom's console.",
    "50003": "The app is disabled in WeCom's console.",
    "60020": "Add the address of this server to the trusted IPs of the app; it takes about a minute.",
    "301002": "Check agent_id: the secret is that of another app.",
    "95003": "Verify the company: before that it may serve few customers.",
    "95011": "The desk belongs to the other kind of console: a desk inside WeCom needs an app of WeCom.",
    "95012": "The desk belongs to the other kind of console: a desk inside WeCom needs an app of WeCom.",
    "95014": "Put the staff of the desk into the visible range of the app.",
    "95017": "Switch the API on for this desk in WeCom's console.",
    "95023": "Another app has the desk: take it back in WeCom's console.",
}


# ---------------------------------------------------------------- capabilities


def _media(mimes: Sequence[str], mb: int, family: str, note: str, *, seconds: int | None = None) -> ContentRule:
    """Kinds that the platform shows as such; the rest of the family goes as a file."""
    shown = contract.MediaLimit(mimes=tuple(mimes), max_bytes=mb * _MB, max_duration_s=seconds)
    return ContentRule(level=Level.PARTIAL, media=(shown, _any(family)), note=note)


def _any(mimes: str) -> contract.MediaLimit:
    return contract.MediaLimit(mimes=(mimes,), max_bytes=20 * _MB)


#: Content → (`type` of the upload, the MIME types that it may have; others are a file).
_UPLOADS: Mapping[type[Content], tuple[str, tuple[str, ...]]] = {
    Image: ("image", ("image/jpeg", "image/png")),
    Audio: ("voice", ("audio/amr",)),
    Video: ("video", ("video/mp4",)),
    File: ("file", ()),
}
#: What a customer recorded.
VOICE = ContentRule(level=Level.PARTIAL, note="Voice comes as AMR, which browsers do not play: it is downloaded.")
IMAGE = _media(_UPLOADS[Image][1], 10, "image/*", f"JPEG and PNG are shown, others go as files. {_CAPTION}")
AUDIO = _media(_UPLOADS[Audio][1], 2, "audio/*", "Only AMR is played, other sound goes as a file.", seconds=60)
VIDEO = _media(_UPLOADS[Video][1], 10, "video/*", f"MP4 is played, others go as files. {_CAPTION}")
FILE = ContentRule(level=Level.PARTIAL, media=(_any("*/*"),), note=_CAPTION)


# ---------------------------------------------------------------- what is sent


class Draft(msgspec.Struct, frozen=True, kw_only=True):
    """One message of the platform: `{"msgtype": kind, kind: body}`."""

    kind: str
    body: Json
    #: A file whose id goes into `body` under `field` once it is uploaded as `upload`.
    media: Media | None = None
    upload: str = ""
    field: str = "media_id"


def text(words: str) -> Draft:
    return Draft(kind="text", body={"content": words})


def file_drafts(part: Image | Video | Audio | File) -> list[Draft]:
    """Return a file and, as a message of its own, its caption."""
    kind, mimes = _UPLOADS[type(part)]
    shown = kind if not mimes or part.media.mime in mimes else "file"
    caption = getattr(part, "caption", None)
    return [Draft(kind=shown, body={}, media=part.media, upload=shown), *([text(caption)] if caption else ())]


def link_text(link: Link) -> Draft:
    """Return a link as words, for want of what the platform's own form needs."""
    title = link.title if link.title != link.url else None
    return text("\n".join(line for line in (title, link.text, link.url) if line))


def bytes_of(words: str, most: int) -> str:
    """Return as much of a text as fits `most` UTF-8 bytes."""
    return cut(words, TextLimit(max=most, unit=TextUnit.UTF8))


def checked(words: str, most: int, name: str) -> str:
    """Return what must not be cut. Undeliverable if it is longer than `most` UTF-8 bytes."""
    if measure(words, TextUnit.UTF8) > most:
        raise Undeliverable(f"{name} may have {most} bytes.", code="too_long")
    return words


def one_of(message: OutboundMessage) -> Content:
    """Return the one part of a message."""
    return message.parts[0] if message.parts else Text(text="")


def refuse(part: Content) -> Undeliverable:
    return Undeliverable(f"WeChat cannot carry this {content_kind(part)}.", code="not_carried")


def own_id(key: str, at: int) -> str:
    """Return our id of the `at`th message of a delivery: 32 of [0-9a-f], the same in every attempt."""
    return hashlib.sha256(f"{key}:{at}".encode()).hexdigest()[:32]


# ---------------------------------------------------------------- the connector


class EnterpriseConnector(Connector):
    """The half of a connector that both surfaces share."""

    def __init__(self, services: Services[Config]) -> None:
        self._config, self._clock, self._api = services.config, services.clock, Api(services)
        #: (our id of a file, kind of upload) → (its id there, until when it is used again).
        self._uploaded: dict[tuple[str, str], tuple[str, int]] = {}
        config = services.config
        self._door = Door(config.callback_tokens, config.keys, config.receive_id, clock=services.clock)

    def handshake(self, request: WebhookRequest) -> WebhookReply | None:
        return self._door.handshake(request, encrypted=True)

    def authenticate(self, request: WebhookRequest) -> TrustedBody:
        return self._door.authenticate(request)

    async def fetch(self, media: Media) -> MediaStream:
        if media.source is None or media.source.external:
            raise Undeliverable("WeChat does not keep this file.", whose="platform", code="not_found")
        try:
            return await self._api.download(media.source.reference, name=media.name)
        except Undeliverable:
            copy = media.source.extra.get("copy")
            if not isinstance(copy, str):
                raise
            return await self._api.copy(copy, name=media.name)

    async def probe(self) -> Health:
        try:
            return await self._found()
        except SignInNeeded as error:
            cure = _CURES.get(error.answer.code or "") if error.answer else None
            return Health(state="sign_in_needed", summary=str(error), advice=(cure,) if cure else ())
        except DeliveryError as error:
            return Health(state="failing", summary=str(error))

    @abstractmethod
    async def _found(self) -> Health:
        """Ask the platform about this account."""

    async def _post(self, path: str, fields: Json, draft: Draft) -> Json:
        """Send one draft; an uploaded file that WeChat has forgotten is uploaded once more."""
        if draft.media is None:
            return await self._say(path, fields, draft.kind, draft.body)
        try:
            return await self._post_file(path, fields, draft, draft.media)
        except Undeliverable as error:
            if error.answer is None or error.answer.code != _FORGOTTEN:
                raise
            self._uploaded.pop((draft.media.id or "", draft.upload), None)
            return await self._post_file(path, fields, draft, draft.media)

    async def _post_file(self, path: str, fields: Json, draft: Draft, media: Media) -> Json:
        body = {**draft.body, draft.field: await self._upload(draft.upload, media)}
        return await self._say(path, fields, draft.kind, body)

    async def _say(self, path: str, fields: Json, kind: str, body: Json) -> Json:
        return await self._api.post(path, {**fields, "msgtype": kind, kind: body}, once=True)

    async def _upload(self, kind: str, media: Media) -> str:
        """Return the id of a file; one sent again within hours keeps its id, so that a repeat looks like the first."""
        if media.size is not None and media.size < _LEAST_BYTES:
            raise Undeliverable("WeChat takes no files of less than six bytes.", code="too_small")
        now, key = self._clock.now_ms(), (media.id or "", kind)
        self._uploaded = {one: kept for one, kept in self._uploaded.items() if kept[1] > now}
        if key in self._uploaded:
            return self._uploaded[key][0]
        media_id = await self._api.upload(kind, media)
        if media.id:
            self._uploaded[key] = (media_id, now + _REUSED_MS)
        return media_id

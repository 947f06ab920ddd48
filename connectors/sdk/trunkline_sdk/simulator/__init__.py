"""An app of our own on phones that do not exist, and the push service that wakes them.

The phones speak the real protocol (`/client/v1`). Pushes go to a Firebase on loopback, which checks the service
account's signature and knows which tokens it gave out.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import uuid
from collections.abc import Iterable, Mapping
from typing import Any, ClassVar
from urllib.parse import urlsplit

import aiohttp
import msgspec
from aiohttp import web

from trunkline.contract import Clock
from trunkline.model import ContentKind
from trunkline.testing import phones
from trunkline.testing.pictures import picture
from trunkline.testing.simulator import Simulator as Base
from trunkline_sdk.simulator.firebase import Firebase

__all__ = ["KEY", "Phone", "Simulator"]

KEY = "ak_demo_bicycle_shop"
_FILES = {"image": "image/jpeg"}
Json = dict[str, Any]


class Phone(msgspec.Struct, kw_only=True):
    """A phone with the app on it."""

    id: str
    name: str
    #: None until the first word.
    token: str | None = None
    cursor: str = ""
    said: list[phones.Bubble] = []
    listening: Any = None
    #: True while the app is in front; a closed one is woken by pushes.
    is_open: bool = True
    #: What stands on the locked screen.
    notifications: list[Json] = []


class Simulator(Base):
    """One app."""

    title: ClassVar[str] = "App"
    accent: ClassVar[str] = "#7c3aed"
    secret_paths: ClassVar[tuple[str, ...]] = ("/token",)
    writes: ClassVar[Mapping[ContentKind, phones.Action]] = {
        ContentKind.TEXT: phones.Action(kind="text", text="Hello"),
        ContentKind.IMAGE: phones.Action(kind="image"),
        ContentKind.LOCATION: phones.Action(kind="location"),
    }

    def __init__(self, *, clock: Clock | None = None, webhook_url: str | None = None) -> None:
        super().__init__(clock=clock, webhook_url=webhook_url)
        self.phones: dict[str, Phone] = {}
        self.firebase = Firebase(self.clock)
        #: What the app reports of itself.
        self.version = "3.0.3"

    # ---------------------------------------------------------------- what the base asks for

    def routes(self) -> Iterable[web.RouteDef]:
        return [
            web.post("/token", self._give_access),
            web.post("/v1/projects/{project}/messages:send", self._take_push),
        ]

    def settings(self) -> Json:
        fcm = {
            "service_account": self.firebase.service_account,
            "api_base": self.url,
            "oauth_base": self.url,
        }
        return {
            "keys": [{"key": KEY, "platforms": ["ios", "android"]}],
            "accent": self.accent,
            "title": {"en": "Kettle & Spoke"},
            "greeting": {"en": "Hello! How can we help?"},
            "fcm": fcm,
        }

    def customers(self) -> list[phones.Customer]:
        return [phones.Customer(id=one.id, name=one.name) for one in self.phones.values()]

    def chat(self, customer: str) -> list[phones.Bubble]:
        return list(self.phones[customer].said)

    def add_customer(self, name: str) -> str:
        phone = Phone(id=uuid.uuid4().hex, name=name)
        self.phones[phone.id] = phone
        return phone.id

    async def act(self, customer: str, action: phones.Action) -> None:
        phone = self.phones[customer]
        if action.kind not in {"text", "image", "location", "press"}:
            raise ValueError(f"The app sends no {action.kind}.")
        await self._start(phone)
        if action.kind == "press":
            return await self._press(phone, action.press)
        body: Json = {"client_id": str(uuid.uuid4()), "kind": action.kind}
        if action.kind == "text":
            body["text"] = action.text
        elif action.kind == "location":
            body |= {"latitude": action.latitude, "longitude": action.longitude}
        else:
            body["attachments"] = [{"upload_id": await self._upload(phone, action.picture)}]
        await self._call(phone, "POST", "threads/live/messages", json=body)
        return None

    async def stop(self) -> None:
        for phone in self.phones.values():
            if phone.listening is not None:
                phone.listening.cancel()
                await asyncio.gather(phone.listening, return_exceptions=True)
        await super().stop()

    # ---------------------------------------------------------------- the app

    async def open(self, customer: str) -> None:
        """Bring the app to the front: it fetches what it missed, and goes on listening."""
        phone = self.phones[customer]
        phone.is_open = True
        phone.notifications.clear()
        await self._start(phone)

    async def close(self, customer: str) -> None:
        """Close the app. Pushes reach it from now on."""
        phone = self.phones[customer]
        phone.is_open = False
        if phone.listening is not None:
            phone.listening.cancel()
            await asyncio.gather(phone.listening, return_exceptions=True)
            phone.listening = None

    async def _start(self, phone: Phone) -> None:
        """Do what an app does at its start: a token, the push token (it may have changed), the feed."""
        if phone.token is None:
            answer = await self._ask("POST", "tokens", json={"profile": {"name": phone.name}})
            phone.token, phone.cursor = str(answer["token"]), str(answer["cursor"])
            push = {"provider": "fcm", "push_token": self.firebase.register(phone.id), "locale": "en"}
            await self._call(phone, "PUT", f"devices/{phone.id}", json=push)
        if phone.listening is None and phone.is_open:
            phone.listening = asyncio.create_task(self._listen(phone), name="app-listen")

    async def _listen(self, phone: Phone) -> None:
        while True:
            try:
                page = await self._call(phone, "GET", "changes", params={"cursor": phone.cursor, "wait": "25"})
            except (ValueError, aiohttp.ClientError):
                await asyncio.sleep(1)
                continue
            phone.cursor = page["cursor"]
            for change in page["changes"]:
                self._apply(phone, change)

    def _apply(self, phone: Phone, change: Json) -> None:
        data = change["data"]
        if change["type"] not in {"message.created", "message.updated", "message.redacted"}:
            return
        kept = [one for one in phone.said if one.id != data["id"]]
        phone.said[:] = sorted([*kept, _bubble(data, self.desk)], key=lambda one: one.at_ms)
        self.changed(phone.id)

    async def _press(self, phone: Phone, press: str) -> None:
        message_id, _, action_id = press.rpartition(":")
        body = {"client_id": str(uuid.uuid4()), "message_id": message_id, "action_id": action_id}
        await self._call(phone, "POST", "threads/live/postback", json=body)

    # ---------------------------------------------------------------- the push service

    async def _give_access(self, request: web.Request) -> web.Response:
        form = await request.post()
        status, answer = self.firebase.exchange(str(form.get("assertion")), f"{self.url}/token")
        return web.json_response(answer, status=status)

    async def _take_push(self, request: web.Request) -> web.Response:
        bearer = request.headers.get("Authorization", "").removeprefix("Bearer ")
        status, answer = self.firebase.send(request.match_info["project"], bearer, await request.json())
        phone = self.phones.get(self.firebase.woken or "")
        if status == 200 and phone is not None and not phone.is_open:
            phone.notifications.append(self.firebase.sent[-1])
        return web.json_response(answer, status=status)

    # ---------------------------------------------------------------- the wire

    @property
    def desk(self) -> str:
        """The house that our webhooks would go to."""
        parts = urlsplit(self.webhook_url or "")
        return f"{parts.scheme}://{parts.netloc}"

    async def _upload(self, phone: Phone, name: str) -> str:
        form = aiohttp.FormData()
        form.add_field("file", picture(name), filename=f"{name}.jpg", content_type=_FILES["image"])
        return str((await self._call(phone, "POST", "uploads", data=form))["upload_id"])

    async def _call(self, phone: Phone, method: str, path: str, **more: Any) -> Json:
        return await self._ask(method, path, token=phone.token, **more)

    async def _ask(self, method: str, path: str, *, token: str | None = None, **more: Any) -> Json:
        """Call the visitor protocol. ValueError with its words where it says no."""
        headers = {"X-Inbox-Key": KEY, "X-SDK-Platform": "ios", "X-SDK-Version": self.version}
        if token:
            headers["Authorization"] = f"Bearer {token}"
        async with (
            aiohttp.ClientSession() as session,
            session.request(method, f"{self.desk}/client/v1/{path}", headers=headers, **more) as response,
        ):
            answer: Json = {}
            with contextlib.suppress(aiohttp.ContentTypeError, json.JSONDecodeError):
                answer = await response.json()
        if response.status >= 400:
            raise ValueError(f"{path}: {answer['error']['message']}")
        return answer


def _bubble(data: Json, desk: str) -> phones.Bubble:
    """Return a message as the app shows it."""
    file: Json = next(iter(data.get("attachments") or ()), {})
    presses = tuple(
        phones.Press(label=one["label"], id=f"{data['id']}:{one['id']}", url=one.get("url"))
        for one in data.get("options") or ()
    )
    url = file.get("url")
    return phones.Bubble(
        id=data["id"],
        mine=data["author"]["kind"] == "contact",
        at_ms=data["pos"],
        kind=_KINDS.get(data["kind"], "text"),
        text=str(data.get("text") or data.get("fallback") or ""),
        name=str(data["author"].get("name") or ""),
        url=f"{desk}{url}" if url else None,
        image=f"{desk}{url}" if url and data["kind"] == "image" else None,
        quick_replies=presses,
    )


#: Kind of a message → kind of a bubble.
_KINDS = {"image": "image", "video": "video", "audio": "audio", "file": "file", "location": "location"}

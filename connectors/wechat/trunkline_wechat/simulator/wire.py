"""The shared ways of the simulated platform: packets in XML, envelopes, uploads, answers."""

from __future__ import annotations

import email
import json
import re
import secrets
from email.message import Message
from typing import Any
from xml.sax.saxutils import escape

from aiohttp import web

from trunkline.contract import WebhookRequest, sorted_sha1
from trunkline_wechat.crypto import decode_key, encrypt
from trunkline_wechat.simulator.world import World

Json = dict[str, Any]
#: An escape in JSON, as opposed to a backslash before a u.
_ESCAPE = re.compile(r"(?<!\\)((?:\\\\)*)\\u")


def xml_of(packet: Json) -> bytes:
    """Return a packet as the platform writes it: numbers bare, text as CDATA, lists as repeated elements."""
    return f"<xml>{_elements(packet)}</xml>".encode()


def json_of(packet: Json) -> bytes:
    return json.dumps(packet, ensure_ascii=False).encode()


def _elements(packet: Json) -> str:
    rows = [(name, one) for name, value in packet.items() for one in (value if isinstance(value, list) else [value])]
    return "".join(f"<{name}>{_inside(value)}</{name}>" for name, value in rows)


def _inside(value: Any) -> str:
    if isinstance(value, dict):
        return _elements(value)
    if isinstance(value, int | float):
        return str(value)
    text = str(value)
    return escape(text) if "]]>" in text else f"<![CDATA[{text}]]>"


def sealed(
    world: World, body: bytes, receive_id: str, *, outer: Json | None = None, keeps_twin: bool = False
) -> WebhookRequest:
    """Return an encrypted webhook: `msg_signature` over what is in `Encrypt`.

    `outer` stands beside `Encrypt`; with `keeps_twin` the clear fields do as well, as in compatible mode.
    """
    encrypted = encrypt(decode_key(world.aes_key), body, receive_id)
    stamp, nonce = str(world.now() // 1000), str(secrets.randbelow(10**9))
    query = {
        "signature": sorted_sha1(world.callback_token, stamp, nonce),
        "timestamp": stamp,
        "nonce": nonce,
        "encrypt_type": "aes",
        "msg_signature": sorted_sha1(world.callback_token, stamp, nonce, encrypted),
    }
    return _request(query, _outer(body, {**(outer or {}), "Encrypt": encrypted}, keeps_twin=keeps_twin))


def plain(world: World, body: bytes) -> WebhookRequest:
    """Return a webhook in plain mode: its signature says nothing of the body."""
    stamp, nonce = str(world.now() // 1000), str(secrets.randbelow(10**9))
    query = {"signature": sorted_sha1(world.callback_token, stamp, nonce), "timestamp": stamp, "nonce": nonce}
    return _request(query, body)


def challenge(world: World, echo: str, *, receive_id: str | None = None) -> WebhookRequest:
    """Return the check of a new address; with a receive-id its echo is encrypted."""
    stamp, nonce = str(world.now() // 1000), str(secrets.randbelow(10**9))
    query = {"timestamp": stamp, "nonce": nonce, "echostr": echo}
    if receive_id is None:
        query["signature"] = sorted_sha1(world.callback_token, stamp, nonce)
    else:
        query["echostr"] = encrypt(decode_key(world.aes_key), echo.encode(), receive_id)
        query["msg_signature"] = sorted_sha1(world.callback_token, stamp, nonce, query["echostr"])
    return WebhookRequest(method="GET", query=query, headers={}, body=b"")


def _outer(body: bytes, fields: Json, *, keeps_twin: bool) -> bytes:
    """Return the outer body in the language of the inner one."""
    is_json = body[:1] == b"{"
    if keeps_twin and is_json:
        return json_of({**json.loads(body), **fields})
    if keeps_twin:
        return body.removesuffix(b"</xml>") + _elements(fields).encode() + b"</xml>"
    return json_of(fields) if is_json else xml_of(fields)


def _request(query: dict[str, str], body: bytes) -> WebhookRequest:
    kind = "application/json" if body[:1] == b"{" else "text/xml"
    return WebhookRequest(method="POST", query=query, headers={"Content-Type": kind}, body=body)


# ---------------------------------------------------------------- the API


def answer(code: int = 0, words: str = "ok", **more: Any) -> web.Response:
    """Return the platform's kind of answer: 200, and an errcode."""
    return web.json_response(
        {"errcode": code, "errmsg": words if code == 0 else f"{words} rid: 65a1-simulated", **more}
    )


class Refused(Exception):
    """A call is answered with an errcode."""

    def __init__(self, code: int, words: str = "refused") -> None:
        super().__init__(words)
        self.code, self.words = code, words


async def body_of(request: web.Request) -> Json:
    """Return the JSON of a call. Escapes stay as they are: customers would read them literally."""
    text = _ESCAPE.sub(r"\1\\\\u", (await request.read()).decode("utf-8", "replace"))
    try:
        body = json.loads(text)
    except ValueError:
        raise Refused(47001, "data format error") from None
    if not isinstance(body, dict):
        raise Refused(47001, "data format error")
    return body


async def uploaded(request: web.Request) -> tuple[bytes, str, str]:
    """Return content, MIME type and name of the form field `media`."""
    head = f"Content-Type: {request.headers.get('Content-Type', '')}\r\n\r\n".encode()
    form: Message = email.message_from_bytes(head + await request.read())
    for part in form.walk():
        if part.get_param("name", header="content-disposition") == "media":
            content = part.get_payload(decode=True)
            return content if isinstance(content, bytes) else b"", part.get_content_type(), part.get_filename() or ""
    raise Refused(41005, "media data missing")

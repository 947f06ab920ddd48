"""Signed webhook requests, made beforehand so that the load costs nothing while it runs."""

from __future__ import annotations

import base64
import hashlib
import hmac
import itertools
import json

from tests.bench.load import request_bytes

__all__ = ["PATH", "SECRET", "line_requests", "whatsapp_requests"]

SECRET = "0123456789abcdef0123456789abcdef"
PATH = "/webhooks/shop"
_PEOPLE = 500
_run = itertools.count()


def line_requests(count: int) -> list[bytes]:
    """Return requests with one text message each, of many people; no two ever alike."""
    run = next(_run)
    return [_line(run, number) for number in range(count)]


def _line(run: int, number: int) -> bytes:
    event = {
        "type": "message",
        "mode": "active",
        "timestamp": 1_700_000_000_000 + number,
        "source": {"type": "user", "userId": f"U{number % _PEOPLE:032x}"},
        "webhookEventId": f"01HF{run:06d}{number:016d}",
        "deliveryContext": {"isRedelivery": False},
        "replyToken": f"rt-{run}-{number}",
        "message": {
            "id": f"9{run:06d}{number:011d}",
            "type": "text",
            "quoteToken": f"qt-{number}",
            "markAsReadToken": f"mr-{number}",
            "text": f"hello, where is my order number {number}?",
        },
    }
    body = json.dumps({"destination": "U00000000000000000000000000000001", "events": [event]}).encode()
    proof = base64.b64encode(hmac.new(SECRET.encode(), body, hashlib.sha256).digest()).decode()
    return request_bytes(PATH, body, {"Content-Type": "application/json", "x-line-signature": proof})


def whatsapp_requests(count: int) -> list[bytes]:
    """Return the same for a platform with Meta's signature."""
    run = next(_run)
    return [_whatsapp(run, number) for number in range(count)]


def _whatsapp(run: int, number: int) -> bytes:
    person = f"1555{number % _PEOPLE:07d}"
    value = {
        "messaging_product": "whatsapp",
        "metadata": {"display_phone_number": "15550001000", "phone_number_id": "8001"},
        "contacts": [{"profile": {"name": "Mei"}, "wa_id": person}],
        "messages": [
            {
                "from": person,
                "id": f"wamid.{run}.{number}",
                "timestamp": "1767225600",
                "type": "text",
                "text": {"body": f"hello, where is my order number {number}?"},
            }
        ],
    }
    entry = {"id": "7001", "changes": [{"field": "messages", "value": value}]}
    body = json.dumps({"object": "whatsapp_business_account", "entry": [entry]}).encode()
    proof = "sha256=" + hmac.new(SECRET.encode(), body, hashlib.sha256).hexdigest()
    return request_bytes(PATH, body, {"Content-Type": "application/json", "X-Hub-Signature-256": proof})

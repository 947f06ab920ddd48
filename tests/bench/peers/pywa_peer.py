"""pywa behind FastAPI: checks the signature, parses, calls one handler, stores nothing."""

from __future__ import annotations

import sys

import uvicorn
from fastapi import FastAPI
from pywa_async.client import WhatsApp
from pywa_async.types.message import Message

from tests.bench.payloads import SECRET

app = FastAPI()
client = WhatsApp(
    phone_id="8001",
    token="invented",
    server=app,
    verify_token="invented",
    app_secret=SECRET,
    webhook_endpoint="/webhooks/shop",
    validate_updates=True,
)


@client.on_message()  # type: ignore[misc]  # its stubs describe a decorator without self
async def hear(_client: WhatsApp, _message: Message) -> None:
    """Do nothing with it."""


if __name__ == "__main__":
    uvicorn.run(app, host="127.0.0.1", port=int(sys.argv[1]), log_level="error", access_log=False)

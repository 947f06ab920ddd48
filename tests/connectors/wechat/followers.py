"""Followers of a simulated Official Account, and what they see."""

from __future__ import annotations

import json
from typing import Any

from trunkline.testing.phones import Action, Bubble
from trunkline_wechat.simulator import Simulator

SEND, UPLOAD = "/cgi-bin/message/custom/send", "/cgi-bin/media/upload"


async def ada(oa: Simulator, *, writes: str = "hello") -> str:
    customer = oa.add_customer("Ada")
    await oa.act(customer, Action(kind="text", text=writes))
    return customer


def seen(oa: Simulator, customer: str) -> list[Bubble]:
    return [bubble for bubble in oa.chat(customer) if not bubble.mine]


def sent(oa: Simulator) -> list[dict[str, Any]]:
    """Return the bodies of the sends, oldest first."""
    return [json.loads(entry.body) for entry in oa.requests(SEND)]

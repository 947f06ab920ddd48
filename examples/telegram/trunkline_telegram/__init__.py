"""Telegram bots for Trunkline."""

from __future__ import annotations

from trunkline.contract import Channel, ConnectorSpec, hookimpl

from trunkline_telegram.capabilities import CAPABILITIES
from trunkline_telegram.config import Config
from trunkline_telegram.connector import TelegramConnector

TITLE = {"en": "Telegram", "zh-Hans": "Telegram", "zh-Hant": "Telegram", "pl": "Telegram"}

SPEC = ConnectorSpec(
    name="telegram",
    title=TITLE,
    config=Config,
    channels=(Channel(code="telegram", title=TITLE, capabilities=CAPABILITIES),),
    build=TelegramConnector,
    hosts=("api.telegram.org",),
    docs="https://core.telegram.org/bots/api",
    simulator="trunkline_telegram.simulator:Simulator",
)


@hookimpl
def trunkline_connectors() -> list[ConnectorSpec]:
    return [SPEC]

"""WhatsApp Business numbers (Cloud API) for Trunkline."""

from __future__ import annotations

from trunkline.contract import Channel, ConnectorSpec, built_by, hookimpl
from trunkline_whatsapp.capabilities import WHATSAPP
from trunkline_whatsapp.config import Config

_TITLE = dict.fromkeys(("en", "zh-Hans", "zh-Hant", "pl"), "WhatsApp")

SPEC = ConnectorSpec(
    name="whatsapp",
    title=_TITLE,
    config=Config,
    channels=(Channel(code="whatsapp", title=_TITLE, capabilities=WHATSAPP),),
    build=built_by("trunkline_whatsapp.connector:WhatsAppConnector"),
    hosts=("graph.facebook.com", "*.fbsbx.com", "*.facebook.com"),
    docs="https://developers.facebook.com/docs/whatsapp/cloud-api",
    simulator="trunkline_whatsapp.simulator:Simulator",
)


@hookimpl
def trunkline_connectors() -> list[ConnectorSpec]:
    return [SPEC]

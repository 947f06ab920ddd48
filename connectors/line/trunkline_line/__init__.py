"""LINE Official Accounts for Trunkline."""

from __future__ import annotations

from trunkline.contract import Channel, ConnectorSpec, hookimpl
from trunkline_line.capabilities import LINE
from trunkline_line.config import Config
from trunkline_line.connector import LineConnector

SPEC = ConnectorSpec(
    name="line",
    title={"en": "LINE"},
    config=Config,
    channels=(Channel(code="line", title={"en": "LINE"}, capabilities=LINE),),
    build=LineConnector,
    hosts=("api.line.me", "api-data.line.me"),
    docs="https://developers.line.biz/en/docs/messaging-api/",
    simulator="trunkline_line.simulator:Simulator",
)


@hookimpl
def trunkline_connectors() -> list[ConnectorSpec]:
    return [SPEC]

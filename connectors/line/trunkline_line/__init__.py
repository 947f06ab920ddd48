"""LINE Official Accounts for Trunkline."""

from __future__ import annotations

from trunkline.contract import Channel, ConnectorSpec, built_by, hookimpl
from trunkline_line.capabilities import LINE
from trunkline_line.config import Config

#: A name that is the same in every language.
_TITLE = dict.fromkeys(("en", "zh-Hans", "zh-Hant", "pl"), "LINE")

SPEC = ConnectorSpec(
    name="line",
    title=_TITLE,
    config=Config,
    channels=(Channel(code="line", title=_TITLE, capabilities=LINE),),
    build=built_by("trunkline_line.connector:LineConnector"),
    hosts=("api.line.me", "api-data.line.me"),
    docs="https://developers.line.biz/en/docs/messaging-api/",
    simulator="trunkline_line.simulator:Simulator",
)


@hookimpl
def trunkline_connectors() -> list[ConnectorSpec]:
    return [SPEC]

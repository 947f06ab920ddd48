"""Private messages of verified Weibo accounts for Trunkline."""

from __future__ import annotations

from trunkline.contract import Channel, ConnectorSpec, built_by, hookimpl
from trunkline_weibo.capabilities import WEIBO
from trunkline_weibo.config import Config

_TITLE = {"en": "Weibo", "zh-Hans": "微博", "zh-Hant": "微博", "pl": "Weibo"}

SPEC = ConnectorSpec(
    name="weibo",
    title=_TITLE,
    config=Config,
    channels=(Channel(code="weibo", title=_TITLE, capabilities=WEIBO),),
    build=built_by("trunkline_weibo.connector:WeiboConnector"),
    hosts=("api.weibo.com", "m.api.weibo.com", "c.api.weibo.com", "upload.api.weibo.com"),
    docs="https://open.weibo.com/wiki/粉丝服务平台",
    simulator="trunkline_weibo.simulator:Simulator",
)


@hookimpl
def trunkline_connectors() -> list[ConnectorSpec]:
    return [SPEC]

"""Customer messages of Baidu smart mini programs for Trunkline."""

from __future__ import annotations

from trunkline.contract import Channel, ConnectorSpec, hookimpl
from trunkline_baidu.capabilities import BAIDU
from trunkline_baidu.config import Config
from trunkline_baidu.connector import BaiduConnector

_TITLE = {
    "en": "Baidu mini program",
    "zh-Hans": "百度智能小程序",
    "zh-Hant": "百度智能小程序",
    "pl": "Miniprogram Baidu",
}

SPEC = ConnectorSpec(
    name="baidu",
    title={"en": "Baidu", "zh-Hans": "百度", "zh-Hant": "百度", "pl": "Baidu"},
    config=Config,
    channels=(Channel(code="baidu_ad", title=_TITLE, capabilities=BAIDU),),
    build=BaiduConnector,
    # Pictures of customers come from Baidu's own hosts of files.
    hosts=("openapi.baidu.com", "*.baidu.com", "*.bdstatic.com", "*.bdimg.com", "*.bcebos.com"),
    docs="https://smartprogram.baidu.com/docs/develop/serverapi/contact_api/",
    simulator="trunkline_baidu.simulator:Simulator",
)


@hookimpl
def trunkline_connectors() -> list[ConnectorSpec]:
    return [SPEC]

"""Customer messages of Baidu smart mini programs for Trunkline."""

from __future__ import annotations

from trunkline.contract import Channel, ConnectorSpec, built_by, hookimpl
from trunkline_baidu.capabilities import BAIDU
from trunkline_baidu.config import Config

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
    build=built_by("trunkline_baidu.connector:BaiduConnector"),
    # Pictures of customers come from Baidu's own hosts of files.
    hosts=("openapi.baidu.com", "*.baidu.com", "*.bdstatic.com", "*.bdimg.com", "*.bcebos.com"),
    docs="https://smartprogram.baidu.com/docs/develop/serverapi/contact_api/",
    simulator="trunkline_baidu.simulator:Simulator",
)


@hookimpl
def trunkline_connectors() -> list[ConnectorSpec]:
    return [SPEC]

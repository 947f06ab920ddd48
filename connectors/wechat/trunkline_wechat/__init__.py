"""WeChat's four surfaces for Trunkline: Official Account, Mini Program, WeCom, customer service."""

from __future__ import annotations

from trunkline.contract import Channel, Connector, ConnectorSpec, Services, built_by, hookimpl
from trunkline_wechat.config import KF, MINI, OA, WECOM, Config
from trunkline_wechat.kf.capabilities import CAPABILITIES as KF_CAPABILITIES
from trunkline_wechat.official.capabilities import MINI_CAPABILITIES, OA_CAPABILITIES
from trunkline_wechat.wecom.capabilities import CAPABILITIES as WECOM_CAPABILITIES

_OFFICIAL = built_by("trunkline_wechat.official.connector:OfficialConnector")
_BUILDS = {
    OA: _OFFICIAL,
    MINI: _OFFICIAL,
    WECOM: built_by("trunkline_wechat.wecom.connector:WeComConnector"),
    KF: built_by("trunkline_wechat.kf.connector:KfConnector"),
}
#: (code, capabilities, title in en, zh-Hans, zh-Hant, pl)
_SURFACES = (
    (OA, OA_CAPABILITIES, "WeChat Official Account", "微信公众号", "微信公眾號", "Konto oficjalne WeChat"),
    (MINI, MINI_CAPABILITIES, "WeChat Mini Program", "微信小程序", "微信小程式", "Miniprogram WeChat"),
    (WECOM, WECOM_CAPABILITIES, "WeCom", "企业微信", "企業微信", "WeCom"),
    (KF, KF_CAPABILITIES, "WeChat customer service", "微信客服", "微信客服", "Obsługa klienta WeChat"),
)


def _title(*words: str) -> dict[str, str]:
    return dict(zip(("en", "zh-Hans", "zh-Hant", "pl"), words, strict=True))


def build(services: Services[Config]) -> Connector:
    """Return the connector of the account's surface."""
    return _BUILDS[services.config.surface](services)


SPEC = ConnectorSpec(
    name="wechat",
    title=_title("WeChat", "微信", "微信", "WeChat"),
    config=Config,
    channels=tuple(Channel(code=code, title=_title(*words), capabilities=can) for code, can, *words in _SURFACES),
    build=build,
    hosts=("api.weixin.qq.com", "qyapi.weixin.qq.com", "*.weixin.qq.com", "*.qpic.cn", "*.video.qq.com"),
    channel_of=lambda config: config.surface,
    docs="https://developers.weixin.qq.com/doc/",
    simulator="trunkline_wechat.simulator:Simulator",
)


@hookimpl
def trunkline_connectors() -> list[ConnectorSpec]:
    return [SPEC]

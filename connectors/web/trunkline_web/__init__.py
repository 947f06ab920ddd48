"""The chat widget for your own site."""

from __future__ import annotations

from trunkline.contract import Channel, ConnectorSpec, hookimpl
from trunkline_web.capabilities import in_the_table
from trunkline_web.config import Config
from trunkline_web.connector import DESKTOP, MOBILE, WebConnector
from trunkline_web.pages import pages

_TITLE = {"en": "Website", "zh-Hans": "网站", "zh-Hant": "網站", "pl": "Strona WWW"}
_ON_A_PHONE = {
    "en": "Website on a phone",
    "zh-Hans": "手机网站",
    "zh-Hant": "手機網站",
    "pl": "Strona WWW w telefonie",
}

SPEC = ConnectorSpec(
    name="web",
    title=_TITLE,
    config=Config,
    channels=(
        Channel(code=DESKTOP, title=_TITLE, capabilities=in_the_table(1)),
        Channel(code=MOBILE, title=_ON_A_PHONE, capabilities=in_the_table(2)),
    ),
    build=WebConnector,
    # An account serves both; which one a visitor uses is told by the widget and kept on the thread.
    channel_of=lambda _config: DESKTOP,
    simulator="trunkline_web.simulator:Simulator",
    pages=pages,
    pages_at="/widget",
)


@hookimpl
def trunkline_connectors() -> list[ConnectorSpec]:
    return [SPEC]

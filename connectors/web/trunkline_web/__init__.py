"""The chat widget for your own site."""

from __future__ import annotations

from trunkline.contract import Channel, ConnectorSpec, hookimpl
from trunkline_web.capabilities import WEB
from trunkline_web.config import Config
from trunkline_web.connector import DESKTOP, MOBILE, WebConnector
from trunkline_web.pages import pages

SPEC = ConnectorSpec(
    name="web",
    title={"en": "Website", "zh-Hans": "网站", "zh-Hant": "網站", "pl": "Strona WWW"},
    config=Config,
    channels=(
        Channel(code=DESKTOP, title={"en": "Website"}, capabilities=WEB),
        Channel(code=MOBILE, title={"en": "Website on a phone"}, capabilities=WEB),
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

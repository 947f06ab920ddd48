"""Facebook Messenger and Instagram messaging for Trunkline."""

from __future__ import annotations

from trunkline.contract import Channel, ConnectorSpec, built_by, hookimpl
from trunkline_facebook.capabilities import FACEBOOK, INSTAGRAM, narrowed
from trunkline_facebook.config import Config

_LOCALES = ("en", "zh-Hans", "zh-Hant", "pl")
#: Names that are the same in every language.
_MESSENGER, _INSTAGRAM = dict.fromkeys(_LOCALES, "Facebook Messenger"), dict.fromkeys(_LOCALES, "Instagram")

SPEC = ConnectorSpec(
    name="facebook",
    title={
        "en": "Facebook Messenger and Instagram",
        "zh-Hans": "Facebook Messenger 和 Instagram",
        "zh-Hant": "Facebook Messenger 與 Instagram",
        "pl": "Facebook Messenger i Instagram",
    },
    config=Config,
    channels=(
        Channel(code="facebook", title=_MESSENGER, capabilities=FACEBOOK, adjust=narrowed),
        Channel(code="instagram", title=_INSTAGRAM, capabilities=INSTAGRAM, adjust=narrowed),
    ),
    channel_of=lambda config: config.channel,
    build=built_by("trunkline_facebook.connector:FacebookConnector"),
    hosts=("graph.facebook.com", "graph.instagram.com"),
    docs="https://developers.facebook.com/docs/messenger-platform/",
    simulator="trunkline_facebook.simulator:Simulator",
)


@hookimpl
def trunkline_connectors() -> list[ConnectorSpec]:
    return [SPEC]

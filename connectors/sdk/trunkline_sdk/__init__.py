"""The chat inside your own app."""

from __future__ import annotations

from trunkline.contract import Channel, ConnectorSpec, hookimpl
from trunkline_sdk.capabilities import APP
from trunkline_sdk.config import Config
from trunkline_sdk.connector import CHANNEL, SdkConnector

_TITLE = {"en": "Mobile app", "zh-Hans": "移动应用", "zh-Hant": "行動應用程式", "pl": "Aplikacja mobilna"}

SPEC = ConnectorSpec(
    name="sdk",
    title=_TITLE,
    config=Config,
    channels=(Channel(code=CHANNEL, title=_TITLE, capabilities=APP),),
    build=SdkConnector,
    hosts=("fcm.googleapis.com", "oauth2.googleapis.com"),
    docs="https://firebase.google.com/docs/cloud-messaging",
    simulator="trunkline_sdk.simulator:Simulator",
)


@hookimpl
def trunkline_connectors() -> list[ConnectorSpec]:
    return [SPEC]

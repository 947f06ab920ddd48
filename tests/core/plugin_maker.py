"""Real little distributions in a temporary folder, with entry points: what pip would have installed."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import count
from pathlib import Path

#: A whole connector, small. `{name}` becomes its name and its channel's.
CONNECTOR = """
from __future__ import annotations

import base64

from pydantic import BaseModel, ConfigDict, SecretStr

from trunkline.contract import (
    Capabilities, Channel, Connector, ConnectorSpec, ContentRule, Health, TrustedBody, hookimpl,
)
from trunkline.errors import SignatureInvalid, TryLater
from trunkline.model import ContentKind, Level


class Options(BaseModel):
    model_config = ConfigDict(extra="forbid")
    retries: int = 3


class Config(BaseModel):
    model_config = ConfigDict(extra="forbid")
    shop_key: SecretStr
    old_keys: tuple[SecretStr, ...] = ()
    api_base: str = "https://api.{name}.example"
    options: Options = Options()


class Shop(Connector):
    def __init__(self, services):
        self.config = services.config

    def authenticate(self, request):
        raise SignatureInvalid

    def parse(self, body):
        return []

    async def deliver(self, message):
        raise TryLater

    async def probe(self):
        return Health(state="connected", summary="It answers.", advice=("Switch redelivery on.",))


CAPABILITIES = Capabilities(receives={{ContentKind.TEXT: ContentRule(level=Level.FULL)}}, sends={{}})
SPEC = ConnectorSpec(
    name="{name}", title={{"en": "{name} shops"}}, config=Config, build=Shop,
    channels=(Channel(code="{name}", title={{"en": "{name} shop"}}, capabilities=CAPABILITIES),),
    hosts=("api.{name}.example",),
)


@hookimpl
def trunkline_connectors():
    return [SPEC]
"""

_numbers = count(1)


@dataclass(frozen=True)
class Shelf:
    """A folder on the path of plugins."""

    folder: Path

    def install(self, name: str, source: str, *, version: str = "1.0") -> str:
        """Install a distribution `trunkline-<name>` whose module has `source`; returns the module's name."""
        module = f"plugin_{name.replace('-', '_')}_{next(_numbers)}"
        (self.folder / f"{module}.py").write_text(source, encoding="utf-8")
        information = self.folder / f"trunkline_{name.replace('-', '_')}-{version}.dist-info"
        information.mkdir(parents=True)
        (information / "METADATA").write_text(
            f"Metadata-Version: 2.1\nName: trunkline-{name}\nVersion: {version}\n", encoding="utf-8"
        )
        (information / "entry_points.txt").write_text(f"[trunkline]\n{name} = {module}\n", encoding="utf-8")
        return module

    def install_connector(self, name: str, *changes: tuple[str, str], more: str = "") -> str:
        """Install a connector that works, after `changes` (old text, new text) to its source."""
        source = CONNECTOR.format(name=name)
        for old, new in changes:
            assert old in source, old
            source = source.replace(old, new)
        return self.install(name, source + more)

"""Accounts as admins set them up: connectors, settings without secrets, what a probe found."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import ConfigDict, Field, StringConstraints

from trunkline_desk.api.models.house import Account
from trunkline_desk.api.models.words import Answer, Body, Identifier, Line, Page

__all__ = ["AccountBody", "AccountChange", "AccountDetail", "Connector", "ConnectorPage", "Health", "Remedy"]

#: The name in /webhooks/{id}; as in the configuration file.
AccountId = Annotated[
    str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9_-]{0,63}$"), Field(examples=["shop-website"])
]
#: As the connector's schema says. A secret that is left out stays; what an answer shows in its place stays, too.
Settings = Annotated[dict[str, Any], Field(max_length=100)]


class Connector(Answer):
    """A plugin that speaks one or several channels. `schema` is the JSON schema of an account's settings."""

    model_config = ConfigDict(extra="ignore", frozen=True, populate_by_name=True, defer_build=True)

    name: str
    title: str
    channels: list[str]
    shape: dict[str, Any] = Field(alias="schema")
    #: True when both ends are ours: no webhook, but lines to embed.
    hosted: bool
    docs: str | None


class ConnectorPage(Page[Connector]):
    """All connectors that are installed."""


class AccountDetail(Account):
    """An account with its settings; in place of each secret stands that there is one."""

    settings: dict[str, Any]
    #: Where the platform sends to; null for hosted accounts.
    webhook_url: str | None
    #: Lines for the page or app that a hosted account lives in.
    embed: str | None


class AccountBody(Body):
    """A new account."""

    id: AccountId
    connector: Identifier
    channel: Identifier | None = None
    title: Line | None = None
    settings: Settings = Field(default_factory=dict)


class AccountChange(Body):
    """What to change. `settings` replace all that were there, but for secrets that are left out."""

    title: Line | None = None
    settings: Settings | None = None
    enabled: bool | None = None


class Remedy(Answer):
    """Something that can be done about it at once."""

    code: str
    #: What it does, in English.
    title: str


class Health(Answer):
    """What a probe found."""

    ok: bool
    state: Literal["connected", "sign_in_needed", "failing"]
    #: One sentence.
    reason: str | None
    #: The name on the platform.
    title: str | None
    #: What to change in the platform's console.
    advice: list[str]
    quota_left: int | None
    #: To be done with POST /accounts/{id}/remedies/{code}.
    remedies: list[Remedy]

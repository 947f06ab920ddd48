"""The settings of one WhatsApp Business number."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from trunkline.contract import FilledSecret, HttpAddress, OneOrMany

_ID = Field(pattern=r"^[0-9]+$")


class Config(BaseModel):
    """Keys of an account: one phone number of one WhatsApp Business account (WABA)."""

    model_config = ConfigDict(extra="forbid", frozen=True, defer_build=True)
    phone_number_id: Annotated[str, _ID] = Field(
        description="WhatsApp > API setup > Phone number ID: the id of the number, not the number itself."
    )
    waba_id: Annotated[str, _ID] = Field(description="WhatsApp > API setup > WhatsApp Business Account ID.")
    access_token: FilledSecret = Field(
        description="A system user's token with whatsapp_business_messaging and whatsapp_business_management."
    )
    app_secret: Annotated[tuple[FilledSecret, ...], OneOrMany, Field(min_length=1)] = Field(
        description="App settings > Basic > App secret; while it changes a list, the new one first."
    )
    verify_token: FilledSecret = Field(
        description="Any words that you invent; write the same into WhatsApp > Configuration > Webhook."
    )
    api_version: Annotated[str, Field(pattern=r"^v[0-9]+\.[0-9]+$")] = Field(
        default="v26.0", description="Graph API version of our calls; each lives about two years."
    )
    api_base: HttpAddress = Field(
        default="https://graph.facebook.com", description="Where our calls go: a simulator, or a provider's proxy."
    )
    media_hosts: tuple[str, ...] = Field(
        default=("*.fbsbx.com", "*.facebook.com"),
        description="Hosts that may get the access token to hand out files of customers, always by HTTPS.",
    )
    list_button: str = Field(
        default="Options",
        min_length=1,
        max_length=20,
        description="Opens the list when there are over 3 quick replies.",
    )

"""The settings of one Facebook Page, or of the Instagram account beside it."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from trunkline.contract import FilledSecret, HttpAddress, OneOrMany

Digits = Annotated[str, Field(pattern=r"^[0-9]{1,32}$")]


class Config(BaseModel):
    """Keys of an account. Messenger and Instagram are two accounts, also where they share a Page and an app."""

    model_config = ConfigDict(extra="forbid", frozen=True, defer_build=True)
    channel: Literal["facebook", "instagram"] = Field(
        default="facebook", description="What this account is: Messenger of a Page, or Instagram messaging."
    )
    page_id: Digits = Field(description="Id of the Facebook Page. Messages are sent through it, on Instagram too.")
    page_access_token: FilledSecret = Field(
        description="Page access token, made from a long-lived token of a person with the tasks Messages and Moderate."
    )
    app_secret: Annotated[tuple[FilledSecret, ...], OneOrMany, Field(min_length=1)] = Field(
        description="App secret (App settings, Basic). While it changes: the new one first, then the old one."
    )
    verify_token: FilledSecret = Field(description="A word of your own; the same in the app's webhook settings.")
    app_id: Digits | None = Field(
        default=None, description="Id of the app: tells which app holds a conversation, and whether ours is subscribed."
    )
    instagram_id: Digits | None = Field(
        default=None, description="Only for Instagram: id of the professional account that the Page is linked to."
    )
    human_agent_enabled: bool = Field(
        default=False, description="Whether the app was granted Human Agent: people may then answer for 7 days."
    )
    take_threads: bool = Field(
        default=False, description="Whether an agent's reply takes a conversation away from another app that holds it."
    )
    api_version: str = Field(default="v26.0", pattern=r"^v[0-9]+\.[0-9]+$", description="Version of the Graph API.")
    api_base: HttpAddress = "https://graph.facebook.com"

    @model_validator(mode="after")
    def _instagram_is_named(self) -> Self:
        if self.channel == "instagram" and self.instagram_id is None:
            raise ValueError("instagram_id is needed for Instagram: the id of the professional account")
        return self

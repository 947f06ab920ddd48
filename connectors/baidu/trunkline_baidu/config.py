"""The settings of one mini program."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from trunkline.contract import FilledSecret, HttpAddress, OneOrMany


class Config(BaseModel):
    """Keys of a mini program. Its access token is fetched with key and secret, or given by a third-party platform."""

    model_config = ConfigDict(extra="forbid", frozen=True, defer_build=True)
    app_id: str = Field(pattern=r"^\d{1,19}$", description="The mini program's App ID: ToUserName of what arrives.")
    token: Annotated[tuple[FilledSecret, ...], OneOrMany, Field(min_length=1)] = Field(
        description="The Token entered under 消息推送, which signs the pushes. Two while it changes, new first."
    )
    app_key: str | None = Field(default=None, description="The mini program's App Key.")
    app_secret: FilledSecret | None = Field(default=None, description="The mini program's App Secret.")
    access_token: FilledSecret | None = Field(
        default=None, description="A token that somebody else renews, instead of App Key and App Secret."
    )
    third_party: bool = Field(
        default=False, description="Whether the token is a third-party platform's (服务商): another call sends."
    )
    user_type: Literal[1, 2] = Field(
        default=2, description="2: customers are signed in to Baidu; 1: guests. Baidu does not tell which they are."
    )
    max_age_s: int = Field(
        default=300, ge=30, le=86_400, description="A push whose timestamp is further away than this is refused."
    )
    api_base: HttpAddress = "https://openapi.baidu.com"

    @model_validator(mode="after")
    def _can_send(self) -> Self:
        if (self.app_key is None) != (self.app_secret is None):
            raise ValueError("app_key and app_secret belong together: give both or neither")
        if self.app_key is None and self.access_token is None:
            raise ValueError("app_key and app_secret are missing (or access_token, where a third party renews it)")
        return self

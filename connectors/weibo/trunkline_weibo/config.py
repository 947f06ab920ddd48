"""The settings of one Weibo account."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from trunkline.contract import FilledSecret, HttpAddress, OneOrMany


class Config(BaseModel):
    """Keys of a verified account and of the application that serves it."""

    model_config = ConfigDict(extra="forbid", frozen=True, defer_build=True)
    uid: str = Field(
        pattern=r"^[1-9]\d{0,18}$", description="The account's own number: receiver_id of what its fans write."
    )
    app_secret: Annotated[tuple[FilledSecret, ...], OneOrMany, Field(min_length=1)] = Field(
        description="The application's secret (App Secret), which signs the callbacks. Two while it changes, new first."
    )
    access_token: FilledSecret = Field(description="From 粉丝服务平台 → 高级功能 → 开发者模式, or from OAuth2.")
    app_key: str | None = Field(
        default=None, description="The application's key (App Key); when given, the probe compares it with the token's."
    )
    interface: Literal["fans", "commercial"] = Field(
        default="fans", description="commercial: replies go to the paid interface (biz.json on c.api.weibo.com)."
    )
    save_sender_box: bool = Field(
        default=True, description="Whether replies also appear in the account's own message box on Weibo."
    )
    max_age_s: int = Field(
        default=300, ge=30, le=86_400, description="A callback whose timestamp is further away than this is refused."
    )
    api_base: HttpAddress = "https://api.weibo.com"
    message_base: HttpAddress | None = Field(
        default=None, description="Where replies go, if not to m.api.weibo.com (commercial: c.api.weibo.com)."
    )
    media_base: HttpAddress = "https://upload.api.weibo.com"

    @property
    def reply_address(self) -> str:
        """The address of the call that replies."""
        host, path = _INTERFACES[self.interface]
        return (self.message_base or host) + path


#: Interface → its host and the path of its reply call.
_INTERFACES = {
    "fans": ("https://m.api.weibo.com", "/2/messages/reply.json"),
    "commercial": ("https://c.api.weibo.com", "/2/messages/reply/biz.json"),
}

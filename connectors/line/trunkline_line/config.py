"""The settings of one LINE Official Account."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from trunkline.contract import FilledSecret, HttpAddress, OneOrMany


class Config(BaseModel):
    """Keys of an account. Without `access_token` and `kid`, tokens of 15 minutes are fetched as needed."""

    model_config = ConfigDict(extra="forbid", frozen=True, defer_build=True)
    channel_id: str = Field(min_length=1)
    #: One, or several while it changes: the new one first, the old one until it is removed.
    channel_secret: Annotated[tuple[FilledSecret, ...], OneOrMany, Field(min_length=1)]
    #: A long-lived token; or key id and private key (PEM or JWK) of an assertion signing key.
    access_token: FilledSecret | None = None
    kid: str | None = None
    private_key: FilledSecret | None = None
    #: Our own user id ("U…", shown by the probe): when set, webhooks for another account are not filed.
    destination: str | None = None
    reply_strategy: Literal["reply_then_push", "push_only", "reply_only"] = "reply_then_push"
    accept_groups: bool = True
    api_base: HttpAddress = "https://api.line.me"
    data_base: HttpAddress = "https://api-data.line.me"

    @model_validator(mode="after")
    def _key_is_whole(self) -> Self:
        if (self.kid is None) != (self.private_key is None):
            raise ValueError("kid and private_key belong together: give both or neither")
        return self

"""The settings of one account: which surface it is, and what this surface needs; the rest is refused in words.

One flat model, because the form in the inbox is generated from it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Literal, Self

import msgspec
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, SecretStr, model_validator

from trunkline.contract import FilledSecret, HttpAddress, OneOrMany
from trunkline_wechat.crypto import decode_key

OA, MINI, WECOM, KF = "wechat_oa", "wechat_mini", "wecom", "wechat_kf"
WEIXIN, QYAPI = "https://api.weixin.qq.com", "https://qyapi.weixin.qq.com"

_API = frozenset({"surface", "callback_token", "encoding_aes_key", "api_base"})
_PUBLIC = _API | {"app_id", "app_secret", "original_id", "mode", "tokens_from", "access_service", "custom_send_path"}
_CORP = _API | {"corp_id", "corp_secret"}


class Surface(msgspec.Struct, frozen=True):
    """What one surface takes."""

    title: str
    needs: tuple[str, ...]
    takes: frozenset[str]
    api_base: str


SURFACES: Mapping[str, Surface] = {
    OA: Surface("an Official Account", ("app_id",), _PUBLIC | {"kf_account"}, WEIXIN),
    MINI: Surface("a Mini Program", ("app_id",), _PUBLIC, WEIXIN),
    WECOM: Surface(
        "an app of WeCom", ("corp_id", "corp_secret", "agent_id", "encoding_aes_key"), _CORP | {"agent_id"}, QYAPI
    ),
    KF: Surface(
        "WeChat customer service", ("corp_id", "corp_secret", "open_kfid", "encoding_aes_key"),
        _CORP | {"open_kfid", "take_sessions"}, QYAPI,
    ),
}  # fmt: skip


def _is_key(value: SecretStr) -> SecretStr:
    decode_key(value.get_secret_value())
    return value


_AesKey = Annotated[FilledSecret, AfterValidator(_is_key)]


class Config(BaseModel):
    """Settings of one Official Account, Mini Program, app of WeCom, or company with WeChat customer service."""

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True, defer_build=True)
    surface: Literal["wechat_oa", "wechat_mini", "wecom", "wechat_kf"] = Field(
        description="What this account is. It decides which of the fields below are needed; leave the others empty."
    )
    app_id: str | None = Field(default=None, min_length=1, description="Official Account, Mini Program: AppID (wx…).")
    app_secret: FilledSecret | None = Field(default=None, description="Official Account, Mini Program: AppSecret.")
    corp_id: str | None = Field(default=None, min_length=1, description="WeCom, customer service: CorpID (ww…).")
    corp_secret: FilledSecret | None = Field(
        default=None, description="WeCom, customer service: secret of the app that calls the API."
    )
    agent_id: int | None = Field(default=None, ge=0, description="WeCom: AgentId of the app.")
    open_kfid: Annotated[tuple[str, ...], OneOrMany] = Field(
        default=(), description="Customer service: ids of the desks (wk…), one a line."
    )
    callback_token: Annotated[tuple[FilledSecret, ...], OneOrMany, Field(min_length=1, max_length=2)] = Field(
        description="Token of the callback as in the platform's console; while it changes, the new one and the old one."
    )
    encoding_aes_key: Annotated[tuple[_AesKey, ...], OneOrMany, Field(max_length=2)] = Field(
        default=(), description="EncodingAESKey, 43 characters; while it changes, the new one and the old one."
    )
    mode: Literal["secure", "compatible", "plain"] = Field(
        default="secure",
        description="Official Account, Mini Program: as chosen in the console. In plain mode the signature says "
        "nothing about the message, so that whoever sees one request can forge others for minutes.",
    )
    original_id: str | None = Field(
        default=None,
        pattern="^gh_",
        description="Official Account, Mini Program: gh_…; when set, packets for another account are not filed.",
    )
    tokens_from: Literal["stable_token", "token", "service"] = Field(
        default="stable_token",
        description="Where access tokens come from: stable_token disturbs no other program; token ends the token "
        "of every other program; service is one of your own, at access_service.",
    )
    access_service: HttpAddress | None = Field(
        default=None, description="Your own token service: answers GET with access_token and expires_in."
    )
    custom_send_path: str = Field(
        default="/cgi-bin/message/custom/send",
        pattern="^/cgi-bin/",
        description="Some Mini Programs need /cgi-bin/message/custom/business/send.",
    )
    kf_account: str | None = Field(
        default=None, description="Official Account: name@account whose name and picture customers see."
    )
    take_sessions: bool = Field(
        default=True, description="Customer service: keep sessions with us, so that agents here may answer."
    )
    api_base: HttpAddress | None = Field(default=None, description="Only for a proxy of your own: address of the API.")

    @property
    def base(self) -> str:
        """Where the API is."""
        return self.api_base or SURFACES[self.surface].api_base

    @property
    def receive_id(self) -> str:
        """Whom callbacks are encrypted for: AppID or CorpID."""
        return self.app_id or self.corp_id or ""

    @property
    def keys(self) -> tuple[bytes, ...]:
        return tuple(decode_key(key.get_secret_value()) for key in self.encoding_aes_key)

    @property
    def callback_tokens(self) -> tuple[str, ...]:
        return tuple(token.get_secret_value() for token in self.callback_token)

    @model_validator(mode="after")
    def _fits_its_surface(self) -> Self:
        surface = SURFACES[self.surface]
        if missing := [name for name in surface.needs if getattr(self, name) in {None, ()}]:
            raise ValueError(f"{surface.title} needs {', '.join(missing)}")
        if strange := sorted(self._set() - surface.takes):
            raise ValueError(f"{surface.title} has no {', '.join(strange)}: leave this empty")
        return self

    @model_validator(mode="after")
    def _mode_fits_the_key(self) -> Self:
        if self.surface not in {OA, MINI}:
            return self
        if self.mode == "plain" and self.encoding_aes_key:
            raise ValueError("in plain mode there is no encoding_aes_key: choose secure, or remove the key")
        if self.mode != "plain" and not self.encoding_aes_key:
            raise ValueError(f"{self.mode} mode needs encoding_aes_key, as in the platform's console")
        return self

    @model_validator(mode="after")
    def _tokens_have_a_source(self) -> Self:
        if (self.tokens_from == "service") != (self.access_service is not None):
            raise ValueError('access_service and tokens_from = "service" belong together: give both or neither')
        if self.surface in {OA, MINI} and (self.tokens_from == "service") == (self.app_secret is not None):
            raise ValueError("app_secret is needed, unless tokens come from a service of your own")
        return self

    def _set(self) -> set[str]:
        """Return the names of the fields that differ from their defaults: a form sends the defaults along."""
        fields = type(self).model_fields
        return {name for name in fields if getattr(self, name) != fields[name].get_default()}

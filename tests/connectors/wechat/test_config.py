"""Settings: each surface asks for what it needs, refuses the rest in words, and the form can show them."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import SecretStr, ValidationError

from tests.connectors.wechat.vectors import APP_ID, CORP_ID, KEY_A, KEY_B, TOKEN
from trunkline.contract import Channel
from trunkline.model import Level
from trunkline.service.account_forms import FormRefused, read_form, schema_of, shown_settings
from trunkline_wechat import SPEC, build
from trunkline_wechat.config import SURFACES, Config

SECRET = "an-invented-secret"
KEYS = {"callback_token": TOKEN, "encoding_aes_key": KEY_A}
RIGHT: dict[str, dict[str, Any]] = {
    "wechat_oa": {"app_id": APP_ID, "app_secret": SECRET, **KEYS},
    "wechat_mini": {"app_id": APP_ID, "app_secret": SECRET, **KEYS},
    "wecom": {"corp_id": CORP_ID, "corp_secret": SECRET, "agent_id": 1000002, **KEYS},
    "wechat_kf": {"corp_id": CORP_ID, "corp_secret": SECRET, "open_kfid": ["wkOMNI0001"], **KEYS},
}


def made(surface: str, /, **more: Any) -> Config:
    given = {"surface": surface, **RIGHT[surface], **more}
    return Config(**{name: value for name, value in given.items() if value is not None})


def words_of(error: ValidationError) -> str:
    return "; ".join(one["msg"] for one in error.errors())


@pytest.mark.parametrize("surface", SURFACES)
def test_every_surface_is_built_from_what_it_needs(surface: str) -> None:
    config = made(surface)
    assert SPEC.channel_of is not None
    assert SPEC.channel_of(config) == surface
    assert config.receive_id in {APP_ID, CORP_ID}
    assert config.base.removeprefix("https://") in SPEC.hosts


@pytest.mark.parametrize(("surface", "name"), [(surface, name) for surface, fields in RIGHT.items() for name in fields])
def test_what_a_surface_needs_is_asked_for_by_name(surface: str, name: str) -> None:
    with pytest.raises(ValidationError) as error:
        made(surface, **{name: None})
    assert name in words_of(error.value) or error.value.errors()[0]["loc"] == (name,)


@pytest.mark.parametrize(
    ("surface", "name", "value"),
    [
        ("wechat_oa", "corp_id", CORP_ID),
        ("wechat_oa", "agent_id", 7),
        ("wechat_mini", "kf_account", "a@b"),
        ("wechat_mini", "open_kfid", ["wk"]),
        ("wecom", "app_secret", SECRET),
        ("wecom", "mode", "plain"),
        ("wecom", "open_kfid", ["wk"]),
        ("wechat_kf", "original_id", "gh_x"),
        ("wechat_kf", "agent_id", 7),
        ("wecom", "tokens_from", "token"),
    ],
)
def test_what_a_surface_does_not_have_is_refused_in_words(surface: str, name: str, value: Any) -> None:
    with pytest.raises(ValidationError, match=f"has no {name}: leave this empty"):
        made(surface, **{name: value})


@pytest.mark.parametrize(
    ("more", "words"),
    [
        ({"mode": "plain"}, "in plain mode there is no encoding_aes_key"),
        ({"encoding_aes_key": None}, "secure mode needs encoding_aes_key"),
        ({"mode": "compatible", "encoding_aes_key": None}, "compatible mode needs encoding_aes_key"),
        ({"app_secret": None}, "app_secret is needed"),
        ({"tokens_from": "service"}, "access_service"),
        ({"access_service": "https://tokens.example"}, "access_service"),
        ({"tokens_from": "service", "access_service": "https://tokens.example"}, "app_secret"),
        ({"encoding_aes_key": "short"}, "43 letters"),
        ({"callback_token": []}, "at least 1"),
        ({"callback_token": ["a", "b", "c"]}, "at most 2"),
        ({"original_id": "wx"}, "pattern"),
        ({"custom_send_path": "https://other.example/"}, "pattern"),
        ({"surface": "wechat"}, "wechat_oa"),
        ({"app_idd": "x"}, "Extra inputs"),
    ],
)
def test_settings_that_do_not_fit_together_are_refused_in_words(more: dict[str, Any], words: str) -> None:
    with pytest.raises(ValidationError) as error:
        made("wechat_oa", **more)
    assert words in words_of(error.value)


@pytest.mark.parametrize("value", ["", " ", "\t"])
@pytest.mark.parametrize("name", ["callback_token", "app_secret", "encoding_aes_key"])
def test_sec_09_a_blank_secret_is_refused(name: str, value: str) -> None:
    with pytest.raises(ValidationError):
        made("wechat_oa", **{name: value})


def test_plain_mode_needs_no_key_and_says_so_in_the_form() -> None:
    assert made("wechat_oa", mode="plain", encoding_aes_key=None).keys == ()
    assert "forge" in schema_of(SPEC)["properties"]["mode"]["description"]


def test_a_key_and_a_token_may_have_an_older_one_while_they_change() -> None:
    config = made("wechat_oa", encoding_aes_key=[KEY_A, KEY_B], callback_token=["new", "old"])
    assert [key.hex()[-2:] for key in config.keys] == ["2e", "26"]
    assert config.callback_tokens == ("new", "old")


@pytest.mark.parametrize("surface", SURFACES)
def test_what_the_form_shows_can_be_sent_back_and_keeps_the_secrets(surface: str) -> None:
    stored = made(surface)
    shown = shown_settings(stored, b"k" * 32)
    assert SECRET not in str(shown)
    assert KEY_A not in str(shown)
    assert read_form(SPEC, shown, stored, key=b"k" * 32, allow_hosts=()) == stored


def test_the_form_has_a_description_for_every_field_and_none_that_it_cannot_show() -> None:
    fields = schema_of(SPEC)["properties"]
    assert all(field.get("description") for field in fields.values())
    kinds = {"string", "integer", "boolean", "array", "null"}
    for field in fields.values():
        assert {one["type"] for one in field.get("anyOf", [field])} <= kinds


def test_the_form_refuses_an_address_that_is_not_the_platforms() -> None:
    given = {"surface": "wechat_oa", **RIGHT["wechat_oa"], "api_base": "https://wechat.evil.example"}
    with pytest.raises(FormRefused, match="no host of this platform"):
        read_form(SPEC, given, None, key=b"k" * 32, allow_hosts=())


def test_sec_53_no_secret_is_shown_by_settings_or_their_errors() -> None:
    secrets = (SECRET, TOKEN, KEY_A)
    with pytest.raises(ValidationError) as error:
        made("wecom", mode="plain")
    shown = f"{made('wechat_oa')!r}{made('wechat_oa')}{error.value}"
    assert not [secret for secret in secrets if secret in shown]
    assert isinstance(made("wechat_oa").app_secret, SecretStr)


# ---------------------------------------------------------------- what is declared


def channels() -> dict[str, Channel]:
    return {channel.code: channel for channel in SPEC.channels}


def test_submissions_are_declared_as_the_requirements_have_them() -> None:
    found = {code: channel.capabilities.submissions for code, channel in channels().items()}
    assert {code: (one.modes, one.scopes, one.ticket_reply) for code, one in found.items()} == {
        "wechat_oa": (("ticket",), ("channel", "group"), True),
        "wechat_mini": (("ticket",), ("channel", "group"), True),
        "wecom": (("ticket",), ("channel", "group"), True),
        "wechat_kf": (("ticket",), ("channel", "group"), False),
    }
    assert found["wechat_oa"].prompt_limit == {
        "kind": "window",
        "hours": 48,
        "starts": "last_customer_input",
        "edge": "inclusive",
    }
    assert found["wechat_mini"].prompt_limit == {"kind": "count", "messages": 5, "resets_on": "customer_message"}


def test_every_channel_has_a_title_in_four_languages() -> None:
    for title in (SPEC.title, *(channel.title for channel in SPEC.channels)):
        assert set(title) == {"en", "zh-Hans", "zh-Hant", "pl"}


def test_every_kind_that_is_carried_with_a_loss_says_which() -> None:
    for code in ("wechat_oa", "wechat_mini"):
        rules = channels()[code].capabilities.sends.values()
        assert all(rule.note for rule in rules if rule.level is not Level.FULL)


def test_the_class_is_chosen_by_the_surface() -> None:
    assert SPEC.build is build

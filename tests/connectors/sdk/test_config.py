"""What may stand in the settings of an app, what follows from it, and what is said where it may not."""

from __future__ import annotations

import json
from typing import Any

import pytest
from pydantic import ValidationError

from tests.connectors.sdk.conftest import KEY, PEM, RELAY_SECRET, SECRET, app
from trunkline.contract import Context, Extra, Transport
from trunkline.hosted import Client, IdentityMode
from trunkline.model import ContentKind, Level
from trunkline_sdk import SPEC
from trunkline_sdk.capabilities import APP
from trunkline_sdk.config import PLATFORMS, Config

ACCOUNT = json.dumps({"project_id": "p", "client_email": "x@p.example", "private_key": "invented-private-key"})
RELAY = {"url": "https://push.shop.example/trunkline", "secret": RELAY_SECRET}


def test_no_setting_is_needed() -> None:
    config = Config()
    assert config.identity is IdentityMode.OFF
    assert not app().pushes()


def test_an_account_without_a_key_has_one_of_its_own_that_stays() -> None:
    first, again, other = app("shop-a"), app("shop-a"), app("shop-b")
    assert first.public_key == again.public_key
    assert first.public_key != other.public_key
    assert first.public_key.startswith("ak_")
    (terms,) = first.terms().values()
    assert sorted(terms.platforms or ()) == sorted(PLATFORMS)
    assert "web" not in set(PLATFORMS)


@pytest.mark.parametrize(
    "settings",
    [
        {"unknown": 1},
        {"keys": [{"key": "short"}]},
        {"keys": [{"key": "wk_a_key_of_a_web_page"}]},
        {"keys": [{"key": KEY, "platforms": []}]},
        {"keys": [{"key": KEY, "platforms": ["web"]}]},
        {"keys": [{"key": KEY}, {"key": KEY}]},
        {"keys": [{"key": KEY, "min_supported_version": "latest"}]},
        {"keys": [{"key": KEY, "identity": "require"}]},
        {"accent": "red"},
        {"identity": "require"},
        {"identity_keys": [{"algorithm": "HS256", "key": "too short"}]},
        {"identity_keys": [{"algorithm": "HS256", "key": ""}]},
        {"identity_keys": [{"algorithm": "none", "key": SECRET}]},
        {"identity_keys": [{"algorithm": "ES256", "key": SECRET}]},
        {"fcm": {"service_account": "no json"}},
        {"fcm": {"service_account": "[]"}},
        {"fcm": {"service_account": json.dumps({"project_id": "p"})}},
        {"fcm": {"service_account": ACCOUNT, "api_base": "ftp://x"}},
        {"relay": {"url": "https://push.shop.example", "secret": "short"}},
        {"relay": RELAY | {"providers": ["pigeon"]}},
        {"push_text": {"not a locale": "Hello"}},
    ],
)
def test_what_does_not_fit_is_refused(settings: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        Config.model_validate(settings)


def test_every_key_has_its_own_terms() -> None:
    connector = app(
        identity="accept",
        identity_keys=[{"kid": "k1", "key": PEM}],
        keys=[
            {"key": "ak_ios_000000", "platforms": ["ios"], "identity": "require", "min_supported_version": "3.0.3"},
            {"key": "ak_android_000000", "platforms": ["android"]},
        ],
    )
    ios, android = connector.terms()["ak_ios_000000"], connector.terms()["ak_android_000000"]
    assert (ios.policy.mode, ios.min_version) == (IdentityMode.REQUIRE, "3.0.3")
    assert (android.policy.mode, android.min_version) == (IdentityMode.ACCEPT, None)
    assert [set(one.platforms or ()) for one in (ios, android)] == [{"ios"}, {"android"}]
    assert [key.kid for key in ios.policy.keys] == ["k1"]
    assert ios.policy.hmac_secret is None
    assert connector.public_key == "ak_ios_000000"


def test_secrets_stand_in_no_repr_and_in_no_complaint() -> None:
    config = Config.model_validate(
        {
            "identity_keys": [{"algorithm": "HS256", "key": SECRET}],
            "fcm": {"service_account": ACCOUNT},
            "relay": RELAY,
        }
    )
    for secret in (SECRET, "invented-private-key", RELAY_SECRET):
        assert secret not in repr(config)
        assert secret not in config.model_dump_json()
    with pytest.raises(ValidationError) as raised:
        Config.model_validate({"fcm": {"service_account": '{"private_key": "invented-private-key"}'}})
    assert "lacks project_id, client_email" in str(raised.value)
    assert "invented-private-key" not in str(raised.value.errors(include_input=False))


def test_secrets_are_write_only_in_the_form() -> None:
    schema = Config.model_json_schema()["$defs"]
    for model, name in (("Fcm", "service_account"), ("Relay", "secret"), ("IdentityKey", "key")):
        told = schema[model]["properties"][name]
        assert (told["format"], told["writeOnly"]) == ("password", True)


# ---------------------------------------------------------------- what is declared


def test_the_declaration_is_row_3_of_the_table() -> None:
    (channel,) = SPEC.channels
    declared = channel.capabilities.submissions
    assert channel.code == "app_sdk"
    assert declared.modes == ("offline_message", "ticket")
    assert declared.scopes == ("channel", "group")
    assert dict(declared.min_client_version) == {"group": "3.0.3"}
    assert declared.ticket_reply is True
    assert declared.prompt_limit is None


def test_the_capabilities_are_those_of_the_channel() -> None:
    text = APP.rule(ContentKind.TEXT).text
    assert text is not None
    assert text.max == 20_000, "As much as an agent may write at once."
    assert APP.windows == ()
    assert (APP.receipts.delivered, APP.receipts.read) == (True, True)
    assert APP.receiving.transport is Transport.HOSTED
    assert Extra.TYPING in APP.extras
    assert {kind for kind in ContentKind if APP.rule(kind).level is Level.REJECTED} == {
        ContentKind.CHOICE,
        ContentKind.TEMPLATE,
        ContentKind.UNSUPPORTED,
    }
    assert SPEC.channels[0].effective(Context(account_id="a", at_ms=0)).capabilities == APP


def test_where_files_are_switched_off_none_is_taken_and_agents_may_still_send_some() -> None:
    assert app().narrowed(APP) == APP
    narrowed = app(uploads=False).narrowed(APP)
    assert set(narrowed.receives) == {ContentKind.TEXT, ContentKind.CHOICE, ContentKind.LOCATION}
    assert narrowed.sends == APP.sends


# ---------------------------------------------------------------- what an app is told


def test_every_client_is_on_the_one_channel() -> None:
    assert {
        app().channel_for(Client(platform=one, form=form)) for one in PLATFORMS for form in ("desktop", "mobile")
    } == {"app_sdk"}


@pytest.mark.parametrize(
    ("asked", "greeting", "direction"),
    [("pl-PL", "Cześć", "ltr"), ("zh-TW", "您好", "ltr"), ("ar-EG", "مرحبا", "rtl"), ("fi", "Hello", "ltr")],
)
def test_the_nearest_language_is_told(asked: str, greeting: str, direction: str) -> None:
    connector = app(greeting={"en": "Hello", "pl": "Cześć", "ar": "مرحبا", "zh-Hant": "您好"}, accent="#0f766e")
    told = connector.presentation(Client(platform="ios", locale=asked))
    assert (told["texts"]["greeting"], told["direction"]) == (greeting, direction)
    assert told["theme"] == {"accent": "#0f766e", "mode": "auto"}


def test_a_line_says_how_an_app_begins() -> None:
    line = app(keys=[{"key": KEY}]).embed("https://desk.example")
    assert (
        line
        == "new TrunklineClient({ server: 'https://desk.example', key: 'ak_shop_of_a_test', platform, version, store })"
    )


# ---------------------------------------------------------------- notifications


@pytest.mark.parametrize(
    ("locale", "body"),
    [
        ("pl-PL", "Masz nową wiadomość"),
        ("zh_HK", "您有一則新訊息"),
        ("zh-CN", "您有一条新消息"),
        ("fi", "You have a new message"),
        (None, "You have a new message"),
        ("<script>", "You have a new message"),
    ],
)
def test_a_notification_speaks_the_devices_language(locale: str | None, body: str) -> None:
    assert app().notice(locale, "The words of the message").body == body


def test_the_deployer_chooses_words_title_and_preview() -> None:
    connector = app(push_text={"en": "We answered"}, title={"en": "Kettle & Spoke"})
    assert (connector.notice("en", "x").title, connector.notice("en", "x").body) == ("Kettle & Spoke", "We answered")
    assert connector.notice("pl", "x").body == "Masz nową wiadomość"
    shown = app(push_preview=True)
    assert shown.notice("en", "Your parcel is there").body == "Your parcel is there"
    assert shown.notice("en", "").body == "You have a new message"
    assert shown.notice("en", "").title == ""


def test_devices_go_to_the_provider_that_serves_them() -> None:
    both = app(fcm={"service_account": ACCOUNT}, relay=RELAY)
    assert both.push_sender("fcm") is not both.push_sender("apns")
    assert both.push_sender("apns") is both.push_sender("hms")
    relay = app(relay=RELAY | {"providers": ["apns"]})
    assert relay.push_sender("apns") is not None
    assert relay.push_sender("fcm") is None
    assert app().push_sender("fcm") is None


async def test_an_account_that_wakes_nobody_says_so() -> None:
    health = await app().probe()
    assert health.state == "connected"
    assert "fcm or relay" in health.advice[0]

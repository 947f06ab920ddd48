"""What may stand in the settings of a widget, and what is said where it may not."""

from __future__ import annotations

import re
from typing import Any

import pytest
from pydantic import ValidationError

from tests.connectors.web.conftest import KEY, widget
from tests.house import ROOT
from trunkline.hosted import IdentityMode, Limit
from trunkline_web.config import WORDS, Config

SECRET = "identity-secret-for-tests-000001"
PEM = "-----BEGIN PUBLIC KEY-----\nMFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAE\n-----END PUBLIC KEY-----\n"


def test_no_setting_is_needed() -> None:
    config = Config()
    assert config.identity is IdentityMode.OFF
    assert config.origins == ()


def test_an_account_without_a_key_has_one_of_its_own_that_stays() -> None:
    first, again, other = widget("shop-a"), widget("shop-a"), widget("shop-b")
    assert first.public_key == again.public_key
    assert first.public_key != other.public_key
    assert Config(key=first.public_key).key == first.public_key
    assert widget(key=KEY).public_key == KEY


@pytest.mark.parametrize(
    "settings",
    [
        {"unknown": 1},
        {"key": "short"},
        {"key": "wk_with space"},
        {"key": 'wk_"onload="x'},
        {"accent": "red"},
        {"accent": "#12345"},
        {"accent": "#fff;background:url(//evil.example)"},
        {"mode": "sepia"},
        {"position": "left"},
        {"cookie_domain": "shop.example; Secure"},
        {"greeting": {"not a locale": "Hello"}},
        {"greeting": {"en": "x" * 501}},
        {"texts": {"en": {"no_such_word": "Hello"}}},
        {"identity": "require"},
        {"identity": "accept"},
        {"identity_secret": "too short"},
        {"identity_keys": [{"key": "too short"}]},
        {"identity_keys": [{"algorithm": "none", "key": SECRET}]},
        {"identity_keys": [{"algorithm": "RS256", "key": SECRET}]},
    ],
)
def test_what_does_not_fit_is_refused(settings: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        Config.model_validate(settings)


@pytest.mark.parametrize(
    "site",
    [
        "shop.example",
        "https://shop.example/",
        "https://shop.example/path",
        "https://*",
        "*",
        "javascript:alert(1)",
        "https://shop.example; script-src *",
        "https://shop.example\nX-Header: 1",
        "https://a.example https://b.example",
        "'self'",
        "",
    ],
)
def test_only_the_address_of_a_site_may_be_an_origin(site: str) -> None:
    with pytest.raises(ValidationError, match="is not the address of a site"):
        Config.model_validate({"origins": [site]})


@pytest.mark.parametrize(
    "site", ["https://shop.example", "http://localhost:8000", "https://*.shop.example", "https://SHOP.example:8443"]
)
def test_a_site_may_be_an_origin(site: str) -> None:
    assert Config.model_validate({"origins": [site]}).origins == (site.lower(),)


def test_the_policy_of_identity_is_what_the_settings_say() -> None:
    keys = [{"kid": "k1", "key": SECRET}, {"algorithm": "ES256", "key": PEM}]
    policy = widget(identity="require", identity_keys=keys, identity_secret=SECRET).identity_policy()
    assert policy.mode is IdentityMode.REQUIRE
    assert [(key.kid, key.algorithm) for key in policy.keys] == [("k1", "HS256"), (None, "ES256")]
    assert policy.keys[0].key.get_secret_value() == SECRET
    assert policy.hmac_secret is not None


def test_secrets_stand_in_no_repr_and_no_complaint() -> None:
    config = Config.model_validate({"identity_keys": [{"key": SECRET}], "identity_secret": SECRET})
    assert SECRET not in repr(config)
    with pytest.raises(ValidationError) as raised:
        Config.model_validate({"identity_secret": "only-a-few-bytes"})
    assert "openssl rand" in str(raised.value)


def test_limits_of_an_account_are_its_own_only_where_it_says_so() -> None:
    assert widget().own_limits() == {}
    limits = widget(messages_per_minute=30, visitors_per_hour=200).own_limits()
    assert limits == {"messages": Limit(1800, 15), "tokens.ip": Limit(200, 50)}
    assert widget(messages_per_minute=1).own_limits()["messages"].burst == 1


def test_every_word_of_the_widget_may_be_replaced() -> None:
    folder = ROOT / "connectors" / "web" / "widget" / "src" / "words"
    english = [(folder / name).read_text(encoding="utf-8") for name in ("en.ts", "more/en.ts")]
    names = [name for text in english for name in re.findall(r"^  (\w+):", text, re.MULTILINE)]
    # No word stands for two things.
    assert sorted(names) == sorted(WORDS)


def test_secrets_are_write_only_in_the_form() -> None:
    schema = Config.model_json_schema()
    key = schema["$defs"]["Key"]["properties"]["key"]
    assert (key["format"], key["writeOnly"]) == ("password", True)

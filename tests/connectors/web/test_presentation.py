"""What a visitor is shown: the nearest language, the direction, the look; and which channel they are."""

from __future__ import annotations

import pytest

from tests.connectors.web.conftest import widget
from trunkline.contract import Extra, Transport
from trunkline.hosted import Client
from trunkline.model import ContentKind, Level
from trunkline_web import SPEC
from trunkline_web.capabilities import WEB

GREETING = {"en": "Hello", "pl": "Cześć", "ar": "مرحبا", "zh-Hant": "您好"}


@pytest.mark.parametrize(
    ("asked", "locale", "greeting"),
    [
        ("pl-PL", "pl", "Cześć"),
        ("en-GB", "en", "Hello"),
        ("zh-TW", "zh-Hant", "您好"),
        ("zh_HK", "zh-Hant", "您好"),
        ("zh-CN", "zh-Hans", "Hello"),
        ("ar-EG", "ar", "مرحبا"),
        ("fr", "en", "Hello"),
        ("", "en", "Hello"),
        ("<script>", "en", "Hello"),
    ],
)
def test_the_nearest_language_is_chosen_word_by_word(asked: str, locale: str, greeting: str) -> None:
    shown = widget(greeting=GREETING).presentation(Client(locale=asked))
    assert (shown["locale"], shown["texts"]["greeting"]) == (locale, greeting)


@pytest.mark.parametrize(("asked", "direction"), [("ar-EG", "rtl"), ("he", "ltr"), ("pl", "ltr")])
def test_the_direction_is_that_of_the_language_that_is_spoken(asked: str, direction: str) -> None:
    assert widget(greeting=GREETING).presentation(Client(locale=asked))["direction"] == direction


def test_a_language_of_the_settings_alone_is_there_too() -> None:
    shown = widget(texts={"he": {"send": "שלח"}}, locale="pl")
    assert shown.presentation(Client(locale="he-IL"))["texts"] == {"send": "שלח"}
    assert shown.presentation(Client(locale="fi"))["locale"] == "pl"


def test_there_is_nothing_to_fill_in_before_a_chat() -> None:
    shown = widget().presentation(Client())
    assert shown["prechat"] == {"required": False, "fields": []}
    assert shown["theme"] == {"accent": "#1f6feb", "mode": "auto", "position": "end"}


def test_the_channel_is_told_by_the_form_of_the_client() -> None:
    connector = widget()
    codes = {form: connector.channel_for(Client(form=form)) for form in ("desktop", "mobile", "strange")}
    assert codes == {"desktop": "web_desktop", "mobile": "web_mobile", "strange": "web_desktop"}
    assert {channel.code for channel in SPEC.channels} == set(codes.values())


def test_the_capabilities_are_those_of_the_channel() -> None:
    text = WEB.rule(ContentKind.TEXT).text
    assert text is not None
    assert text.max == 20_000, "As much as an agent may write at once."
    assert WEB.windows == ()
    assert (WEB.receipts.delivered, WEB.receipts.read) == (True, True)
    assert WEB.receiving.transport is Transport.HOSTED
    assert Extra.TYPING in WEB.extras
    assert {kind for kind in ContentKind if WEB.rule(kind).level is Level.REJECTED} == {
        ContentKind.CHOICE,
        ContentKind.TEMPLATE,
        ContentKind.UNSUPPORTED,
    }
    assert all(limit.max_bytes == 20 * 1024 * 1024 for rule in WEB.sends.values() for limit in rule.media)


def test_where_files_are_switched_off_none_is_taken_and_agents_may_still_send_some() -> None:
    assert widget().narrowed(WEB) == WEB
    narrowed = widget(uploads=False).narrowed(WEB)
    assert set(narrowed.receives) == {ContentKind.TEXT, ContentKind.CHOICE}
    assert narrowed.sends == WEB.sends


def test_one_line_brings_it_into_a_page() -> None:
    line = '<script async src="https://desk.example/widget/loader.js?key=wk_shop_of_a_test"></script>'
    assert widget(key="wk_shop_of_a_test").embed("https://desk.example") == line

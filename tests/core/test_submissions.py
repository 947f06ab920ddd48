"""Forms and their settings: which mode holds, what is refused when it is saved, what is wrong with an answer."""

from __future__ import annotations

from typing import Any

import pytest

from trunkline.contract import Submissions
from trunkline.service.submissions.form import DEFAULT_FIELDS, FormField, check_form, form_version, label_of, words_of
from trunkline.service.submissions.settings import (
    Decision,
    SettingRefused,
    SubmissionSetting,
    Wish,
    check_setting,
    decide,
    fields_of,
    notice_of,
)

BOTH = Submissions(modes=("offline_message", "ticket"), scopes=("channel", "group"))
TICKET = Submissions(modes=("ticket",), scopes=("channel", "group"))
NEITHER = Submissions()
ON = SubmissionSetting(enabled=True)


def setting(**values: Any) -> SubmissionSetting:
    return SubmissionSetting(**values)


def decided(can: Submissions = BOTH, wish: Wish | None = None, **settings: Any) -> Decision | None:
    """Decide for the account `shop`; settings are given as deployment=, account=, a= and b= (groups)."""
    places = {
        "deployment": ("deployment", ""),
        "account": ("account", "shop"),
        "a": ("group", "a"),
        "b": ("group", "b"),
    }
    return decide(can, {places[name]: value for name, value in settings.items()}, "shop", wish or Wish())


def test_no_form_is_taken_until_somebody_switches_it_on() -> None:
    assert decided() is None
    assert decided(deployment=ON) == Decision(mode="offline_message")
    assert decided(deployment=ON, account=setting(enabled=False)) is None
    assert decided(deployment=setting(enabled=False), account=ON) == Decision(mode="offline_message")


def test_a_channel_without_modes_takes_none_whatever_is_set() -> None:
    assert decided(NEITHER, deployment=ON, account=setting(enabled=True, mode="ticket")) is None


def test_the_account_comes_before_the_deployment() -> None:
    assert decided(deployment=setting(enabled=True, mode="ticket")) == Decision(mode="ticket")
    both: dict[str, Any] = {
        "deployment": setting(enabled=True, mode="ticket"),
        "account": setting(mode="offline_message"),
    }
    assert decided(**both) == Decision(mode="offline_message")


def test_what_a_channel_does_not_support_is_not_taken_from_the_deployment() -> None:
    assert decided(TICKET, deployment=setting(enabled=True, mode="offline_message")) == Decision(mode="ticket")


def test_by_channel_every_group_gets_the_accounts_mode() -> None:
    settings: dict[str, Any] = {
        "account": setting(enabled=True, mode="ticket", dimension="channel"),
        "a": setting(mode="offline_message"),
    }
    assert decided(wish=Wish(group_id="a"), **settings) == Decision(mode="ticket")
    assert decided(wish=Wish(group_id="b"), **settings) == Decision(mode="ticket")


BY_GROUP: dict[str, Any] = {
    "account": setting(enabled=True, mode="ticket", dimension="group"),
    "a": setting(mode="offline_message"),
    "b": setting(mode="ticket"),
}


@pytest.mark.parametrize(
    ("wish", "expected"),
    [
        (Wish(group_id="a"), Decision(mode="offline_message", setting_dimension="group")),
        (Wish(group_id="b"), Decision(mode="ticket", setting_dimension="group")),
        (Wish(group_id="c"), Decision(mode="ticket", reason="group_unset")),
        (Wish(), Decision(mode="ticket", reason="group_unset")),
        (Wish(group_id="a", by_group_refused="sdk_too_old"), Decision(mode="ticket", reason="sdk_too_old")),
    ],
)
def test_by_group_the_group_decides_unless_it_cannot(wish: Wish, expected: Decision) -> None:
    assert decided(wish=wish, **BY_GROUP) == expected


def test_a_groups_mode_that_the_channel_lacks_is_not_used() -> None:
    assert decided(TICKET, Wish(group_id="a"), **BY_GROUP) == Decision(mode="ticket", reason="group_mode_unsupported")


def test_a_form_that_was_sent_is_kept_though_nobody_is_asked_any_more() -> None:
    assert decided(wish=Wish(sent=True), account=setting(enabled=False)) == Decision(mode="offline_message")
    assert decided(NEITHER, Wish(sent=True), account=ON) is None


@pytest.mark.parametrize(
    ("can", "value", "code", "field"),
    [
        (TICKET, setting(mode="offline_message"), "submission_mode_unsupported", "mode"),
        (NEITHER, setting(mode="ticket"), "submission_mode_unsupported", "mode"),
        (NEITHER, setting(enabled=True), "submission_mode_unsupported", "enabled"),
        (Submissions(modes=("ticket",), scopes=("channel",)), setting(dimension="group"),
         "setting_dimension_unsupported", "dimension"),
    ],
)  # fmt: skip
def test_what_a_channel_does_not_support_is_refused_when_it_is_saved(
    can: Submissions, value: SubmissionSetting, code: str, field: str
) -> None:
    with pytest.raises(SettingRefused) as caught:
        check_setting("account", value, can)
    assert (caught.value.code, caught.value.field) == (code, field)


def question(key: str = "topic", **more: Any) -> FormField:
    return FormField(**{"key": key, "label": {"en": key.title()}, **more})


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ((question(required=True), question(required=True)), "fields.topic"),
        ((question(required=True, label={"pl": "Temat"}),), "fields.topic.label"),
        ((question(required=True, kind="select"),), "fields.topic.options"),
        ((question(),), "fields"),
        ((), "fields"),
    ],
)
def test_a_form_that_makes_no_sense_is_refused_with_its_place(fields: tuple[FormField, ...], field: str) -> None:
    with pytest.raises(SettingRefused) as caught:
        check_setting("deployment", setting(fields=fields), None)
    assert (caught.value.code, caught.value.field) == ("invalid", field)


def test_what_supports_both_may_be_saved() -> None:
    for scope in ("deployment", "account", "group"):
        check_setting(scope, setting(enabled=True, mode="ticket", dimension="group", fields=DEFAULT_FIELDS), BOTH)


def test_the_accounts_questions_come_before_everybodys() -> None:
    mine, everybodys = (question("mine", required=True),), (question("ours", required=True),)
    settings = {("deployment", ""): setting(fields=everybodys, notice={"en": "Ours"})}
    assert fields_of({}, "shop") == DEFAULT_FIELDS
    assert fields_of(settings, "shop") == everybodys
    assert notice_of(settings, "shop") == {"en": "Ours"}
    settings["account", "shop"] = setting(fields=mine)
    assert fields_of(settings, "shop") == mine


FORM = (
    question("name", max_length=10),
    question("email", kind="email"),
    question("phone", kind="phone"),
    question("day", kind="date"),
    question("size", kind="select", options=("S", "M")),
    question("likes", kind="multi_select", options=("tea", "cake")),
    question("agreed", kind="checkbox"),
    question("message", kind="textarea", required=True),
)


def test_a_form_that_is_right_is_kept_without_its_blanks() -> None:
    values = {
        "name": " Mei ", "email": "mei@shop.example", "phone": "+48 600 100 200", "day": "2026-12-24", "size": "M",
        "likes": ["tea"], "agreed": True, "message": "one\ntwo",
    }  # fmt: skip
    kept, errors = check_form(FORM, values)
    assert errors == []
    assert kept == {**values, "name": "Mei"}


@pytest.mark.parametrize(
    ("values", "field", "code"),
    [
        ({"message": None}, "message", "required"),
        ({"message": "   "}, "message", "required"),
        ({"message": ["a"]}, "message", "invalid"),
        ({"message": "a\x00"}, "message", "invalid"),
        ({"message": "x" * 4001}, "message", "too_long"),
        ({"name": "x" * 11}, "name", "too_long"),
        ({"name": "a\nb"}, "name", "invalid"),
        ({"email": "nobody"}, "email", "invalid"),
        ({"phone": "call me"}, "phone", "invalid"),
        ({"day": "24.12.2026"}, "day", "invalid"),
        ({"size": "XL"}, "size", "invalid"),
        ({"likes": "tea"}, "likes", "invalid"),
        ({"likes": ["tea", "tea", "tea"]}, "likes", "invalid"),
        ({"agreed": "yes"}, "agreed", "invalid"),
        ({"colour": "red"}, "colour", "unknown_field"),
    ],
)
def test_a_wrong_answer_is_named(values: dict[str, Any], field: str, code: str) -> None:
    _, errors = check_form(FORM, {"message": "hello", **values})
    assert [(error.field, error.code) for error in errors] == [(field, code)]


def test_a_form_is_read_line_by_line_in_the_order_of_its_questions() -> None:
    values = {"message": "Where is it?", "likes": ["tea", "cake"], "agreed": True, "gone": "x"}
    assert words_of(FORM, values) == "Likes: tea, cake\nAgreed: ✓\nMessage: Where is it?\ngone: x"


def test_a_label_is_in_the_readers_language_or_in_english() -> None:
    label = DEFAULT_FIELDS[-1].label
    assert [label_of(label, locale) for locale in ("pl-PL", "pl", "de", "zh-Hans")] == [
        label["pl"], label["pl"], label["en"], label["zh-Hans"],
    ]  # fmt: skip


def test_another_form_has_another_version() -> None:
    assert form_version(FORM) == form_version(tuple(FORM))
    assert form_version(FORM) != form_version(FORM[1:])

"""A form: its fields, whether what was filled in is right, and its words for those who read it later. Pure."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Annotated, Any, Literal

import msgspec

__all__ = [
    "DEFAULT_FIELDS",
    "FieldError",
    "FormField",
    "check_form",
    "filled_in",
    "form_version",
    "label_of",
    "words_of",
]

#: Characters of one answer, unless the field says less.
MAX_ANSWER = 4000
_EMAIL = re.compile(r"[^\s@\x00-\x1f]+@[^\s@\x00-\x1f]+")
_PHONE = re.compile(r"[0-9+ ()/.-]{3,32}")
_DATE = re.compile(r"\d{4}-(0[1-9]|1[0-2])-(0[1-9]|[12]\d|3[01])")
_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]")

Key = Annotated[str, msgspec.Meta(pattern=r"^[a-z][a-z0-9_]{0,39}$")]
Words = Annotated[str, msgspec.Meta(min_length=1, max_length=200)]
#: Locale → words; "en" is what everybody without words of their own sees.
Texts = dict[str, Words]
Kind = Literal["text", "textarea", "email", "phone", "date", "select", "multi_select", "checkbox"]


class FormField(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One question."""

    key: Key
    kind: Kind = "text"
    label: Texts
    required: bool = False
    placeholder: Texts = {}
    #: For select and multi_select.
    options: Annotated[tuple[Words, ...], msgspec.Meta(max_length=100)] = ()
    max_length: Annotated[int, msgspec.Meta(ge=1, le=MAX_ANSWER)] = MAX_ANSWER


class FieldError(msgspec.Struct, frozen=True):
    """What is wrong with one answer. `code` is stable, `message` for people."""

    field: str
    code: str
    message: str


DEFAULT_FIELDS: tuple[FormField, ...] = (
    FormField(
        key="name", label={"en": "Your name", "zh-Hans": "您的姓名", "zh-Hant": "您的姓名", "pl": "Imię i nazwisko"}
    ),
    FormField(
        key="email", kind="email", label={"en": "E-mail", "zh-Hans": "电子邮箱", "zh-Hant": "電子郵件", "pl": "E-mail"}
    ),
    FormField(
        key="message",
        kind="textarea",
        required=True,
        label={"en": "Your message", "zh-Hans": "留言内容", "zh-Hant": "留言內容", "pl": "Wiadomość"},
    ),
)


def form_version(fields: Sequence[FormField]) -> str:
    """Return a name for exactly these fields."""
    return hashlib.sha256(msgspec.json.encode(fields)).hexdigest()[:12]


def label_of(texts: Mapping[str, str], locale: str) -> str:
    """Return the words for a locale, those of its language, or the English ones."""
    for name in (locale, locale.split("-", 1)[0], "en"):
        if name in texts:
            return texts[name]
    return next(iter(texts.values()), "")


def check_form(fields: Sequence[FormField], values: Mapping[str, Any]) -> tuple[dict[str, Any], list[FieldError]]:
    """Return the answers that are kept, and what is wrong; unknown answers are refused, not dropped."""
    kept: dict[str, Any] = {}
    answers = filled_in(values)
    errors = [FieldError(key, "unknown_field", "The form has no such field.") for key in _unknown(fields, values)]
    for field in fields:
        value = answers.get(field.key)
        if value is None:
            if field.required:
                errors.append(FieldError(field.key, "required", "This has to be filled in."))
            continue
        wrong = _CHECKS[field.kind](field, value)
        if wrong is None:
            kept[field.key] = value
        else:
            errors.append(FieldError(field.key, *wrong))
    return kept, errors


def _unknown(fields: Iterable[FormField], values: Mapping[str, Any]) -> list[str]:
    known = {field.key for field in fields}
    return sorted(key[:80] for key in values if key not in known)


def filled_in(values: Mapping[str, Any]) -> dict[str, Any]:
    """Return the answers without blank ones and blanks around them."""
    trimmed = {key: value.strip() if isinstance(value, str) else value for key, value in values.items()}
    return {key: value for key, value in trimmed.items() if value not in (None, "", [], False)}


Wrong = tuple[str, str] | None


def _line(field: FormField, value: Any) -> Wrong:
    if not isinstance(value, str) or _CONTROL.search(value) or (field.kind != "textarea" and "\n" in value):
        return "invalid", "This has to be text."
    if len(value) > field.max_length:
        return "too_long", f"At most {field.max_length} characters."
    return None


def _shaped(pattern: re.Pattern[str], words: str) -> Callable[[FormField, Any], Wrong]:
    def check(field: FormField, value: Any) -> Wrong:
        wrong = _line(field, value)
        return wrong if wrong or pattern.fullmatch(value) else ("invalid", words)

    return check


def _one(field: FormField, value: Any) -> Wrong:
    return None if value in field.options else ("invalid", "Choose one of the options.")


def _several(field: FormField, value: Any) -> Wrong:
    if isinstance(value, list) and len(value) <= len(field.options) and all(one in field.options for one in value):
        return None
    return "invalid", "Choose from the options."


def _tick(_field: FormField, value: Any) -> Wrong:
    return None if value is True else ("invalid", "This is yes or no.")


_CHECKS: Mapping[str, Callable[[FormField, Any], Wrong]] = {
    "text": _line,
    "textarea": _line,
    "email": _shaped(_EMAIL, "This is no e-mail address."),
    "phone": _shaped(_PHONE, "This is no telephone number."),
    "date": _shaped(_DATE, "Write the date as 2026-12-31."),
    "select": _one,
    "multi_select": _several,
    "checkbox": _tick,
}


def words_of(fields: Sequence[FormField], values: Mapping[str, Any], locale: str = "en") -> str:
    """Return a form as an agent reads it: one line per answer, answers to forgotten questions last."""
    labels = {field.key: label_of(field.label, locale) for field in fields}
    ordered = [key for key in labels if key in values] + [key for key in values if key not in labels]
    return "\n".join(f"{labels.get(key, key)}: {_shown(values[key])}" for key in ordered)


def _shown(value: Any) -> str:
    if value is True:
        return "✓"
    return ", ".join(str(one) for one in value) if isinstance(value, list) else str(value)

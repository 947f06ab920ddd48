"""Which mode holds for a form: the group's, the account's or everybody's. The decision is pure.

An account says by which dimension it is set. By group without a value for that group the account's holds. A value that
a channel does not support is refused when it is saved, and never replaced in silence.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Literal

import msgspec
from sqlalchemy import select

from trunkline.errors import TrunklineError
from trunkline.service.submissions.form import DEFAULT_FIELDS, FormField, Texts
from trunkline.store import schema

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from sqlalchemy.ext.asyncio import AsyncConnection

    from trunkline.contract import Submissions
    from trunkline.store import Transaction

__all__ = [
    "Decision",
    "SettingRefused",
    "SubmissionSetting",
    "Wish",
    "check_setting",
    "decide",
    "fields_of",
    "notice_of",
    "read_settings",
    "save_setting",
    "settings_in",
]

Mode = Literal["offline_message", "ticket"]
Dimension = Literal["channel", "group"]
Scope = Literal["deployment", "account", "group"]
_s = schema.submission_setting.c


class SubmissionSetting(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, forbid_unknown_fields=True):
    """What one scope says; None for what it leaves to the wider one."""

    enabled: bool | None = None
    mode: Mode | None = None
    dimension: Dimension | None = None
    fields: Annotated[tuple[FormField, ...], msgspec.Meta(max_length=40)] | None = None
    notice: Texts | None = None


class Wish(msgspec.Struct, frozen=True, kw_only=True):
    """What the customer's side brings along."""

    group_id: str | None = None
    #: Whether the client is new enough for settings by group: None, or the reason why not.
    by_group_refused: str | None = None
    #: True for a form that was sent already: it is kept, though nobody is asked any more.
    sent: bool = False


class Decision(msgspec.Struct, frozen=True, kw_only=True):
    """What holds for one form."""

    mode: str
    #: Which setting decided.
    setting_dimension: str = "channel"
    #: Why it was not the group's, where groups decide.
    reason: str | None = None


class SettingRefused(TrunklineError):
    """A setting cannot be kept; `code` is stable, `field` names the place."""

    def __init__(self, code: str, field: str, message: str) -> None:
        super().__init__(message)
        self.code, self.field = code, field


_NOTHING = SubmissionSetting()


def check_setting(scope: str, setting: SubmissionSetting, can: Submissions | None) -> None:
    """Check a setting before it is saved; `can` is what the account's channel declares.

    Raises:
        SettingRefused: submission_mode_unsupported, setting_dimension_unsupported, or a form that is wrong.
    """
    if scope != "deployment" and can is not None:
        if setting.mode is not None and setting.mode not in can.modes:
            words = f"This channel takes {_either(can.modes)}." if can.modes else "This channel takes no forms."
            raise SettingRefused("submission_mode_unsupported", "mode", words)
        if setting.enabled and not can.modes:
            raise SettingRefused("submission_mode_unsupported", "enabled", "This channel takes no forms.")
        if setting.dimension is not None and setting.dimension not in can.scopes:
            words = f"This channel is set by {_either(can.scopes)}." if can.scopes else "This channel takes no forms."
            raise SettingRefused("setting_dimension_unsupported", "dimension", words)
    if setting.fields is not None:
        _check_fields(setting.fields)


def _either(words: Sequence[str]) -> str:
    return " or ".join(words)


def _check_fields(fields: Sequence[FormField]) -> None:
    keys = [field.key for field in fields]
    for key in keys:
        if keys.count(key) > 1:
            raise SettingRefused("invalid", f"fields.{key}", "Two fields have this key.")
    for field in fields:
        if "en" not in field.label:
            raise SettingRefused("invalid", f"fields.{field.key}.label", "Give the English label as well.")
        if field.kind in {"select", "multi_select"} and not field.options:
            raise SettingRefused("invalid", f"fields.{field.key}.options", "Give at least one option.")
    if not any(field.required for field in fields):
        raise SettingRefused("invalid", "fields", "At least one field has to be required: an empty form says nothing.")


def decide(
    can: Submissions, settings: Mapping[tuple[str, str], SubmissionSetting], account_id: str, wish: Wish
) -> Decision | None:
    """Return what holds for a form, None where no form is taken."""
    account = settings.get(("account", account_id), _NOTHING)
    deployment = settings.get(("deployment", ""), _NOTHING)
    enabled = account.enabled if account.enabled is not None else deployment.enabled
    if not can.modes or not (enabled or wish.sent):
        return None
    mode = account.mode or (deployment.mode if deployment.mode in can.modes else can.modes[0])
    dimension = account.dimension or (deployment.dimension if deployment.dimension in can.scopes else "channel")
    if dimension != "group":
        return Decision(mode=mode)
    group = settings.get(("group", wish.group_id or ""), _NOTHING)
    reason = _not_the_groups(can, group, wish)
    if reason is None and group.mode is not None:
        return Decision(mode=group.mode, setting_dimension="group")
    return Decision(mode=mode, reason=reason)


def _not_the_groups(can: Submissions, group: SubmissionSetting, wish: Wish) -> str | None:
    if wish.by_group_refused is not None:
        return wish.by_group_refused
    if group.mode is None:
        return "group_unset"
    return None if group.mode in can.modes else "group_mode_unsupported"


def fields_of(settings: Mapping[tuple[str, str], SubmissionSetting], account_id: str) -> tuple[FormField, ...]:
    """Return the questions that an account asks."""
    found = _first(settings, account_id, lambda setting: setting.fields)
    return DEFAULT_FIELDS if found is None else found


def _first(
    settings: Mapping[tuple[str, str], SubmissionSetting],
    account_id: str,
    read: Callable[[SubmissionSetting], tuple[FormField, ...] | None],
) -> tuple[FormField, ...] | None:
    for place in (("account", account_id), ("deployment", "")):
        found = read(settings.get(place, _NOTHING))
        if found is not None:
            return found
    return None


def notice_of(settings: Mapping[tuple[str, str], SubmissionSetting], account_id: str) -> Mapping[str, str]:
    """Return what is said above the form, by locale."""
    for place in (("account", account_id), ("deployment", "")):
        notice = settings.get(place, _NOTHING).notice
        if notice is not None:
            return notice
    return {}


_decode = msgspec.json.Decoder(SubmissionSetting).decode


_ALL = select(_s.scope, _s.scope_id, _s.value)


def settings_in(tx: Transaction) -> dict[tuple[str, str], SubmissionSetting]:
    """Return all settings by (scope, id); there are few."""
    return {(row.scope, row.scope_id): _decode(row.value) for row in tx.execute(_ALL)}


async def read_settings(connection: AsyncConnection) -> dict[tuple[str, str], SubmissionSetting]:
    """Return all settings by (scope, id)."""
    return {(row.scope, row.scope_id): _decode(row.value) for row in await connection.execute(_ALL)}


def save_setting(tx: Transaction, scope: str, scope_id: str, setting: SubmissionSetting, now: int) -> None:
    """Write what a scope says; nothing said is no row."""
    table = schema.submission_setting
    tx.execute(table.delete().where(_s.scope == scope, _s.scope_id == scope_id))
    if setting != _NOTHING:
        value = msgspec.json.encode(setting).decode()
        tx.execute(table.insert().values(scope=scope, scope_id=scope_id, value=value, updated_at=now))

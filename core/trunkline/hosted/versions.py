"""Which client may do what: versions are compared number by number, and every no has a reason."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING

import msgspec

from trunkline.contract import Capabilities, Context, Extra
from trunkline.model import ContentKind, Level
from trunkline.service.submissions.settings import SubmissionSetting, Wish, decide

if TYPE_CHECKING:
    from trunkline.contract import Channel
    from trunkline.hosted.connector import Client

__all__ = ["Features", "at_least", "context_of", "features_of", "no_form", "read_version"]

_VERSION = re.compile(r"v?([0-9]{1,9}(?:\.[0-9]{1,9}){0,3})(-[0-9A-Za-z][0-9A-Za-z.-]{0,40})?")
_FILES = (ContentKind.IMAGE, ContentKind.FILE, ContentKind.AUDIO, ContentKind.VIDEO)
#: Levels at which a kind is taken.
_TAKEN = frozenset({Level.FULL, Level.PARTIAL, Level.FALLBACK})
_TOO_OLD, _NOT_OFFERED, _SWITCHED_OFF = "sdk_too_old", "not_offered", "switched_off"


class Features(msgspec.Struct, frozen=True):
    """What a client may use, and why not."""

    offered: dict[str, bool]
    reasons: dict[str, str]


def read_version(text: str | None) -> tuple[int, ...] | None:
    """Return four numbers and 1 (0 for a pre-release, which ranks below its release), None if it is unreadable."""
    found = _VERSION.fullmatch(text or "")
    if found is None:
        return None
    numbers = [int(part) for part in found[1].split(".")]
    return (*numbers, *[0] * (4 - len(numbers)), 0 if found[2] else 1)


def at_least(reported: str | None, wanted: str) -> bool:
    """Whether a reported version is `wanted` or newer; one that is missing or unreadable is too old."""
    mine, floor = read_version(reported), read_version(wanted)
    return mine is not None and floor is not None and mine >= floor


def context_of(account_id: str, client: Client, *, verified: bool, at_ms: int) -> Context:
    """Return what capabilities may depend on."""
    return Context(
        account_id=account_id,
        client_platform=client.platform,
        client_version=client.version,
        identity_level="verified" if verified else "anonymous",
        at_ms=at_ms,
    )


def features_of(channel: Channel, context: Context, extra: Mapping[str, str | None]) -> Features:
    """Return what a client in `context` may use.

    `extra` are the features of applications: name → None when it is offered, else the reason why not.
    """
    effective = channel.effective(context)
    reasons = {
        "submission_by_group": _by_group(effective.capabilities, effective.reasons, context),
        "upload": None if any(takes(effective.capabilities, kind) for kind in _FILES) else _NOT_OFFERED,
        "typing": None if Extra.TYPING in effective.capabilities.extras else _NOT_OFFERED,
        "long_poll": None,
        "rating": "not_installed",
        "request_human": "not_installed",
        **extra,
    }
    return Features(
        {name: reason is None for name, reason in reasons.items()},
        {name: reason for name, reason in reasons.items() if reason is not None},
    )


def no_form(
    capabilities: Capabilities, settings: Mapping[tuple[str, str], SubmissionSetting], account_id: str
) -> str | None:
    """Return why an account offers no leave-a-message form, None where it offers one."""
    if not capabilities.submissions.modes:
        return _NOT_OFFERED
    return None if decide(capabilities.submissions, settings, account_id, Wish()) else _SWITCHED_OFF


def takes(capabilities: Capabilities, kind: ContentKind) -> bool:
    """Whether customers may send this kind."""
    rule = capabilities.receives.get(kind)
    return rule is not None and rule.level in _TAKEN


def _by_group(capabilities: Capabilities, reasons: Mapping[str, str], context: Context) -> str | None:
    if "submissions.scopes" in reasons:
        return reasons["submissions.scopes"]
    if "group" not in capabilities.submissions.scopes:
        return _NOT_OFFERED
    floor = capabilities.submissions.min_client_version.get("group")
    # The web client comes from us with every page: it is never too old.
    if floor is None or context.client_platform == "web" or at_least(context.client_version, floor):
        return None
    return _TOO_OLD

"""The templates of accounts: asked of the platform at most every few minutes, and checked before one is sent."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import httpx2
import msgspec

from trunkline.contract import Clock, TemplateInfo, measure
from trunkline.contract.capabilities import TextUnit
from trunkline.errors import DeliveryError, RateLimited, SignInNeeded
from trunkline.log import get_logger, redact
from trunkline.model import Template
from trunkline.service.refusals import ReplyRefused

if TYPE_CHECKING:
    from trunkline.service.account import Account

__all__ = ["Templates", "TemplatesRefused", "check_template"]

log = get_logger("templates")

#: So long a list is good.
GOOD_MS = 5 * 60 * 1000
_TIMEOUT_S = 20.0


class TemplatesRefused(ReplyRefused):
    """The platform does not tell its templates now."""


class _Kept(msgspec.Struct, frozen=True):
    found: tuple[TemplateInfo, ...]
    until: int
    #: What they were asked of: settings that change make another connector.
    connector: Any


class Templates:
    """The lists of this process; whoever asks while one is fetched waits for the same answer."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._kept: dict[str, _Kept] = {}
        self._locks: dict[str, asyncio.Lock] = {}

    async def of(self, account: Account) -> Sequence[TemplateInfo]:
        """Return the templates of an account.

        Raises:
            TemplatesRefused: in words; the list is not kept, so the next question is asked anew.
        """
        async with self._locks.setdefault(account.id, asyncio.Lock()):
            kept = self._kept.get(account.id)
            if kept is not None and kept.connector is account.connector and self._clock.now_ms() < kept.until:
                return kept.found
            found = await _ask(account)
            self._kept[account.id] = _Kept(found, self._clock.now_ms() + GOOD_MS, account.connector)
            return found


async def _ask(account: Account) -> tuple[TemplateInfo, ...]:
    if account.connector is None:
        raise TemplatesRefused(
            account.reason or "The account cannot be used now.", code="account_not_ready", status=409
        )
    try:
        async with asyncio.timeout(_TIMEOUT_S):
            return tuple(await account.connector.templates())
    except SignInNeeded as error:
        words = f"The platform refuses the account's credentials: {redact(str(error))}"
        raise TemplatesRefused(words, code="sign_in_needed_at_platform", status=409) from error
    except RateLimited as error:
        words = "The platform asks us to wait before it tells its templates again."
        raise TemplatesRefused(words, code="platform_busy", status=503) from error
    except (DeliveryError, httpx2.TransportError, TimeoutError) as error:
        log.warning("templates.unread", account_id=account.id, error=type(error).__name__)
        words = "The platform did not tell its templates; try again in a moment."
        raise TemplatesRefused(words, code="platform_unreachable", status=502) from error


def check_template(template: Template, known: Sequence[TemplateInfo]) -> None:
    """Refuse a template that the platform does not have, or whose blanks are not filled as it wants.

    Raises:
        ReplyRefused: in words, with the variable as `field`.
    """
    info = next((one for one in known if (one.name, one.language) == (template.name, template.language)), None)
    if info is None:
        words = f"There is no template {template.name} in {template.language}; choose another."
        raise ReplyRefused(words, code="template_unknown", field="content.name")
    if not info.usable:
        words = info.note or f"The template {template.name} may not be sent now."
        raise ReplyRefused(words, code="template_not_usable", field="content.name")
    for blank in info.variables:
        value, field = template.variables.get(blank.name), f"content.variables.{blank.name}"
        if value in (None, "", {}) or (isinstance(value, str) and not value.strip()):
            words = f"Fill in {blank.name} of the template {template.name}."
            raise ReplyRefused(words, code="template_variable_missing", field=field)
        if blank.max_length and isinstance(value, str) and measure(value, TextUnit.CHARACTERS) > blank.max_length:
            words = f"{blank.name} is longer than the {blank.max_length} characters that the template takes."
            raise ReplyRefused(words, code="template_variable_too_long", field=field)
    unknown = sorted(template.variables.keys() - {blank.name for blank in info.variables})
    if unknown:
        words = f"The template {template.name} has no blank {unknown[0]}."
        raise ReplyRefused(words, code="template_variable_unknown", field=f"content.variables.{unknown[0]}")

"""What can be done about a finding of a probe: only what the last one offered, and then it is asked again."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from trunkline.contract import Health
from trunkline.errors import TrunklineError
from trunkline.log import get_logger, redact
from trunkline.service.refusals import ReplyRefused

if TYPE_CHECKING:
    from trunkline.service.accounts import Accounts

__all__ = ["do_remedy"]

log = get_logger("accounts")

_TIMEOUT_S = 30.0


async def do_remedy(accounts: Accounts, account_id: str, code: str) -> Health:
    """Do a remedy, remember what the account is like afterwards, and return it.

    Raises:
        ReplyRefused: nobody offered it, or it failed; the words say why.
    """
    account = accounts.find(account_id)
    if account is None:
        raise ReplyRefused("There is no such account.", code="unknown_account", status=404)
    offered = account.health.remedies if account.health else ()
    if account.connector is None or code not in {remedy.code for remedy in offered}:
        words = "The last check of this account offers no such remedy; check it again."
        raise ReplyRefused(words, code="unknown_remedy", status=409)
    try:
        async with asyncio.timeout(_TIMEOUT_S):
            health: Any = await account.connector.remedy(code)
    except TimeoutError:
        words = f"The platform did not answer within {_TIMEOUT_S:.0f} seconds."
        raise ReplyRefused(words, code="remedy_failed", status=502) from None
    except Exception as error:  # noqa: BLE001 - isolation point: a connector may fail in any way
        log.warning("account.remedy_failed", account_id=account_id, code=code, error=type(error).__name__)
        words = str(redact(str(error))) if isinstance(error, TrunklineError) and str(error) else "The platform refused."
        raise ReplyRefused(f"It did not work: {words}", code="remedy_failed", status=502) from None
    if not isinstance(health, Health):
        raise ReplyRefused("It is done, but nobody knows how it went: check again.", code="remedy_failed", status=502)
    account.health = health
    await accounts.change(account_id, health.state, None if health.state == "connected" else health.summary)
    return health

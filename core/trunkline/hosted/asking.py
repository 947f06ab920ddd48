"""Asking connectors: what one of them raises is its own failure, and nobody else's."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, TypeVar
from weakref import WeakKeyDictionary

from trunkline.hosted.connector import HostedConnector
from trunkline.log import get_logger

if TYPE_CHECKING:
    from trunkline.service.account import Account

__all__ = ["ask", "public_keys"]

log = get_logger("hosted")

T = TypeVar("T")
#: What each connector failed to answer: it is told once, not at every call.
_told: WeakKeyDictionary[HostedConnector, set[str]] = WeakKeyDictionary()


def ask(account: Account, name: str, question: Callable[[HostedConnector], T], otherwise: T) -> T:
    """Return what the account's connector answers; `otherwise` if it is no hosted one, or raises."""
    connector = account.connector
    if not isinstance(connector, HostedConnector):
        return otherwise
    try:
        return question(connector)
    except Exception as error:
        # A plugin's own code: whatever it raises must stay with its account.
        known = _told.setdefault(connector, set())
        if name not in known:
            known.add(name)
            log.exception("hosted.connector_failed", account_id=account.id, asked=name, error=type(error).__name__)
        return otherwise


def public_keys(account: Account) -> tuple[str, ...]:
    """Return the keys that clients of an account come by; none if its connector cannot say."""
    return ask(account, "terms", lambda connector: tuple(connector.terms()), ())

"""The proof of a webhook: the word that we gave to setWebhook comes back in a header.

Source: https://core.telegram.org/bots/api#setwebhook (read 2026-11-22)
"""

from __future__ import annotations

from collections.abc import Iterable

from trunkline.contract import is_one_of

HEADER = "X-Telegram-Bot-Api-Secret-Token"


def is_proved(given: str, secrets: Iterable[str]) -> bool:
    """Whether one of `secrets` was given."""
    return is_one_of(given, secrets)

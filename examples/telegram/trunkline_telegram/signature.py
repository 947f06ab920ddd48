"""The proof of a webhook: the word that we gave to setWebhook comes back in a header.

Source: https://core.telegram.org/bots/api#setwebhook (read 2026-11-22)
"""

from __future__ import annotations

import hmac
from collections.abc import Iterable

HEADER = "X-Telegram-Bot-Api-Secret-Token"


def is_proved(given: str, secrets: Iterable[str]) -> bool:
    """Whether one of `secrets` was given; all are tried, so that the time does not tell which one it was."""
    word = given.encode(errors="replace")
    return any([hmac.compare_digest(secret.encode(), word) for secret in secrets])  # noqa: C419 - see above

"""What a shop decides about its waiting room."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

__all__ = ["Rules"]


class Rules(msgspec.Struct, frozen=True, kw_only=True):
    """The rules of one house."""

    #: Lines of their own beside the common one: id → name as customers see it.
    groups: Mapping[str, str] = {}
    #: Whoever comes when so many wait in their line is offered the form instead, where there is one.
    longest_line: int = 50
    #: Pause between two looks at the line: nobody hears of their place more often.
    pause_s: float = 2.0
    #: How long a talk may be rated.
    rating_valid_ms: int = 12 * 3600 * 1000
    #: From the worst to the best.
    labels: tuple[str, ...] = ("very bad", "bad", "all right", "good", "very good")
    invitation: str = "How was our help?"
    thanks: str = "Thank you for your rating."
    #: Who says so.
    name: str = "Waiting room"

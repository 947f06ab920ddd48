"""What the doctor says: one line, and what to do about it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

__all__ = ["Finding", "Level"]

Level = Literal["ok", "note", "warning", "failure"]


@dataclass(frozen=True)
class Finding:
    """One line of the diagnosis."""

    check: str
    level: Level
    words: str
    fix: str = ""

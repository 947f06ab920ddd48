"""Counting, cutting and splitting text as platforms count it; always at the border of a grapheme.

A grapheme is what a reader takes for one character: a family emoji is one, though it is eleven UTF-16 units long.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import regex

from trunkline.contract.capabilities import TextLimit, TextUnit

__all__ = ["cut", "in_characters", "measure", "split"]

_GRAPHEME = regex.compile(r"\X")
#: Where a reader accepts a break, best first: paragraph, line, sentence (no blank follows a Chinese one), word.
_BREAKS = tuple(
    regex.compile(f"(?:{pattern})(?![\\p{{M}}\u200d])")
    for pattern in (r"\n\n+", r"\n", r"(?<=[.!?])\s+|(?<=[。！？…])\s*", r"\s+")
)

_SIZES: dict[TextUnit, Callable[[str], int]] = {
    TextUnit.CHARACTERS: len,
    TextUnit.UTF16: lambda text: len(text.encode("utf-16-le", "surrogatepass")) // 2,
    TextUnit.UTF8: lambda text: len(text.encode("utf-8", "surrogatepass")),
    TextUnit.GRAPHEMES: lambda text: sum(1 for _ in _GRAPHEME.finditer(text)),
}


def measure(text: str, unit: TextUnit) -> int:
    """Return the length of `text` in `unit`."""
    return _SIZES[unit](text)


def in_characters(text: str, at: int, unit: TextUnit) -> int:
    """Return the index in `text` that a platform calls `at` in its `unit`; the end of `text` if it is beyond.

    An index inside a character means the beginning of that character.
    """
    used = 0
    for index, character in enumerate(text):
        used += measure(character, unit)
        if used > at:
            return index
    return len(text)


def cut(text: str, limit: TextLimit, *, mark: str = "…") -> str:
    """Return `text`, or as much of it as fits together with `mark`."""
    if measure(text, limit.unit) <= limit.max:
        return text
    room = limit.max - measure(mark, limit.unit)
    return text[: _fitting(text, room, limit.unit)] + mark


def split(text: str, limit: TextLimit) -> list[str]:
    """Return `text` in pieces that each fit, broken where a reader would break it. Nothing but blanks is lost."""
    return list(_pieces(text, limit))


def _pieces(text: str, limit: TextLimit) -> Iterator[str]:
    while measure(text, limit.unit) > limit.max:
        end = _fitting(text, limit.max, limit.unit)
        end = _best_break(text, end) or end or len(text)
        piece, text = text[:end].rstrip(), text[end:].lstrip()
        if piece:
            yield piece
    if text:
        yield text


def _fitting(text: str, room: int, unit: TextUnit) -> int:
    """Return the index after the last grapheme that fits into `room` units; after the first one if none does."""
    used = end = 0
    for match in _GRAPHEME.finditer(text):
        used += measure(match.group(), unit)
        if used > room:
            return end or match.end()
        end = match.end()
    return end


def _best_break(text: str, end: int) -> int | None:
    """Return the last good break in the second half of `text[:end]`, None if there is none."""
    for pattern in _BREAKS:
        found = [match.end() for match in pattern.finditer(text, end // 2, end) if match.end()]
        if found:
            return int(found[-1])
    return None

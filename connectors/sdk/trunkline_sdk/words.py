"""Languages: which is there for the one asked for, and our own words of a notification."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

__all__ = ["NEW_MESSAGE", "is_from_right", "nearest"]

#: A notification says that there is something, never what.
NEW_MESSAGE: Mapping[str, str] = {
    "en": "You have a new message",
    "pl": "Masz nową wiadomość",
    "zh-Hans": "您有一条新消息",
    "zh-Hant": "您有一則新訊息",
}
_FROM_RIGHT = frozenset({"ar", "ckb", "dv", "fa", "he", "ku", "ps", "sd", "ug", "ur", "yi"})
_TRADITIONAL = ("hant", "tw", "hk", "mo")


def nearest(texts: Mapping[str, str], *locales: str) -> tuple[str, str] | None:
    """Return the language and its text for the first of these locales that is there, in some wider form."""
    there = {name.lower(): (name, text) for name, text in texts.items()}
    return next((there[tag] for locale in locales for tag in _ladder(locale) if tag in there), None)


def is_from_right(locale: str) -> bool:
    """Whether a language is read from right to left."""
    return locale.split("-", 1)[0].lower() in _FROM_RIGHT


def _ladder(locale: str) -> Iterator[str]:
    """Yield a language tag, then wider ones: "zh-tw", "zh-hant", "zh"."""
    tag = locale.lower().replace("_", "-")
    yield tag
    if tag.startswith("zh"):
        yield "zh-hant" if any(part in _TRADITIONAL for part in tag.split("-")) else "zh-hans"
    while "-" in tag:
        tag = tag.rpartition("-")[0]
        yield tag

"""Words as the search knows them: folded, and one by one where a script writes none.

Chinese, Japanese, Korean, Thai and their like put no space between words: every character stands alone, and a search
for several is a search for a phrase. All other words lose case and marks, so that "zolc" finds "Żółć".
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from functools import lru_cache

import msgspec

__all__ = ["Phrase", "Query", "Token", "fold", "infixes", "marks_of", "normal", "read_query", "spread", "tokens"]

#: Scripts without spaces: Thai and Lao, Burmese, Jamo, Khmer, kana, Bopomofo, Hangul, CJK with its later planes.
_ALONE = (
    "\u0e00-\u0eff\u1000-\u109f\u1100-\u11ff\u1780-\u17ff\u3005-\u3007\u3040-\u30ff\u3100-\u31ff\u3400-\u4dbf"
    "\u4e00-\u9fff\ua960-\ua97f\uac00-\ud7ff\uf900-\ufaff\uff66-\uff9f\U00020000-\U0003ffff"
)
#: Marks that belong to the letter before them, and the Indic blocks, whose vowels are marks.
_MARKS = (
    "\u0300-\u036f\u0483-\u0489\u0591-\u05c7\u0610-\u061a\u064b-\u065f\u0670\u06d6-\u06ed\u0900-\u0dff\u1ab0-\u1aff"
)
_TOKEN = re.compile(rf"[{_ALONE}]|[^\W_{_ALONE}](?:[^\W_{_ALONE}]|[{_MARKS}])*")
_IS_ALONE = re.compile(rf"[{_ALONE}]")
#: Letters that no decomposition takes apart.
_LETTERS = str.maketrans(
    {"ł": "l", "đ": "d", "ð": "d", "ø": "o", "ħ": "h", "ı": "i", "ŧ": "t", "þ": "th", "æ": "ae", "œ": "oe"}
)
#: Characters of a word that count, words of a text that are indexed (PostgreSQL counts positions up to 16,383).
_MOST_CHARACTERS, _MOST_TOKENS = 64, 16_000
#: A prefix of one letter would be half of all words.
_SHORTEST_PREFIX = 2


class Token(msgspec.Struct, frozen=True):
    """A folded word and where it stands in the text, in characters."""

    word: str
    start: int
    end: int


class Phrase(msgspec.Struct, frozen=True):
    """Words that follow one another; of the last one its beginning is enough when `prefix` is true."""

    words: tuple[str, ...]
    prefix: bool


#: All of these must occur; an empty query finds nothing.
Query = tuple[Phrase, ...]


def normal(text: str) -> str:
    """Return the text that places count in: composed, in one line."""
    composed = text if unicodedata.is_normalized("NFC", text) else unicodedata.normalize("NFC", text)
    return re.sub(r"[\x00-\x1f\x7f\u2028\u2029]", " ", composed)


@lru_cache(maxsize=20_000)
def fold(word: str) -> str:
    """Return a word without case and marks; a character that stands alone in its usual form."""
    if word.isascii():
        return word.lower()[:_MOST_CHARACTERS]
    if _IS_ALONE.fullmatch(word):
        return unicodedata.normalize("NFKC", word)[:1]
    plain = unicodedata.normalize("NFKD", word.casefold()).translate(_LETTERS)
    return "".join(filter(_counts, plain))[:_MOST_CHARACTERS]


def _counts(character: str) -> bool:
    """Whether a character tells words apart: letters, digits, and the vowels of Indic scripts, which are marks."""
    return character.isalnum() or "\u0900" <= character <= "\u0dff"


def tokens(text: str) -> list[Token]:
    """Return the words of a text that is `normal` already."""
    found = []
    for match in _TOKEN.finditer(text):
        word = fold(match[0])
        if word:
            found.append(Token(word, match.start(), match.end()))
            if len(found) == _MOST_TOKENS:
                break
    return found


def spread(text: str) -> list[str]:
    """Return the folded words of any text, in order."""
    return [token.word for token in tokens(normal(text))]


def infixes(words: Sequence[str]) -> list[str]:
    """Return the endings of words, so that the beginning of one is any part of a word."""
    return [word[start:] for word in words for start in range(1, len(word) - _SHORTEST_PREFIX + 1)]


def read_query(text: str, *, everywhere: bool = False) -> Query:
    """Return what somebody typed as phrases: all must occur. There are no operators; every sign is a sign.

    The last word may be unfinished, with `everywhere` every word.
    """
    parts = [spread(part) for part in normal(text).split()]
    chosen = [part for part in parts if part]
    return tuple(
        Phrase(tuple(part), (everywhere or index == len(chosen) - 1) and _may_be_prefix(part[-1]))
        for index, part in enumerate(chosen)
    )


def _may_be_prefix(word: str) -> bool:
    return len(word) >= _SHORTEST_PREFIX


def marks_of(found: Sequence[Token], query: Query, *, inside: bool = False) -> list[tuple[int, int]]:
    """Return the places of the query's phrases, in order, joined where they touch.

    With `inside` a word counts that holds the searched one anywhere.
    """
    spans = sorted(span for phrase in query for span in _spans(found, phrase, inside=inside))
    joined: list[tuple[int, int]] = []
    for start, end in spans:
        if joined and start <= joined[-1][1]:
            joined[-1] = (joined[-1][0], max(end, joined[-1][1]))
        else:
            joined.append((start, end))
    return joined


def _spans(found: Sequence[Token], phrase: Phrase, *, inside: bool) -> list[tuple[int, int]]:
    length = len(phrase.words)
    return [
        (found[at].start, found[at + length - 1].end)
        for at in range(len(found) - length + 1)
        if _fits(found[at : at + length], phrase, inside=inside)
    ]


def _fits(part: Sequence[Token], phrase: Phrase, *, inside: bool) -> bool:
    *before, last = phrase.words
    if any(token.word != word for token, word in zip(part, before, strict=False)):
        return False
    if not phrase.prefix:
        return part[-1].word == last
    return last in part[-1].word if inside else part[-1].word.startswith(last)

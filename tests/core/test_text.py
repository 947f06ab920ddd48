"""Counting, cutting and splitting text as platforms count it, never inside what a reader takes for one character."""

from __future__ import annotations

import pytest
import regex
from hypothesis import given
from hypothesis import strategies as st

from trunkline.contract import TextLimit, TextUnit, cut, in_characters, measure, split

#: One character to a reader: a family, a flag, a skin tone, an e with two accents, a Korean syllable in its letters.
FAMILY, FLAG, THUMB, ACCENTS, SYLLABLE = "👨‍👩‍👧‍👦", "🇯🇵", "👍🏽", "e\u0301\u0323", "\u1112\u1161\u11ab"
WHOLE = (FAMILY, FLAG, THUMB, ACCENTS, SYLLABLE)

texts = st.lists(st.sampled_from([*"ab .\n好안あก。", *WHOLE]), max_size=60).map("".join)
limits = st.builds(TextLimit, max=st.integers(1, 40), unit=st.sampled_from(list(TextUnit)))


@pytest.mark.parametrize(
    ("text", "characters", "utf16", "utf8", "graphemes"),
    [
        ("", 0, 0, 0, 0),
        ("abc", 3, 3, 3, 3),
        ("你好", 2, 2, 6, 2),
        ("😀", 1, 2, 4, 1),
        (FAMILY, 7, 11, 25, 1),
        (FLAG, 2, 4, 8, 1),
        ("\ud800", 1, 1, 3, 1),
    ],
)
def test_each_unit_counts_in_its_own_way(text: str, characters: int, utf16: int, utf8: int, graphemes: int) -> None:
    found = [measure(text, unit) for unit in (TextUnit.CHARACTERS, TextUnit.UTF16, TextUnit.UTF8, TextUnit.GRAPHEMES)]
    assert found == [characters, utf16, utf8, graphemes]


def test_what_fits_stays_whole() -> None:
    assert split("hello", TextLimit(max=5)) == ["hello"]
    assert cut("hello", TextLimit(max=5)) == "hello"


@pytest.mark.parametrize(
    ("text", "limit", "pieces"),
    [
        ("one two three", 8, ["one two", "three"]),
        ("First. Second one.", 12, ["First.", "Second one."]),
        ("line one\nline two", 12, ["line one", "line two"]),
        ("para one\n\npara two x", 14, ["para one", "para two x"]),
        ("abcdefgh", 3, ["abc", "def", "gh"]),
        ("你好。再见。", 4, ["你好。", "再见。"]),
    ],
)
def test_a_text_breaks_where_a_reader_would_break_it(text: str, limit: int, pieces: list[str]) -> None:
    assert split(text, TextLimit(max=limit)) == pieces


@pytest.mark.parametrize("whole", WHOLE)
@pytest.mark.parametrize("unit", list(TextUnit))
def test_no_piece_ends_inside_a_character(whole: str, unit: TextUnit) -> None:
    limit = TextLimit(max=measure(whole, unit) * 2, unit=unit)
    assert split(whole * 5, limit) == [whole * 2, whole * 2, whole]


@pytest.mark.parametrize("whole", WHOLE)
def test_a_character_longer_than_the_limit_goes_alone(whole: str) -> None:
    assert split(f"{whole}{whole}", TextLimit(max=1, unit=TextUnit.UTF8)) == [whole, whole]


def test_a_cut_text_says_so_and_fits() -> None:
    assert cut("abcdef", TextLimit(max=4)) == "abc…"
    assert cut(f"ab{FAMILY}cd", TextLimit(max=6, unit=TextUnit.UTF16)) == "ab…"
    assert cut("你好世界", TextLimit(max=9, unit=TextUnit.UTF8)) == "你好…"


@given(texts, limits)
def test_nothing_but_blanks_is_lost(text: str, limit: TextLimit) -> None:
    assert "".join("".join(split(text, limit)).split()) == "".join(text.split())


@given(texts, limits)
def test_every_piece_fits_or_is_one_character(text: str, limit: TextLimit) -> None:
    for piece in split(text, limit):
        assert piece
        assert measure(piece, limit.unit) <= limit.max or measure(piece, TextUnit.GRAPHEMES) == 1


@given(texts, limits)
def test_pieces_are_made_of_whole_characters(text: str, limit: TextLimit) -> None:
    whole = set(regex.findall(r"\X", text))
    assert {one for piece in split(text, limit) for one in regex.findall(r"\X", piece)} <= whole


@given(st.text(max_size=200), limits)
def test_any_text_at_all_ends(text: str, limit: TextLimit) -> None:
    assert len(split(text, limit)) <= len(text) + 1


def test_a_long_text_is_split_in_reasonable_time() -> None:
    assert len(split("好" * 20_000, TextLimit(max=100))) == 200


@given(text=texts, unit=st.sampled_from([TextUnit.CHARACTERS, TextUnit.UTF16, TextUnit.UTF8]), at=st.integers(0, 60))
def test_a_platforms_index_is_turned_into_ours(text: str, unit: TextUnit, at: int) -> None:
    index = in_characters(text, measure(text[:at], unit), unit)
    assert index == min(at, len(text))


def test_an_index_inside_a_character_means_its_beginning() -> None:
    assert in_characters("a😀b", 2, TextUnit.UTF16) == 1
    assert in_characters("a😀b", 3, TextUnit.UTF16) == 2
    assert in_characters("a😀b", 99, TextUnit.UTF16) == 3

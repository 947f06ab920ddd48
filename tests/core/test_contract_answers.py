"""What connectors read of every platform's answers, and what they say seldom."""

from __future__ import annotations

import base64
import hashlib

import httpx2
import pytest

from trunkline.contract import Seldom, file_of, wait_s
from trunkline.errors import TryLater
from trunkline.testing.services import HandClock

DIGEST = hashlib.sha256(b"cup").digest()


def answer(**headers: str) -> httpx2.Response:
    return httpx2.Response(200, headers={name.replace("_", "-"): value for name, value in headers.items()}, content=b"")


@pytest.mark.parametrize(
    ("headers", "size"),
    [
        ({"content_length": "25"}, 25),
        ({"content_length": "0"}, None),
        ({"content_length": "many"}, None),
        ({"content_length": "10", "content_range": "bytes 0-9/25"}, 25),
        ({"content_length": "10", "content_range": "bytes 0-9/*"}, None),
    ],
)
def test_a_file_has_the_size_of_the_whole_or_none(headers: dict[str, str], size: int | None) -> None:
    assert file_of(answer(**headers)).size == size


@pytest.mark.parametrize(
    ("headers", "mime"),
    [({"content_type": "Image/PNG; charset=x"}, "image/png"), ({}, "audio/amr"), ({"content_type": ";"}, "audio/amr")],
)
def test_a_file_has_the_type_that_the_answer_tells_or_the_one_known_before(headers: dict[str, str], mime: str) -> None:
    assert file_of(answer(**headers), mime="audio/amr").mime == mime


@pytest.mark.parametrize(
    ("told", "seconds"),
    [
        ("7", 7.0),
        ("0", 0.0),
        ("999999999", 86_400.0),
        ("-1", None),
        ("1.5", None),
        ("Wed, 21 Oct 2026 07:28:00 GMT", None),
    ],
)
def test_a_wish_to_wait_is_seconds_and_at_most_a_day(told: str, seconds: float | None) -> None:
    assert wait_s(answer(retry_after=told)) == seconds


@pytest.mark.parametrize("told", [DIGEST.hex(), base64.b64encode(DIGEST).decode(), "no digest", 5, None])
async def test_a_file_that_is_the_one_named_or_cannot_be_compared_is_handed_on(told: object) -> None:
    response = httpx2.Response(200, content=b"cup")
    assert [chunk async for chunk in file_of(response, sha256=told).chunks] == [b"cup"]


async def test_a_file_that_is_another_one_is_fetched_again() -> None:
    with pytest.raises(TryLater):
        _ = [chunk async for chunk in file_of(httpx2.Response(200, content=b"cu"), sha256=DIGEST.hex()).chunks]


def test_no_wish_is_none() -> None:
    assert wait_s(answer()) is None


def test_the_same_is_let_through_once_in_a_while_and_others_meanwhile() -> None:
    clock = HandClock(1_000_000)
    typing = Seldom(clock, every_s=15)
    assert [typing.lets("ada"), typing.lets("ada"), typing.lets("bo")] == [True, False, True]
    clock.move(15)
    assert [typing.lets("ada"), typing.lets("ada")] == [True, False]

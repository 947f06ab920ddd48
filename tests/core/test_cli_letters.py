"""`trunkline dead-letters` and `trunkline replay` on a house that does not serve."""

from __future__ import annotations

import json
import sqlite3

import pytest

from tests.core.command_line import Command
from tests.core.plugin_maker import Shelf
from tests.core.test_cli import ACCOUNT, trunkline
from trunkline.model import new_id

__all__ = ["trunkline"]


@pytest.fixture
def letters(trunkline: Command, shelf: Shelf) -> list[str]:
    """Two requests in the quarantine of an account whose connector now reads them."""
    shelf.install_connector("shop")
    trunkline.write(ACCOUNT)
    trunkline("migrate")
    made = [new_id(), new_id()]
    columns = "id, account_id, received_at, request_id, method, body, state, reason, error"
    row = "(?, 'one', 1795262400000, 'r', 'POST', x'7b7d', 'quarantined', 'body_unreadable', 'It is odd.')"
    with sqlite3.connect(trunkline.folder / "trunkline.db") as database:
        database.executemany(f"INSERT INTO raw_request ({columns}) VALUES {row}", [[letter] for letter in made])
    database.close()
    return made


def test_letters_are_listed(trunkline: Command, letters: list[str]) -> None:
    rows = trunkline("dead-letters", "list", "--json").json
    assert [row["id"] for row in rows] == letters[::-1]
    assert rows[0]["at"] == "2026-11-21T12:00:00.000Z"
    assert "It is odd." in trunkline("dead-letters", "list").out
    assert trunkline("dead-letters", "list", "--account", "two", "--json").json == []


def test_letters_are_retried_skipped_and_deleted(trunkline: Command, letters: list[str]) -> None:
    trunkline("dead-letters", "skip", letters[0], "--reason", "a test of the platform")
    dry = ("dead-letters", "retry", "--all", "--account", "one", "--dry-run")
    assert trunkline(*dry).out == "1 match: 1 would be mended, 0 still cannot be.\n"
    assert [row["id"] for row in trunkline("dead-letters", "list", "--json").json] == letters[1:]
    assert trunkline("dead-letters", "retry", "--all").out == "1 match: 1 mended, 0 still cannot be.\n"
    assert "Nothing waits" in trunkline("dead-letters", "list").out
    assert "no dead letter" in trunkline("dead-letters", "delete", letters[0], "--reason", "x", code=1).sentence


def test_a_letter_is_deleted_and_its_stone_stays(trunkline: Command, letters: list[str]) -> None:
    trunkline("dead-letters", "delete", letters[0], "--reason", "asked to forget")
    shown = trunkline("dead-letters", "show", letters[0], "--json").json
    assert (shown["state"], shown["reason"], shown["payload"]["size"]) == ("deleted", "asked to forget", 0)
    lines = trunkline("dead-letters", "export").out.splitlines()
    assert [json.loads(line)["id"] for line in lines] == letters[1:]


def test_a_letter_that_nobody_knows_is_one_sentence(trunkline: Command, letters: list[str]) -> None:
    assert "no dead letter a9" in trunkline("dead-letters", "skip", "a9", "--reason", "gone", code=1).sentence
    assert "no dead letter a9" in trunkline("dead-letters", "retry", "a9", code=1).sentence
    assert "no dead letter a9" in trunkline("dead-letters", "show", "a9", code=1).sentence


def test_a_replay_reads_again(trunkline: Command, letters: list[str]) -> None:
    report = trunkline("replay", "--since", "2026-11-21", "--dry-run", "--json").json
    assert report["read"] == 2
    assert "2 requests read" in trunkline("replay", "--since", "2026-11-21", "--account", "one").out
    assert 'no account "two"' in trunkline("replay", "--since", "9d", "--account", "two", code=1).sentence
    assert trunkline("replay", "--since", "2026-11-22", "--json").json["read"] == 0
    assert trunkline("dead-letters", "list", "--json").json == []

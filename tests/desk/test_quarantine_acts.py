"""Dead letters: letting one be, deleting one, exporting all that match, and the commands that look."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

from sqlalchemy import select

from tests import warm
from tests.core.conftest import HandClock
from tests.desk.conftest import KEY, Opener, Template
from tests.desk.harness import ADA, Client, Running
from tests.desk.test_messages import last_message
from tests.desk.test_quarantine import BECAUSE, RECEIVED, letters, messages, plant, refused_reply, rows, told
from trunkline.clock import SystemClock
from trunkline.store import schema


async def test_what_is_skipped_stays_with_its_reason_and_its_actor(desk: Running, ada: Client) -> None:
    await desk.platform(b"no events at all")
    sent = await refused_reply(desk, ada, "Hi")
    (raw,) = await letters(ada, kind="received")
    headers = {"Idempotency-Key": "once"}
    first = await ada.post(f"/quarantine/{raw['id']}/skip", BECAUSE, headers=headers)
    assert (first["state"], first["reason"]) == ("skipped", "a test of theirs")
    assert await ada.post(f"/quarantine/{raw['id']}/skip", BECAUSE, headers=headers) == first
    assert (await ada.post(f"/quarantine/{sent['id']}/skip", BECAUSE))["state"] == "cancelled"
    assert await letters(ada) == []
    assert (await ada.get(f"/quarantine/{raw['id']}"))["payload"]["text"] == "no events at all"
    message = await last_message(ada, sent["thread_id"])
    assert (message["delivery_state"], message["retryable"]) == ("cancelled", False)
    assert message["deliveries"][0]["reason"]["text"] == "a test of theirs"
    assert [(name, one["reason"]) for _, name, one in await told(desk, "quarantine_closed")] == [
        ("Ada", first["reason"])
    ]
    *_, (_, name, changed) = await told(desk, "delivery_changed")
    assert (name, changed["delivery"]["reason"]["code"]) == ("Ada", "skipped")


async def test_what_is_deleted_leaves_a_stone_and_a_repeat_of_it_is_still_known(desk: Running, ada: Client) -> None:
    """One event of two could be stored; the request is deleted; the platform sends the good one again."""
    good = {"id": "known", "from": "u1", "text": "Good"}
    await desk.platform({"events": [good]})
    await desk.platform(b'{"events": 7, "who": "canary"}')
    sent = await refused_reply(desk, ada, "canary")
    (raw,) = await letters(ada, kind="received")
    for letter, state in ((raw, "deleted"), (sent, "cancelled")):
        deleted = await ada.post(f"/quarantine/{letter['id']}/delete", BECAUSE)
        assert (deleted["state"], deleted["body_preview"]) == (state, "")
        found = await ada.get(f"/quarantine/{letter['id']}")
        assert "canary" not in found["payload"]["text"]
        assert not any(one["text"] for one in found["tries"])
    stored = (await rows(desk, select(schema.raw_request).where(schema.raw_request.c.id == raw["id"])))[0]
    assert (bytes(stored.body), stored.state, stored.reason, stored.error) == (b"", "deleted", BECAUSE["reason"], None)
    assert [(name, one["state"]) for _, name, one in await told(desk, "quarantine_closed")] == [("Ada", "deleted")]
    before = await messages(desk)
    await desk.platform({"events": [good]})
    assert await messages(desk) == before


async def test_an_export_holds_all_that_match_and_is_written_down(desk: Running, ada: Client) -> None:
    for number in range(3):
        await desk.platform(f"odd {number}".encode())
    sent = await refused_reply(desk, ada, "Hi")
    answer = await ada.call("POST", "/quarantine/export", {"kind": "received"})
    assert answer.headers["Content-Disposition"].startswith("attachment")
    found = [json.loads(line) for line in answer.raw.splitlines()]
    assert [one["payload"]["text"] for one in found] == ["odd 2", "odd 1", "odd 0"]
    everything = (await ada.call("POST", "/quarantine/export", {})).raw.splitlines()
    assert [json.loads(line)["id"] for line in everything] == [sent["id"], *(one["id"] for one in found)]
    assert [(name, one["count"]) for _, name, one in await told(desk, "dead_letters_exported")] == [
        ("Ada", 3), ("Ada", 4),
    ]  # fmt: skip


async def test_an_agent_may_look_and_no_more(desk: Running, ada: Client, bo: Client) -> None:
    await desk.platform(b"no events at all")
    (letter,) = await letters(bo)
    assert (await bo.get(f"/quarantine/{letter['id']}"))["payload"]["text"] == "no events at all"
    for path, body in (
        ("/quarantine/retry", RECEIVED),
        ("/quarantine/export", {}),
        (f"/quarantine/{letter['id']}/retry", {}),
        (f"/quarantine/{letter['id']}/skip", BECAUSE),
        (f"/quarantine/{letter['id']}/delete", BECAUSE),
    ):
        answer = await bo.call("POST", path, body)
        assert (answer.status, answer.code) == (403, "not_allowed"), path
    assert await letters(ada) == [letter]


# ---------------------------------------------------------------- the commands


class Commands:
    """`trunkline dead-letters …` over a database that a desk may be using."""

    def __init__(self, config: Path) -> None:
        self.config = config

    def __call__(self, *words: str, code: int = 0) -> Any:
        environment = {**os.environ, "TRUNKLINE_SECRET_KEY": KEY}
        done = warm.run(["dead-letters", *words, "--config", str(self.config)], env=environment)
        assert done.returncode == code, done.stderr
        return done


async def test_commands_that_only_read_work_beside_a_running_desk(
    sqlite_template: Template, settings_file: Path, tmp_path: Path, open_desk: Opener, clock: HandClock
) -> None:
    file = tmp_path / "trunkline.db"
    file.write_bytes(Path(sqlite_template[0]).read_bytes())
    url = f"sqlite:///{file}"
    head = settings_file.read_text().partition("[[accounts]]")[0]
    config = tmp_path / "beside.toml"
    config.write_text(f'{head}[database]\nurl = "{url}"\n')
    run = Commands(config)
    async with open_desk(url, sqlite_template[1]) as desk:
        # The commands go by the machine's clock.
        ahead = SystemClock().now_ms() - clock.now
        clock.now += ahead
        await desk.house.applications["desk"].jumped(ahead)
        await plant(desk)
        await desk.platform(b"red \x1b[31m alert", account="mill")
        sent = await refused_reply(desk, desk.client(ADA[0]), "Hi")
        listed = json.loads(run("list", "--json").stdout)
        assert [one["kind"] for one in listed] == ["sent", "received", "received"]
        for words, count in (
            (["--channel", "wire", "--account", "mill"], 1), (["--channel", "mute"], 0), (["--code", "W400"], 1),
            (["--kind", "received", "--reason", "unreadable", "--since", "1d"], 2), (["--until", "1d"], 0),
        ):  # fmt: skip
            assert len(json.loads(run("list", "--json", *words).stdout)) == count, words
        assert "W400" in run("list").stdout
        _nothing_secret(run, listed)
        assert "Not this." in run("show", sent["id"]).stdout
        out = tmp_path / "letters.jsonl"
        assert "3 written" in run("export", "--to", str(out)).stdout
        assert [json.loads(line)["id"] for line in out.read_text().splitlines()] == [one["id"] for one in listed]
        assert ("canary" in out.read_text(), out.stat().st_mode & 0o077) == (False, 0)
        assert "Name a new file" in run("export", "--to", str(out), code=1).stderr
        assert "in use" in run("skip", sent["id"], "--reason", "x", code=1).stderr


def _nothing_secret(run: Commands, listed: list[dict[str, Any]]) -> None:
    for letter in listed[1:]:
        shown = run("show", letter["id"]).stdout
        assert letter["id"] in shown
        assert not any(words in shown for words in ("canary", "invented-secret", "\x1b"))

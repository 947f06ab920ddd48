"""P7: what cannot be handled is kept, shown and replayable, and stands in nobody's way.

Push run: 4,000 webhooks with 400 bad ones on each database, about forty seconds.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any

import pytest

from tests.conftest import Rounds
from tests.promises.clients import Line, line_body, line_event, swarm_bodies
from tests.promises.conftest import Servers
from tests.promises.history import Database, History, judge
from tests.promises.processes import Server
from tests.promises.replies import signed_in

pytestmark = [pytest.mark.promise("P7"), pytest.mark.timeout(1500)]

_MESSAGES = "SELECT count(*) FROM message"
_RECEIVED = "SELECT count(*) FROM event WHERE kind = 'message_received'"


@dataclass
class Mail:
    """Good webhooks and bad ones, by what is wrong with them."""

    good: list[str] = field(default_factory=list)
    unreadable: list[str] = field(default_factory=list)
    parser: list[str] = field(default_factory=list)
    handler: list[str] = field(default_factory=list)
    #: Of a kind that nobody knows yet: with somebody to show it for, and without.
    unknown: list[str] = field(default_factory=list)
    nobody: list[str] = field(default_factory=list)
    bodies: list[tuple[list[str], bytes]] = field(default_factory=list)

    @property
    def quarantined(self) -> int:
        return sum(map(len, (self.unreadable, self.parser, self.handler, self.unknown, self.nobody)))


def _mail(count: int) -> Mail:
    mail, turn = Mail(), 0
    kinds = ("unreadable", "parser", "handler", "unknown", "nobody")
    for number in range(count):
        kind = "good"
        if number % 10 == 5:
            kind, turn = kinds[turn % len(kinds)], turn + 1
        key = f"m{number}"
        getattr(mail, kind).append(key)
        mail.bodies.append(([key], _body(kind, key, number)))
    return mail


def _body(kind: str, key: str, number: int) -> bytes:
    texts = {"parser": f"PARSER-TRAP {key}", "handler": f"HANDLER-TRAP {key}"}
    event = line_event(key, user=number % 50, text=texts.get(kind))
    if kind == "unreadable":
        return f'{{"no events here": "{key}"}}'.encode()
    if kind in {"unknown", "nobody"}:
        event["type"] = "hologram"
    if kind == "nobody":
        del event["source"]
    return line_body([event])


async def test_one_bad_webhook_in_ten_is_kept_and_stands_in_nobodys_way(
    servers: Servers, database_url: str, history: History, rounds: Rounds
) -> None:
    mail, database = _mail(rounds(push=4_000, long=40_000)), Database(database_url)
    server = await servers(database_url, seeds={"stumble": ""})
    await _send(server, history, mail)
    assert history.statuses == {200: len(mail.bodies)}
    assert _missing(database, mail) == {}
    await server.stop()
    await _is_shown(server, mail)
    await _is_listed(server, mail)
    await _mend(server, database, mail)
    assert set(database.messages()) >= {*mail.good, *mail.parser, *mail.handler, *mail.unknown}
    await _replay_changes_nothing(server, database)
    history.acked -= {*mail.unreadable, *mail.nobody}
    found = judge(history, database, raw=False)
    assert not found.lost | found.doubled | found.invented, found
    assert not found.gaps, found


async def test_a_house_without_a_quarantine_is_caught(servers: Servers, sqlite_url: str, history: History) -> None:
    mail = _mail(200)
    server = await servers(sqlite_url, seeds={"stumble": "", "no_quarantine": ""})
    await _send(server, history, mail)
    assert set(_missing(Database(sqlite_url), mail)) == {"handler"}
    assert history.refused


async def _send(server: Server, history: History, mail: Mail) -> None:
    await swarm_bodies(Line(history), server.port, iter(mail.bodies))


def _missing(database: Database, mail: Mail) -> dict[str, Any]:
    """Return what is not where it should be: good ones stored, bad ones in the quarantine or shown as placeholders."""
    stored = set(database.messages())
    bodies = [(bytes(body), reason) for body, reason in database.rows(_QUARANTINED)]
    text = {reason: b"\n".join(body for body, why in bodies if why == reason) for _, reason in bodies}
    placeholders = database.rows("SELECT count(*) FROM message WHERE placeholder IS NOT NULL")[0][0]
    wrong: dict[str, Any] = {"good": set(mail.good) - stored}
    for kind, reasons in _REASONS.items():
        kept = b"\n".join(text.get(reason, b"") for reason in reasons)
        wrong[kind] = [key for key in getattr(mail, kind) if f'{key}"'.encode() not in kept]
    wrong["placeholders"] = len(mail.unknown) - placeholders
    return {name: value for name, value in wrong.items() if value}


_QUARANTINED = "SELECT body, reason FROM raw_request WHERE state = 'quarantined'"
_REASONS = {
    "unreadable": ("unreadable",),
    "parser": ("unreadable",),
    "handler": ("handler_error",),
    "unknown": ("unknown_kind",),
    "nobody": ("unknown_kind",),
}


async def _is_shown(server: Server, mail: Mail) -> None:
    """The operator sees all of it on the command line."""
    code, said = await server.command("dead-letters", "list", "--json", "--limit", "1000")
    assert code == 0, said
    letters = json.loads(said[said.index("[") :])
    assert len(letters) == min(mail.quarantined, 1000)


async def _is_listed(server: Server, mail: Mail) -> None:
    """Staff see all of it through the API, page by page."""
    async with signed_in(server) as ada:
        shown, after = set[str](), ""
        while True:
            status, page = await ada.get(f"/quarantine?limit=100{after}")
            assert status == 200, page
            shown |= {item["id"] for item in page["items"]}
            if page["next_cursor"] is None:
                break
            after = f"&cursor={page['next_cursor']}"
    assert await server.stop() == 0
    assert len(shown) == mail.quarantined


async def _mend(server: Server, database: Database, mail: Mail) -> None:
    """With a better program everything that can be read is read; what cannot stays where it is."""
    server.seeds = {"stumble": "mended"}
    code, said = await server.command("dead-letters", "retry", "--all")
    assert code == 1, said
    left = len(mail.unreadable) + len(mail.nobody)
    assert f"{left} still cannot be" in said
    code, said = await server.command("replay", "--since", "2h")
    assert code == 0, said
    assert database.rows("SELECT count(*) FROM raw_request WHERE state = 'quarantined'") == [(left,)]


async def _replay_changes_nothing(server: Server, database: Database) -> None:
    before = (database.rows(_MESSAGES), database.rows(_RECEIVED))
    code, said = await server.command("replay", "--since", "2h")
    assert code == 0, said
    assert ", 0 mended" in said
    assert (database.rows(_MESSAGES), database.rows(_RECEIVED)) == before

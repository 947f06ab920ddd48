"""A store that has been in use for years: the inbox, the search and the ingest over a million messages, on SQLite.

The messages are made by the database itself; python -m tests.bench.archive [--messages 1000000]
"""

from __future__ import annotations

import argparse
import asyncio
import itertools
import json
import random
import sqlite3
import statistics
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote

import aiohttp
from rich.console import Console
from rich.table import Table

from tests.bench.load import Load, Measured, request_bytes
from tests.bench.payloads import line_requests
from tests.bench.servers import Trunkline
from trunkline.plugins import load_registry
from trunkline.service.search.texts import message_words
from trunkline.store import Store

__all__ = ["archive_figures"]

_TEXTS, _WORDS, _SIGNS = 20_000, 4_000, 1_500
_PER_THREAD = 20
_DAYS = 150
_DAY_MS = 24 * 3600 * 1000
_ASKED = 600
_INGEST = 4_000
_SYLLABLES = ["ka", "lo", "mi", "ner", "to", "ru", "sa", "ven", "pi", "dor", "el", "qua", "xi", "ban", "um", "zet"]

_FILL = """
PRAGMA synchronous=OFF;
CREATE TEMP TABLE number (n INTEGER PRIMARY KEY);
WITH RECURSIVE up(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM up WHERE n < {messages})
  INSERT INTO number SELECT n FROM up;
INSERT INTO contact (id, name, created_at)
  SELECT printf('c%012d', n), 'Person ' || n, 0 FROM number WHERE n <= {threads};
INSERT INTO identity (id, account_id, external_id, kind, contact_id, name, reachable, profile_at, created_at)
  SELECT printf('i%012d', n), 'shop', printf('P%012d', n), 'person', printf('c%012d', n), 'Person ' || n, 1, 0, 0
  FROM number WHERE n <= {threads};
INSERT INTO thread (id, account_id, key, contact_id, identity_id, state, round, last_position, last_message_at,
                    last_inbound_at, unread, created_at)
  SELECT printf('t%012d', n), 'shop', printf('P%012d', n), printf('c%012d', n), printf('i%012d', n),
         CASE WHEN n % 10 = 0 THEN 'new' ELSE 'closed' END, 1, {per_thread},
         {began} + ({messages} - {threads} + n) * {step}, {began}, n % 3, 0
  FROM number WHERE n <= {threads};
INSERT INTO message (id, thread_id, position, account_id, direction, author_kind, author_name, content, at, late)
  SELECT printf('m%012d', n), printf('t%012d', n % {threads} + 1), (n - 1) / {threads} + 1, 'shop',
         CASE WHEN n % 2 THEN 'in' ELSE 'out' END, CASE WHEN n % 2 THEN 'contact' ELSE 'agent' END, 'Somebody',
         text.content, {began} + n * {step}, 0
  FROM number JOIN text ON text.k = (n * 7919) % {texts};
INSERT INTO search_message (id, message_id, at) SELECT n, printf('m%012d', n), {began} + n * {step} FROM number;
INSERT INTO search_message_words (rowid, words)
  SELECT number.n, text.words FROM number JOIN text ON text.k = (n * 7919) % {texts};
INSERT INTO cursor (name, position, fence) VALUES ('search', '0', 1);
"""


def _zipf(rng: random.Random, things: list[str], count: int) -> list[str]:
    weights = [1 / (rank + 3) for rank in range(len(things))]
    return rng.choices(things, weights, k=count)


def _texts(rng: random.Random) -> list[str]:
    """Return invented messages, half of them Chinese; few words are common and many are rare, as everywhere."""
    words = ["".join(rng.choices(_SYLLABLES, k=rng.randint(1, 4))) for _ in range(_WORDS)]
    signs = [chr(0x4E00 + number * 7) for number in range(_SIGNS)]
    latin = [" ".join(_zipf(rng, words, rng.randint(4, 14))) for _ in range(_TEXTS // 2)]
    return latin + ["".join(_zipf(rng, signs, rng.randint(6, 24))) for _ in range(_TEXTS - len(latin))]


async def _make(file: Path, messages: int, texts: list[str]) -> None:
    """Make the tables, then let the database fill them."""
    store = Store(f"sqlite:///{file}", migrations=load_registry().migrations())
    await store.open()
    await store.close()
    await asyncio.to_thread(_fill, file, messages, texts)


def _fill(file: Path, messages: int, texts: list[str]) -> None:
    threads = max(1, messages // _PER_THREAD)
    now, span = time.time_ns() // 1_000_000, _DAYS * _DAY_MS
    with sqlite3.connect(file) as connection:
        connection.execute("CREATE TEMP TABLE text (k INTEGER PRIMARY KEY, content TEXT, words TEXT)")
        contents = [json.dumps({"type": "text", "text": text}, ensure_ascii=False) for text in texts]
        rows = [(n, content, " ".join(message_words(content))) for n, content in enumerate(contents)]
        connection.executemany("INSERT INTO text VALUES (?, ?, ?)", rows)
        connection.executescript(
            _FILL.format(
                messages=messages,
                threads=threads,
                per_thread=_PER_THREAD,
                texts=len(texts),
                began=now - span,
                step=max(1, span // messages),
            )
        )
        connection.execute("ANALYZE")


def _questions(rng: random.Random, texts: list[str]) -> Iterator[str]:
    """Yield what agents search: two Chinese characters, a word, the beginning of one, two words."""
    half = len(texts) // 2
    while True:
        sentence = rng.choice(texts[half:])
        start = rng.randrange(len(sentence) - 1)
        yield sentence[start : start + 2]
        words = rng.choice(texts[:half]).split()
        yield rng.choice(words)
        yield rng.choice(words)[:3]
        yield " ".join(rng.sample(words, 2))


def _get(path: str, token: str) -> bytes:
    return request_bytes(f"/api/v1{path}", b"", {"Authorization": f"Bearer {token}"}, method="GET")


async def _ask(server: Trunkline, token: str, paths: list[str]) -> Measured:
    """Ask one after the other, as a person does."""
    load = Load("127.0.0.1", server.port, 1)
    await load.run(iter([_get(path, token) for path in paths[:20]]))
    measured = await load.run(iter([_get(path, token) for path in paths]))
    assert measured.answers == {200: len(paths)}, measured.answers
    return measured


async def archive_figures(messages: int, console: Console) -> None:
    """Measure, and print a table."""
    rng = random.Random(11)
    texts = _texts(rng)
    with tempfile.TemporaryDirectory(prefix="trunkline-bench-") as folder:
        file, began = Path(folder) / "archive.db", time.perf_counter()
        await _make(file, messages, texts)
        size = file.stat().st_size / 2**20
        console.print(f"{messages:,} messages made in {time.perf_counter() - began:.0f} s, {size:,.0f} MiB")
        async with Trunkline(f"sqlite:///{file}") as full, Trunkline() as empty, aiohttp.ClientSession() as session:
            token = await full.sign_in(session)
            await _show(console, full, token, rng, texts)
            await _compare(console, full, empty)


async def _show(console: Console, full: Trunkline, token: str, rng: random.Random, texts: list[str]) -> None:
    lists = ["/threads?limit=50", "/threads?assignee=none", "/threads?state=closed", "/threads?unread=true"]
    asked = {
        "inbox list": [lists[number % len(lists)] for number in range(_ASKED)],
        "counts": ["/threads/counts"] * _ASKED,
        "messages of a thread": [f"/threads/t{rng.randint(1, 1000):012d}/messages" for _ in range(_ASKED)],
        "search": [
            f"/search?scope=messages&q={quote(text)}" for text in itertools.islice(_questions(rng, texts), _ASKED)
        ],
    }
    table = Table(title="Over a full store, one agent, through HTTP")
    for heading in ("", "p50 ms", "p99 ms", "max ms"):
        table.add_column(heading, justify="left" if not heading else "right")
    for name, paths in asked.items():
        measured = await _ask(full, token, paths)
        times = [f"{measured.percentile_ms(share):.1f}" for share in (0.5, 0.99, 1.0)]
        table.add_row(name, *times)
    console.print(table)


async def _compare(console: Console, full: Trunkline, empty: Trunkline) -> None:
    """Print how fast webhooks come in, full ÷ empty, in turns."""
    rates: dict[Trunkline, list[float]] = {full: [], empty: []}
    for _ in range(3):
        for server, found in rates.items():
            load = Load("127.0.0.1", server.port, 32)
            await load.run(iter(line_requests(300)))
            found.append((await load.run(iter(line_requests(_INGEST)))).per_second)
    ratio = statistics.median(rates[full]) / statistics.median(rates[empty])
    console.print(f"ingest, full store ÷ empty: {ratio:.2f} ({statistics.median(rates[full]):,.0f} per second)")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--messages", type=int, default=1_000_000)
    asyncio.run(archive_figures(parser.parse_args().messages, Console()))

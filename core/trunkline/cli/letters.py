"""`trunkline dead-letters list|show|retry|skip|delete|export`: what could not be read, and what did not go out."""

from __future__ import annotations

import os
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from trunkline.cli.options import (
    AsJson,
    Config,
    Database,
    example,
    open_reader,
    read_settings,
    registry_of,
    run,
    store_of,
)
from trunkline.cli.replaying import moment_ms
from trunkline.cli.screen import progress, say, show, show_json
from trunkline.errors import StartRefused

if TYPE_CHECKING:
    from sqlalchemy.ext.asyncio import AsyncConnection

    from trunkline.model import Actor
    from trunkline.service.dead_letter_acts import Sweep
    from trunkline.service.dead_letters import Wanted
    from trunkline.settings import Settings

__all__ = ["app"]

app = typer.Typer(
    help="Requests that could not be read and replies that did not go out: look, try again, let be, delete.",
    no_args_is_help=True,
    epilog=example("trunkline dead-letters list"),
)

_COLUMNS = {
    "id": "Id",
    "kind": "Kind",
    "account_id": "Account",
    "at": "Since",
    "reason": "Reason",
    "code": "Code",
    "error": "What is wrong",
}
_FACTS = ("id", "kind", "account_id", "at", "state", "reason", "code", "error", "request_id", "thread_id", "message_id")
_TRIES = {
    "number": "Attempt",
    "ended_at": "When",
    "outcome": "Outcome",
    "status": "Status",
    "code": "Code",
    "text": "The platform's words",
    "request_id": "Its request id",
}
_PAGE = 100
_BATCH = 50

Letter = Annotated[str, typer.Argument(metavar="ID", help="From `trunkline dead-letters list`.")]
Some = Annotated[str | None, typer.Argument(metavar="ID", help="From `trunkline dead-letters list`.")]
OfKind = Annotated[
    Literal["received", "sent"] | None, typer.Option("--kind", help="Requests that came in, or replies of ours.")
]
OfAccount = Annotated[str | None, typer.Option("--account", help="Of this account only.")]
OfChannel = Annotated[str | None, typer.Option("--channel", help="Of accounts on this channel only.")]
OfReason = Annotated[str | None, typer.Option("--reason", help="Only these: unreadable, window_closed, …")]
OfCode = Annotated[str | None, typer.Option("--code", help="The platform's own error code, or the class of the error.")]
Since = Annotated[str | None, typer.Option("--since", help="From then on: a time, or an age (45m, 2h, 7d).")]
Until = Annotated[str | None, typer.Option("--until", help="Before then: a time, or an age.")]
Because = Annotated[str, typer.Option("--reason", help="Why; kept with the letter.")]


class _Asked:
    """Which letters somebody asks for; channels become accounts when the database is open."""

    def __init__(
        self, *, kind: Any, account: str | None, channel: str | None, reason: str | None, code: str | None,
        since: str | None, until: str | None,
    ) -> None:  # fmt: skip
        self._account, self._channel = account, channel
        self._plain = {"kind": kind, "reason": reason, "code": code}
        self._plain |= {"since": since and moment_ms(since, "--since"), "until": until and moment_ms(until, "--until")}

    async def wanted(self, connection: AsyncConnection) -> Wanted:
        from sqlalchemy import select

        from trunkline.service.dead_letters import Wanted
        from trunkline.store import schema

        accounts = None if self._account is None else frozenset({self._account})
        if self._channel is not None:
            known = select(schema.account.c.id).where(schema.account.c.channel == self._channel)
            on_it = frozenset((await connection.execute(known)).scalars())
            accounts = on_it if accounts is None else accounts & on_it
        return Wanted(accounts=accounts, **self._plain)


# ---------------------------------------------------------------- looking


@app.command("list", epilog=example("trunkline dead-letters list --account shop --since 2h --json"))
def list_letters(
    kind: OfKind = None,
    account: OfAccount = None,
    channel: OfChannel = None,
    reason: OfReason = None,
    code: OfCode = None,
    since: Since = None,
    until: Until = None,
    limit: Annotated[int, typer.Option("--limit", min=1, max=1000, help="How many at most.")] = _PAGE,
    config: Config = None,
    database: Database = None,
    as_json: AsJson = False,
) -> None:
    """List what waits for a person, newest first; works while Trunkline serves."""
    settings = read_settings(config, database__url=database)
    asked = _Asked(
        kind=kind, account=account, channel=channel, reason=reason, code=code, since=since, until=until
    )  # fmt: skip
    rows = run(_listed(settings, asked, limit))
    show(_harmless(rows), _COLUMNS, as_json=as_json, empty="Nothing waits: all was read, and all went out.")


async def _listed(settings: Settings, asked: _Asked, limit: int) -> list[dict[str, Any]]:
    from trunkline.service.dead_letters import read_letters

    async with _reader(settings) as connection:
        return await connection.run_sync(read_letters, await asked.wanted(connection), None, limit)


@app.command("show", epilog=example("trunkline dead-letters show 0199…"))
def show_letter(letter: Letter, config: Config = None, database: Database = None, as_json: AsJson = False) -> None:
    """Show one with all that is stored of it, secrets masked; works while Trunkline serves."""
    found = run(_shown(read_settings(config, database__url=database), letter))
    if as_json:
        show_json(found)
        return
    facts = [{"what": name, "value": found[name]} for name in _FACTS if found[name] is not None]
    facts += [{"what": f"header {name}", "value": value} for name, value in found["headers"].items()]
    facts += [{"what": f"query {name}", "value": value} for name, value in found["query"].items()]
    show(_harmless(facts), {"what": "What", "value": "Found"}, as_json=False, empty="")
    if found["tries"]:
        show(_harmless(found["tries"]), _TRIES, as_json=False, empty="")
    say(_harmless_text(found["payload"]["text"]))
    if found["payload"]["cut"]:
        say(f"… {found['payload']['size']} bytes in all.")


async def _shown(settings: Settings, letter: str) -> dict[str, Any]:
    from trunkline.service.dead_letters import read_letter

    async with _reader(settings) as connection:
        found = await connection.run_sync(read_letter, letter)
    if found is None:
        raise StartRefused(f"There is no dead letter {letter}: see `trunkline dead-letters list`.")
    return found


@app.command(epilog=example("trunkline dead-letters export --since 7d --to letters.jsonl"))
def export(
    kind: OfKind = None,
    account: OfAccount = None,
    channel: OfChannel = None,
    reason: OfReason = None,
    code: OfCode = None,
    since: Since = None,
    until: Until = None,
    to: Annotated[Path | None, typer.Option("--to", metavar="FILE", help="A new file; else standard output.")] = None,
    config: Config = None,
    database: Database = None,
) -> None:
    """Write all that match as JSON lines, secrets masked; works while Trunkline serves."""
    settings = read_settings(config, database__url=database)
    asked = _Asked(
        kind=kind, account=account, channel=channel, reason=reason, code=code, since=since, until=until
    )  # fmt: skip
    count = run(_export(settings, asked, to))
    if to is not None:
        say(f"{to}: {count} written. They hold what customers wrote.")


async def _export(settings: Settings, asked: _Asked, to: Path | None) -> int:
    import msgspec

    count = 0
    with progress("Writing") as bar, _opened(to) as out:
        async for letter in _letters(settings, asked):
            out.write(msgspec.json.encode(letter).decode() + "\n")
            count += 1
            bar.update(bar.task_ids[0], completed=count, description=f"Writing, {count} done")
    return count


def _opened(to: Path | None) -> Any:
    """Open a new file that only its owner may read, or standard output."""
    if to is None:
        return os.fdopen(os.dup(sys.stdout.fileno()), "w", encoding="utf-8")
    try:
        return os.fdopen(os.open(to, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8")
    except OSError as error:
        raise StartRefused(f"{to} cannot be written: {error.strerror}. Name a new file.") from error


async def _letters(settings: Settings, asked: _Asked) -> AsyncIterator[dict[str, Any]]:
    from trunkline.service.dead_letters import read_letter, read_letters

    async with _reader(settings) as connection:
        wanted, before = await asked.wanted(connection), None
        while lines := await connection.run_sync(read_letters, wanted, before, _PAGE):
            for line in lines:
                before = line["id"]
                found = await connection.run_sync(read_letter, before)
                if found is not None:
                    yield found


@asynccontextmanager
async def _reader(settings: Settings) -> AsyncIterator[AsyncConnection]:
    """Borrow a connection that only reads, and know what must not be shown."""
    from trunkline.cli.known_secrets import know_secrets

    registry = registry_of(settings)
    async with open_reader(store_of(settings, registry)) as connection:
        await know_secrets(connection, settings, registry)
        yield connection


def _harmless(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [
        {name: _harmless_text(value) if isinstance(value, str) else value for name, value in row.items()}
        for row in rows
    ]


def _harmless_text(text: str) -> str:
    from trunkline.service.payload_masks import printable

    return printable(text)


# ---------------------------------------------------------------- doing


@app.command(
    epilog=example("trunkline dead-letters retry 0199…", "trunkline dead-letters retry --all --account shop --dry-run")
)
def retry(
    letter: Some = None,
    everything: Annotated[bool, typer.Option("--all", help="All that match; requests, if no --kind is given.")] = False,
    kind: OfKind = None,
    account: OfAccount = None,
    channel: OfChannel = None,
    reason: OfReason = None,
    code: OfCode = None,
    since: Since = None,
    until: Until = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only tell how many it would mend.")] = False,
    config: Config = None,
    database: Database = None,
) -> None:
    """Read a request again or send a reply again, or all that match; nothing becomes double."""
    filters = (kind, account, channel, reason, code, since, until)
    if (letter is None) is not everything or (letter is not None and (dry_run or any(filters))):
        raise typer.BadParameter("name one, or say --all and which", param_hint="ID")
    settings = read_settings(config, database__url=database)
    if letter is not None:
        run(_retry(settings, letter))
        say(f"{letter} is done.")
        return
    asked = _Asked(
        kind=kind or "received", account=account, channel=channel, reason=reason, code=code, since=since, until=until
    )
    _tell(run(_sweep(settings, asked, dry_run=dry_run)), dry_run=dry_run)


async def _retry(settings: Settings, letter: str) -> None:
    from trunkline.main import open_house
    from trunkline.service.dead_letter_acts import retry_letter

    async with open_house(settings) as house:
        await retry_letter(house, letter, _operator())


async def _sweep(settings: Settings, asked: _Asked, *, dry_run: bool) -> Sweep:
    """Walk through all that match, batch after batch, and return what it came to."""
    from trunkline.main import open_house
    from trunkline.service.dead_letter_acts import Sweep, sweep

    async with open_house(settings) as house:
        async with house.store.read() as connection:
            wanted = await asked.wanted(connection)
        total, upto, after = Sweep(matching=0), None, None
        with progress("Trying again") as bar:
            while True:
                one = await sweep(house, wanted, _operator(), dry_run=dry_run, upto=upto, after=after, limit=_BATCH)
                total.matching = total.matching or one.matching
                total.tried, total.done, total.failed = (
                    total.tried + one.tried, total.done + one.done, total.failed + one.failed
                )  # fmt: skip
                total.failures = [*total.failures, *one.failures]
                bar.update(bar.task_ids[0], completed=total.tried, total=total.matching)
                upto, after = one.upto, one.after
                if after is None:
                    return total


def _tell(found: Sweep, *, dry_run: bool) -> None:
    would = " would be" if dry_run else ""
    say(f"{found.matching} match: {found.done}{would} mended, {found.failed} still cannot be.")
    for failure in found.failures:
        say(f"  {failure.id}: {_harmless_text(failure.words)}")
    if found.failed and not dry_run:
        raise StartRefused("Some are as dead as before: mend what stands in the way, or skip them with a reason.")


@app.command(epilog=example('trunkline dead-letters skip 0199… --reason "a test of the platform"'))
def skip(letter: Letter, reason: Because, config: Config = None, database: Database = None) -> None:
    """Let one be, for good; what is stored of it stays, with your reason."""
    run(_settle(read_settings(config, database__url=database), letter, _words(reason), delete=False))
    say(f"{letter} is skipped.")


@app.command(epilog=example('trunkline dead-letters delete 0199… --reason "asked to forget"'))
def delete(letter: Letter, reason: Because, config: Config = None, database: Database = None) -> None:
    """Delete what one holds; that it was there stays, with your reason, and a repeat of it is known."""
    run(_settle(read_settings(config, database__url=database), letter, _words(reason), delete=True))
    say(f"{letter} is deleted.")


def _words(reason: str) -> str:
    if not reason.strip():
        raise typer.BadParameter("say why, in a few words", param_hint="--reason")
    return reason.strip()[:500]


async def _settle(settings: Settings, letter: str, reason: str, *, delete: bool) -> None:
    from trunkline.main import open_house
    from trunkline.service.dead_letter_acts import delete_letter, skip_letter

    act = delete_letter if delete else skip_letter
    async with open_house(settings) as house:
        now = house.clock.now_ms()
        await house.store.writer.write(lambda tx: act(tx, letter, reason, actor=_operator(), now=now))


def _operator() -> Actor:
    from trunkline.model import Actor, ActorKind

    return Actor(ActorKind.OPERATOR, name="command line")

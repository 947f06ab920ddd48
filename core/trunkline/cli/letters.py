"""`trunkline replay` and `trunkline dead-letters list|retry|skip`: reading again what was received."""

from __future__ import annotations

import re
from datetime import datetime
from typing import TYPE_CHECKING, Annotated, Any

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
from trunkline.cli.screen import progress, say, show, show_json
from trunkline.errors import StartRefused, TrunklineError

if TYPE_CHECKING:
    from trunkline.model import Actor
    from trunkline.service.replay import ReplayReport
    from trunkline.settings import Settings
    from trunkline.store import Store

__all__ = ["app", "register"]

app = typer.Typer(
    help="Requests that were stored and could not be read: list them, try again, or skip with a reason.",
    no_args_is_help=True,
    epilog=example("trunkline dead-letters list"),
)

_UNITS_MS = {"s": 1_000, "m": 60_000, "h": 3_600_000, "d": 86_400_000}
_COLUMNS = {
    "id": "Id",
    "account_id": "Account",
    "at": "Received",
    "reason": "Reason",
    "error": "What is wrong",
}
_PAGE = 100

Letter = Annotated[str, typer.Argument(metavar="ID", help="From `trunkline dead-letters list`.")]


def register(root: typer.Typer) -> None:
    """Add the command that stands alone."""
    root.command(epilog=example("trunkline replay --since 2h --dry-run", "trunkline replay --since 2026-11-20"))(replay)


# ---------------------------------------------------------------- replay


def replay(
    since: Annotated[str, typer.Option("--since", help="A time (2026-11-20T08:00Z) or an age (45m, 2h, 7d).")],
    account: Annotated[str | None, typer.Option("--account", help="This account only.")] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only tell what would change.")] = False,
    config: Config = None,
    database: Database = None,
    as_json: AsJson = False,
) -> None:
    """Read stored requests again with today's code; repair what comes out differently, duplicate nothing."""
    settings = read_settings(config, database__url=database)
    report = run(_replay(settings, _since_ms(since), account, dry_run=dry_run))
    if as_json:
        show_json(report)
        return
    would = "would be " if dry_run else ""
    say(f"{report.read} requests read, {report.same} as before, {len(report.differences)} {would}mended.")
    for found in report.differences:
        change = f": {found.before or '-'} → {found.after or '-'}" if found.before or found.after else ""
        say(f"  {found.kind} {found.account_id} {found.platform_kind} {found.dedupe_key}{change}")
    for raw_id, words in report.unreadable:
        say(f"  unreadable {raw_id}: {words}")


async def _replay(settings: Settings, since_ms: int, account: str | None, *, dry_run: bool) -> ReplayReport:
    from trunkline.main import open_house
    from trunkline.service.replay import replay as read_again

    async with open_house(settings) as house:
        if account is not None and house.accounts.get(account) is None:
            raise StartRefused(f'There is no account "{account}": see `trunkline account list`.')
        with progress("Reading again") as bar:

            def on_progress(read: int) -> None:
                bar.update(bar.task_ids[0], completed=read, description=f"Reading again, {read} done")

            return await read_again(house, since_ms, account, dry_run=dry_run, on_progress=on_progress)


def _since_ms(text: str) -> int:
    from trunkline.clock import SystemClock, to_ms

    if age := re.fullmatch(r"(\d+)\s*([smhd])", text.strip()):
        return SystemClock().now_ms() - int(age[1]) * _UNITS_MS[age[2]]
    try:
        moment = datetime.fromisoformat(text.strip())
    except ValueError:
        raise typer.BadParameter(f"{text!r} is neither a time nor an age", param_hint="--since") from None
    return to_ms(moment if moment.tzinfo else moment.astimezone())


# ---------------------------------------------------------------- dead letters


@app.command("list", epilog=example("trunkline dead-letters list --account shop --json"))
def list_letters(
    account: Annotated[str | None, typer.Option("--account", help="This account only.")] = None,
    limit: Annotated[int, typer.Option("--limit", min=1, max=1000, help="How many at most.")] = _PAGE,
    config: Config = None,
    database: Database = None,
    as_json: AsJson = False,
) -> None:
    """List what waits in the quarantine, newest first; works while Trunkline serves."""
    settings = read_settings(config, database__url=database)
    rows = run(_listed(store_of(settings, registry_of(settings)), account, limit))
    show(rows, _COLUMNS, as_json=as_json, empty="Nothing waits: every request could be read.")


async def _listed(store: Store, account: str | None, limit: int) -> list[dict[str, Any]]:
    from sqlalchemy import select

    from trunkline.clock import to_text
    from trunkline.store import schema

    raw = schema.raw_request
    query = select(raw.c.id, raw.c.account_id, raw.c.received_at, raw.c.reason, raw.c.error, raw.c.attempts)
    query = query.where(raw.c.state == "quarantined").order_by(raw.c.id.desc()).limit(limit)
    if account is not None:
        query = query.where(raw.c.account_id == account)
    async with open_reader(store) as connection:
        rows = (await connection.execute(query)).mappings().all()
    return [{**row, "at": to_text(row["received_at"])} for row in rows]


@app.command(epilog=example("trunkline dead-letters retry 0199…", "trunkline dead-letters retry --all"))
def retry(
    letter: Annotated[str | None, typer.Argument(metavar="ID", help="From `trunkline dead-letters list`.")] = None,
    everything: Annotated[bool, typer.Option("--all", help="All that wait.")] = False,
    config: Config = None,
    database: Database = None,
) -> None:
    """Read one request again, or all that wait."""
    if (letter is None) is not everything:
        raise typer.BadParameter("name one, or say --all", param_hint="ID")
    settings = read_settings(config, database__url=database)
    read, failed = run(_retry(settings, letter))
    say(f"{read} read, {len(failed)} still cannot be.")
    for words in failed:
        say(f"  {words}")
    if failed:
        raise StartRefused("Some requests still cannot be read: mend the connector, or skip them with a reason.")


async def _retry(settings: Settings, letter: str | None) -> tuple[int, list[str]]:
    from trunkline.main import open_house
    from trunkline.service.quarantine import retry as try_again

    failed = []
    async with open_house(settings) as house:
        chosen = [letter] if letter else [row["id"] for row in await _listed(house.store, None, 1000)]
        with progress("Reading again", total=len(chosen)) as bar:
            for raw_id in chosen:
                try:
                    await try_again(house, raw_id, _operator())
                except TrunklineError as error:
                    failed.append(f"{raw_id}: {error}")
                bar.advance(bar.task_ids[0])
    return len(chosen) - len(failed), failed


@app.command(epilog=example('trunkline dead-letters skip 0199… --reason "a test of the platform"'))
def skip(
    letter: Letter,
    reason: Annotated[str, typer.Option("--reason", help="Why; kept with the request.")],
    config: Config = None,
    database: Database = None,
) -> None:
    """Take one request out of the quarantine for good; it stays stored, with your reason."""
    if not reason.strip():
        raise typer.BadParameter("say why, in a few words", param_hint="--reason")
    run(_skip(read_settings(config, database__url=database), letter, reason))
    say(f"{letter} is skipped.")


async def _skip(settings: Settings, letter: str, reason: str) -> None:
    from trunkline.main import open_house
    from trunkline.service.quarantine import skip as leave_out

    async with open_house(settings) as house:
        await leave_out(house, letter, reason, _operator())


def _operator() -> Actor:
    from trunkline.model import Actor, ActorKind

    return Actor(ActorKind.OPERATOR, name="command line")

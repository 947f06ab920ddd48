"""`trunkline replay`: reading again what was received."""

from __future__ import annotations

import re
from datetime import datetime
from typing import TYPE_CHECKING, Annotated

import typer

from trunkline.cli.options import AsJson, Config, Database, example, read_settings, run
from trunkline.cli.screen import progress, say, show_json
from trunkline.errors import StartRefused

if TYPE_CHECKING:
    from trunkline.service.replay import ReplayReport
    from trunkline.settings import Settings

__all__ = ["moment_ms", "register"]

_UNITS_MS = {"s": 1_000, "m": 60_000, "h": 3_600_000, "d": 86_400_000}


def register(root: typer.Typer) -> None:
    """Add the command."""
    root.command(epilog=example("trunkline replay --since 2h --dry-run", "trunkline replay --since 2026-11-20"))(replay)


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
    report = run(_replay(settings, moment_ms(since, "--since"), account, dry_run=dry_run))
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


def moment_ms(text: str, option: str) -> int:
    """Return a time or an age as milliseconds since the epoch."""
    from trunkline.clock import SystemClock, to_ms

    if age := re.fullmatch(r"(\d+)\s*([smhd])", text.strip()):
        return SystemClock().now_ms() - int(age[1]) * _UNITS_MS[age[2]]
    try:
        moment = datetime.fromisoformat(text.strip())
    except ValueError:
        raise typer.BadParameter(f"{text!r} is neither a time nor an age", param_hint=option) from None
    return to_ms(moment if moment.tzinfo else moment.astimezone())

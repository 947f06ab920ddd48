"""`trunkline doctor`: what is wrong with an installation, and what to do about it."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated

import typer

from trunkline.cli.options import AsJson, Config, Database, example, read_settings, run
from trunkline.cli.screen import say, show_json
from trunkline.errors import ConfigError, StartRefused

__all__ = ["register"]

_MARKS = {"ok": "✓", "note": "·", "warning": "!", "failure": "✗"}


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command(epilog=example("trunkline doctor", "trunkline doctor --probe --json"))(doctor)


def doctor(
    config: Config = None,
    database: Database = None,
    probe: Annotated[bool, typer.Option("--probe", help="Also ask the platforms about the accounts.")] = False,
    as_json: AsJson = False,
) -> None:
    """Say what is wrong with this installation and its configuration, and how to mend it."""
    from trunkline.cli.checks import Finding, check_config_error, check_everything, check_machine

    findings: list[Finding]
    try:
        settings = read_settings(config, database__url=database)
    except ConfigError as error:
        findings = [*check_machine(), check_config_error(error)]
    else:
        findings = run(check_everything(settings, probe=probe))
    if as_json:
        show_json([asdict(finding) for finding in findings])
    else:
        for finding in findings:
            say(f"{_MARKS[finding.level]} {finding.words}")
            if finding.fix:
                say(f"  → {finding.fix}")
    failures = sum(finding.level == "failure" for finding in findings)
    if failures:
        raise StartRefused(f"{failures} of {len(findings)} checks failed: each says what to do.")

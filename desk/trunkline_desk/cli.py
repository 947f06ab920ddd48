"""`trunkline agent add|list|reset`: the people on our side, from the terminal."""

from __future__ import annotations

from collections.abc import Callable
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, Any, TypeVar

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
from trunkline.cli.screen import say, show, show_json
from trunkline.errors import StartRefused

if TYPE_CHECKING:
    from trunkline.settings import Settings
    from trunkline.store import Transaction

__all__ = ["app"]

T = TypeVar("T")

app = typer.Typer(
    name="agent",
    help="The people who answer: invite them, list them, give them a new set-up link.",
    no_args_is_help=True,
    epilog=example("trunkline agent add ada@shop.example --role admin --name Ada"),
)

_COLUMNS = {"email": "E-mail", "name": "Name", "role": "Role", "enabled": "Enabled", "has_password": "Set up"}


class RoleName(StrEnum):
    """What an agent may do."""

    ADMIN = "admin"
    AGENT = "agent"


Email = Annotated[str, typer.Argument(metavar="EMAIL", help="What they sign in with.")]


@app.command(epilog=example("trunkline agent add ada@shop.example --role admin --name Ada"))
def add(
    email: Email,
    role: Annotated[RoleName, typer.Option("--role", help="An admin also manages agents.")] = RoleName.AGENT,
    name: Annotated[str | None, typer.Option("--name", help="What colleagues and customers see.")] = None,
    config: Config = None,
    database: Database = None,
    as_json: AsJson = False,
) -> None:
    """Invite an agent and print their one-time set-up link, good for three days."""
    from trunkline.model import Actor, ActorKind
    from trunkline_desk.api.models.people import AgentBody
    from trunkline_desk.people.agents import create_agent

    settings = read_settings(config, database__url=database)
    person = _checked(AgentBody, email=email, name=name or email.partition("@")[0], role=role.value)

    def work(tx: Transaction, now: int) -> tuple[dict[str, Any], str]:
        actor = Actor(ActorKind.OPERATOR, None, "command line")
        return create_agent(tx, (person.email, person.name, person.role), actor, now)

    _tell(settings, run(_written(settings, work)), as_json=as_json)


@app.command(epilog=example("trunkline agent reset ada@shop.example"))
def reset(email: Email, config: Config = None, database: Database = None, as_json: AsJson = False) -> None:
    """End an agent's password and tokens, and print a new set-up link."""
    from trunkline.model import Actor, ActorKind
    from trunkline_desk.people.agents import invite_again

    settings = read_settings(config, database__url=database)

    def work(tx: Transaction, now: int) -> tuple[dict[str, Any], str]:
        return invite_again(tx, email.strip().lower(), Actor(ActorKind.OPERATOR, None, "command line"), now)

    _tell(settings, run(_written(settings, work)), as_json=as_json)


@app.command("list", epilog=example("trunkline agent list --json"))
def list_agents(config: Config = None, database: Database = None, as_json: AsJson = False) -> None:
    """List all agents; works while Trunkline serves."""
    settings = read_settings(config, database__url=database)
    empty = "There is no agent yet: start `trunkline serve` and follow the link that it prints."
    show(run(_listed(settings)), _COLUMNS, as_json=as_json, empty=empty)


def _checked(model: type[Any], **values: str) -> Any:
    """Return validated values.

    Raises:
        BadParameter: in words.
    """
    from pydantic import ValidationError

    try:
        return model(**values)
    except ValidationError as error:
        first = error.errors(include_input=False, include_url=False)[0]
        words = "is no address" if first["type"] == "string_pattern_mismatch" else first["msg"]
        raise typer.BadParameter(f"{first['loc'][0]}: {words}") from None


def _tell(settings: Settings, made: tuple[dict[str, Any], str], *, as_json: bool) -> None:
    from trunkline_desk.people.links import link_address

    agent, token = made
    server = settings.server
    link = link_address(server.public_url or f"http://{server.listen}", token)
    if as_json:
        show_json({"agent": agent, "setup_url": link})
    else:
        say(f"{agent['name']} ({agent['role']}) sets a password here, within three days and once:\n\n  {link}\n")


async def _written(settings: Settings, work: Callable[[Transaction, int], T]) -> T:
    """Run a write on the database itself.

    Raises:
        StartRefused: the database is in use; the message names the other way.
    """
    from trunkline.clock import SystemClock

    store = store_of(settings, registry_of(settings))
    try:
        await store.open()
    except StartRefused as error:
        raise StartRefused(
            f"{error} While Trunkline runs, an admin can do this through its API, see /api/docs."
        ) from error
    now = SystemClock().now_ms()
    try:
        return await store.writer.write(lambda tx: work(tx, now))
    finally:
        await store.close()


async def _listed(settings: Settings) -> list[dict[str, Any]]:
    from sqlalchemy import select

    from trunkline_desk.people.tokens import agent_snapshot
    from trunkline_desk.schema import agent

    async with open_reader(store_of(settings, registry_of(settings))) as connection:
        rows = (await connection.execute(select(agent).order_by(agent.c.email))).all()
    return [agent_snapshot(row) | {"has_password": row.password_hash is not None} for row in rows]

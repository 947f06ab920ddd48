"""Agents: list, invite, change."""

from __future__ import annotations

from typing import Any

from sqlalchemy import select

from trunkline_desk.api.actors import log_actor
from trunkline_desk.api.models.people import Agent, AgentBody, AgentChange, AgentInvited, AgentPage
from trunkline_desk.api.models.threads import PageQuery
from trunkline_desk.api.models.words import EmptyBody
from trunkline_desk.api.route import Call, Route
from trunkline_desk.people.agents import change_agent, create_agent, reset_agent
from trunkline_desk.people.links import link_address
from trunkline_desk.people.roles import Action
from trunkline_desk.people.tokens import agent_snapshot, revoke_tokens
from trunkline_desk.schema import agent
from trunkline_desk.threads.rows import Database, Id, ask, cursor_of, not_found, read_cursor

__all__ = ["ROUTES"]


async def agents(call: Call[None, PageQuery]) -> dict[str, Any]:
    """Return everybody on our side, in the order of their coming."""
    return await ask(call.desk.house.store, _page, call.query.cursor, call.query.limit)


def _page(database: Database, cursor: str | None, limit: int) -> dict[str, Any]:
    statement = select(agent).order_by(agent.c.id).limit(limit + 1)
    if cursor is not None:
        statement = statement.where(agent.c.id > read_cursor(cursor, tuple[Id])[0])
    rows = database.execute(statement).all()
    more = len(rows) > limit
    return {
        "items": [agent_snapshot(row) for row in rows[:limit]],
        "next_cursor": cursor_of(rows[limit - 1].id) if more else None,
    }


async def invite(call: Call[AgentBody, None]) -> dict[str, Any]:
    """Make an agent and the link that they set their password with."""
    person = (call.body.email, call.body.name, call.body.role)

    def work(tx: Any) -> dict[str, Any]:
        shown, token = create_agent(tx, person, log_actor(call), call.now)
        return {"agent": shown, "setup_url": link_address(call.desk.public_url, token)}

    return await call.commit(work)


async def change(call: Call[AgentChange, None]) -> dict[str, Any]:
    """Change an agent; whoever loses rights is signed out everywhere, at once."""
    changes = call.body.model_dump(exclude_none=True)
    agent_id = call.path("agent_id")
    shown = await call.commit(lambda tx: change_agent(tx, agent_id, changes, log_actor(call), call.now))
    call.desk.later(call.desk.sockets.end_dead(), "end_sockets")
    return shown


async def reset(call: Call[EmptyBody, None]) -> dict[str, Any]:
    """End an agent's password and tokens and make a new link, for somebody who forgot or lost something."""
    agent_id = call.path("agent_id")

    def work(tx: Any) -> dict[str, Any]:
        row = tx.execute(select(agent).where(agent.c.id == agent_id)).one_or_none()
        if row is None:
            raise not_found("agent")
        token = reset_agent(tx, row, log_actor(call), call.now)
        return {"agent": agent_snapshot(row), "setup_url": link_address(call.desk.public_url, token)}

    made = await call.commit(work)
    call.desk.later(call.desk.sockets.end_dead(), "end_sockets")
    return made


async def end_sessions(call: Call[None, None]) -> None:
    """Sign an agent out everywhere, open feeds included."""
    agent_id = call.path("agent_id")

    def work(tx: Any) -> None:
        row = tx.execute(select(agent).where(agent.c.id == agent_id)).one_or_none()
        if row is None:
            raise not_found("agent")
        revoke_tokens(tx, agent_id)
        payload = {"agent": agent_snapshot(row)}
        tx.append("sessions_ended", actor=log_actor(call), at=call.now, payload=payload)

    await call.commit(work)
    call.desk.later(call.desk.sockets.end_dead(), "end_sockets")


ROUTES = (
    Route(
        method="GET",
        path="/agents",
        handler=agents,
        action=Action.READ_AGENTS,
        operation="agents",
        summary="Everybody on our side.",
        query=PageQuery,
        answer=AgentPage,
    ),
    Route(
        method="POST",
        path="/agents",
        handler=invite,
        action=Action.MANAGE_AGENTS,
        operation="invite_agent",
        summary="Invite an agent; the answer holds their one-time link.",
        status=201,
        body=AgentBody,
        answer=AgentInvited,
        refusals=((409, "email_taken"),),
        secret=True,
    ),
    Route(
        method="PATCH",
        path="/agents/{agent_id}",
        handler=change,
        action=Action.MANAGE_AGENTS,
        operation="change_agent",
        summary="Change name, role or enabled; less rights end all tokens.",
        body=AgentChange,
        answer=Agent,
        refusals=((404, "unknown_agent"), (409, "last_admin")),
    ),
    Route(
        method="POST",
        path="/agents/{agent_id}/reset",
        handler=reset,
        action=Action.MANAGE_AGENTS,
        operation="reset_agent",
        summary="End an agent's password and tokens; the answer holds their new one-time link.",
        body=EmptyBody,
        answer=AgentInvited,
        refusals=((404, "unknown_agent"),),
        secret=True,
    ),
    Route(
        method="DELETE",
        path="/agents/{agent_id}/sessions",
        handler=end_sessions,
        action=Action.MANAGE_AGENTS,
        operation="end_sessions",
        summary="Sign an agent out everywhere.",
        status=204,
        refusals=((404, "unknown_agent"),),
    ),
)

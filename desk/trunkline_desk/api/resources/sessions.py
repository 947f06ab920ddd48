"""Coming in: the one-time link, signing in and out, who I am."""

from __future__ import annotations

from typing import Any

from sqlalchemy import select, update

from trunkline.http.problems import Problem, client_address
from trunkline.log import get_logger
from trunkline.model import Actor as LogActor
from trunkline.model import ActorKind
from trunkline_desk.api.models.people import Agent, Invitation, SessionGrant, SetupBody, SignInBody
from trunkline_desk.api.route import Call, Route
from trunkline_desk.people.agents import link_refused, set_up
from trunkline_desk.people.links import find_link
from trunkline_desk.people.roles import Action
from trunkline_desk.people.throttle import PER_ACCOUNT, PER_ADDRESS
from trunkline_desk.people.tokens import Grant, give_token, revoke_token
from trunkline_desk.schema import agent

__all__ = ["ROUTES"]

log = get_logger("desk")


async def invitation(call: Call[None, None]) -> dict[str, Any]:
    """Return whom a link is for."""
    call.desk.throttle.count((PER_ADDRESS, client_address(call.request)))
    async with call.desk.house.store.read() as connection:
        link = (await connection.execute(find_link(call.path("token"), call.now))).one_or_none()
    if link is None:
        raise link_refused()
    return {"email": link.email, "name": link.name, "role": link.role}


async def use_invitation(call: Call[SetupBody, None]) -> Grant:
    """Give an agent their password; looked at before the slow hash, decided in the transaction."""
    desk, body = call.desk, call.body
    desk.throttle.count((PER_ADDRESS, client_address(call.request)))
    async with desk.house.store.read() as connection:
        if (await connection.execute(find_link(body.token, call.now))).first() is None:
            raise link_refused()
    await desk.passwords.insist(body.password, about=(body.email, body.name, "trunkline"))
    person = (body.email, body.name, await desk.passwords.hash(body.password))
    return await call.commit(lambda tx: set_up(tx, body.token, person, call.now))


async def sign_in(call: Call[SignInBody, None]) -> Grant:
    """Give a token for the right password; a wrong one, an unknown address and a disabled agent look the same."""
    desk, body = call.desk, call.body
    address = client_address(call.request)
    desk.throttle.count((PER_ACCOUNT, body.email), (PER_ADDRESS, address))
    async with desk.house.store.read() as connection:
        row = (await connection.execute(select(agent).where(agent.c.email == body.email))).one_or_none()
    stored = row.password_hash if row is not None and row.enabled else None
    matches = await desk.passwords.verify(stored, body.password)
    if row is None or stored is None or not matches:
        log.warning("auth.failed", address=address, agent_id=row.id if row else None)
        desk.house.metrics.auth_failures.labels("sign_in").inc()
        raise Problem(401, "sign_in_refused", "The address or the password is wrong.")
    renewed = await desk.passwords.hash(body.password) if desk.passwords.is_outdated(stored) else None
    grant = await call.commit(lambda tx: _come_in(tx, row, stored, renewed, call.now))
    log.info("auth.succeeded", address=address, agent_id=row.id)
    return grant


def _come_in(tx: Any, row: Any, stored: str, renewed: str | None, now: int) -> Grant:
    """Give the token, unless the agent was changed while the password was verified."""
    unchanged = (agent.c.id == row.id) & agent.c.enabled.is_(True) & (agent.c.password_hash == stored)
    if tx.execute(update(agent).where(unchanged).values(password_hash=renewed or stored)).rowcount != 1:
        raise Problem(401, "sign_in_refused", "The address or the password is wrong.")
    return give_token(tx, row.id, now)


async def sign_out(call: Call[None, None]) -> None:
    """End the token that asks."""
    actor = call.actor
    who = LogActor(ActorKind.AGENT, actor.id, actor.name)

    def work(tx: Any) -> None:
        revoke_token(tx, actor.token_id)
        tx.append("signed_out", actor=who, at=call.now, payload={"agent": {"id": actor.id, "name": actor.name}})

    await call.commit(work)
    call.desk.later(call.desk.sockets.end_dead(), "end_sockets")


async def me(call: Call[None, None]) -> dict[str, Any]:
    """Return who asks."""
    actor = call.actor
    return {"id": actor.id, "name": actor.name, "email": actor.email, "role": actor.role.value, "enabled": True}


ROUTES = (
    Route(
        method="POST",
        path="/setup",
        handler=use_invitation,
        action=Action.ANYBODY,
        operation="setup",
        summary="Turn a one-time link into an agent with a password.",
        status=201,
        body=SetupBody,
        answer=SessionGrant,
        refusals=((404, "setup_link_invalid"), (409, "email_taken"), (429, "too_many_attempts")),
    ),
    Route(
        method="GET",
        path="/setup/{token}",
        handler=invitation,
        action=Action.ANYBODY,
        operation="setup_invitation",
        summary="Whom a one-time link is for.",
        answer=Invitation,
        refusals=((404, "setup_link_invalid"), (429, "too_many_attempts")),
    ),
    Route(
        method="POST",
        path="/sessions",
        handler=sign_in,
        action=Action.ANYBODY,
        operation="sign_in",
        summary="Sign in with e-mail and password.",
        status=201,
        body=SignInBody,
        answer=SessionGrant,
        refusals=((401, "sign_in_refused"), (429, "too_many_attempts")),
    ),
    Route(
        method="DELETE",
        path="/sessions/current",
        handler=sign_out,
        action=Action.SELF,
        operation="sign_out",
        summary="End the token that asks.",
        status=204,
        repeatable=False,
    ),
    Route(
        method="GET",
        path="/me",
        handler=me,
        action=Action.SELF,
        operation="me",
        summary="Who asks.",
        answer=Agent,
    ),
)

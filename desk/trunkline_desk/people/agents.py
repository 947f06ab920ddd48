"""Agents: inviting, setting up, changing. Plain functions of a transaction; each change writes an event."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sqlalchemy import select, update
from sqlalchemy.exc import NoResultFound

from trunkline.http.problems import FieldError, Problem
from trunkline.model import Actor, ActorKind, new_id
from trunkline.store import schema as core
from trunkline_desk.people.links import find_link, make_link, use_link
from trunkline_desk.people.roles import Role
from trunkline_desk.people.tokens import Grant, agent_snapshot, give_token, revoke_tokens
from trunkline_desk.schema import agent

if TYPE_CHECKING:
    from sqlalchemy import Row

    from trunkline.store import Transaction

__all__ = ["change_agent", "create_agent", "invite_again", "link_refused", "reset_agent", "set_up"]


def create_agent(tx: Transaction, person: tuple[str, str, str], actor: Actor, now: int) -> tuple[dict[str, Any], str]:
    """Make an agent who has no password yet. `person` is (email, name, role).

    Returns the agent as the API shows them and the secret of their set-up link.

    Raises:
        Problem: 409 when somebody has this address.
    """
    email, _, role = person
    if tx.execute(select(agent.c.id).where(agent.c.email == email)).first() is not None:
        words = "There is an agent with this address; change that one, or reset their password."
        raise Problem(409, "email_taken", words, errors=[FieldError("email", words)])
    row = _insert(tx, person, None, now)
    tx.append("agent_created", actor=actor, at=now, payload={"agent": agent_snapshot(row)})
    return agent_snapshot(row), make_link(tx, row.id, role, now)


def invite_again(tx: Transaction, email: str, actor: Actor, now: int) -> tuple[dict[str, Any], str]:
    """Reset an agent found by address: the old password and all tokens end, a new link is made.

    Raises:
        Problem: 404 when there is nobody with this address.
    """
    row = tx.execute(select(agent).where(agent.c.email == email)).one_or_none()
    if row is None:
        raise Problem(404, "unknown_agent", "There is no agent with this address; `agent list` shows all.")
    return agent_snapshot(row), reset_agent(tx, row, actor, now)


def reset_agent(tx: Transaction, row: Row[Any], actor: Actor, now: int) -> str:
    """End an agent's password and tokens and return the secret of a new set-up link."""
    tx.execute(update(agent).where(agent.c.id == row.id).values(password_hash=None))
    revoke_tokens(tx, row.id)
    tx.append("agent_reset", actor=actor, at=now, payload={"agent": agent_snapshot(row)})
    return make_link(tx, row.id, row.role, now)


def set_up(tx: Transaction, token: str, person: tuple[str, str, str], now: int) -> Grant:
    """Use a link: the agent gets a name and a password and is signed in. `person` is (email, name, password hash).

    Raises:
        Problem: 404 when the link is used, over or never was; 409 when the address is taken; 422 when it is not theirs.
    """
    link = tx.execute(find_link(token, now)).one_or_none()
    if link is None:
        raise link_refused()
    agent_id = _first_admin(tx, person, now) if link.agent_id is None else _invited(tx, link, person, now)
    use_link(tx, token)
    return give_token(tx, agent_id, now)


def link_refused() -> Problem:
    """Return the refusal of a link, the same for every reason."""
    return Problem(404, "setup_link_invalid", "This link was used, is over, or never was; ask an admin for a new one.")


def _first_admin(tx: Transaction, person: tuple[str, str, str], now: int) -> str:
    if tx.execute(select(agent.c.id).limit(1)).first() is not None:
        raise link_refused()
    email, name, password_hash = person
    row = _insert(tx, (email, name, Role.ADMIN.value), password_hash, now)
    actor = Actor(ActorKind.AGENT, row.id, name)
    tx.append("agent_created", actor=actor, at=now, payload={"agent": agent_snapshot(row)})
    return str(row.id)


def _invited(tx: Transaction, link: Row[Any], person: tuple[str, str, str], now: int) -> str:
    email, name, password_hash = person
    if email != link.email:
        words = "This link was made for another address."
        raise Problem(422, "invalid", words, errors=[FieldError("email", words)])
    revoke_tokens(tx, link.agent_id)
    tx.execute(update(agent).where(agent.c.id == link.agent_id).values(name=name, password_hash=password_hash))
    row = tx.execute(select(agent).where(agent.c.id == link.agent_id)).one()
    actor = Actor(ActorKind.AGENT, row.id, name)
    tx.append("agent_changed", actor=actor, at=now, payload={"agent": agent_snapshot(row)})
    return str(row.id)


def change_agent(tx: Transaction, agent_id: str, changes: dict[str, Any], actor: Actor, now: int) -> dict[str, Any]:
    """Change name, role or enabled; what changes rights ends all tokens of the agent.

    Raises:
        Problem: 404 when there is no such agent; 409 when nobody would be left to manage agents.
    """
    try:
        row = tx.execute(select(agent).where(agent.c.id == agent_id)).one()
    except NoResultFound:
        raise Problem(404, "unknown_agent", "There is no such agent.") from None
    changed = {key: value for key, value in changes.items() if getattr(row, key) != value}
    if not changed:
        return agent_snapshot(row)
    tx.execute(update(agent).where(agent.c.id == agent_id).values(changed))
    if changed.keys() & {"role", "enabled"}:
        _keep_an_admin(tx)
        revoke_tokens(tx, agent_id)
    if "name" in changed:
        tx.execute(
            update(core.thread).where(core.thread.c.assignee_id == agent_id).values(assignee_name=changed["name"])
        )
    row = tx.execute(select(agent).where(agent.c.id == agent_id)).one()
    tx.append("agent_changed", actor=actor, at=now, payload={"agent": agent_snapshot(row)})
    return agent_snapshot(row)


def _keep_an_admin(tx: Transaction) -> None:
    admins = select(agent.c.id).where(
        agent.c.role == Role.ADMIN.value,
        agent.c.enabled.is_(True),
        agent.c.password_hash.is_not(None),
    )
    if tx.execute(admins.limit(1)).first() is None:
        raise Problem(409, "last_admin", "This is the last admin who can sign in; make somebody else one first.")


def _insert(tx: Transaction, person: tuple[str, str, str], password_hash: str | None, now: int) -> Row[Any]:
    email, name, role = person
    agent_id = new_id()
    tx.execute(
        agent.insert().values(
            id=agent_id,
            email=email,
            name=name,
            role=role,
            enabled=True,
            password_hash=password_hash,
            created_at=now,
        )
    )
    return tx.execute(select(agent).where(agent.c.id == agent_id)).one()

"""Bearer tokens: given at sign-in, good for 12 idle hours and 7 days at most, gone at once when they must be."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec
from sqlalchemy import bindparam, delete, select, update

from trunkline.clock import to_text
from trunkline.model import Actor as LogActor
from trunkline.model import ActorKind, new_id
from trunkline_desk.people.roles import Actor, Role
from trunkline_desk.people.secrets import API_TOKEN, fingerprint, new_secret
from trunkline_desk.schema import agent, agent_token

if TYPE_CHECKING:
    from collections.abc import Collection

    from sqlalchemy import Connection
    from sqlalchemy.ext.asyncio import AsyncConnection

    from trunkline.store import Transaction

__all__ = [
    "Grant",
    "actor_of",
    "agent_snapshot",
    "alive",
    "find_actor",
    "give_token",
    "revoke_token",
    "revoke_tokens",
    "touch_token",
]

IDLE_MS = 12 * 3600 * 1000
ABSOLUTE_MS = 7 * 24 * 3600 * 1000
#: `last_used_at` is written when it is older than this.
TOUCH_MS = 60 * 1000


class Grant(msgspec.Struct, frozen=True):
    """A new token and whose it is."""

    token: str
    agent: dict[str, Any]
    expires_at: str


def agent_snapshot(row: Any) -> dict[str, Any]:
    """Return an agent as the API shows them. `row` has the columns of `agent`."""
    return {
        "id": row.id,
        "name": row.name,
        "email": row.email,
        "role": row.role,
        "enabled": bool(row.enabled),
    }


def give_token(tx: Transaction, agent_id: str, now: int) -> Grant:
    """Store a new token for an agent and return it; nobody can read it again."""
    token = new_secret(API_TOKEN)
    row = tx.execute(select(agent).where(agent.c.id == agent_id)).one()
    expires_at = now + ABSOLUTE_MS
    tx.execute(
        agent_token.insert().values(
            id=new_id(),
            token_hash=fingerprint(token),
            agent_id=agent_id,
            created_at=now,
            last_used_at=now,
            expires_at=expires_at,
        )
    )
    shown = agent_snapshot(row)
    actor = LogActor(ActorKind.AGENT, agent_id, row.name)
    tx.append("signed_in", actor=actor, at=now, payload={"agent": {"id": row.id, "name": row.name}})
    return Grant(token, shown, to_text(expires_at))


_a, _t = agent.c, agent_token.c
#: Whose tokens these are, as long as they open something.
_OPENING = (
    select(_a.id, _a.name, _a.email, _a.role, _t.id.label("token_id"), _t.last_used_at)
    .join_from(agent_token, agent, _a.id == _t.agent_id)
    .where(_t.expires_at > bindparam("now"), _t.last_used_at > bindparam("now") - IDLE_MS, _a.enabled.is_(True))
)
# Built once: every request asks this.
_BY_TOKEN = _OPENING.where(agent_token.c.token_hash == bindparam("mark"))
_BY_ID = _OPENING.where(_t.id == bindparam("which"))


def find_actor(database: Connection, token: str, now: int) -> tuple[Actor, int] | None:
    """Return whose token this is and when it was last used, None when it opens nothing."""
    found = database.execute(_BY_TOKEN, {"mark": fingerprint(token), "now": now}).one_or_none()
    return None if found is None else (_actor(found), found.last_used_at)


async def actor_of(connection: AsyncConnection, token_id: str, now: int) -> Actor | None:
    """Return whose token has this id, None when it opens nothing any more."""
    found = (await connection.execute(_BY_ID, {"which": token_id, "now": now})).one_or_none()
    return None if found is None else _actor(found)


def _actor(row: Any) -> Actor:
    return Actor(row.id, row.name, row.email, Role(row.role), row.token_id)


async def alive(connection: AsyncConnection, token_ids: Collection[str], now: int) -> set[str]:
    """Return those of the tokens that still open something."""
    rows = await connection.execute(_OPENING.where(_t.id.in_(token_ids)), {"now": now})
    return {row.token_id for row in rows}


def touch_token(tx: Transaction, token_id: str, now: int) -> None:
    """Note that a token was used."""
    tx.execute(update(agent_token).where(agent_token.c.id == token_id).values(last_used_at=now))


def revoke_token(tx: Transaction, token_id: str) -> None:
    """End one token."""
    tx.execute(delete(agent_token).where(agent_token.c.id == token_id))


def revoke_tokens(tx: Transaction, agent_id: str) -> None:
    """End all tokens of an agent."""
    tx.execute(delete(agent_token).where(agent_token.c.agent_id == agent_id))

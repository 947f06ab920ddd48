"""One-time set-up links: how an agent gets a password without anybody else knowing one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sqlalchemy import delete, func, select

from trunkline_desk.people.roles import Role
from trunkline_desk.people.secrets import SETUP_TOKEN, fingerprint, new_secret
from trunkline_desk.schema import agent, setup_link

if TYPE_CHECKING:
    from sqlalchemy import Select

    from trunkline.store import Transaction

__all__ = [
    "FIRST_MS",
    "INVITE_MS",
    "find_link",
    "link_address",
    "make_first_link",
    "make_link",
    "nobody_yet",
    "use_link",
]

#: The first admin sits at the terminal; an invited colleague may be at home until Monday.
FIRST_MS = 3600 * 1000
INVITE_MS = 3 * 24 * 3600 * 1000


def link_address(public_url: str, token: str) -> str:
    """Return the page that asks for a password."""
    return f"{public_url.rstrip('/')}/inbox/setup?token={token}"


def nobody_yet() -> Select[int]:
    """Return the statement that counts agents."""
    return select(func.count()).select_from(agent)


def make_first_link(tx: Transaction, now: int) -> str | None:
    """Make the link for the first admin, in place of an earlier one; None when there is an agent."""
    if tx.execute(nobody_yet()).scalar_one():
        return None
    tx.execute(delete(setup_link).where(setup_link.c.agent_id.is_(None)))
    return _store(tx, None, Role.ADMIN.value, now + FIRST_MS)


def make_link(tx: Transaction, agent_id: str, role: str, now: int) -> str:
    """Make the link of an invited agent, in place of an earlier one."""
    tx.execute(delete(setup_link).where(setup_link.c.agent_id == agent_id))
    return _store(tx, agent_id, role, now + INVITE_MS)


def find_link(token: str, now: int) -> Select[Any]:
    """Return the statement that finds a link that is still good, with the agent it is for (or nulls)."""
    return (
        select(setup_link.c.agent_id, setup_link.c.role, agent.c.email, agent.c.name)
        .join_from(setup_link, agent, agent.c.id == setup_link.c.agent_id, isouter=True)
        .where(setup_link.c.token_hash == fingerprint(token), setup_link.c.expires_at > now)
    )


def use_link(tx: Transaction, token: str) -> None:
    """Take a link away: it opens nothing any more, nor does the one that was made for the first agent."""
    tx.execute(
        delete(setup_link).where((setup_link.c.token_hash == fingerprint(token)) | setup_link.c.agent_id.is_(None))
    )


def _store(tx: Transaction, agent_id: str | None, role: str, expires_at: int) -> str:
    token = new_secret(SETUP_TOKEN)
    tx.execute(
        setup_link.insert().values(token_hash=fingerprint(token), agent_id=agent_id, role=role, expires_at=expires_at)
    )
    return token

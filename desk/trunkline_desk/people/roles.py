"""Who may do what: one table, asked by one function."""

from __future__ import annotations

from enum import StrEnum

import msgspec

from trunkline.http.problems import Problem

__all__ = ["Action", "Actor", "Role", "authorize", "may"]


class Role(StrEnum):
    """A set of permissions."""

    ADMIN = "admin"
    AGENT = "agent"


class Action(StrEnum):
    """What a route does. Every route declares one."""

    #: Needs nobody: signing in, the one-time link, the document of the API.
    ANYBODY = "anybody"
    SELF = "self"
    READ_AGENTS = "agents.read"
    MANAGE_AGENTS = "agents.manage"
    READ_ACCOUNTS = "accounts.read"
    READ_THREADS = "threads.read"
    REPLY = "threads.reply"
    ASSIGN = "threads.assign"
    CLOSE = "threads.close"
    NOTE = "notes.write"
    DELETE_NOTE_OF_OTHERS = "notes.delete_any"
    USE_CANNED = "canned_replies.use"
    MANAGE_CANNED = "canned_replies.manage"
    READ_CONTACTS = "contacts.read"
    CHANGE_CONTACTS = "contacts.change"
    MANAGE_ACCOUNTS = "accounts.manage"
    READ_SUBMISSIONS = "submissions.read"
    READ_SUBMISSION_SETTINGS = "submissions.read_settings"
    MANAGE_SUBMISSIONS = "submissions.manage"
    READ_QUARANTINE = "quarantine.read"
    MANAGE_QUARANTINE = "quarantine.manage"
    STREAM = "stream.open"


class Actor(msgspec.Struct, frozen=True):
    """Who asks: an agent, through one of their tokens."""

    id: str
    name: str
    email: str
    role: Role
    token_id: str


_BOTH = frozenset({Role.ADMIN, Role.AGENT})
_ADMIN = frozenset({Role.ADMIN})

#: What is done → who may.
_TABLE = {
    Action.SELF: _BOTH,
    Action.READ_AGENTS: _BOTH,
    Action.MANAGE_AGENTS: _ADMIN,
    Action.READ_ACCOUNTS: _BOTH,
    Action.READ_THREADS: _BOTH,
    Action.REPLY: _BOTH,
    Action.ASSIGN: _BOTH,
    Action.CLOSE: _BOTH,
    Action.NOTE: _BOTH,
    Action.DELETE_NOTE_OF_OTHERS: _ADMIN,
    Action.USE_CANNED: _BOTH,
    Action.MANAGE_CANNED: _ADMIN,
    Action.READ_CONTACTS: _BOTH,
    Action.CHANGE_CONTACTS: _BOTH,
    Action.MANAGE_ACCOUNTS: _ADMIN,
    Action.READ_SUBMISSIONS: _ADMIN,
    Action.READ_SUBMISSION_SETTINGS: _BOTH,
    Action.MANAGE_SUBMISSIONS: _ADMIN,
    Action.READ_QUARANTINE: _BOTH,
    Action.MANAGE_QUARANTINE: _ADMIN,
    Action.STREAM: _BOTH,
}


def may(actor: Actor | None, action: Action) -> bool:
    """Whether the table lets `actor` do this; what it does not name is forbidden."""
    if action is Action.ANYBODY:
        return True
    return actor is not None and actor.role in _TABLE.get(action, frozenset())


def authorize(actor: Actor | None, action: Action) -> None:
    """Refuse what the table does not allow.

    Raises:
        Problem: 401 when nobody is signed in, 403 when the role does not suffice.
    """
    if may(actor, action):
        return
    if actor is None:
        raise Problem(401, "sign_in_needed", "Sign in first.", headers={"WWW-Authenticate": "Bearer"})
    raise Problem(403, "not_allowed", "Your role does not allow this; ask an admin.")

"""Agents and how they come in."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, StringConstraints

from trunkline_desk.api.models.words import Answer, Body, Line, Page, Time

__all__ = [
    "Agent",
    "AgentBody",
    "AgentChange",
    "AgentInvited",
    "AgentPage",
    "AgentRef",
    "Invitation",
    "SessionGrant",
    "SetupBody",
    "SignInBody",
    "Ticket",
]

Role = Literal["admin", "agent"]
Email = Annotated[
    str,
    StringConstraints(
        strip_whitespace=True, to_lower=True, max_length=254, pattern=r"^[^@\s\x00-\x1f\x7f]+@[^@\s\x00-\x1f\x7f]+$"
    ),
    Field(examples=["ada@shop.example"]),
]
#: Longer than anybody types, shorter than what keeps a hash function busy.
Password = Annotated[
    str, StringConstraints(min_length=1, max_length=1024), Field(examples=["correct horse battery staple"])
]
Secret = Annotated[str, StringConstraints(min_length=1, max_length=200)]


class Agent(Answer):
    """Somebody on our side."""

    id: str
    name: str
    email: str
    role: Role
    enabled: bool


class AgentRef(Answer):
    """An agent by the name they had."""

    id: str
    name: str


class AgentPage(Page[Agent]):
    """A part of the list of agents."""


class AgentBody(Body):
    """Whom to invite."""

    email: Email
    name: Line
    role: Role


class AgentChange(Body):
    """What to change; what is left out stays."""

    enabled: bool | None = None
    role: Role | None = None
    name: Line | None = None


class AgentInvited(Answer):
    """A new agent and the link that they set their password with; it is shown this once."""

    agent: Agent
    setup_url: str


class SignInBody(Body):
    """What an agent signs in with."""

    email: Annotated[
        str, StringConstraints(strip_whitespace=True, to_lower=True, max_length=254, pattern=r"^[^\x00]*$")
    ]
    password: Password


class SetupBody(Body):
    """What turns a one-time link into an agent with a password."""

    token: Secret
    name: Line
    email: Email
    password: Password


class Invitation(Answer):
    """Whom a one-time link is for; nobody in particular while there is no agent."""

    email: str | None
    name: str | None
    role: Role


class SessionGrant(Answer):
    """A bearer token, shown this once."""

    token: str
    agent: Agent
    expires_at: Time


class Ticket(Answer):
    """Opens the live feed once, within 30 seconds."""

    ticket: str
    expires_at: Time

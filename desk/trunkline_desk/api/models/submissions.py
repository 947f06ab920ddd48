"""Leave-a-message forms: the table of channels, how they are set, and what was sent."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field

from trunkline_desk.api.models.threads import PageQuery
from trunkline_desk.api.models.words import Answer, Body, Identifier, Line, Page, Time

__all__ = [
    "MatrixPage",
    "SubmissionPage",
    "SubmissionQuery",
    "SubmissionSettingBody",
    "SubmissionSettingPage",
    "SubmissionSettingShown",
]

Mode = Literal["offline_message", "ticket"]
Dimension = Literal["channel", "group"]
#: Locale → words.
Texts = dict[str, Line]


class MatrixRow(Answer):
    """What a channel takes; `serial` is null for one that stands in no table."""

    serial: int | None
    channel: str
    title: dict[str, str]
    modes: list[Mode]
    dimensions: list[Dimension]
    #: Dimension → the oldest client that honours it.
    min_client_version: dict[str, str]
    ticket_reply: bool
    prompt_limit: dict[str, Any] | None


class MatrixPage(Page[MatrixRow]):
    """Every installed channel, in the order of the table."""


class FormFieldBody(Body):
    """One question of a form."""

    key: Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]{0,39}$")]
    kind: Literal["text", "textarea", "email", "phone", "date", "select", "multi_select", "checkbox"] = "text"
    #: "en" is needed; it is what everybody without words of their own sees.
    label: Texts
    required: bool = False
    placeholder: Annotated[Texts, Field(default_factory=dict)]
    options: Annotated[list[Line], Field(default_factory=list, max_length=100)]
    max_length: Annotated[int, Field(ge=1, le=4000)] = 4000


class SubmissionSettingBody(Body):
    """What a scope says; null leaves it to the wider one (group → account → deployment)."""

    enabled: bool | None = None
    mode: Mode | None = None
    #: Whether the account's mode holds for all, or each group's own.
    dimension: Dimension | None = None
    fields: Annotated[list[FormFieldBody], Field(max_length=40)] | None = None
    #: Said above the form.
    notice: Texts | None = None


class SubmissionSettingShown(Answer):
    """What a scope says."""

    scope: Literal["deployment", "account", "group"]
    scope_id: str
    setting: SubmissionSettingBody


class SubmissionSettingPage(Page[SubmissionSettingShown]):
    """All that is set, and what is asked where nothing is."""

    default_fields: list[FormFieldBody]


class Submission(Answer):
    """A form that was sent."""

    id: str
    #: What people quote: "S-12".
    reference: str
    account_id: str
    contact_id: str
    thread_id: str
    #: The message with its words; null in ticket mode.
    message_id: str | None
    mode: Mode
    state: str
    setting_dimension: Dimension
    #: Why it was not the group's setting, where groups decide.
    reason: str | None
    group_id: str | None
    client_version: str | None
    values: dict[str, Any]
    created_at: Time


class SubmissionPage(Page[Submission]):
    """Forms that were sent, the newest first."""


class SubmissionQuery(PageQuery):
    """Which forms."""

    mode: Mode | None = None
    state: Literal["unassigned", "assigned", "replied", "ticketed", "closed"] | None = None
    account: Identifier | None = None

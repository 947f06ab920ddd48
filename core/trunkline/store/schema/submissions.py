"""Leave-a-message forms: how they are set, and what was sent with them."""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, ForeignKey, Index, Integer, Table, Text, UniqueConstraint

from trunkline.store.schema.columns import json_column, metadata, ms_column

__all__ = ["submission", "submission_setting"]

#: What holds for all, for one account, or for one group; what is not said falls through to the wider one.
submission_setting = Table(
    "submission_setting",
    metadata,
    #: "deployment", "account" or "group".
    Column("scope", Text, primary_key=True),
    #: The id of the account or group, "" for the deployment.
    Column("scope_id", Text, primary_key=True),
    json_column("value", nullable=False),
    ms_column("updated_at", nullable=False),
)

submission = Table(
    "submission",
    metadata,
    #: What people quote: S-1, S-2, …; counted by the database.
    Column("number", BigInteger().with_variant(Integer, "sqlite"), primary_key=True, autoincrement=True),
    Column("id", Text, nullable=False),
    Column("account_id", Text, nullable=False),
    Column("external_id", Text, nullable=False),
    Column("contact_id", Text, ForeignKey("contact.id"), nullable=False),
    Column("thread_id", Text, ForeignKey("thread.id"), nullable=False),
    #: The message that holds its words; null in ticket mode.
    Column("message_id", Text),
    #: "offline_message" or "ticket".
    Column("mode", Text, nullable=False),
    #: unassigned, assigned, replied, ticketed, closed
    Column("state", Text, nullable=False),
    #: Which setting decided: "channel" or "group"; `reason` says why it was not the group's.
    Column("setting_dimension", Text, nullable=False),
    Column("reason", Text),
    Column("group_id", Text),
    Column("client_version", Text),
    Column("form_version", Text),
    json_column("form_values", nullable=False),
    ms_column("created_at", nullable=False),
    UniqueConstraint("id"),
    UniqueConstraint("account_id", "external_id"),
    Index("ix_submission_contact_id", "contact_id", "number"),
    Index("ix_submission_mode", "mode", "state", "number"),
)

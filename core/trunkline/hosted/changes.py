"""The feed of a contact is the log: a pure table from our events to the changes that a client applies.

An event that stands in no table is none of the customer's business, and the table of what is shown is closed: notes,
deliveries, assignments of other kinds never get out by accident.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import msgspec

from trunkline.clock import to_text
from trunkline.hosted.objects import author_object, state_of

if TYPE_CHECKING:
    from trunkline.hosted.objects import Shower
    from trunkline.store import LogRow

__all__ = ["CHANGES", "Translate", "change_of"]

#: (payload, row, shower) → (type of the change, its data), None when there is nothing to tell.
Translate = Callable[[Mapping[str, Any], "LogRow", "Shower"], tuple[str, dict[str, Any]] | None]


def _created(payload: Mapping[str, Any], _row: LogRow, shower: Shower) -> tuple[str, dict[str, Any]]:
    return "message.created", shower.message(payload["message"], payload.get("external_id"))


def _updated(payload: Mapping[str, Any], _row: LogRow, shower: Shower) -> tuple[str, dict[str, Any]]:
    return "message.updated", shower.message(payload["message"], payload.get("external_id"))


def _redacted(payload: Mapping[str, Any], _row: LogRow, shower: Shower) -> tuple[str, dict[str, Any]]:
    return "message.redacted", shower.message(payload["message"], payload.get("external_id"))


def _delivered(payload: Mapping[str, Any], row: LogRow, _shower: Shower) -> tuple[str, dict[str, Any]] | None:
    """How far a message of ours came with the customer; what became of it on the way is none of their business."""
    state = state_of(payload.get("delivery_state"))
    if state == "sent":
        return None
    data = {"id": f"ms_{payload['message_id']}", "thread_id": f"th_{row.thread_id}", "state": state}
    return "delivery.changed", {**data, "rev": row.seq}


def _read_by_agent(payload: Mapping[str, Any], row: LogRow, _shower: Shower) -> tuple[str, dict[str, Any]]:
    data = {"id": f"th_{row.thread_id}:agent", "thread_id": f"th_{row.thread_id}", "side": "agent"}
    return "read.changed", {**data, "pos": payload["position"], "rev": row.seq}


def _read_by_contact(payload: Mapping[str, Any], row: LogRow, _shower: Shower) -> tuple[str, dict[str, Any]]:
    data = {"id": f"th_{row.thread_id}:contact", "thread_id": f"th_{row.thread_id}", "side": "contact"}
    return "read.changed", {**data, "pos": payload["position"], "unread": payload["unread"], "rev": row.seq}


def _opened(_payload: Mapping[str, Any], row: LogRow, _shower: Shower) -> tuple[str, dict[str, Any]]:
    return "thread.changed", {"id": f"th_{row.thread_id}", "state": "open", "rev": row.seq}


def _closed(_payload: Mapping[str, Any], row: LogRow, _shower: Shower) -> tuple[str, dict[str, Any]]:
    return "thread.changed", {"id": f"th_{row.thread_id}", "state": "closed", "rev": row.seq}


def _assigned(payload: Mapping[str, Any], row: LogRow, _shower: Shower) -> tuple[str, dict[str, Any]]:
    assignee = payload.get("assignee")
    agent = None if assignee is None else author_object({"kind": "agent", **assignee})
    return "thread.changed", {"id": f"th_{row.thread_id}", "agent": agent, "rev": row.seq}


def _profile(payload: Mapping[str, Any], row: LogRow, _shower: Shower) -> tuple[str, dict[str, Any]]:
    return "contact.changed", {**payload["profile"], "rev": row.seq}


def _submitted(payload: Mapping[str, Any], row: LogRow, _shower: Shower) -> tuple[str, dict[str, Any]]:
    told = payload["submission"]
    names = ("reference", "mode", "state")
    shown = {"id": f"sb_{told['id']}", "thread_id": f"th_{row.thread_id}", **{name: told[name] for name in names}}
    return "submission.changed", {**shown, "rev": row.seq}


#: Kind of event → how it is told.
CHANGES: Mapping[str, Translate] = {
    "created": _opened,
    "message_received": _created,
    "reply_sent": _created,
    "message_edited": _updated,
    "message_restored": _updated,
    "message_recalled": _redacted,
    "read": _read_by_agent,
    "contact_read": _read_by_contact,
    "delivery_changed": _delivered,
    "closed": _closed,
    "reopened": _opened,
    "assigned": _assigned,
    "visitor_changed": _profile,
    "submission_received": _submitted,
}


def change_of(row: LogRow, table: Mapping[str, Translate], shower: Shower) -> dict[str, Any] | None:
    """Return an event as a change, None if customers are not told of it."""
    translate = table.get(row.kind)
    told = None if translate is None else translate(msgspec.json.decode(row.payload), row, shower)
    if told is None:
        return None
    kind, data = told
    return {"seq": row.seq, "type": kind, "at": to_text(row.at), "data": data}

"""A form that was sent becomes a submission: in the thread as a message, or for a ticket beside it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from trunkline.clock import to_text
from trunkline.errors import ContractError
from trunkline.model import Actor, ActorKind, AuthorKind, Text, new_id
from trunkline.service.saying import Said, begin, say
from trunkline.service.submissions.form import words_of
from trunkline.service.submissions.settings import Decision, Wish, decide, fields_of, settings_in
from trunkline.store import schema

if TYPE_CHECKING:
    from trunkline.contract import SubmissionReceived
    from trunkline.service.arrivals import Arrival, ThreadState, WorkingSet

__all__ = ["reference", "submission_snapshot", "submitted"]

_encode = msgspec.json.Encoder().encode


def submitted(work: WorkingSet, arrival: Arrival, item: SubmissionReceived) -> None:
    """Store a form that was sent.

    Raises:
        ContractError: its channel declares none; the request waits in the quarantine.
    """
    thread, settings = work.thread(arrival.account, item.thread_key), settings_in(work.tx)
    thread.channel = item.channel or thread.channel
    can = _channel_of(arrival, item).submissions
    wish = Wish(group_id=item.group_id, by_group_refused=item.by_group_refused, sent=True)
    decision = decide(can, settings, arrival.account.id, wish)
    if decision is None:
        raise ContractError("The connector reads forms from a channel that declares none.")
    begin(work, thread)
    words = words_of(fields_of(settings, arrival.account.id), item.values)
    message_id = _say(work, arrival, item, thread, words) if decision.mode == "offline_message" else None
    row = _row(work, arrival, item, decision, thread, message_id)
    stored = work.tx.execute(schema.submission.insert().values(row).returning(schema.submission.c.number))
    row["number"] = stored.scalar()
    actor = Actor(ActorKind.CONTACT, thread.contact_id, thread.contact_name)
    payload = {"submission": submission_snapshot(row), "external_id": item.external_id, "text": words}
    work.tx.append("submission_received", actor=actor, at=work.now, payload=payload, thread_id=thread.id)


def _channel_of(arrival: Arrival, item: SubmissionReceived) -> Any:
    facts = arrival.account
    channel = next((one for one in facts.others if one.code == item.channel), facts.channel)
    return channel.capabilities


def _say(work: WorkingSet, arrival: Arrival, item: SubmissionReceived, thread: ThreadState, words: str) -> str:
    """Put the words into the thread; they open no reply window, for the customer did not write there."""
    said = Said(
        direction="in",
        author_kind=AuthorKind.CONTACT,
        author_id=thread.contact_id,
        author_name=thread.contact_name,
        content=Text(text=words),
        external_id=item.external_id,
        at_ms=item.at_ms,
        referral={"origin": "submission"},
    )
    say(work, arrival, thread, said)
    return said.id


def _row(  # noqa: PLR0917 - one call site, above
    work: WorkingSet,
    arrival: Arrival,
    item: SubmissionReceived,
    decision: Decision,
    thread: ThreadState,
    message_id: str | None,
) -> dict[str, Any]:
    return {
        "id": new_id(),
        "account_id": arrival.account.id,
        "external_id": item.external_id,
        "contact_id": thread.contact_id,
        "thread_id": thread.id,
        "message_id": message_id,
        "mode": decision.mode,
        "state": "ticketed" if decision.mode == "ticket" else "unassigned",
        "setting_dimension": decision.setting_dimension,
        "reason": decision.reason,
        "group_id": item.group_id,
        "client_version": item.client_version,
        "form_version": item.form_version,
        "form_values": _encode(item.values).decode(),
        "created_at": work.now,
    }


def reference(number: int) -> str:
    """Return what people quote."""
    return f"S-{number}"


def submission_snapshot(row: Any) -> dict[str, Any]:
    """Return a submission as events and the API show it; `row` is a row or a mapping."""
    values = row if isinstance(row, dict) else row._mapping  # noqa: SLF001 - SQLAlchemy's public name for it
    return {
        "id": values["id"],
        "reference": reference(values["number"]),
        "account_id": values["account_id"],
        "contact_id": values["contact_id"],
        "thread_id": values["thread_id"],
        "message_id": values["message_id"],
        "mode": values["mode"],
        "state": values["state"],
        "setting_dimension": values["setting_dimension"],
        "reason": values["reason"],
        "group_id": values["group_id"],
        "client_version": values["client_version"],
        "values": msgspec.json.decode(values["form_values"]),
        "created_at": to_text(values["created_at"]),
    }

"""Customers: one of them, and what they are called."""

from __future__ import annotations

from typing import Any

from trunkline_desk.api.actors import change_of
from trunkline_desk.api.models.contacts import Contact, ContactChange
from trunkline_desk.api.route import Call, Route
from trunkline_desk.people.roles import Action
from trunkline_desk.threads.contacts import read_contact, rename_contact
from trunkline_desk.threads.rows import ask

__all__ = ["ROUTES"]


async def contact(call: Call[None, None]) -> dict[str, Any]:
    """Return one customer."""
    house = call.desk.house
    return await ask(house.store, read_contact, house, call.path("contact_id"), call.now)


async def rename(call: Call[ContactChange, None]) -> dict[str, Any]:
    """Call a customer by another name."""

    def work(tx: Any) -> dict[str, Any]:
        contact_id = rename_contact(tx, call.path("contact_id"), call.body.name, change_of(call, "-"))
        return read_contact(tx, call.desk.house, contact_id, call.now)

    return await call.commit(work)


ROUTES = (
    Route(
        method="GET",
        path="/contacts/{contact_id}",
        handler=contact,
        action=Action.READ_CONTACTS,
        operation="contact",
        summary="One customer: addresses, threads, pages they saw, what is known of them.",
        answer=Contact,
        refusals=((404, "unknown_contact"),),
    ),
    Route(
        method="PATCH",
        path="/contacts/{contact_id}",
        handler=rename,
        action=Action.CHANGE_CONTACTS,
        operation="change_contact",
        summary="Call a customer by another name; platforms change it no more.",
        body=ContactChange,
        answer=Contact,
        refusals=((404, "unknown_contact"),),
    ),
)

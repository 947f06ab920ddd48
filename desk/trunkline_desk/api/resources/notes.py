"""Notes beside a thread."""

from __future__ import annotations

from typing import Any

from trunkline_desk.api.actors import change_of
from trunkline_desk.api.models.messages import Note, NoteBody, NotePage
from trunkline_desk.api.models.threads import PageQuery
from trunkline_desk.api.route import Call, Route
from trunkline_desk.people.roles import Action, may
from trunkline_desk.threads.notes import add_note, delete_note, list_notes
from trunkline_desk.threads.rows import ask

__all__ = ["ROUTES"]


async def notes(call: Call[None, PageQuery]) -> dict[str, Any]:
    """Return the notes of a thread."""
    return await ask(call.desk.house.store, list_notes, call.path("thread_id"), call.query.cursor, call.query.limit)


async def add(call: Call[NoteBody, None]) -> dict[str, Any]:
    """Write a note."""
    return await call.commit(lambda tx: add_note(tx, change_of(call), call.body.text))


async def delete(call: Call[None, None]) -> None:
    """Delete a note of one's own, or as an admin anybody's."""
    note_id, any_author = call.path("note_id"), may(call.actor, Action.DELETE_NOTE_OF_OTHERS)
    await call.commit(lambda tx: delete_note(tx, note_id, change_of(call, "-"), any_author=any_author))


ROUTES = (
    Route(
        method="GET",
        path="/threads/{thread_id}/notes",
        handler=notes,
        action=Action.READ_THREADS,
        operation="notes",
        summary="Notes of the thread, oldest first.",
        query=PageQuery,
        answer=NotePage,
        refusals=((404, "unknown_thread"),),
    ),
    Route(
        method="POST",
        path="/threads/{thread_id}/notes",
        handler=add,
        action=Action.NOTE,
        operation="add_note",
        summary="Write a note; the customer never sees it.",
        status=201,
        body=NoteBody,
        answer=Note,
        refusals=((404, "unknown_thread"),),
    ),
    Route(
        method="DELETE",
        path="/notes/{note_id}",
        handler=delete,
        action=Action.NOTE,
        operation="delete_note",
        summary="Delete a note; the history keeps what it said.",
        status=204,
        refusals=((404, "unknown_note"),),
    ),
)

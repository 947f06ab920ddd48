"""Notes, and a history that nobody can change."""

from __future__ import annotations

import pytest

from tests.desk.harness import Client, Running
from tests.desk.test_threads import history_of, kinds


@pytest.mark.requirement("001-24")
async def test_the_history_tells_who_noted_what_and_when(desk: Running, ada: Client) -> None:
    thread = await desk.thread()
    desk.clock.advance(seconds=90)
    note = await ada.post(f"/threads/{thread}/notes", {"text": "Likes tea.\nNot coffee."})
    assert (note["author"]["name"], note["at"]) == ("Ada", "2026-11-21T12:01:30.000Z")
    entry = (await history_of(ada, thread))[-1]
    assert (entry["kind"], entry["actor"]["name"], entry["at"]) == ("note_created", "Ada", note["at"])
    assert entry["payload"]["note"]["text"] == "Likes tea.\nNot coffee."


@pytest.mark.requirement("001-25")
async def test_the_history_still_shows_what_a_deleted_note_said(desk: Running, ada: Client, bo: Client) -> None:
    thread = await desk.thread()
    note = await bo.post(f"/threads/{thread}/notes", {"text": "Wrong thread"})
    desk.clock.advance(seconds=5)
    assert (await ada.call("DELETE", f"/notes/{note['id']}")).status == 204
    assert (await ada.get(f"/threads/{thread}/notes"))["items"] == []
    entry = (await history_of(ada, thread))[-1]
    assert (entry["kind"], entry["actor"]["name"], entry["at"]) == ("note_deleted", "Ada", "2026-11-21T12:00:05.000Z")
    assert entry["payload"]["note"]["text"] == "Wrong thread"
    assert (await ada.call("DELETE", f"/notes/{note['id']}")).code == "unknown_note"


async def test_only_its_author_or_an_admin_deletes_a_note(desk: Running, ada: Client, bo: Client) -> None:
    thread = await desk.thread()
    note = await ada.post(f"/threads/{thread}/notes", {"text": "Mine"})
    answer = await bo.call("DELETE", f"/notes/{note['id']}")
    assert (answer.status, answer.code) == (403, "not_allowed")
    assert len((await bo.get(f"/threads/{thread}/notes"))["items"]) == 1


async def test_notes_never_reach_the_customer(desk: Running, ada: Client) -> None:
    thread = await desk.thread()
    await ada.post(f"/threads/{thread}/notes", {"text": "between us"})
    await desk.settle()
    assert desk.connector().sent == []


async def test_notes_are_paged_oldest_first(desk: Running, ada: Client) -> None:
    thread = await desk.thread()
    for number in range(5):
        await ada.post(f"/threads/{thread}/notes", {"text": str(number)})
    page = await ada.get(f"/threads/{thread}/notes?limit=3")
    rest = await ada.get(f"/threads/{thread}/notes", params={"limit": "3", "cursor": page["next_cursor"]})
    assert [note["text"] for note in page["items"] + rest["items"]] == list("01234")
    assert rest["next_cursor"] is None


@pytest.mark.requirement("001-26")
async def test_the_history_tells_who_answered_what_and_when(desk: Running, ada: Client) -> None:
    thread = await desk.thread()
    desk.clock.advance(seconds=60)
    await ada.post(f"/threads/{thread}/messages", {"text": "Good morning!"})
    await desk.settle()
    entry = next(one for one in await history_of(ada, thread) if one["kind"] == "reply_sent")
    assert (entry["actor"]["name"], entry["at"]) == ("Ada", "2026-11-21T12:01:00.000Z")
    assert entry["payload"]["message"]["content"]["text"] == "Good morning!"
    assert [part.text for part in desk.connector().sent[0].parts] == ["Good morning!"]  # type: ignore[union-attr]  # text


@pytest.mark.requirement("001-21")
async def test_the_history_begins_with_creation_is_ordered_and_closed_to_writes(desk: Running, ada: Client) -> None:
    thread = await desk.thread()
    await ada.call("PUT", f"/threads/{thread}/assignee", {"agent_id": "me"})
    await ada.post(f"/threads/{thread}/notes", {"text": "n"})
    await ada.post(f"/threads/{thread}/messages", {"text": "Hi"})
    await ada.post(f"/threads/{thread}/read", {"position": 1})
    await ada.post(f"/threads/{thread}/close")
    history = await history_of(ada, thread)
    expected = ["created", "message_received", "assigned", "note_created", "reply_sent", "read", "closed"]
    assert kinds(history) == expected
    assert [entry["seq"] for entry in history] == sorted(entry["seq"] for entry in history)
    for method in ("POST", "PUT", "PATCH", "DELETE"):
        for path in (f"/threads/{thread}/history", f"/threads/{thread}/history/{history[0]['seq']}"):
            assert (await ada.call(method, path, {})).status in {404, 405}
    assert await history_of(ada, thread) == history


@pytest.mark.requirement("001-20")
async def test_whoever_sees_the_thread_reads_its_history(desk: Running, ada: Client, bo: Client) -> None:
    thread = await desk.thread()
    assert await history_of(ada, thread) == await history_of(bo, thread) != []


async def test_the_history_says_which_round_an_entry_belongs_to_on_every_page(desk: Running, ada: Client) -> None:
    thread = await desk.thread("one")
    for text in ("two", "three"):
        await ada.post(f"/threads/{thread}/messages", {"text": f"answer {text}"})
        await ada.post(f"/threads/{thread}/close")
        await desk.customer(text)
    whole = await history_of(ada, thread)
    rounds = [entry["round"] for entry in whole]
    assert rounds == sorted(rounds)
    assert (rounds[0], rounds[-1]) == (1, 3)
    paged: list[object] = []
    cursor: str | None = ""
    while cursor is not None:
        query = {"limit": "2", **({"cursor": cursor} if cursor else {})}
        page = await ada.get(f"/threads/{thread}/history", params=query)
        paged += page["items"]
        cursor = page["next_cursor"]
    assert paged == whole

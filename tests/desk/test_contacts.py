"""One customer: every address, every thread, what is known of them, and what agents call them."""

from __future__ import annotations

from functools import partial
from typing import Any

import msgspec

from tests.desk.harness import Client, Running
from trunkline.model import new_id
from trunkline.store import Transaction, schema


async def contact_of(client: Client, thread: str) -> str:
    return str((await client.get(f"/threads/{thread}"))["contact"]["id"])


async def test_a_contact_shows_all_addresses_and_threads(desk: Running, ada: Client) -> None:
    thread = await desk.thread("one", sender="p1")
    other = await desk.thread("two", sender="p2")
    await desk.platform({"events": [{"id": "l1", "from": "p1", "kind": "link", "other": "p2"}]})
    contact = await ada.get(f"/contacts/{await contact_of(ada, thread)}")
    assert [
        (one["external_id"], one["account_title"], one["channel"], one["verified"]) for one in contact["identities"]
    ] == [
        ("p1", "Shop", "wire", False),
        ("p2", "Shop", "wire", False),
    ]
    assert thread in [one["id"] for one in contact["threads"]]
    assert other not in [one["id"] for one in contact["threads"]]
    assert (contact["name"], contact["visits"], contact["attributes"]) == ("P1", [], {"stated": {}, "verified": {}})


async def test_a_contact_shows_what_a_site_of_ours_knows(desk: Running, ada: Client) -> None:
    thread = await desk.thread("one", sender="p1")
    visits = [
        {"url": f"https://shop.example/{n}", "title": f"Page {n}", "at": f"2026-11-21T11:{n:02}:00.000Z"}
        for n in range(25)
    ]
    await desk.house.store.writer.write(
        lambda tx: _visitor(tx, "p1", visits=visits, stated={"email": "p@mail.example"}, verified={"name": "Pia"})
    )
    contact = await ada.get(f"/contacts/{await contact_of(ada, thread)}")
    assert contact["attributes"] == {"stated": {"email": "p@mail.example"}, "verified": {"name": "Pia"}}
    assert [visit["title"] for visit in contact["visits"]] == [f"Page {n}" for n in range(24, 4, -1)]
    await ada.call("PATCH", f"/contacts/{contact['id']}", {"name": "Pia P"})
    await desk.settle()
    for query in ("p@mail.example", "pia p"):
        assert len((await ada.get("/search", params={"q": query, "scope": "contacts"}))["contacts"]) == 1


async def test_what_is_told_of_one_who_was_several_visitors_is_told_together(desk: Running, ada: Client) -> None:
    thread = await desk.thread("one", sender="p1")
    await desk.thread("two", sender="p2")
    await desk.platform({"events": [{"id": "l1", "from": "p1", "kind": "link", "other": "p2"}]})
    at = "2026-11-21T11:00:00.000Z"
    pages = [{"screen": name, "at": at} for name in ("first", "second")]
    origin = {"referrer": "https://press.example/", "utm": {"source": "letter"}}
    shop: list[tuple[str, dict[str, Any]]] = [
        ("p1", {"visits": pages, "origin": origin, "stated": {"attributes": {"plan": "gold", "size": 4}}}),
        ("p2", {"stated": {"email": "p@mail.example", "attributes": {"plan": "silver"}}}),
    ]
    for seen_at, (who, facts) in enumerate(shop):
        await desk.house.store.writer.write(partial(_visitor, external_id=who, seen_at=seen_at, **facts))
    contact = await ada.get(f"/contacts/{await contact_of(ada, thread)}")
    stated = {"email": "p@mail.example", "attributes": {"plan": "silver", "size": 4}}
    assert contact["attributes"] == {"stated": stated, "verified": {}}
    assert [visit["url"] for visit in contact["visits"]] == ["second", "first"]
    assert contact["origin"] == {"referrer": "https://press.example/", "campaign": {"source": "letter"}}


def _visitor(tx: Transaction, external_id: str, *, seen_at: int = 0, **facts: Any) -> None:
    facts = {"visits": [], "stated": {}, "verified": {}, **facts}
    encoded = {name: msgspec.json.encode(value).decode() for name, value in facts.items()}
    row = {"id": new_id(), "account_id": "shop", "external_id": external_id, "epoch": 1, "blocked": False}
    tx.execute(schema.visitor.insert().values(**row, **encoded, seen_at=seen_at, created_at=seen_at))


async def test_a_name_that_an_agent_gives_is_seen_everywhere_and_told(desk: Running, ada: Client, bo: Client) -> None:
    thread = await desk.thread("one", sender="p1")
    contact = await contact_of(ada, thread)
    answer = await bo.call("PATCH", f"/contacts/{contact}", {"name": "Maria Silva"})
    assert answer.json["name"] == "Maria Silva"
    assert (await ada.get("/threads"))["items"][0]["contact"]["name"] == "Maria Silva"
    entries = (await ada.get(f"/threads/{thread}/history"))["items"]
    changed = [entry for entry in entries if entry["kind"] == "contact_changed"]
    assert [(entry["actor"]["name"], entry["payload"]["previous"]) for entry in changed] == [("Bo", "P1")]
    await bo.call("PATCH", f"/contacts/{contact}", {"name": "Maria Silva"})
    assert len((await ada.get(f"/threads/{thread}/history"))["items"]) == len(entries)
    await desk.customer("again", sender="p1", name="P One")
    assert (await ada.get(f"/contacts/{contact}"))["name"] == "Maria Silva"


async def test_one_who_turned_out_to_be_another_is_that_other(desk: Running, ada: Client) -> None:
    one, two = [await contact_of(ada, await desk.thread(name, sender=name)) for name in ("p1", "p2")]
    table = schema.contact
    await desk.house.store.writer.write(
        lambda tx: tx.execute(table.update().where(table.c.id == two).values(merged_into=one)).rowcount
    )
    assert (await ada.get(f"/contacts/{two}"))["id"] == one


async def test_somebody_who_is_not_there_is_refused(ada: Client, nobody: Client) -> None:
    for method, body in (("GET", None), ("PATCH", {"name": "X"})):
        assert (await ada.call(method, "/contacts/unheard", body)).code == "unknown_contact"
        assert (await nobody.call(method, "/contacts/unheard", body)).status == 401
    for name in ("", " ", "a\nb", "x" * 201, None, {"$ne": None}):
        assert (await ada.call("PATCH", "/contacts/unheard", {"name": name})).status == 422

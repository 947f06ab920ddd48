"""Dead letters: what could not be read and what did not go out, found, looked at, tried again, let be, deleted."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Sequence
from typing import Any

import msgspec
from sqlalchemy import func, select, text

from tests.desk.harness import Client, Running
from tests.desk.rich import FAIR, open_fair
from tests.desk.test_messages import last_message, reply
from tests.desk.test_rich_replies import pass_the_window
from trunkline.clock import to_text
from trunkline.contract import Item, TrustedBody, Unknown
from trunkline.model import Address
from trunkline.service.dead_letters import Wanted, next_letters, read_letters
from trunkline.store import schema

RECEIVED = {"kind": "received", "dry_run": False}
BECAUSE = {"reason": "a test of theirs"}
#: A message in a body that needs mending: no events but one "event".
BROKEN = '{"event": {"id": "%s", "from": "u1", "name": "Bo", "text": "Read at last"}}'


async def letters(client: Client, **query: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = (await client.get("/quarantine", params=query))["items"]
    return found


async def previews(client: Client, **query: str) -> list[str]:
    return [one["body_preview"] for one in await letters(client, **query)]


async def refused_reply(desk: Running, client: Client, words: str = "Hi", *, account: str = "shop") -> dict[str, Any]:
    """Let the platform refuse a reply for good, and return its letter."""
    thread = await desk.thread(f"Before {words}", account=account, sender=f"u-{words}")
    connector = desk.connector(account)
    connector.refuses = "Not this."
    await reply(client, thread, {"text": words})
    await desk.settle()
    connector.refuses = None
    return (await letters(client, kind="sent"))[0]


def mend(desk: Running) -> None:
    """Let the connector read what it could not."""
    connector = desk.connector()
    before = connector.parse

    def parse(body: TrustedBody) -> Sequence[Item]:
        found = msgspec.json.decode(body)
        return before(TrustedBody(msgspec.json.encode({"events": [found["event"]]} if "event" in found else found)))

    connector.parse = parse  # type: ignore[method-assign] # an update of the connector


async def rows(desk: Running, statement: Any) -> list[Any]:
    async with desk.house.store.read() as connection:
        return list((await connection.execute(statement)).all())


async def told(desk: Running, *kinds: str) -> list[Any]:
    """Return the events of these kinds: (kind, actor's name, payload)."""
    event = schema.event.c
    found = await rows(desk, select(event.kind, event.actor_name, event.payload).order_by(event.seq))
    return [(kind, name, json.loads(payload)) for kind, name, payload in found if kind in kinds]


async def messages(desk: Running) -> int:
    return int((await rows(desk, select(func.count()).select_from(schema.message)))[0][0])


# ---------------------------------------------------------------- finding


async def test_both_kinds_are_found_by_account_channel_reason_code_and_time(desk: Running) -> None:
    ada, _ = await open_fair(desk)
    await desk.platform(b"no events at all")
    begin = to_text(desk.clock.now_ms() + 60_000)
    desk.clock.advance(hours=1)
    await desk.platform(b'{"events": 7}', account=FAIR)
    sent = await refused_reply(desk, ada, "Hi", account=FAIR)
    assert (sent["kind"], sent["state"], sent["reason"], sent["code"]) == ("sent", "failed", "refused", "W400")
    assert (sent["body_preview"], sent["attempts"], sent["error"]) == ("Hi", 1, "The platform refused it.")
    everything = ["Hi", '{"events": 7}', "no events at all"]
    assert await previews(ada) == everything
    for query, wanted in (
        ({"kind": "sent"}, everything[:1]),
        ({"kind": "received"}, everything[1:]),
        ({"account_id": "shop"}, everything[2:]),
        ({"channel": "rich"}, everything[:2]),
        ({"channel": "rich", "account_id": "shop"}, []),
        ({"channel": "unheard"}, []),
        ({"reason": "refused"}, everything[:1]),
        ({"reason": "unreadable"}, everything[1:]),
        ({"reason": "REFUSED"}, []),
        ({"code": "W400"}, everything[:1]),
        ({"code": "TypeError"}, everything[1:2]),
        ({"code": "%"}, []),
        ({"since": begin}, everything[:2]),
        ({"until": begin}, everything[2:]),
        ({"since": begin, "kind": "received"}, everything[1:2]),
    ):
        assert await previews(ada, **query) == wanted, query
    for wrong in ({"kind": "lost"}, {"since": "yesterday"}, {"since": "2026-11-21T12:00:00"}, {"colour": "red"}):
        assert (await ada.call("GET", "/quarantine", params=wrong)).status == 400, wrong


async def test_of_replies_those_are_dead_that_nobody_works_on_and_nobody_has(desk: Running, ada: Client) -> None:
    """A reply past its window was never given to the platform; one of which no answer came is still looked after."""
    thread = await desk.thread()
    await reply(ada, thread, {"text": "Sent"})
    await desk.settle()
    await pass_the_window(desk, ada)
    await reply(ada, thread, {"text": "Too late"})
    (letter,) = await letters(ada, kind="sent")
    assert (letter["state"], letter["reason"], letter["body_preview"]) == ("suppressed", "window_closed", "Too late")
    for state, count in (("expired", 1), ("uncertain", 0), ("cancelled", 0), ("failed", 1)):
        change = schema.delivery.update().where(schema.delivery.c.id == letter["id"]).values(state=state)
        await desk.house.store.writer.write(lambda tx, change=change: tx.execute(change))  # type: ignore[misc] # bound
        assert len(await letters(ada, kind="sent")) == count, state


async def test_pages_lose_and_repeat_nothing_while_more_arrives(desk: Running, ada: Client) -> None:
    for number in range(5):
        await desk.platform(f"odd {number}".encode())
        await refused_reply(desk, ada, f"reply {number}")
    wanted, seen = await previews(ada), []
    assert len(wanted) == 10
    cursor: dict[str, str] = {}
    while True:
        page = await ada.get("/quarantine", params={"limit": "3", **cursor})
        seen += [one["body_preview"] for one in page["items"]]
        if page["next_cursor"] is None:
            break
        cursor = {"cursor": page["next_cursor"]}
        await desk.platform(b"odd and new")
    assert seen == wanted


async def test_the_list_is_read_from_the_few_that_are_dead(plain_desk: Running) -> None:
    """Over a million requests nobody may walk through all of them to find the three that wait."""
    plans: list[str] = []

    class Explained:
        """Takes the plan of what is asked, and asks it."""

        def __init__(self, connection: Any) -> None:
            self.connection = connection

        def execute(self, statement: Any) -> Any:
            sql = str(statement.compile(self.connection, compile_kwargs={"literal_binds": True}))
            plans.extend(row[3] for row in self.connection.execute(text(f"EXPLAIN QUERY PLAN {sql}")))
            return self.connection.execute(statement)

    wanted = Wanted(accounts=frozenset({"shop"}), since=5)
    await plain_desk.house.store.ask(lambda one: read_letters(Explained(one), wanted, "z", 50))
    await plain_desk.house.store.ask(lambda one: next_letters(Explained(one), wanted, "", "z", 50))
    assert len(plans) == 4
    assert all("ix_raw_request_quarantined" in plan or "ix_delivery_dead" in plan for plan in plans), plans


# ---------------------------------------------------------------- one of them


async def test_one_is_shown_with_its_attempts_the_answers_and_its_thread(desk: Running, ada: Client) -> None:
    sent = await refused_reply(desk, ada, "Hi")
    found = await ada.get(f"/quarantine/{sent['id']}")
    assert found | sent == found
    assert (await last_message(ada, found["thread_id"]))["id"] == found["message_id"]
    (attempt,) = found["tries"]
    assert (attempt["number"], attempt["outcome"], attempt["status"], attempt["code"], attempt["text"]) == (
        1, "refused", 400, "W400", "Not this.",
    )  # fmt: skip
    assert json.loads(found["payload"]["text"])["parts"][0]["text"] == "Hi"
    assert found["request_id"]
    await desk.platform(b"<b>no</b> events")
    (raw,) = await letters(ada, kind="received")
    found = await ada.get(f"/quarantine/{raw['id']}")
    assert found["payload"] == {"text": "<b>no</b> events", "size": 16, "cut": False}
    assert (found["request_id"], found["tries"], found["thread_id"]) == (raw["request_id"], [], None)
    assert (await ada.call("GET", "/quarantine/0199-nobody")).status == 404
    healthy = (await rows(desk, select(schema.raw_request.c.id).where(schema.raw_request.c.state == "processed")))[0]
    assert (await ada.call("GET", f"/quarantine/{healthy.id}")).status == 404


async def test_what_stands_for_an_unknown_event_leads_to_its_thread(desk: Running, ada: Client) -> None:
    thread = await desk.thread()
    connector = desk.connector()
    event = Unknown(
        dedupe_key="k", at_ms=0, platform_kind="hologram", raw={}, thread_key="u1",
        contact=Address(external_id="u1"),
    )  # fmt: skip
    connector.parse = lambda body: [event]  # type: ignore[method-assign] # a kind that it does not know
    await desk.platform(b"{}")
    (letter,) = await letters(ada)
    found = await ada.get(f"/quarantine/{letter['id']}")
    assert (found["reason"], found["thread_id"]) == ("unknown_kind", thread)
    assert (await last_message(ada, thread))["placeholder"]["quarantine_id"] == letter["id"]
    again = await ada.call("POST", f"/quarantine/{letter['id']}/retry", {})
    assert (again.status, again.code) == (409, "still_unreadable")


async def plant(desk: Running) -> None:
    """Let a request with canaries in it die: a secret of the account, and values that are named like one."""
    body = {"events": 7, "replyToken": "canary-token", "note": "shop-invented-secret", "inner": '{"api_key":"canary"}'}
    await desk.platform(msgspec.json.encode(body))
    headers = json.dumps({"X-Wire-Proof": "canary-proof"})
    change = schema.raw_request.update().values(headers=headers, query='{"signature":"canary-query","at":"5"}')
    await desk.house.store.writer.write(lambda tx: tx.execute(change))


async def test_sec_53_no_secret_is_shown_or_exported(desk: Running, ada: Client) -> None:
    await plant(desk)
    (letter,) = await letters(ada)
    for method, path, body in (
        ("GET", "/quarantine", None),
        ("GET", f"/quarantine/{letter['id']}", None),
        ("POST", "/quarantine/export", {}),
    ):
        shown = (await ada.call(method, path, body)).raw.decode()
        assert letter["id"] in shown
        assert "canary" not in shown
        assert "invented-secret" not in shown
    found = await ada.get(f"/quarantine/{letter['id']}")
    assert (found["headers"], found["query"]) == ({"X-Wire-Proof": "***"}, {"signature": "***", "at": "5"})


# ---------------------------------------------------------------- trying again


async def test_a_dry_run_tells_the_number_and_changes_nothing(desk: Running, ada: Client) -> None:
    for number in range(3):
        await desk.platform((BROKEN % f"b{number}").encode())
    await desk.platform(b"never to be read")
    before = await letters(ada), await messages(desk), len(await rows(desk, select(schema.event)))
    mend(desk)
    found = await ada.post("/quarantine/retry", {"kind": "received", "dry_run": True})
    assert (found["matching"], found["tried"], found["done"], found["failed"]) == (4, 4, 3, 1)
    assert found["failures"][0]["id"] == before[0][0]["id"]
    assert (await letters(ada), await messages(desk), len(await rows(desk, select(schema.event)))) == before


async def test_all_that_match_heal_once_the_connector_is_mended(desk: Running, ada: Client) -> None:
    for number in range(5):
        await desk.platform((BROKEN % f"b{number}").encode())
    await desk.platform(b"never to be read")
    await desk.platform((BROKEN % "m1").encode(), account="mill")
    mend(desk)
    wanted = {**RECEIVED, "account_id": "shop", "limit": 2}
    batches = [await ada.post("/quarantine/retry", wanted)]
    await desk.platform(b"came meanwhile")
    while batches[-1]["after"] is not None:
        rest = {"upto": batches[0]["upto"], "after": batches[-1]["after"]}
        batches.append(await ada.post("/quarantine/retry", wanted | rest))
    assert [(one["matching"], one["done"], one["failed"]) for one in batches] == [(6, 2, 0), (4, 2, 0), (2, 1, 1)]
    # What came after the first batch was not asked for.
    assert await previews(ada, account_id="shop") == ["came meanwhile", "never to be read"]
    assert len(await letters(ada, account_id="mill")) == 1
    thread = (await ada.get("/threads?state=any"))["items"][0]["id"]
    shown = (await ada.get(f"/threads/{thread}/messages"))["items"]
    assert [one["content"]["text"] for one in shown] == ["Read at last"] * 5
    closed = await told(desk, "quarantine_closed")
    assert [(name, payload["state"]) for _, name, payload in closed] == [("Ada", "processed")] * 5
    tried = [payload for _, name, payload in await told(desk, "dead_letters_tried") if name == "Ada"]
    assert sum(one["tried"] for one in tried) == 6
    assert tried[0]["filter"] == {"kind": "received", "accounts": ["shop"]}


async def test_what_was_processed_before_is_not_doubled_by_a_letter(desk: Running, ada: Client) -> None:
    """The platform sent it once more in a shape that could be read; then the first one is tried again."""
    await desk.platform((BROKEN % "b1").encode())
    await desk.customer("Read at last", id="b1")
    before = await messages(desk)
    mend(desk)
    (letter,) = await letters(ada)
    assert (await ada.post(f"/quarantine/{letter['id']}/retry"))["state"] == "processed"
    assert (await messages(desk), await letters(ada)) == (before, [])


async def test_of_two_operators_at_once_one_is_told_that_it_is_gone(desk: Running, ada: Client) -> None:
    await desk.platform((BROKEN % "b1").encode())
    mend(desk)
    (letter,) = await letters(ada)
    address = f"/quarantine/{letter['id']}"
    answers = await asyncio.gather(
        *(ada.call("POST", f"{address}/retry", {}) for _ in range(3)),
        *(ada.call("POST", f"{address}/{act}", BECAUSE) for act in ("skip", "delete")),
    )
    assert sorted(one.status for one in answers) == [200, 404, 404, 404, 404]
    assert len(await told(desk, "quarantine_closed")) == 1
    assert await messages(desk) in {0, 1}


async def test_a_reply_goes_out_when_the_platform_takes_it_again(desk: Running, ada: Client) -> None:
    letter = await refused_reply(desk, ada, "Hi")
    assert (await ada.post("/quarantine/retry", {"kind": "sent", "dry_run": True}))["done"] == 1
    assert len(await letters(ada)) == 1
    assert (await ada.post(f"/quarantine/{letter['id']}/retry"))["state"] == "queued"
    await desk.settle()
    assert await letters(ada) == []
    assert (await last_message(ada, letter["thread_id"]))["delivery_state"] == "sent"
    assert [one.parts[0].text for one in desk.connector().sent] == ["Hi"]  # type: ignore[union-attr] # it is text


async def test_a_reply_whose_window_is_over_stays_as_it_was(desk: Running, ada: Client) -> None:
    letter = await refused_reply(desk, ada, "Hi")
    await pass_the_window(desk, ada)
    events = len(await rows(desk, select(schema.event)))
    answer = await ada.call("POST", f"/quarantine/{letter['id']}/retry", {})
    assert (answer.status, answer.code) == (409, "not_now")
    for dry_run in (True, False):
        found = await ada.post("/quarantine/retry", {"kind": "sent", "dry_run": dry_run})
        assert (found["done"], found["failed"]) == (0, 1)
    assert await letters(ada) == [letter]
    assert len(await rows(desk, select(schema.event))) == events + 2  # that it was tried, twice

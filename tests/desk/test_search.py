"""The search: words in any script, people by any part of their names, literally what was typed."""

from __future__ import annotations

from typing import Any

import pytest

from tests.desk.harness import Client, Running
from tests.desk.hostile import HOSTILE
from trunkline.clock import from_ms, to_ms
from trunkline_desk.threads.searching import months_before

#: What a customer wrote → what finds it.
FOUND = {
    "我们早上好,请问今天发货吗?": ["早上", "发货", "好请", "今天发货", "早"],
    "ขอบคุณมากครับ สวัสดี": ["คุณ", "สวัสดี", "มากครับ"],
    "안녕하세요 배송 조회 부탁드립니다": ["안녕", "배송", "조회 부탁", "드립니다"],
    "ありがとうございます。カタログを送って": ["とう", "カタ", "カタログ", "を送"],
    "Zażółć gęślą jaźń, łódź i Ćma": ["zażółć", "ZAZOLC", "gesla", "jaźn", "lodz", "ćm", "łó"],
    "Straße & Œuvre: ½ Preis": ["strasse", "oeuvre", "STRASSE pre"],
    "Order #4711-B, mail to ann@shop.example!": ["4711", "4711-b", "ann@shop.example", "order mail", "orde", "#4711"],
    "Здравствуйте, где моя Ёлка": ["здрав", "елка", "ёлка моя"],
    "नमस्ते हिन्दी": ["नमस्ते", "हिन्दी"],
    "שלום עולם مرحبا بالعالم": ["שלום", "مرحبا"],
}
#: What must not find anything of the above.
UNFOUND = ["好早", "上早", "발배", "zażółćx", "4712", "71", "ann@mill.example", "คุณสวัสดี", "", "ल्हा", "%", "*", '"', "_"]


async def texts(client: Client, query: str, **options: Any) -> list[str]:
    found = await client.get("/search", params={"q": query, "scope": "messages", **options})
    return [item["snippet"] for item in found["messages"]]


async def test_messages_are_found_by_their_words_in_every_script(desk: Running, ada: Client) -> None:
    for number, text in enumerate(FOUND):
        await desk.customer(text, sender=f"u{number}")
    for text, queries in FOUND.items():
        for query in queries:
            assert await texts(ada, query) == [text], query
    for query in filter(None, UNFOUND):
        assert await texts(ada, query) == [], query


@pytest.mark.requirement("003-02")
async def test_a_found_message_comes_with_its_thread_and_the_place_of_the_word(desk: Running, bo: Client) -> None:
    thread = await desk.thread("Guten Tag")
    await desk.customer("Wo bleibt mein Paket? PAKET Nummer 5")
    page = await bo.get("/search?q=paket")
    (item,) = page["messages"]
    assert item["thread"]["id"] == thread
    assert (item["position"], item["direction"], item["author"]["kind"]) == (2, "in", "contact")
    assert [item["snippet"][start:end] for start, end in item["marks"]] == ["Paket", "PAKET"]
    assert page["indexed_upto"] == (await bo.get("/threads"))["stream_cursor"]


async def test_the_snippet_shows_the_place_in_a_long_message(desk: Running, ada: Client) -> None:
    await desk.customer(f"{'滔滔不绝 ' * 60}这里有 发票 号码{' blah' * 60}")
    (item,) = (await ada.get("/search?q=发票"))["messages"]
    assert len(item["snippet"]) <= 162
    assert item["snippet"].startswith("…")
    assert item["snippet"].endswith("…")
    assert [item["snippet"][start:end] for start, end in item["marks"]] == ["发票"]


async def test_replies_and_files_are_found_too(desk: Running, ada: Client) -> None:
    thread = await desk.thread()
    await ada.post(f"/threads/{thread}/messages", {"text": "Your voucher is attached"})
    await desk.settle()
    (item,) = (await ada.get("/search?q=voucher"))["messages"]
    assert (item["direction"], item["author"]["name"]) == ("out", "Ada")


async def test_an_edited_message_is_found_by_what_it_says_now_and_a_recalled_one_by_nothing(
    desk: Running, ada: Client
) -> None:
    shoes = await desk.customer("red shoes please")
    hat = await desk.customer("blue hat please")
    assert await texts(ada, "please") == ["blue hat please", "red shoes please"]
    await desk.customer("green shoes", kind="edit", of=shoes, at=desk.clock.now + 1000)
    assert await texts(ada, "shoes") == ["green shoes"]
    assert await texts(ada, "red") == []
    await desk.customer("", kind="recall", of=hat, at=desk.clock.now + 2000)
    assert await texts(ada, "hat") == []
    assert await texts(ada, "please") == []


async def test_pages_go_on_newest_first_whatever_arrives_meanwhile(desk: Running, ada: Client) -> None:
    for number in range(7):
        await desk.customer(f"parcel {number}")
    first = await ada.get("/search?q=parcel&scope=messages&limit=3")
    await desk.customer("parcel new")
    second = await ada.get("/search", params={"q": "parcel", "limit": 3, "cursor": first["next_cursor"]})
    third = await ada.get("/search", params={"q": "parcel", "limit": 3, "cursor": second["next_cursor"]})
    shown = [item["snippet"] for page in (first, second, third) for item in page["messages"]]
    assert shown == [f"parcel {number}" for number in range(6, -1, -1)]
    assert third["next_cursor"] is None
    assert first["contacts"] == second["contacts"] == []


@pytest.mark.requirement("003-01")
async def test_people_are_found_by_any_part_of_a_name_and_by_their_address(desk: Running, ada: Client) -> None:
    await desk.customer("one", sender="U4711abc", name="Anna Kowalska-Żuk")
    await desk.customer("two", sender="p2", name="王小明")
    for query in ("kowal", "walsk", "ŻUK", "anna zuk", "U4711abc", "711ab"):
        found = (await ada.get("/search", params={"q": query, "scope": "contacts"}))["contacts"]
        assert [item["contact"]["name"] for item in found] == ["Anna Kowalska-Żuk"], query
    (item,) = (await ada.get("/search?q=小明"))["contacts"]
    assert (item["contact"]["name"], item["threads"], item["marks"]) == ("王小明", 1, [[1, 3]])
    assert item["thread"]["preview"]["text"] == "two"
    assert (await ada.get("/search?q=明小&scope=contacts"))["contacts"] == []


async def test_a_new_name_is_found_and_the_old_one_no_more(desk: Running, ada: Client) -> None:
    thread = await desk.thread(sender="p1")
    contact = (await ada.get(f"/threads/{thread}"))["contact"]["id"]
    answer = await ada.call("PATCH", f"/contacts/{contact}", {"name": "Berta Nowak"})
    assert answer.status == 200
    await desk.settle()
    assert len((await ada.get("/search?q=nowak&scope=contacts"))["contacts"]) == 1


async def test_a_contact_with_several_addresses_is_one_result(desk: Running, ada: Client) -> None:
    await desk.customer("first", sender="same1", name="Carla")
    await desk.customer("second", sender="same2", name="Carla")
    await desk.platform(
        {"events": [{"id": "l1", "from": "same1", "kind": "link", "other": "same2"}]},
    )
    found = (await ada.get("/search?q=carla&scope=contacts"))["contacts"]
    assert len(found) == 1
    assert len((await ada.get("/search?q=same2"))["contacts"]) == 1


async def test_what_is_older_than_six_months_is_found_when_asked_for(desk: Running, ada: Client) -> None:
    await desk.customer("ancient parcel", sender="old")
    desk.clock.advance(hours=24 * 200)
    await desk.house.workers["application:desk"].settle()
    token = await _fresh(desk, ada)
    assert await texts(token, "parcel") == []
    assert (await token.get("/search?q=old&scope=contacts"))["contacts"] == []
    assert await texts(token, "parcel", period="all") == ["ancient parcel"]
    assert len((await token.get("/search?q=old&scope=contacts&period=all"))["contacts"]) == 1


async def _fresh(desk: Running, ada: Client) -> Client:
    """Ada, who signed in again."""
    from tests.desk.harness import ADA, PASSWORD

    client = desk.client(None)
    client.token = (await client.post("/sessions", {"email": ADA[0], "password": PASSWORD}))["token"]
    return client


@pytest.mark.parametrize(
    ("now", "before"),
    [
        ("2026-11-21T12:00:00+00:00", "2026-05-21T12:00:00+00:00"),
        ("2026-08-31T00:00:00+00:00", "2026-02-28T00:00:00+00:00"),
        ("2028-08-30T01:02:03+00:00", "2028-02-29T01:02:03+00:00"),
        ("2026-06-30T00:00:00+00:00", "2025-12-30T00:00:00+00:00"),
        ("2026-05-31T23:59:59+00:00", "2025-11-30T23:59:59+00:00"),
    ],
)
def test_six_months_are_six_months_of_the_calendar(now: str, before: str) -> None:
    from datetime import datetime

    assert from_ms(months_before(to_ms(datetime.fromisoformat(now)), 6)) == datetime.fromisoformat(before)


async def test_sec_33_nothing_that_is_typed_is_an_operator(desk: Running, ada: Client) -> None:
    """Each answers without an error, and finds only what holds its words."""
    assert len(HOSTILE) >= 60
    await desk.customer("harmless words here", name="Harmless")
    for query in HOSTILE:
        for scope in ("all", "contacts", "messages"):
            page = await ada.get("/search", params={"q": query, "scope": scope, "limit": 5})
            assert page["messages"] == page["contacts"] == [], (query, page)
    await desk.customer("foo AND NOT bar")
    assert await texts(ada, "NOT bar") == ["foo AND NOT bar"]
    assert await texts(ada, "harmless NOT here") == []


async def test_sec_33_hostile_parameters_are_refused_or_taken_literally(desk: Running, ada: Client) -> None:
    await desk.customer("harmless")
    for value in HOSTILE:
        for name in ("scope", "period", "cursor", "limit", "order"):
            answer = await ada.call("GET", "/search", params={"q": "harmless", name: value})
            assert (answer.status, answer.code) in {(400, "bad_parameter"), (400, "bad_cursor")} or value == "⁷", (
                name,
                value,
            )


async def test_a_search_that_is_none_is_refused(ada: Client, nobody: Client) -> None:
    for query in ("", "x" * 201):
        assert (await ada.call("GET", "/search", params={"q": query})).code == "bad_parameter"
    assert (await ada.call("GET", "/search")).code == "bad_parameter"
    assert (await nobody.call("GET", "/search?q=x")).status == 401

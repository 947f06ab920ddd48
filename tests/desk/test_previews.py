"""The composer's truth: what the preview says is what the platform gets, for generated replies."""

from __future__ import annotations

import asyncio
import itertools
from typing import Any

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.desk.harness import BO, Client, Running
from tests.desk.rich import FAIR, RichConnector, open_fair
from tests.desk.test_messages import reply, upload
from tests.desk.test_rich_replies import CARD, PARCEL, PLACE, begin, pass_the_window
from trunkline.store import schema

Json = dict[str, Any]

ROUNDS = itertools.count()
WORDS = st.text(alphabet="ab .\n好。👍é", max_size=260)
SHORT = st.text(alphabet="abc好👍", min_size=1, max_size=24)
BUTTONS = st.lists(
    st.fixed_dictionaries({"title": SHORT}, optional={"url": st.just("https://shop.example/a"), "data": SHORT}),
    max_size=3,
)
CARDS = st.fixed_dictionaries({"title": SHORT}, optional={"text": WORDS, "buttons": BUTTONS})
CONTENTS = st.one_of(
    st.none(),
    CARDS.map(lambda card: {"type": "card", **card}),
    st.lists(CARDS, min_size=1, max_size=4).map(lambda cards: {"type": "carousel", "cards": cards}),
    st.just(PLACE),
    st.builds(lambda name: {"type": "contacts", "people": [{"name": name}]}, SHORT),
    st.builds(lambda title: {"type": "link", "url": "https://shop.example/a", "title": title}, SHORT),
    st.sampled_from([PARCEL, {**PARCEL, "name": "old"}, {**PARCEL, "variables": {}}]),
)
REPLIES = st.fixed_dictionaries(
    {},
    optional={
        "text": WORDS.filter(bool),
        "content": CONTENTS,
        "quick_replies": st.lists(st.fixed_dictionaries({"title": SHORT}), max_size=4),
    },
)


def as_json(value: Any) -> Any:
    return msgspec.json.decode(msgspec.json.encode(value))


def carried(sent: list[Any]) -> list[Json]:
    """Return what the platform got, as a preview says it."""
    return [
        {"parts": as_json(one.parts), "quick_replies": [choice.title for choice in one.quick_replies]} for one in sent
    ]


def promised(preview: Json) -> list[Json]:
    going = [one for one in preview["requests"] if one["refusal"] is None]
    return [
        {"parts": one["parts"], "quick_replies": [choice["title"] for choice in one["quick_replies"]]} for one in going
    ]


async def compare(desk: Running, ada: Client, connector: RichConnector, body: Json) -> None:
    """Preview a reply, send it, and compare with what arrives and with what is left then."""
    thread = await desk.thread(f"Round {next(ROUNDS)}", account=FAIR)
    connector.sent.clear()
    before = await ada.get(f"/threads/{thread}")
    preview = await ada.post(f"/threads/{thread}/preview", body)
    answer = await reply(ada, thread, body)
    await desk.settle()
    whole = [one for one in preview["refusals"] if one["field"] is not None or not preview["requests"]]
    assert (answer.status == 202) is not bool(whole), (body, preview, answer.raw)
    if whole:
        assert answer.code in {one["code"] for one in whole}
        assert connector.sent == []
        return
    assert carried(connector.sent) == promised(preview), body
    after = await ada.get(f"/threads/{thread}")
    assert preview["window"]["before"] == before["window"]["remaining"]
    assert preview["window"]["after"] == (after["window"]["remaining"] or 0)


async def test_the_preview_is_what_the_platform_gets(plain_desk: Running) -> None:
    ada, connector = await open_fair(plain_desk)
    loop = asyncio.get_running_loop()

    @settings(max_examples=100, deadline=None, suppress_health_check=list(HealthCheck))
    @given(body=REPLIES)
    def agrees(body: Json) -> None:
        asyncio.run_coroutine_threadsafe(compare(plain_desk, ada, connector, body), loop).result()

    await asyncio.to_thread(agrees)


async def test_a_preview_stores_nothing_and_tells_nobody(desk: Running) -> None:
    ada, connector, thread = await begin(desk)
    picture = await upload(ada)
    tables = (schema.message, schema.delivery, schema.event, schema.media)

    async def rows() -> list[Any]:
        async with desk.house.store.read() as connection:
            return [(await connection.execute(table.select())).all() for table in tables]

    before = await rows()
    for body in ({"text": "word " * 50}, {"attachments": [picture]}, {"content": {**CARD, "image": picture}}):
        assert (await ada.post(f"/threads/{thread}/preview", body))["refusals"] == []
    assert await rows() == before
    await desk.settle()
    assert connector.sent == []


async def test_it_tells_parts_loss_window_and_quota_before_anything_is_sent(desk: Running) -> None:
    ada, _, thread = await begin(desk)
    await ada.post(f"/accounts/{FAIR}/probe")
    people = {"type": "contacts", "people": [{"name": "Bo"}]}
    found = await ada.post(f"/threads/{thread}/preview", {"text": "word " * 50, "content": people})
    assert [(one["message"], len(one["parts"])) for one in found["requests"]] == [(1, 2), (2, 2)]
    assert (found["level"], found["requests"][1]["notes"]) == ("fallback", ["Contacts go out as text."])
    assert {one["cost"] for one in found["requests"]} == {"quota"}
    assert (found["quota_before"], found["quota_after"]) == (7, 5)
    window = found["window"]
    assert (window["open"], window["before"], window["after"], window["afterwards"]) == (True, 5, 1, "template")


async def test_what_is_on_its_way_is_no_longer_in_the_budget(desk: Running) -> None:
    ada, connector, thread = await begin(desk)
    connector.sending.clear()
    await reply(ada, thread, {"text": "word " * 50})
    found = await ada.post(f"/threads/{thread}/preview", {"text": "word " * 50})
    connector.sending.set()
    assert (found["window"]["before"], [one["code"] for one in found["refusals"]]) == (2, ["budget_spent"])
    assert all(one["cost"] is None for one in found["requests"])


async def test_everything_that_stands_in_the_way_is_told_at_once(desk: Running) -> None:
    ada, _, thread = await begin(desk)
    body = {"text": "Hi", "content": {**CARD, "title": "A" * 21}, "quick_replies": [{"title": "x" * 21}]}
    found = await ada.post(f"/threads/{thread}/preview", body)
    assert [one["code"] for one in found["refusals"]] == ["card_too_long"]
    nothing = await ada.post(f"/threads/{thread}/preview", {})
    assert [(one["code"], one["field"]) for one in nothing["refusals"]] == [("empty_reply", "text")]


async def test_after_the_window_it_says_so_and_lets_a_template_through(desk: Running) -> None:
    ada, _, thread = await begin(desk)
    await pass_the_window(desk, ada)
    late = await ada.post(f"/threads/{thread}/preview", {"text": "Hi"})
    assert [(one["code"], one["field"]) for one in late["refusals"]] == [("window_closed", None)]
    assert (late["window"]["open"], late["window"]["afterwards"]) == (False, "template")
    template = await ada.post(f"/threads/{thread}/preview", {"content": PARCEL})
    assert (template["refusals"], len(template["requests"])) == ([], 1)


@pytest.mark.parametrize("body", [{"attachments": ["unheard"]}, {"content": {**CARD, "image": "unheard"}}])
async def test_files_of_others_are_not_previewed(plain_desk: Running, body: Json) -> None:
    ada, _, thread = await begin(plain_desk)
    answer = await ada.call("POST", f"/threads/{thread}/preview", body)
    assert (answer.status, answer.code) == (404, "attachment_not_found")
    picture = await upload(ada)
    theirs = await plain_desk.client(BO[0]).call("POST", f"/threads/{thread}/preview", {"attachments": [picture]})
    assert theirs.status == 404

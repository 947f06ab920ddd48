"""The composer's truth on a real connector: what the preview says of generated replies is what the platform is sent."""

from __future__ import annotations

import asyncio
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.journeys.shop import Json, Shop, until

SHORT = st.text(alphabet="ab 好👍é", min_size=1, max_size=18).filter(lambda text: bool(text.strip()))
BUTTONS = st.lists(
    st.fixed_dictionaries({"title": SHORT}, optional={"url": st.just("https://shop.example/a"), "data": SHORT}),
    max_size=3,
)
CARDS = st.fixed_dictionaries({"title": SHORT}, optional={"text": SHORT, "buttons": BUTTONS})
TEXTS = st.one_of(
    SHORT,
    st.builds(
        lambda word, times: ((word.strip() + " ") * times)[:20_000], SHORT, st.sampled_from([1, 400, 1200, 3000])
    ),
)
CONTENTS = st.one_of(
    CARDS.map(lambda card: {"type": "card", **card}),
    st.lists(CARDS, min_size=1, max_size=4).map(lambda cards: {"type": "carousel", "cards": cards}),
    st.builds(lambda title: {"type": "location", "latitude": 35.5, "longitude": 139.5, "title": title}, SHORT),
    st.builds(lambda title: {"type": "link", "url": "https://shop.example/a", "title": title}, SHORT),
    st.builds(lambda name: {"type": "contacts", "people": [{"name": name}]}, SHORT),
)
REPLIES = st.fixed_dictionaries(
    {},
    optional={
        "text": TEXTS,
        "content": CONTENTS,
        "quick_replies": st.lists(st.fixed_dictionaries({"title": SHORT}), max_size=3),
    },
)
#: Kind of content → kinds of message that stand for it on the platform.
KINDS = {
    "text": {"text"},
    "location": {"location"},
    "card": {"template", "flex"},
    "carousel": {"template", "flex"},
    "link": {"flex"},
}


async def compare(shop: Shop, thread: str, body: Json) -> None:
    preview: Json = await shop.ada.post(f"/threads/{thread}/preview", body)
    shop.line.journal.clear()
    answer = await shop.ada.call("POST", f"/threads/{thread}/messages", body)
    assert (answer.status == 202) is not bool(preview["refusals"]), (body, preview, answer.raw)
    if answer.status != 202:
        return
    await until(lambda: _settled(shop, answer.json))
    calls = [*shop.calls("/v2/bot/message/reply"), *shop.calls("/v2/bot/message/push")]
    assert len(calls) == len(preview["requests"]), (body, preview)
    for promised, call in zip(preview["requests"], calls, strict=True):
        assert len(call["messages"]) == len(promised["parts"])
        for part, message in zip(promised["parts"], call["messages"], strict=True):
            assert message["type"] in KINDS[part["type"]], (part, message)
            if part["type"] == "text":
                assert message["text"] == part["text"]
        shown = [item["action"]["label"] for item in call["messages"][-1].get("quickReply", {}).get("items", ())]
        assert shown == [one["title"] for one in promised["quick_replies"]]
    costs = ["free" if "replyToken" in call else "quota" for call in calls]
    assert [one["cost"] for one in preview["requests"]] == costs


async def _settled(shop: Shop, message: Json) -> bool:
    now = await shop.message(message["id"], message["thread_id"])
    assert now["delivery_state"] not in {"failed", "expired", "suppressed"}, (message, now["deliveries"])
    return bool(now["delivery_state"] == "sent")


async def test_the_preview_is_what_the_platform_is_sent(shop: Shop) -> None:
    mei = shop.line.customer("Mei")
    await mei.text("Hello")
    thread = (await shop.thread_of(mei))["id"]
    loop = asyncio.get_running_loop()

    @settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck))
    @given(body=REPLIES)
    def agrees(body: dict[str, Any]) -> None:
        asyncio.run_coroutine_threadsafe(compare(shop, thread, body), loop).result()

    await asyncio.to_thread(agrees)

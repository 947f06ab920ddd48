"""How a LINE message looks on its customer's phone. Pure."""

from __future__ import annotations

from typing import Any

from trunkline.testing.phones import Bubble, BubbleCard, Press
from trunkline_line.simulator.rules import actions_of
from trunkline_line.simulator.world import Chat, Said, World

Json = dict[str, Any]


def bubbles_of(world: World, chat: Chat, viewer: str, url: str) -> list[Bubble]:
    """Return what `viewer` sees of a chat; `url` is where the simulator serves pictures."""
    return [_bubble(world, chat, said, viewer=viewer, url=url) for said in chat.said]


def last_words(said: Said) -> str:
    """Return one line for the list of chats."""
    message = said.message
    if said.unsent:
        return "unsent a message"
    return str(message.get("text") or message.get("altText") or message.get("title") or f"[{message['type']}]")


def _bubble(world: World, chat: Chat, said: Said, *, viewer: str, url: str) -> Bubble:
    message, mine = said.message, said.author == viewer
    if said.unsent:
        return Bubble(id=said.id, mine=mine, at_ms=said.at_ms, kind="note", text="A message was unsent")
    quoted = _quoted(world, chat, message)
    return Bubble(
        id=said.id,
        mine=mine,
        at_ms=said.at_ms,
        name=_name(world, said),
        quoted=last_words(quoted) if quoted else "",
        quick_replies=_quick(said) if said.last else (),
        state="Read" if mine and said.read else "",
        **_looks(said, url),
    )


def _name(world: World, said: Said) -> str:
    if said.author is not None:
        return world.people[said.author].name
    return str(said.message.get("sender", {}).get("name") or "Shop")


def _quoted(world: World, chat: Chat, message: Json) -> Said | None:
    if token := message.get("quoteToken"):
        return world.quoted(chat.id, token)
    wanted = message.get("quotedMessageId")
    return next((said for said in chat.said if said.id == wanted), None) if wanted else None


def _looks(said: Said, url: str) -> dict[str, Any]:
    message, kind = said.message, said.message["type"]
    if kind in {"template", "flex", "imagemap"}:
        return {"kind": "cards", "cards": _cards(said)}
    if kind in {"image", "video", "audio"}:
        own = f"{url}/_sim/content/{said.id}"
        original = message.get("originalContentUrl") or own
        return {
            "kind": kind,
            "url": original,
            "image": message.get("previewImageUrl") or (own if kind == "image" else None),
        }
    if kind == "sticker":
        words = message.get("text") or ", ".join(message.get("keywords", ()))
        return {"kind": "sticker", "text": words or f"{message['packageId']} · {message['stickerId']}"}
    if kind == "location":
        title, address = message.get("title"), message.get("address")
        return {
            "kind": "location",
            "text": "\n".join(dict.fromkeys(filter(None, (title, address)))) or "A place",
        }
    if kind == "file":
        return {"kind": "file", "text": message["fileName"]}
    return {"kind": "text", "text": str(message.get("text") or f"[{kind}]")}


def _press(said: Said, action: Json) -> Press:
    """Return a button; its id is its place among all actions of the message."""
    place = next(at for at, one in enumerate(actions_of(said.message)) if one is action)
    url = action.get("uri") if action["type"] == "uri" else None
    return Press(label=action.get("label") or action["type"], id=f"{said.id}:{place}", url=url)


def _quick(said: Said) -> tuple[Press, ...]:
    return tuple(_press(said, item["action"]) for item in said.message.get("quickReply", {}).get("items", ()))


def _cards(said: Said) -> tuple[BubbleCard, ...]:
    message = said.message
    if message["type"] == "flex":
        contents = message["contents"]
        bubbles = contents["contents"] if contents["type"] == "carousel" else [contents]
        return tuple(_flex_card(said, bubble) for bubble in bubbles)
    if message["type"] == "imagemap":
        return (BubbleCard(title=message["altText"], image=f"{message['baseUrl']}/240"),)
    template = message["template"]
    return tuple(_column_card(said, column) for column in template.get("columns", [template]))


def _column_card(said: Said, column: Json) -> BubbleCard:
    actions = column.get("actions") or [column["action"]]
    return BubbleCard(
        title=column.get("title", ""),
        text=column.get("text", ""),
        image=column.get("thumbnailImageUrl") or column.get("imageUrl"),
        buttons=tuple(_press(said, action) for action in actions),
    )


def _flex_card(said: Said, bubble: Json) -> BubbleCard:
    texts = [part["text"] for part in bubble.get("body", {}).get("contents", ()) if part["type"] == "text"]
    rows = bubble.get("footer", {}).get("contents", ())
    return BubbleCard(
        title=texts[0] if texts else "",
        text="\n".join(texts[1:]),
        image=bubble.get("hero", {}).get("url"),
        url=bubble.get("action", {}).get("uri"),
        buttons=tuple(_press(said, row["action"]) for row in rows if row["type"] == "button"),
    )

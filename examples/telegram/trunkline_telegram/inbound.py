"""Updates → items, by tables. Pure: the same bytes give equal items, now and in a replay next month.

Source: https://core.telegram.org/bots/api#update (read 2026-11-22)
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from typing import Any

import msgspec
from trunkline.contract import Act, ContactActed, Ignored, Item, MessageEdited, MessageReceived, Unknown
from trunkline.errors import BodyUnreadable

Json = dict[str, Any]
Reading = tuple[type[Item], Json]

#: What reading a value raises that is not as it should be.
_MISFIT = (LookupError, TypeError, ValueError, AttributeError, StopIteration)
#: Prefix of the external id of a press: `acknowledge` tells Telegram that it was heard.
PRESS = "press:"


def items_of(body: bytes) -> list[Item]:
    """Return the one item of an update. BodyUnreadable when it is none."""
    try:
        update = msgspec.json.decode(body)
    except (ValueError, RecursionError) as error:
        raise BodyUnreadable(f"This body is no update of Telegram: {type(error).__name__}.") from error
    if not isinstance(update, dict):
        raise BodyUnreadable("This body is no update of Telegram: it is no JSON object.")
    return [_item(update)]


def _item(update: Json) -> Item:
    """Read one update; what nobody knows yet is an Unknown."""
    try:
        name = next(name for name in _UPDATES if name in update)
        kind, fields = _UPDATES[name](update[name])
        return msgspec.convert({**_common(update, name), **fields}, kind)
    except _MISFIT:
        pass
    try:
        name = next(name for name in update if name != "update_id")
        return msgspec.convert({**_common(update, name), **_who(update[name]), "raw": update}, Unknown)
    except _MISFIT:
        return Unknown(dedupe_key=hashlib.sha256(msgspec.json.encode(update, order="sorted")).hexdigest(), raw=update)


def _common(update: Json, name: str) -> Json:
    return {"dedupe_key": f"update:{update['update_id']}", "platform_kind": name}


def _who(message: Json) -> Json:
    chat = message["chat"]
    names = (chat.get("first_name"), chat.get("last_name"))
    name = " ".join(part for part in names if part) or chat.get("username")
    at = message.get("edit_date") or message.get("date", 0)
    return {
        "thread_key": str(chat["id"]),
        "contact": {"external_id": str(chat["id"]), "name": name},
        "at_ms": at * 1000,
    }


def _message(message: Json) -> Reading:
    if message["chat"]["type"] != "private":
        return Ignored, {"reason": "said in a group: this connector serves private chats"}
    quoted = message.get("reply_to_message")
    fields = {**_who(message), "external_id": _id(message), "content": _content(message)}
    return MessageReceived, {**fields, "quotes": _id(quoted) if quoted else None}


def _edited(message: Json) -> Reading:
    kind, fields = _message(message)
    fields.pop("quotes", None)
    return (MessageEdited if kind is MessageReceived else kind), fields


def _pressed(query: Json) -> Reading:
    """A button comes back with its data; what was written on it stands in the message that had it."""
    message = query["message"]
    rows = message.get("reply_markup", {}).get("inline_keyboard", ())
    title = next((one["text"] for row in rows for one in row if one.get("callback_data") == query["data"]), None)
    content = {"type": "choice", "data": query["data"], "title": title}
    return MessageReceived, {**_who(message), "at_ms": 0, "external_id": f"{PRESS}{query['id']}", "content": content}


def _membership(change: Json) -> Reading:
    """Somebody blocked the bot, or came back."""
    blocked = change["new_chat_member"]["status"] == "kicked"
    act = Act.UNFOLLOW if blocked else Act.FOLLOW
    return ContactActed, {**_who(change), "act": act, "reachable": not blocked}


#: Telegram's name of an update → item and its fields.
_UPDATES: dict[str, Callable[[Json], Reading]] = {
    "message": _message,
    "edited_message": _edited,
    "callback_query": _pressed,
    "my_chat_member": _membership,
}


def _content(message: Json) -> Json:
    return next(read for name, read in _CONTENTS.items() if name in message)(message)


def _file(kind: str, name: str, **more: Any) -> Callable[[Json], Json]:
    def read(message: Json) -> Json:
        file = message[name][-1] if name == "photo" else message[name]
        media = {"source": {"reference": file["file_id"]}, "mime": file.get("mime_type"), "name": file.get("file_name")}
        media |= {"size": file.get("file_size"), "width": file.get("width"), "height": file.get("height")}
        media["duration_ms"] = file["duration"] * 1000 if "duration" in file else None
        caption = {} if kind == "audio" else {"caption": message.get("caption")}
        return {"type": kind, "media": media, **caption, **more}

    return read


def _venue(message: Json) -> Json:
    return {"type": "location", **message["venue"]["location"], **message["venue"]}


def _contacts(message: Json) -> Json:
    one = message["contact"]
    name = " ".join(part for part in (one["first_name"], one.get("last_name")) if part)
    return {"type": "contacts", "people": [{"name": name, "phones": [one["phone_number"]]}]}


#: Telegram's field of a message → content; the first that is there counts (a venue has a location too).
_CONTENTS: dict[str, Callable[[Json], Json]] = {
    "text": lambda message: {"type": "text", "text": message["text"]},
    "photo": _file("image", "photo"),
    "video": _file("video", "video"),
    "voice": _file("audio", "voice", voice=True),
    "audio": _file("audio", "audio"),
    "document": _file("file", "document"),
    "sticker": lambda message: {"type": "sticker", "text": message["sticker"].get("emoji")},
    "venue": _venue,
    "location": lambda message: {"type": "location", **message["location"]},
    "contact": _contacts,
}


def _id(message: Json) -> str:
    """Return an id that is unique in the account: Telegram counts messages in each chat."""
    return f"{message['chat']['id']}:{message['message_id']}"

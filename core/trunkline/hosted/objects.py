"""Rows and snapshots as visitors see them: tables from our kinds to theirs. What stands in no table is not shown."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import msgspec

from trunkline.clock import to_text
from trunkline.model import Contacts, Link, Sticker
from trunkline.service.rendering import text_of

if TYPE_CHECKING:
    from trunkline.hosted.signing import Signer

__all__ = ["Shower", "author_object", "bare", "client_id_of", "profile_of", "state_of", "thread_object"]

#: Our author → theirs. Staff who write elsewhere are agents to a customer.
_AUTHORS = {"contact": "contact", "agent": "agent", "bot": "bot", "system": "system", "staff_elsewhere": "agent"}
#: State of our deliveries → what a customer is told of it.
_STATES = {"delivered": "delivered", "read": "read"}
_Worded = Link | Contacts | Sticker
_FILES = ("image", "video", "audio", "file")
_FACTS = ("name", "email", "phone", "locale", "timezone")
_WORDS = {"image": "[picture]", "video": "[film]", "audio": "[sound]", "file": "[file]", "location": "[place]"}


def bare(identifier: str, prefix: str) -> str | None:
    """Return an id without its prefix, None if it has another."""
    return identifier.removeprefix(prefix) if identifier.startswith(prefix) else None


def client_id_of(external_id: str | None) -> str | None:
    """Return the client's id of a message that a visitor sent."""
    _, colon, client_id = (external_id or "").rpartition(":")
    return client_id if colon else None


class Shower:
    """Shows messages to a visitor; knows how to sign the addresses of files."""

    def __init__(self, signer: Signer, base: str, contact: str | None = None) -> None:
        self._signer, self._base = signer, base
        #: "ct_…" of who is shown: every customer in their threads is they themselves.
        self._contact = contact

    def to(self, visitor_id: str) -> Shower:
        """Return the same for one visitor."""
        return Shower(self._signer, self._base, f"ct_{visitor_id}")

    def message(self, snapshot: Mapping[str, Any], external_id: str | None) -> dict[str, Any]:
        """Return a message from its snapshot (as `service.snapshots` makes them)."""
        own = snapshot["direction"] == "in"
        content: Mapping[str, Any] = snapshot["content"]
        gone = snapshot["recalled_at"] is not None
        shown = {"kind": "redacted"} if gone else self._content(content, snapshot["quick_replies"])
        return {
            "id": f"ms_{snapshot['id']}",
            "client_id": client_id_of(external_id) if own else None,
            "thread_id": f"th_{snapshot['thread_id']}",
            "pos": snapshot["position"],
            "rev": 1 + len(snapshot["previous"]) + (1_000_000 if gone else 0),
            "author": author_object(snapshot["author"], self._contact),
            "attachments": [],
            **shown,
            "quoted": _quoted(snapshot["reply_to"]),
            "origin": "chat",
            "state": state_of(snapshot.get("delivery_state")),
            "created_at": snapshot["at"],
            "edited_at": snapshot["edited_at"],
            "fallback": "" if gone else _fallback(content),
        }

    def file(self, media: Mapping[str, Any]) -> dict[str, Any]:
        """Return a file of a message, with addresses that open it."""
        media_id, stored = media.get("id"), media.get("state") == "stored"
        preview = stored and str(media.get("mime") or "").startswith("image/")
        return {
            "upload_id": media_id and f"up_{media_id}",
            "url": self.address(str(media_id)) if stored else None,
            "preview_url": self.address(str(media_id), "preview") if preview else None,
            **{name: media.get(name) for name in ("name", "size", "mime", "width", "height", "duration_ms")},
        }

    def address(self, media_id: str, variant: str = "original") -> str:
        """Return the path of a file, signed."""
        more = "" if variant == "original" else f"&variant={variant}"
        return f"{self._base}/files/up_{media_id}?sig={self.file_signature(media_id, variant)}{more}"

    def file_signature(self, media_id: str, variant: str) -> str:
        """Return what opens a file."""
        return self._signer.sign("file", media_id, variant)

    def _content(self, content: Mapping[str, Any], quick_replies: list[Any]) -> dict[str, Any]:
        kind = str(content["type"])
        show = _SHOWN.get(kind)
        if show is None:
            return {"kind": "unsupported"}
        shown = show(self, content)
        if quick_replies:
            kind = "quick_replies" if shown["kind"] == "text" else shown["kind"]
            shown |= {"kind": kind, "options": [_option(index, one) for index, one in enumerate(quick_replies)]}
        return shown


def _text(_: Shower, content: Mapping[str, Any]) -> dict[str, Any]:
    return {"kind": "text", "text": content["text"]}


def _file(shower: Shower, content: Mapping[str, Any]) -> dict[str, Any]:
    return {"kind": content["type"], "text": content.get("caption"), "attachments": [shower.file(content["media"])]}


def _location(_: Shower, content: Mapping[str, Any]) -> dict[str, Any]:
    place = {name: content[name] for name in ("latitude", "longitude")}
    named = ", ".join(filter(None, (content.get("title"), content.get("address"))))
    return {"kind": "location", **place, "title": named or None}


def _choice(_: Shower, content: Mapping[str, Any]) -> dict[str, Any]:
    return {"kind": "text", "text": content.get("title") or content["data"]}


def _in_words(_: Shower, content: Mapping[str, Any]) -> dict[str, Any]:
    """Show what our clients have no form for as the text that the composer told."""
    return {"kind": "text", "text": text_of(msgspec.convert(content, _Worded))}


def _card(shower: Shower, content: Mapping[str, Any]) -> dict[str, Any]:
    return {"kind": "card", **_face(shower, content, 0)}


def _carousel(shower: Shower, content: Mapping[str, Any]) -> dict[str, Any]:
    return {"kind": "carousel", "cards": [_face(shower, card, index) for index, card in enumerate(content["cards"])]}


def _face(shower: Shower, card: Mapping[str, Any], number: int) -> dict[str, Any]:
    image = card.get("image")
    return {
        "title": card["title"],
        "body": card.get("text"),
        "image": shower.file(image) if image else None,
        "actions": [_action(f"b{number}.{index}", button) for index, button in enumerate(card.get("buttons", ()))],
    }


def _action(name: str, button: Mapping[str, Any]) -> dict[str, Any]:
    url = button.get("url")
    return {"id": name, "label": button["title"], "type": "url" if url else "postback", "url": url}


def _option(index: int, reply: Mapping[str, Any]) -> dict[str, Any]:
    return {"id": f"q{index}", "label": reply["title"], "type": "postback", "url": None}


#: Kind of content → how it is shown.
_SHOWN: dict[str, Callable[[Shower, Mapping[str, Any]], dict[str, Any]]] = {
    "text": _text,
    **dict.fromkeys(_FILES, _file),
    "location": _location,
    "choice": _choice,
    **dict.fromkeys(("link", "contacts", "sticker"), _in_words),
    "card": _card,
    "carousel": _carousel,
}


def _fallback(content: Mapping[str, Any]) -> str:
    words = next((content[name] for name in ("text", "caption", "title", "data", "name") if content.get(name)), None)
    return str(words or _WORDS.get(str(content["type"]), "[message]"))


def _quoted(reply_to: Mapping[str, Any] | None) -> dict[str, Any] | None:
    if reply_to is None:
        return None
    message_id = reply_to.get("message_id")
    return {"id": message_id and f"ms_{message_id}", "text": reply_to.get("preview")}


def state_of(delivery_state: str | None) -> str:
    """Return how far a message is for its readers: "sent", "delivered", "read". What is the house's own stays there."""
    return _STATES.get(delivery_state or "", "sent")


def author_object(author: Mapping[str, Any], contact: str | None = None) -> dict[str, Any]:
    """Return who said something; `contact` is the customer's own id."""
    kind = _AUTHORS[str(author["kind"])]
    known = author.get("id") if kind in {"agent", "bot"} else None
    return {"kind": kind, "id": contact if kind == "contact" else known and f"ag_{known}", "name": author.get("name")}


def thread_object(row: Any, *, live_key: str, unread: int) -> dict[str, Any]:
    """Return a thread from its row."""
    agent = None if row.assignee_id is None else {"kind": "agent", "id": row.assignee_id, "name": row.assignee_name}
    return {
        "id": f"th_{row.id}",
        "live": row.key == live_key,
        "state": "closed" if row.state == "closed" else "open",
        "last_pos": row.last_position,
        "read_pos": row.contact_read,
        "unread": unread,
        "agent_unread": row.unread,
        "agent": agent and author_object(agent),
        "last_message_at": to_text(row.last_message_at),
    }


def profile_of(visitor_id: str, stated: Mapping[str, Any], verified: Mapping[str, Any]) -> dict[str, Any]:
    """Return what is known of a visitor; what was signed wins."""
    facts = {name: verified.get(name) or stated.get(name) for name in _FACTS}
    attributes = {**stated.get("attributes", {}), **verified.get("attributes", {})}
    return {"id": f"ct_{visitor_id}", **facts, "attributes": attributes}

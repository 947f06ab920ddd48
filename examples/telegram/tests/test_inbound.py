"""What arrives: samples of Telegram's documentation, one for each kind, with ids of nobody.

Source: https://core.telegram.org/bots/api#update (read 2026-11-22)
"""

from __future__ import annotations

import json
from typing import Any

import pytest
from trunkline.contract import ContactActed, Ignored, MessageEdited, MessageReceived, Unknown
from trunkline.model import Image, Text

from trunkline_telegram.inbound import items_of

CHAT = {"id": 700000001, "first_name": "Ada", "last_name": "Byron", "type": "private"}
HEAD = {"message_id": 7, "date": 1_795_262_400, "chat": CHAT, "from": CHAT}


def read(**update: Any) -> Any:
    (item,) = items_of(json.dumps({"update_id": 1, **update}).encode())
    return item


def test_a_text_is_read() -> None:
    item = read(message={**HEAD, "text": "Hello"})
    assert isinstance(item, MessageReceived)
    assert (item.content, item.contact.name, item.external_id) == (Text(text="Hello"), "Ada Byron", "700000001:7")
    assert item.at_ms == 1_795_262_400_000


def test_the_largest_size_of_a_photo_counts() -> None:
    sizes = [{"file_id": "small", "width": 90, "height": 60}, {"file_id": "large", "width": 900, "height": 600}]
    item = read(message={**HEAD, "photo": sizes, "caption": "Look"})
    assert isinstance(item.content, Image)
    assert item.content.media.source
    assert (item.content.media.source.reference, item.content.caption) == ("large", "Look")


def test_an_edit_is_told_as_one() -> None:
    item = read(edited_message={**HEAD, "edit_date": 1_795_262_460, "text": "Hello!"})
    assert isinstance(item, MessageEdited)
    assert (item.external_id, item.at_ms) == ("700000001:7", 1_795_262_460_000)


@pytest.mark.parametrize(("status", "reachable"), [("kicked", False), ("member", True)])
def test_who_blocks_the_bot_cannot_be_reached(status: str, reachable: bool) -> None:
    item = read(my_chat_member={**HEAD, "new_chat_member": {"status": status}})
    assert isinstance(item, ContactActed)
    assert item.reachable is reachable


def test_groups_are_left_alone() -> None:
    assert isinstance(read(message={**HEAD, "chat": {"id": -5, "type": "group"}, "text": "Hello"}), Ignored)


def test_what_nobody_knows_yet_is_kept() -> None:
    item = read(business_connection={"id": "1"})
    assert isinstance(item, Unknown)
    assert item.raw["business_connection"] == {"id": "1"}

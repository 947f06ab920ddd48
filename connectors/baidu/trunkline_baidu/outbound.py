"""Content → the fields of a customer message. Pure.

Source: https://smartprogram.baidu.com/docs/develop/serverapi/contact_api/ (read 2026-11-22)
"""

from __future__ import annotations

from trunkline.errors import Undeliverable
from trunkline.model import Content, Image, Text, content_kind


def fields_of(part: Content) -> dict[str, str]:
    """Return msg_type and what goes with it. Undeliverable when Baidu has nothing of this kind."""
    match part:
        case Text(text=text):
            return {"msg_type": "text", "content": text, "pic_url": ""}
        case Image(media=media) if media.url is None:
            raise Undeliverable("The file has no public address.", code="no_public_address", whose="us")
        case Image(media=media, caption=str(caption)) if caption:
            return {"msg_type": "text", "content": f"{caption}\n{media.url}", "pic_url": ""}
        case Image(media=media):
            return {"msg_type": "image", "content": "", "pic_url": str(media.url)}
        case _:
            raise Undeliverable(f"Baidu cannot carry this {content_kind(part)}.", code="not_carried")

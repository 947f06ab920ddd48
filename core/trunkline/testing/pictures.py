"""Three small pictures for simulated customers, drawn on demand."""

from __future__ import annotations

import io
from functools import cache

from PIL import Image, ImageDraw

__all__ = ["PICTURES", "picture"]

#: What there is to pick.
PICTURES = ("parcel", "cup", "receipt")
_SIZE = (640, 480)


@cache
def picture(name: str) -> bytes:
    """Return a JPEG of 640 × 480. KeyError if there is none of this name."""
    image = Image.new("RGB", _SIZE, {"parcel": "#dfe7ef", "cup": "#f6e7d8", "receipt": "#d9e8df"}[name])
    _DRAWERS[name](ImageDraw.Draw(image))
    file = io.BytesIO()
    image.save(file, "JPEG", quality=88)
    return file.getvalue()


def _parcel(draw: ImageDraw.ImageDraw) -> None:
    draw.rectangle((0, 380, 640, 480), fill="#b9c6d2")
    draw.polygon([(150, 190), (320, 130), (490, 190), (320, 250)], fill="#d9ad76")
    draw.polygon([(150, 190), (320, 250), (320, 420), (150, 350)], fill="#b98a53")
    draw.polygon([(490, 190), (320, 250), (320, 420), (490, 350)], fill="#a4763f")
    draw.polygon([(225, 164), (265, 150), (432, 210), (398, 222)], fill="#f1dcb8")
    draw.line([(345, 270), (395, 330), (370, 345), (425, 395)], fill="#5a3d1c", width=5)


def _cup(draw: ImageDraw.ImageDraw) -> None:
    draw.rectangle((0, 360, 640, 480), fill="#c99b6d")
    draw.ellipse((170, 350, 450, 410), fill="#f4f4f2")
    draw.ellipse((390, 210, 490, 320), outline="#e9e5df", width=24)
    draw.rounded_rectangle((200, 170, 420, 380), radius=60, fill="#ffffff")
    draw.ellipse((208, 150, 412, 200), fill="#6b4226", outline="#ffffff", width=10)
    draw.line([(330, 200), (310, 260), (345, 290), (325, 350)], fill="#9b9b9b", width=6)
    for x in (270, 320, 365):
        draw.arc((x - 20, 50, x + 20, 130), 90, 270, fill="#ffffff", width=8)


def _receipt(draw: ImageDraw.ImageDraw) -> None:
    draw.polygon([(210, 30), (430, 45), (415, 455), (195, 440)], fill="#ffffff")
    for at, width in enumerate((150, 110, 170, 90, 150, 120, 165)):
        y = 90 + at * 38
        draw.line([(235 - at, y), (235 - at + width, y + 8)], fill="#9aa5a0", width=10)
        draw.line([(380 - at, y + 10), (405 - at, y + 12)], fill="#5f6b65", width=10)
    draw.line([(222, 372), (398, 382)], fill="#2f3a35", width=4)
    draw.line([(222, 405), (300, 410)], fill="#2f3a35", width=16)
    draw.ellipse((320, 385, 405, 440), outline="#d0483e", width=8)


_DRAWERS = {"parcel": _parcel, "cup": _cup, "receipt": _receipt}

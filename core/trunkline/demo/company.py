"""A small invented company's morning: who writes what, and when."""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING

import msgspec

from trunkline.testing.phones import Action

if TYPE_CHECKING:
    from trunkline.testing.simulator import Simulator

__all__ = ["SCENES", "Moment", "play"]


class Moment(msgspec.Struct, frozen=True):
    """One thing a customer does, some seconds after the one before."""

    after_s: float
    customer: str
    action: Action


def _says(after_s: float, customer: str, text: str) -> Moment:
    return Moment(after_s, customer, Action(kind="text", text=text))


#: A bicycle shop's customers, by where they write from: the platforms that are there share the scenes in turn.
SCENES: tuple[tuple[Moment, ...], ...] = (
    (
        _says(0.5, "Mei Tanaka", "Good morning! Is the red city bike still in stock?"),
        _says(1.5, "Jonas Berg", "Hi, my order 4711 should have come yesterday 🙁"),
        Moment(2.0, "Mei Tanaka", Action(kind="sticker")),
        _says(2.0, "林小雨", "你好,请问可以改送货时间吗?"),
        Moment(3.0, "Jonas Berg", Action(kind="image", picture="parcel")),
        _says(1.0, "Jonas Berg", "This is what arrived instead."),
        _says(4.0, "Zofia Kowal", "Dzień dobry, czy naprawiacie hamulce tarczowe?"),
        Moment(3.0, "Zofia Kowal", Action(kind="location")),
        _says(6.0, "Mei Tanaka", "And do you deliver on Saturdays?"),
    ),
    (
        _says(1.0, "Nora Lind", "Hello, I am looking at the blue touring bike. Does it come with lights?"),
        _says(5.0, "Nora Lind", "And the bell that I ordered came like this. Was that you?"),
        Moment(1.0, "Nora Lind", Action(kind="image", picture="parcel")),
        _says(6.0, "Tom Reyes", "Are you open on Saturday afternoon?"),
    ),
)


async def play(simulator: Simulator, scene: int = 0) -> None:
    """Let the customers write; ends with the last line. What a platform does not have is left out."""
    lines = SCENES[scene % len(SCENES)]
    known = {name: simulator.add_customer(name) for name in dict.fromkeys(line.customer for line in lines)}
    for line in lines:
        await asyncio.sleep(line.after_s)
        with contextlib.suppress(ValueError):
            await simulator.act(known[line.customer], line.action)

"""A waiting room: customers ask for a person, wait in a line, and rate the talk. This file is the door."""

from __future__ import annotations

from collections.abc import Sequence

from trunkline.contract import ApplicationSpec, hookimpl

from trunkline_waiting_room.application import KINDS, WaitingRoom
from trunkline_waiting_room.calls import add_calls
from trunkline_waiting_room.rules import Rules

__all__ = ["NAME", "RULES", "Rules", "spec", "trunkline_applications"]

NAME = "waiting_room"
#: Yours to change: Trunkline has no file for the settings of applications.
RULES = Rules()


def spec(rules: Rules = RULES) -> ApplicationSpec:
    """Return the application under these rules."""
    return ApplicationSpec(
        name=NAME,
        title={"en": "Waiting room"},
        build=lambda house: WaitingRoom(house, rules),
        migrations="trunkline_waiting_room.migrations:migrations",
        client_routes=lambda calls, _house, application: add_calls(calls, application),
        kinds=KINDS,
    )


@hookimpl
def trunkline_applications() -> Sequence[ApplicationSpec]:
    """Return the waiting room."""
    return [spec()]

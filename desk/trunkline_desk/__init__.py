"""The desk: agents, their API and the inbox. This file is the door; everything is loaded when it is opened."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from trunkline.contract import Application, ApplicationSpec, hookimpl

__all__ = ["trunkline_applications"]


@hookimpl
def trunkline_applications() -> Sequence[ApplicationSpec]:
    """Return the desk."""
    return [
        ApplicationSpec(
            name="desk",
            title={"en": "Desk", "pl": "Pulpit", "zh-Hans": "工作台", "zh-Hant": "工作台"},
            build=_build,
            migrations="trunkline_desk.migrations:migrations",
            routes=_routes,
            commands="trunkline_desk.cli:app",
            kinds=frozenset({"message_received"}),
        )
    ]


def _build(house: Any) -> Application:
    from trunkline_desk.application import build  # noqa: PLC0415 - loaded when the desk is built

    return build(house)


def _routes(app: Any, house: Any, application: Any) -> None:
    from trunkline_desk.application import routes  # noqa: PLC0415 - loaded when the doors are opened

    routes(app, house, application)

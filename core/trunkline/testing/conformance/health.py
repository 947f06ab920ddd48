"""Checks of probes and of a clean end."""

from __future__ import annotations

import asyncio
from typing import Any

import httpx2

from trunkline.contract import Health
from trunkline.errors import DeliveryError, SignInNeeded
from trunkline.testing.conformance.checks import Check, Topic, need
from trunkline.testing.conformance.failures import NONSENSE
from trunkline.testing.conformance.stage import Stage
from trunkline.testing.conformance.strangers import foreign
from trunkline.testing.faults import Fault

__all__ = ["HEALTH", "probed"]


async def probed(stage: Stage, *, strange: bool = False) -> Health | DeliveryError | httpx2.TransportError:
    """Return what a probe finds, or the refusal that the core makes a finding of."""
    settings = foreign(stage.subject.spec.config, stage.simulator.settings()) if strange else None
    connector = stage.build(settings) if strange else stage.connector
    try:
        return await connector.probe()
    except (DeliveryError, httpx2.TransportError) as error:
        return error


async def healthy(stage: Stage) -> None:
    found = await probed(stage)
    need(isinstance(found, Health) and found.state == "connected", f"a good account is probed as {found!r}")
    words = found.summary if isinstance(found, Health) else ""
    need(words.strip() and "\n" not in words, f"the summary of a probe is {words!r}: one sentence")


async def probe_refused(stage: Stage) -> None:
    found = await probed(stage, strange=True)
    state = found.state if isinstance(found, Health) else type(found).__name__
    need(state in {"sign_in_needed", SignInNeeded.__name__}, f"an account with wrong keys is probed as {found!r}")


async def probe_down(stage: Stage) -> None:
    await stage.simulator.stop()
    found = await probed(stage)
    well = isinstance(found, Health) and found.state != "failing"
    need(not well, f"an account whose platform is down is probed as {found!r}")


async def probe_nonsense(stage: Stage) -> None:
    for status, body in NONSENSE[:6]:
        stage.simulator.fail(Fault(do="answer", status=status, body=body, times=30, content_type="text/html"))
        found = await probed(stage)
        stage.simulator.forgive()
        well = isinstance(found, Health) and found.state == "connected"
        need(not well, f"an account whose platform answers {body[:30]!r} is probed as connected")


async def ended(stage: Stage) -> None:
    customer = stage.add_customer()
    message = await stage.message(customer)
    before, open_before = asyncio.all_tasks(), stage.simulator.connections
    connector = stage.build()
    services = stage.built[-1][1]
    await stage.attempt(message, connector)
    await connector.aclose()
    await services.http.aclose()
    clean = await stage.settled(lambda: not _left(before))
    need(clean, f"after aclose a task is left: {_left(before)[:1]}")
    closed = await stage.settled(lambda: stage.simulator.connections <= open_before)
    need(closed, f"after aclose {stage.simulator.connections - open_before} connections to the platform are open")


def _left(before: set[asyncio.Task[Any]]) -> list[asyncio.Task[Any]]:
    """Return tasks that are new, but for those of the simulator's own server."""
    return [task for task in asyncio.all_tasks() - before if "RequestHandler" not in repr(task)]


async def ended_twice(stage: Stage) -> None:
    connector = stage.build()
    await connector.aclose()
    await connector.aclose()


HEALTH = Topic(
    "Health and end",
    (
        Check("probe.good", healthy, "A good account is connected.", "It is what the administrator sees first."),
        Check("probe.refused", probe_refused, "An account with wrong keys needs to sign in.",
              "It tells what to do; “failing” does not."),
        Check("probe.down", probe_down, "An account whose platform is down is failing.",
              "And not in need of new keys."),
        Check("probe.nonsense", probe_nonsense, "A platform that answers nonsense is not connected.",
              "A gateway in between answers 200."),
        Check("end.clean", ended, "After the end no task and no connection is left.",
              "Accounts are switched on and off while the rest serves."),
        Check("end.twice", ended_twice, "Ending twice does no harm.", "It happens when a start fails."),
    ),
)  # fmt: skip

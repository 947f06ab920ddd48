"""Checks of channels that notify or are polled: pages and cursors."""

from __future__ import annotations

import httpx2

from trunkline.contract import MessageReceived, PullRequest, PullRequested, Transport, TrustedBody
from trunkline.errors import BodyUnreadable, DeliveryError
from trunkline.model import Text
from trunkline.testing.conformance.checks import Broken, Check, Subject, Topic, need
from trunkline.testing.conformance.stage import Stage
from trunkline.testing.faults import Fault
from trunkline.testing.phones import Action

__all__ = ["PULLING"]


def _pulls(subject: Subject) -> bool:
    return subject.capabilities.receiving.transport in {Transport.NOTIFY, Transport.PULL}


async def asked(stage: Stage) -> None:
    await stage.write(stage.add_customer())
    found = [item for item in stage.door.items if isinstance(item, PullRequested)]
    notifies = stage.capabilities.receiving.transport is Transport.NOTIFY
    need(bool(found) == notifies, f"the transport is {stage.capabilities.receiving.transport}, "
         f"and a message brings {len(found)} requests to pull")  # fmt: skip
    if not found:
        raise stage.not_here("requests to pull")
    need(all(item.scope for item in found), "a PullRequested does not say which scope")


async def pages(stage: Stage) -> None:
    customer, words = stage.add_customer(), [stage.word() for _ in range(30)]
    for one in words:
        await stage.simulator.act(customer, _text(one))
    await stage.pull()
    said = [item.content for item in stage.door.items if isinstance(item, MessageReceived)]
    texts = [content.text for content in said if isinstance(content, Text)]
    need(sorted(texts) == sorted(words), f"of {len(words)} messages {len(texts)} were pulled")


def _text(words: str) -> Action:
    return Action(kind="text", text=words)


async def same_page(stage: Stage) -> None:
    await stage.write(stage.add_customer())
    scope = _scope(stage)
    one = await stage.connector.pull(PullRequest(scope=scope))
    again = await stage.connector.pull(PullRequest(scope=scope))
    keys = [[item.dedupe_key for item in stage.connector.parse(TrustedBody(page.raw))] for page in (one, again)]
    need(keys[0] and keys[0] == keys[1], "the same page has other keys when it is pulled again")


def _scope(stage: Stage) -> str:
    named = [item.scope for item in stage.door.items if isinstance(item, PullRequested)]
    return (named or list(stage.connector.scopes()))[0]


async def cursor(stage: Stage) -> None:
    customer = stage.add_customer()
    await stage.write(customer)
    scope = _scope(stage)
    first = await stage.connector.pull(PullRequest(scope=scope))
    words = stage.word("newer")
    await stage.simulator.act(customer, _text(words))
    page = await stage.connector.pull(PullRequest(scope=scope, cursor=first.cursor))
    said = [item for item in stage.connector.parse(TrustedBody(page.raw)) if isinstance(item, MessageReceived)]
    need([getattr(item.content, "text", "") for item in said] == [words], "after a cursor not exactly the newer comes")


async def pull_down(stage: Stage) -> None:
    await stage.write(stage.add_customer())
    scope = _scope(stage)
    for status, body in ((503, ""), (200, "<html>"), (200, "[]"), (200, "{}"), (429, "{}")):
        stage.simulator.fail(Fault(do="answer", status=status, body=body, times=3))
        try:
            page = await stage.connector.pull(PullRequest(scope=scope))
            stage.connector.parse(TrustedBody(page.raw))
        except (DeliveryError, httpx2.TransportError, BodyUnreadable):
            stage.simulator.forgive()
            continue
        raise Broken(f"{status} {body!r} was taken for a page")


PULLING = Topic(
    "Pulling",
    (
        Check("pull.asked", asked, "A notification asks to pull if, and only if, that is the declared transport.",
              "A channel that nobody pulls is silent."),
        Check("pull.pages", pages, "Everything is pulled, over as many pages as there are.",
              "The first page is not all.", _pulls),
        Check("pull.same_page", same_page, "The same page has the same keys when it is pulled again.",
              "A crash between pulling and storing pulls twice.", _pulls),
        Check("pull.cursor", cursor, "After a cursor exactly the newer comes.",
              "Neither a loss nor everything again.", _pulls),
        Check("pull.down", pull_down, "A page that cannot be had, or is none, is an error of our tree.",
              "It is pulled again later.", _pulls),
    ),
)  # fmt: skip

"""How a reply goes out, decided in one place: what is shown to the agent before is what is stored and sent after.

Pure: from contents, capabilities and what is left of the windows to one step per message.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Mapping, Sequence
from itertools import pairwise

import msgspec

from trunkline.contract import Afterwards, Capabilities, Idempotency
from trunkline.model import AuthorKind, Content, QuickReply, Template
from trunkline.service.refusals import ReplyRefused
from trunkline.service.rendering import Plan, plan_for
from trunkline.service.windows import Open, Verdict, judge

__all__ = [
    "Load",
    "Standing",
    "Step",
    "batch_size",
    "count_together",
    "counts_budget",
    "needs_no_window",
    "plan_or_refusal",
    "steps_of",
]


class Standing(msgspec.Struct, frozen=True, kw_only=True):
    """What holds in a thread at the moment in which something is written."""

    capabilities: Capabilities
    #: What is left of the windows.
    windows: Mapping[str, Open]
    author: AuthorKind
    #: Milliseconds since the epoch.
    now: int


class Step(msgspec.Struct, frozen=True, kw_only=True):
    """One message of a reply."""

    content: Content
    quick_replies: tuple[QuickReply, ...]
    plan: Plan
    verdict: Verdict
    #: Why it is kept from the platform, one of `windows.REFUSALS`; None when it goes out.
    refusal: str | None

    @property
    def size(self) -> int:
        """Messages to the platform, as budgets count them."""
        return sum(len(request.parts) for request in self.plan.requests)


class Load(msgspec.Struct, frozen=True, kw_only=True):
    """What decides whether a delivery may share a request with the one before it."""

    parts: int
    #: By whom and under which window: all of a request are alike in it.
    under: Hashable
    #: Answers a certain message: it begins a request.
    quotes: bool = False
    #: Has suggested answers under it: it ends one.
    asks: bool = False


def batch_size(capabilities: Capabilities) -> int:
    """Return how many parts of several deliveries one request carries.

    Where the platform echoes a field of ours it stays one delivery: the field names no other.
    """
    sending = capabilities.sending
    return 1 if sending.idempotency is Idempotency.CORRELATION else sending.items_per_request


def count_together(loads: Sequence[Load], most: int) -> int:
    """Return how many deliveries, the first of them in any case, go in one request of at most `most` parts."""
    parts = loads[0].parts
    for count, (before, one) in enumerate(pairwise(loads), 1):
        parts += one.parts
        if parts > most or before.asks or one.quotes or one.under != before.under:
            return count
    return len(loads)


def counts_budget(capabilities: Capabilities) -> bool:
    """Whether any window of the channel has a budget."""
    return any(window.budget is not None for window in capabilities.windows)


def needs_no_window(content: Content, capabilities: Capabilities) -> bool:
    """Whether this goes out whatever became of the windows: templates, where the platform says so."""
    return isinstance(content, Template) and any(
        window.afterwards is Afterwards.TEMPLATE for window in capabilities.windows
    )


def steps_of(contents: Sequence[Content], choices: tuple[QuickReply, ...], standing: Standing) -> list[Step]:
    """Return one step per content; the suggested answers stand under the last.

    Raises:
        ReplyRefused: the channel cannot carry one of them.
    """
    last = len(contents) - 1
    plans = [
        plan_for(content, choices if number == last else (), standing.capabilities)
        for number, content in enumerate(contents)
    ]
    return list(_judged(contents, plans, choices, standing))


def plan_or_refusal(
    contents: Sequence[Content], choices: tuple[QuickReply, ...], standing: Standing
) -> tuple[list[Step], list[ReplyRefused]]:
    """Return the steps, or everything that stands in their way."""
    last, refusals, plans = len(contents) - 1, list[ReplyRefused](), list[Plan]()
    for number, content in enumerate(contents):
        try:
            plans.append(plan_for(content, choices if number == last else (), standing.capabilities))
        except ReplyRefused as refusal:
            refusals.append(refusal)
    return ([] if refusals else list(_judged(contents, plans, choices, standing))), refusals


def _judged(
    contents: Sequence[Content], plans: Sequence[Plan], choices: tuple[QuickReply, ...], standing: Standing
) -> Iterator[Step]:
    """Judge one after another: what goes out before is no longer in the budget."""
    left, capabilities = dict(standing.windows), standing.capabilities
    for content, plan in zip(contents, plans, strict=True):
        verdict = Verdict(allowed=True)
        if not needs_no_window(content, capabilities):
            verdict = judge(capabilities.windows, left, standing.author, standing.now)
        step = Step(
            content=content,
            quick_replies=choices if content is contents[-1] else (),
            plan=plan,
            verdict=verdict,
            refusal=None if verdict.allowed else verdict.code or "window_closed",
        )
        if verdict.allowed and verdict.remaining is not None and verdict.remaining < step.size:
            step = msgspec.structs.replace(step, refusal="budget_spent")
        if step.refusal is None and verdict.window is not None and verdict.remaining is not None:
            left[verdict.window] = (verdict.expires_at, verdict.remaining - step.size)
        yield step

"""Suggested answers: whether a channel shows them, under what, and what becomes of them where it does not."""

from __future__ import annotations

from collections.abc import Sequence

from trunkline.contract import Capabilities, QuickReplyLimit, measure, split
from trunkline.model import Content, Level, QuickReply, Template, Text, content_kind
from trunkline.service.refusals import ReplyRefused

__all__ = ["make_room", "with_choices"]


def with_choices(
    contents: list[Content], choices: Sequence[QuickReply], capabilities: Capabilities
) -> tuple[list[Content], tuple[QuickReply, ...], Level]:
    """Return what goes out, and the choices under the last of it.

    Where a channel has none they are written as text; where it has none under such a content they get a text of their
    own.

    Raises:
        ReplyRefused: the channel cannot show them.
    """
    if not choices:
        return contents, (), Level.FULL
    limit, last = capabilities.quick_replies, contents[-1]
    if isinstance(last, Template) and (limit is None or content_kind(last) not in limit.under):
        words = "A template has the buttons that the platform approved: leave the quick replies out."
        raise ReplyRefused(words, code="quick_replies_under_template", field="quick_replies")
    if limit is None:
        listed = Text(text="\n".join(f"{number}. {one.title}" for number, one in enumerate(choices, 1)))
        return _append_text(contents, listed), (), Level.FALLBACK
    _check(choices, limit)
    if content_kind(last) in limit.under:
        return contents, tuple(choices), Level.FULL
    named = Text(text=" · ".join(one.title for one in choices))
    return [*contents, named], tuple(choices), Level.PARTIAL


def make_room(parts: list[Content], limit: QuickReplyLimit | None) -> list[Content]:
    """Break the last text so that what stands above the choices has room there."""
    last = parts[-1]
    if limit is None or limit.text is None or not isinstance(last, Text):
        return parts
    tail = split(last.text, limit.text)[-1]
    head = last.text.removesuffix(tail).rstrip()
    return [*parts[:-1], Text(text=head), Text(text=tail)] if head else parts


def _check(choices: Sequence[QuickReply], limit: QuickReplyLimit) -> None:
    if len(choices) > limit.max:
        words = f"This channel shows at most {limit.max} quick replies."
        raise ReplyRefused(words, code="quick_replies_too_many", field="quick_replies")
    for choice in choices:
        if measure(choice.title, limit.title_unit) > limit.title_max:
            words = f"The quick reply {choice.title!r} is longer than the {limit.title_max} that this channel shows."
            raise ReplyRefused(words, code="quick_reply_too_long", field="quick_replies")
        if limit.data_max and measure(choice.data or "", limit.data_unit) > limit.data_max:
            words = f"The data of the quick reply {choice.title!r} is longer than the {limit.data_max} of this channel."
            raise ReplyRefused(words, code="quick_reply_too_long", field="quick_replies")
    titles, data = {one.title for one in choices}, {one.data or one.title for one in choices}
    if limit.distinct and min(len(titles), len(data)) < len(choices):
        words = "Two quick replies have the same title or the same data: this channel cannot tell them apart."
        raise ReplyRefused(words, code="quick_replies_alike", field="quick_replies")


def _append_text(contents: list[Content], more: Text) -> list[Content]:
    if contents and isinstance(contents[-1], Text):
        return [*contents[:-1], Text(text=f"{contents[-1].text}\n\n{more.text}")]
    return [*contents, more]

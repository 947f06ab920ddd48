"""A token of yesterday in two tabs: both go on with the one that follows, and the conversation stays."""

from __future__ import annotations

import pytest
from sqlalchemy import update

from tests.browser.visitor import Site, Visit, Visitor, site, visitor
from trunkline.store import schema
from trunkline_web.simulator import KEY as PUBLIC_KEY

__all__ = ["site", "visitor"]

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="session")]

_ROW = schema.visitor_token


async def change(site: Site, **values: int) -> None:
    """Let time have passed for all tokens."""
    work = update(_ROW).values(**values)
    await site.shop.house.store.writer.write(lambda tx: tx.execute(work).rowcount)


async def cookie(tab: Visitor) -> str:
    (found,) = [one["value"] for one in await tab.page.context.cookies() if one["name"] == f"occ_{PUBLIC_KEY}"]
    return found


async def test_two_tabs_go_on_with_the_token_that_follows(site: Site, visitor: Visit) -> None:
    first = await (await (await visitor(site)).arrive()).open()
    await first.say("Yesterday")
    await first.sees("Yesterday")
    second = await (await (await visitor(site, first.page.context)).arrive()).open()
    await second.sees("Yesterday")
    old = await cookie(first)

    await change(site, created_at=0)
    await first.say("Today")
    await first.sees("Yesterday", "Today")
    await first.until(f"!document.cookie.includes({old!r})")
    await first.say("With the next one")
    await first.sees("Yesterday", "Today", "With the next one")

    await change(site, previous_until=0)
    await second.say("From the other tab")
    told = ["Yesterday", "Today", "With the next one", "From the other tab"]
    for tab in (second, first):
        await tab.sees(*told)
    await first.page.reload()
    await (await first.returns()).sees(*told)
    assert await cookie(first) == await cookie(second) != old
    async with site.shop.house.store.read() as connection:
        rows = (await connection.execute(_ROW.select())).fetchall()
    assert len(rows) == 1
    assert rows[0].rotated_at is not None

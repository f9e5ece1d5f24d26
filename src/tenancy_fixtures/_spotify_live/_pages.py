"""Pages from the journal or from the API, and the collections that they are of."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from ..exceptions import WebApiMalformed
from ._answers import page_fault

if TYPE_CHECKING:
    from collections.abc import Sequence

    from .._ingest._limits import Budget
    from ..monitoring import Tracker
    from ._answers import Check
    from ._client import Client
    from ._journal import Journal

PHASE = "fetch from the Web API"
# Codes of nearly two hundred countries with each track and each album: half of a page, and of no use.
_LEFT_OUT = "available_markets"
# A page has seven levels or so; what reads them later calls itself for each.
_LEVELS = 64
# The API's usual size of a page: where the first one has more, those after it may still have no more.
_USUAL = 20
# Pages that may come beyond those that a total needs, and pages of one collection in all, whatever it tells.
_SPARE, _MOST_PAGES = 10, 10_000


class Changed(Exception):
    """A collection was changed while its pages were fetched: they do not belong together."""


@dataclass
class Pages:
    """Fetches each page once. ``fetched`` and ``kept`` count those that came from the API and those that the journal had."""

    client: Client
    journal: Journal
    tracker: Tracker
    budget: Budget
    fetched: int = 0
    kept: int = 0

    async def get(self, link: str, check: Check) -> dict[str, Any] | None:
        """The object at a link: from the journal, else from the API; ``None`` where nothing is there.

        What ``check`` finds a fault in is not kept, nor taken from the journal.

        :raises WebApiMalformed: it is not what was asked for.
        """
        found = await asyncio.to_thread(self.journal.read, link)
        if found is not None and check(found) is None:
            self.kept += 1
            return dict(found)
        answer = await self.client.get(self.client.exchange.url_of(link), check)
        if answer is None:
            return None
        value, size = answer
        lean = await asyncio.to_thread(self._keep, link, value)
        self.fetched += 1
        self.tracker.count(PHASE, _count(lean), size)
        return lean

    async def forget(self, links: Sequence[str]) -> None:
        """Let the next who asks for them ask the API."""
        await asyncio.to_thread(self.journal.forget, links)

    def _keep(self, link: str, value: dict[str, Any]) -> dict[str, Any]:
        try:
            lean = without_markets(value)
        except ValueError:
            hint = "Nothing was loaded. Check TENANCY_SPOTIFY_API_URL."
            raise WebApiMalformed("an answer is nested more deeply than any of the API", source=link.partition("?")[0], hint=hint) from None
        # The journal, and the file that is made of it.
        self.budget.add("the Web API", 2 * self.journal.keep(link, lean))
        return dict(lean)


@dataclass
class Collection:
    """The pages of one collection after the first one. ``said`` and ``given`` are how many items it should have, and has."""

    links: list[str] = field(default_factory=list)
    said: int | None = None
    given: int = 0


async def follow(pages: Pages, first: dict[str, Any], touched: list[str]) -> Collection:
    """Fetch page after page, as each one links to the next. ``touched`` gathers what was asked for.

    :raises Changed: the pages tell different totals, or one is gone.
    :raises WebApiMalformed: a page is none, or links to what is no URL, elsewhere, to one that was there before, or on and on.
    """
    found = Collection(said=_total(first), given=len(items_of(first)))
    page, most = first, _most(first)
    while page.get("next"):
        try:
            link = _next(pages, page, found.links, most)
        except WebApiMalformed:
            # Kept, they would lead every later run to the same end, and it would ask for nothing.
            await pages.forget(touched)
            raise
        found.links.append(link)
        touched.append(link)
        answer = await pages.get(link, page_fault)
        if answer is None or _total(answer) != found.said:
            raise Changed
        page = answer
        found.given += len(items_of(page))
    return found


def _next(pages: Pages, page: dict[str, Any], before: list[str], most: int) -> str:
    link = pages.client.exchange.url_of(page["next"])
    if link in before:
        raise WebApiMalformed("a page links back to one before it", source=link.partition("?")[0], hint="Nothing was loaded.")
    if len(before) >= most:
        message = "each page links to one more, and there are more than all items that they tell of need"
        raise WebApiMalformed(message, source=link.partition("?")[0], hint="Nothing was loaded. Check TENANCY_SPOTIFY_API_URL.")
    return link


def _most(first: dict[str, Any]) -> int:
    """How many pages may follow the first one. They may have fewer items: some of a page may not be there in a country."""
    said = _total(first)
    if said is None:
        return _MOST_PAGES
    return min(said // min(max(len(items_of(first)), 1), _USUAL) + _SPARE, _MOST_PAGES)


def items_of(page: dict[str, Any]) -> list[Any]:
    """What is on a page.

    :raises WebApiMalformed: it is no page.
    """
    items = page.get("items")
    if not isinstance(items, list):
        raise WebApiMalformed("what should be a page of items is none", hint="Nothing was loaded. Check TENANCY_SPOTIFY_API_URL.")
    return items


def without_markets(value: Any, levels: int = _LEVELS) -> Any:
    """The same without what nobody reads.

    :raises ValueError: it is nested more deeply than so many levels.
    """
    if not isinstance(value, (dict, list)):
        return value
    if not levels:
        raise ValueError("too many levels")
    if isinstance(value, dict):
        return {key: without_markets(item, levels - 1) for key, item in value.items() if key != _LEFT_OUT}
    return [without_markets(item, levels - 1) for item in value]


def _count(value: dict[str, Any]) -> int:
    """How many resources an answer holds: those of a page, of a list, of the first page of a collection; else one."""
    pages = [value, *(item for item in value.values() if isinstance(item, dict))]
    lists = [page["items"] for page in pages if isinstance(page.get("items"), list)]
    lists += [item for item in value.values() if isinstance(item, list)] if len(value) == 1 else []
    return sum(map(len, lists)) if lists else 1


def _total(page: dict[str, Any]) -> int | None:
    total = page.get("total")
    return int(total) if isinstance(total, (int, float)) else None

"""What is asked for, fetched with a few requests at once, and handed on as files of the API's responses."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

from .._ingest import SourceLimits
from .._ingest._limits import Budget
from .._shapes import Shape
from ..exceptions import AccessForbidden, ResourceGone, WebApiUnavailable
from ..utils import FixtureUtils
from ._answers import one, page_fault, part_of, several
from ._client import Client
from ._documents import Document, write_file
from ._exchange import Exchange, open_http
from ._journal import Journal, default_folder
from ._manners import Manners
from ._pages import PHASE, Changed, Pages, follow
from ._token import Token
from ._wanted import KINDS, Resource, batches, check_market, parse, path_of, path_of_parts, path_of_several

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Coroutine, Iterable, Sequence
    from pathlib import Path

    from ..monitoring import Tracker
    from ..settings import Settings

_T = TypeVar("_T")

# How often a collection is read anew because somebody changed it meanwhile.
_READINGS = 3


@dataclass(frozen=True)
class WebApiRequest:
    """What is asked for: resources, as a country sees them; ``journal`` is where pages are kept until the load has ended."""

    resources: tuple[Resource, ...]
    market: str | None = None
    journal: Path | None = None

    @classmethod
    def of(cls, names: Iterable[str], *, market: str | None = None, journal: Path | None = None) -> WebApiRequest:
        """What names such as ``spotify:playlist:ID`` ask for.

        :raises ConfigurationError: one is none, or the market is none.
        """
        return cls(parse(names), check_market(market), journal)

    def digest(self, api: str) -> str:
        """Stands for the request: the journal of another one is not mixed with it."""
        return FixtureUtils.digest({"api": api, "market": self.market, "resources": [item.uri for item in self.resources]})


@dataclass(frozen=True)
class Fetched(Shape):
    """What came. ``unknown`` are resources that the API does not have, ``short`` collections that gave fewer items than they tell of."""

    file: Path
    requests: int
    pages: int
    kept: int
    unknown: tuple[str, ...] = ()
    short: tuple[str, ...] = ()


@asynccontextmanager
async def fetching(request: WebApiRequest, settings: Settings, tracker: Tracker, manners: Manners | None = None) -> AsyncIterator[Fetched]:
    """Fetch; what came is there until the block ends. Where the block fails, the pages are kept for the next time.

    :raises WebApiError: what the API did not give, and why.
    :raises ConfigurationError: credentials are missing, or the journal cannot be kept where it should.
    """
    manners = manners or Manners(at_once=settings.web_api_concurrency, patience=settings.web_api_wait)
    digest = request.digest(settings.spotify_api_url)
    folder = await asyncio.to_thread(default_folder, settings, digest) if request.journal is None else request.journal
    async with open_http(manners) as http:
        api, accounts = (Exchange(http, url, manners) for url in (settings.spotify_api_url, settings.spotify_accounts_url))
        client = Client(api, Token(accounts, settings), manners)
        journal = await asyncio.to_thread(Journal, folder, digest)
        try:
            with tracker.phase(PHASE):
                pages = Pages(client, journal, tracker, Budget(SourceLimits.of(settings)))
                fetch = _Fetch(pages, request, manners)
                documents = await fetch.run()
                file = await asyncio.to_thread(write_file, journal, documents)
            sent = api.requests + accounts.requests
            yield Fetched(file, sent, pages.fetched, pages.kept, tuple(fetch.unknown), tuple(fetch.short))
        except BaseException:
            journal.close()
            raise
        await asyncio.to_thread(journal.remove)


class _Fetch:
    """One request on its way."""

    def __init__(self, pages: Pages, request: WebApiRequest, manners: Manners) -> None:
        self.unknown: list[str] = []
        self.short: list[str] = []
        self._pages = pages
        self._request = request
        self._slots = asyncio.Semaphore(manners.at_once)
        # Kinds of which the API gives one at a time only: not to all applications it gives several.
        self._one_by_one: set[str] = set()

    async def run(self) -> list[Document]:
        """Where everything is in the journal, once it is there.

        :raises ResourceGone: nothing of it is known to the API.
        """
        found = await _all([self._group(group) for group in batches(self._request.resources)])
        documents = [document for group in found for document in group]
        if not documents:
            listed = ", ".join(self.unknown[:3]) + (f" and {len(self.unknown) - 3} more" if len(self.unknown) > 3 else "")  # noqa: PLR2004
            raise ResourceGone(f"Spotify has nothing of what was asked for: {listed}", hint="Nothing was loaded. Check the ids, and the market.")
        return documents

    async def _group(self, group: Sequence[Resource]) -> list[Document]:
        async with self._slots:
            for _ in range(_READINGS):
                touched: list[str] = []
                try:
                    return await self._read(group, touched)
                except Changed:
                    await self._pages.forget(touched)
        message = f"{group[0].uri} is changed again and again while it is read"
        raise WebApiUnavailable(message, hint="Nothing was loaded. Try again when whoever changes it has finished.")

    async def _read(self, group: Sequence[Resource], touched: list[str]) -> list[Document]:
        documents, unknown, short = [], [], []
        for document, value in await self._heads(group, touched):
            if value is None:
                unknown.append(document.resource.uri)
                continue
            whole, complete = await self._with_parts(document, value, touched)
            documents.append(whole)
            if not complete:
                short.append(document.resource.uri)
        self.unknown += unknown
        self.short += short
        return documents

    async def _heads(self, group: Sequence[Resource], touched: list[str]) -> list[tuple[Document, Any]]:
        """Each resource, and what the API says of it; ``None`` where it does not know it."""
        market = self._request.market
        if len(group) > 1 and group[0].kind not in self._one_by_one:
            link = path_of_several(group, market)
            touched.append(link)
            listed = await self._several(group, link)
            if listed is not None:
                return [(Document(item, link, index), value) for index, (item, value) in enumerate(zip(group, listed))]
        heads = []
        for item in group:
            link = path_of(item, market)
            touched.append(link)
            heads.append((Document(item, link), await self._pages.get(link, one(item))))
        return heads

    async def _several(self, group: Sequence[Resource], link: str) -> list[Any] | None:
        """What the API says of several, in their order; ``None`` where it gives only one at a time."""
        kind = KINDS[group[0].kind]
        try:
            answer = await self._pages.get(link, several(group))
        except AccessForbidden:
            answer = None
        if answer is None:
            self._one_by_one.add(kind.name)
            return None
        return list(answer[kind.path])

    async def _with_parts(self, document: Document, value: dict[str, Any], touched: list[str]) -> tuple[Document, bool]:
        """The document with all pages of its parts; and whether there are as many as it says."""
        resource = document.resource
        kind = KINDS[resource.kind]
        if resource.albums:
            found = await follow(self._pages, value, touched)
            return Document(resource, document.link, more=tuple(found.links)), not _lacks(found.said, found.given)
        if not kind.parts:
            return document, True
        part = part_of(kind, value)
        first = None
        if part is None:
            part, first = kind.parts[-1], path_of_parts(resource, self._request.market)
            touched.append(first)
            page = await self._pages.get(first, page_fault)
            if page is None:
                raise Changed
        else:
            page = value[part]
        found = await follow(self._pages, page, touched)
        whole = Document(resource, document.link, document.index, part, first, tuple(found.links))
        return whole, not _lacks(found.said, found.given)


def _lacks(said: int | None, given: int) -> bool:
    return said is not None and given < said


async def _all(works: Sequence[Coroutine[Any, Any, _T]]) -> list[_T]:
    """What all of them give, in their order; the first that fails ends the others."""
    tasks = [asyncio.ensure_future(work) for work in works]
    try:
        return list(await asyncio.gather(*tasks))
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

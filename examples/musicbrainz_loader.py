"""A domain of one's own: MusicBrainz. Run it with: python examples/musicbrainz_loader.py TENANT FILE..."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from tenancy_fixtures import DomainLoader, FixtureManager, Pack
from tenancy_fixtures.data_loaders import shapes_in
from tenancy_fixtures.exceptions import TenancyError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from tenancy_fixtures.data_loaders import KnownShape

HERE = Path(__file__).parent


def credits_of(document: Any, given: Mapping[str, str]) -> Iterator[dict[str, Any]]:
    """Who made a release or a recording, in the order in which they are named."""
    for position, credit in enumerate(document.get("artist-credit") or (), start=1):
        yield {**credit, "of": document["id"], "position": position}


def labels_of(document: Any, given: Mapping[str, str]) -> Iterator[dict[str, Any]]:
    """Where a release came out, and under which number."""
    for position, label in enumerate(document.get("label-info") or (), start=1):
        yield {**label, "of": document["id"], "position": position}


def tracks_of(document: Any, given: Mapping[str, str]) -> Iterator[dict[str, Any]]:
    """The tracks of all media of a release: before the first one, on it, and those of data. A search calls them by another name."""
    for medium in document.get("media") or ():
        pregap = [medium["pregap"]] if medium.get("pregap") else []
        for track in (*pregap, *(medium.get("tracks") or medium.get("track") or ()), *(medium.get("data-tracks") or ())):
            yield {**track, "of": document["id"], "medium": {"position": medium.get("position"), "format": medium.get("format")}}


class MusicBrainzLoader(DomainLoader):
    """Answers of MusicBrainz: artists, release groups, releases, recordings."""

    name: ClassVar[str] = "musicbrainz"
    domain: ClassVar[str | None] = "musicbrainz"

    @classmethod
    def shapes(cls) -> tuple[KnownShape, ...]:
        """Those that need functions; the pack declares the others."""
        functions = {"credits": credits_of, "labels": labels_of, "tracks": tracks_of}
        return (*super().shapes(), *shapes_in(HERE / "musicbrainz_shapes", rewriters=functions))


async def main(tenant: str, *paths: str) -> None:
    """Load the files into the tenant, and say what became of them."""
    async with FixtureManager(pack=Pack.from_folder(HERE / "musicbrainz-pack")) as manager:
        await manager.create_tenant(tenant, exist_ok=True)
        report = await manager.apply(MusicBrainzLoader(paths), tenant_id=tenant, operation="load")
        for dataset in report.datasets:
            print(f"{dataset.dataset}: {dataset.read} read, {dataset.stored} stored")


if __name__ == "__main__":
    tenant_id, *files = sys.argv[1:] or [""]
    if not files:
        sys.exit(f"usage: python {sys.argv[0]} TENANT FILE...")
    try:
        asyncio.run(main(tenant_id, *files))
    except TenancyError as error:
        # An error of the library says in its own words what is wrong and what to do.
        sys.exit(f"Error: {error}")

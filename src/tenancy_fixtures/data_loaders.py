"""The loaders: DataLoader for datasets of a pack, DomainLoader for files that say what they are, and one for each domain."""

from __future__ import annotations

from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from ._data_loader import DataLoader
from ._domain_loader import DomainLoader
from ._domains import Detection, KnownShape, shapes_in
from ._shapes import Step

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterable, Sequence

    from ._fixture import FixtureContext
    from ._spotify_live import Fetched, WebApiRequest
    from .monitoring import Tracker
    from .settings import Settings


class AnalyticsLoader(DomainLoader):
    """Streams of events: Segment's, Snowplow's, Google Analytics' export to BigQuery; sessions and page views that were summed up, metrics, segments.

    ``paths`` and all other arguments are those of :class:`DomainLoader`. Sessions are computed of the events in the same
    transaction: what the source calls one, or what is not interrupted for 30 minutes. Months get partitions as their events come.
    """

    name: ClassVar[str] = "analytics"
    domain: ClassVar[str | None] = "analytics"


class CollaborationLoader(DomainLoader):
    """Workspaces, members, roles, invitations, comments, workflows; edits of comments and documents; what GitHub's webhooks tell.

    ``paths`` and all other arguments are those of :class:`DomainLoader`. Edits are applied in the same transaction, each once, in the
    order of their stream: to load them again changes nothing, and an edit that leaves a number out is a reject (``sequence``).
    """

    name: ClassVar[str] = "collaboration"
    domain: ClassVar[str | None] = "collaboration"


class SpotifyDataLoader(DomainLoader):
    """Spotify's data: catalogue, playlists, listening.

    ``paths`` are files of the Web API, of an account's export, slices of the Million Playlist Dataset, tables of tracks; all other
    arguments are those of :class:`DomainLoader`. ``user`` is whose history or playlists they are, where the files do not say.
    Without paths the pack's own catalogue is loaded, and the users to whom its playlists belong.
    """

    name: ClassVar[str] = "spotify"
    domain: ClassVar[str | None] = "spotify"
    DATASETS: ClassVar[tuple[str, ...]] = ("users", "artists", "albums", "tracks", "playlists", "playlist_tracks")

    def __init__(self, paths: str | Path | Iterable[str | Path] | None = None, *, user: str | None = None, **options: Any) -> None:
        given = dict(options.pop("given", None) or {})
        if user is not None:
            given["user"] = user
        super().__init__(paths, given=given, **options)
        self._request: WebApiRequest | None = None
        self._fetched: Fetched | None = None

    @classmethod
    def from_web_api(
        cls, resources: str | Iterable[str], *, market: str | None = None, journal: str | Path | None = None, **options: Any
    ) -> SpotifyDataLoader:
        """What Spotify's Web API has of ``resources`` now: ``spotify:playlist:ID`` and the like, or the addresses of their pages.

        Albums and playlists, shows and audiobooks come with all that is in them; ``spotify:artist:ID/albums`` are the albums of an artist. ``market`` is
        the country (two letters) that sees it. The application's credentials are those of the settings ``spotify_client_id`` and
        ``spotify_client_secret``. Pages are kept in the folder ``journal`` (without it, in one of the user's) until the load has ended: the same call
        goes on where one that died has stopped. The other arguments are those of the loader.

        :raises ConfigurationError: a resource is none; while it runs, credentials are missing.
        :raises WebApiError: while it runs: what the API does not give, and why. Nothing was loaded.
        """
        from ._spotify_live import WebApiRequest

        names = [resources] if isinstance(resources, str) else list(resources)
        request = WebApiRequest.of(names, market=market, journal=None if journal is None else Path(journal))
        # Until they are fetched, the names stand for the files: an idempotency key hangs on them.
        loader = cls([f"{name}?market={market}" if market else name for name in names], **options)
        loader._request = request
        return loader

    @asynccontextmanager
    async def prepared(self, settings: Settings, tracker: Tracker) -> AsyncIterator[None]:
        """Fetch what is asked for of the Web API; the pages go when it is loaded."""
        if self._request is None:
            yield
            return
        from ._spotify_live import fetching

        names = self.paths
        async with fetching(self._request, settings, tracker) as self._fetched:
            self.paths = (self._fetched.file,)
            try:
                yield
            finally:
                self.paths = names

    async def plan(self, context: FixtureContext) -> Sequence[Step]:
        """Say what was fetched, and what a load of it would write."""
        return [*self._fetch_steps(), *await super().plan(context)]

    async def apply(self, context: FixtureContext) -> Sequence[Step]:
        """Load the files, or what was fetched."""
        return [*self._fetch_steps(), *await super().apply(context)]

    def _fetch_steps(self) -> list[Step]:
        facts = {} if self._fetched is None else {name: value for name, value in self._fetched.to_dict().items() if name != "file"}
        return [Step(self.name, "fetch", "the Web API", facts)] if facts else []


class AIModelLoader(DomainLoader):
    """Registries of models: configurations, model cards, packages of MLflow, price lists, results of benchmarks, prompts.

    ``paths`` are such files; all other arguments are those of :class:`DomainLoader`. ``model`` and ``version`` are the name and the version
    of the one model that the files are about, where neither they nor their folders say. A file with a password, a key or a token
    in it is refused: the reject says where it stands.
    """

    name: ClassVar[str] = "ai_models"
    domain: ClassVar[str | None] = "ai_models"

    def __init__(
        self, paths: str | Path | Iterable[str | Path] | None = None, *, model: str | None = None, version: str | None = None, **options: Any
    ) -> None:
        given = dict(options.pop("given", None) or {})
        given.update({name: value for name, value in (("model", model), ("version", version)) if value is not None})
        super().__init__(paths, given=given, **options)


__all__ = [
    "AIModelLoader",
    "AnalyticsLoader",
    "CollaborationLoader",
    "DataLoader",
    "Detection",
    "DomainLoader",
    "KnownShape",
    "SpotifyDataLoader",
    "shapes_in",
]

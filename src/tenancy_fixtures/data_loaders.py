"""The loaders: DataLoader for datasets of a pack, DomainLoader for files that say what they are, and one for each domain."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from ._data_loader import DataLoader
from ._domain_loader import DomainLoader
from ._domains import Detection, KnownShape, shapes_in

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path


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

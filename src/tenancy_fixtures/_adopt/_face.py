"""What FixtureManager can do with tenants that are there already."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from .._from_database import Wishes, pack_from_database
from .._pg.adopt_shared import reading
from ._names import Selection
from ._run import adopt
from ._shared import look_at_shared

if TYPE_CHECKING:
    from collections.abc import Iterable

    from .._from_database import PackWritten
    from ..monitoring import ProgressListener
    from ..packs import Pack
    from ..runtime import Runtime
    from ..settings import Settings
    from ._shapes import AdoptionReport
    from ._shared_shapes import SharedReport


class AdoptingManager:
    """The part of a manager that looks at what was there before it."""

    if TYPE_CHECKING:
        _listener: ProgressListener | None
        settings: Settings

        @property
        def pack(self) -> Pack:
            """The pack that tenants are made from."""

        async def _runtime(self) -> Runtime: ...

    async def adopt(
        self,
        schemas: str | Iterable[str] = (),
        *,
        registry: str | None = None,
        databases: str | Iterable[str] = (),
        schema: str | None = None,
        ids: str | Path | None = None,
        accept_drift: bool = False,
        dry_run: bool = False,
    ) -> AdoptionReport:
        """Make tenants of schemas that are there, at the pack's revision that they have; nothing of theirs is touched.

        ``schemas`` are patterns such as ``tenant_%``: the tenant's id is what the ``%`` stands for. ``registry`` names a table with the
        schemas' names instead: ``django-tenants``, or ``schema.table[.column]``. ``databases`` are patterns of databases of the same
        server, each with one tenant's tables in ``schema``, which is ``public`` where nothing is said; this takes an administrator, and
        each that is registered gets a control plane of its own. ``ids`` is a CSV file with the columns ``schema`` (of
        databases: ``database``) and ``tenant_id``, and ``revision`` where the structure alone does not tell.

        Schemas whose structure is none of the pack's are drifted, and registered with ``accept_drift`` only. Those in conflict never are.
        A second call goes on with what is not registered yet.

        :raises ConfigurationError: nothing is said to be looked at, or too much; or the registry is not there.
        :raises SourceError: the file of ids cannot be read, or is not in order.
        :raises PackError: the pack's scripts are at fault.
        """
        selection = Selection(_patterns(schemas), registry, None if ids is None else Path(ids), _patterns(databases), schema)
        runtime = await self._runtime()
        return await adopt(runtime, self.pack, selection, accept_drift=accept_drift, dry_run=dry_run, listener=self._listener)

    async def look_at_shared(self, schema: str, *, column: str | None = None) -> SharedReport:
        """Say what is missing in a schema whose tables tenants share, told apart by a column; nothing is written, and no control plane is needed.

        ``column`` names it; without, it is found by its name: the one that stands out among ``tenant_id``, ``org_id``, ``account_id`` and the
        like. The catalogue is enough: a login without rights on the tables is told all but the number of tenants.

        :raises ConfigurationError: there is no such schema or column, or no column stands out; ``facts["candidates"]`` are those that might be.
        :raises DatabaseUnavailable: nobody answers there.
        """
        url = self.settings.database_url.get_secret_value() if self.settings.database_url else (await self._runtime()).database.url
        async with reading(url, self.settings) as transaction:
            return await look_at_shared(transaction, schema, column)

    async def pack_from_database(self, schema: str, folder: str | Path, *, name: str, wishes: Wishes | None = None) -> PackWritten:
        """Write a pack of a schema that is there, with the rows of its reference tables; the schema is only read.

        :raises CannotCopy: the pack would not make the same schema; nothing is written.
        """
        return await pack_from_database(await self._runtime(), schema, Path(folder), name=name, wishes=wishes or Wishes())


def _patterns(given: str | Iterable[str]) -> tuple[str, ...]:
    return (given,) if isinstance(given, str) else tuple(given)

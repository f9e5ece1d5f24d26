"""What a schema is: at which revision of the pack, or how it differs, or why nobody can say."""

from __future__ import annotations

import asyncio
from collections import Counter
from typing import TYPE_CHECKING, Any

from .._integrity.differences import HISTORIES, comparable, nearest, tables_of, without
from .._integrity.made import made_at
from .._pg.adopt import read_structure
from .._pg.versions import read_versions
from ..exceptions import DatabaseError, DatabaseUnavailable
from ._shapes import Adoption, Verdict

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from .._integrity.differences import Structure
    from .._pg.adopt import Found
    from .._pg.database import Session
    from ..packs import Pack
    from ..runtime import Runtime
    from ._names import Named

_VERSION = "version_num"


class Judge:
    """Compares schemas with what the pack makes at each revision; that is made once."""

    def __init__(self, runtime: Runtime, pack: Pack, found: Iterable[Found]) -> None:
        self._runtime = runtime
        self._pack = pack
        # Where the host's tool of migration writes versions down, if the pack's revisions are that tool's.
        self._version_table = None if pack.manifest.alembic is None else pack.manifest.alembic.version_table
        # Made as most of the schemas were: with that owner's rights on what all of them share.
        owners = Counter(item.owner for item in found if item.reachable)
        self._owner = owners.most_common(1)[0][0] if owners else None
        self._made: dict[int, Structure] = {}
        self._lock = asyncio.Lock()

    async def judge(self, found: Found, named: Named, visited: Runtime | None = None) -> Adoption:
        """The verdict on one schema, which somebody's right to judge has been seen to; ``visited`` is its database, where that is another."""
        place = visited or self._runtime
        facts: dict[str, Any] = {"schema": named.schema, "tenant_id": named.tenant_id, "owner": found.owner}
        try:
            async with self._runtime.slots, place.database.session() as session:
                return await self._judge(place, session, found, named, facts)
        except DatabaseUnavailable:
            raise
        except DatabaseError as error:
            return Adoption(verdict=Verdict.CONFLICT, reason=f"it cannot be read: {error.message}", **facts)

    async def _judge(self, place: Runtime, session: Session, found: Found, named: Named, facts: Mapping[str, Any]) -> Adoption:
        async with session.transaction(role="migrator", keep=False) as transaction:
            structure, out_of_force = await read_structure(transaction, found)
            there = comparable(structure, out_of_force)
            versions = await self._versions(transaction, found, there)
        numbers, reason = self._candidates(named, versions)
        if reason is not None:
            return Adoption(verdict=Verdict.CONFLICT, reason=reason, **facts)
        made = await self._made_at(place, session, numbers, self._owner if place is self._runtime else found.owner)
        return _compared(made, without(there, HISTORIES - _tables(made)), facts)

    async def _versions(self, transaction: Any, found: Found, there: Structure) -> list[str] | None:
        """What the host's tool has written down in the schema; ``None`` where it has not, or the pack does not ask."""
        table = self._version_table
        if table is None or ("table", table) not in there or ("column", f"{table}.{_VERSION}") not in there:
            return None
        async with transaction.acting_as_role(found.owner):
            return await read_versions(transaction, found.name, table)

    def _candidates(self, named: Named, versions: list[str] | None) -> tuple[list[int], str | None]:
        """The revisions that the schema may be at, or why none can be said."""
        table, head = self._version_table, self._pack.head
        if named.revision is not None and table is None:
            known = named.revision <= head
            return [named.revision], None if known else f"it is said to be at revision {named.revision}, and the pack ends at {head}"
        if table is None:
            return list(range(1, head + 1)) or [0], None
        if not versions:
            return [], f"it has no {table}" if versions is None else f"its {table} is empty"
        number = self._pack.number_at(versions)
        listed = ", ".join(versions)
        if number is None and len(versions) > 1:
            return [], f"its {table} has {len(versions)} rows, which are no state of the pack's history: {listed}"
        return ([], f"its {table} says {listed}, which the pack does not know") if number is None else ([number], None)

    async def _made_at(self, place: Runtime, session: Session, numbers: list[int], owner: str | None) -> dict[int, Structure]:
        async with self._lock:
            for number in numbers:
                if number not in self._made:
                    made = await made_at(place, session, self._pack, number, owner=owner)
                    self._made[number] = comparable(made.structure)
        return {number: self._made[number] for number in numbers}


def _tables(made: Mapping[int, Structure]) -> set[str]:
    return {name for structure in made.values() for name in tables_of(structure)}


def _compared(made: Mapping[int, Structure], there: Structure, facts: Mapping[str, Any]) -> Adoption:
    equal = [number for number, structure in made.items() if structure == there]
    if len(equal) > 1:
        listed = ", ".join(map(str, equal))
        reason = f"its structure is that of several revisions ({listed}): say which in a file of ids, in the column revision"
        return Adoption(verdict=Verdict.CONFLICT, reason=reason, **facts)
    if equal:
        return Adoption(verdict=Verdict.READY, revision=equal[0], **facts)
    if not _tables(made) & tables_of(there):
        return Adoption(verdict=Verdict.CONFLICT, reason="it has none of the pack's tables", **facts)
    number, difference = nearest(made, there)
    return Adoption(verdict=Verdict.DRIFTED, revision=number, difference=difference, **facts)

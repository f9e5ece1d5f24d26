"""Take the library out of a database: the tenants' schemas stay as a plain fleet, and what the control plane knew becomes a file.

All of it is one transaction of an administrator's; the file is there before it commits.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from psycopg import sql
from psycopg.errors import DependentObjectsStillExist
from psycopg.rows import dict_row

from .._shapes import Shape
from ..exceptions import CannotEject, ConfigurationError, NotInitialised
from ._export import refuse_existing, written
from ._target import trusted
from .bootstrap import with_parts
from .connect import connect
from .control_plane import check_version, read_installation
from .databases import has_control_plane
from .errors import translated
from .roles import is_tenants
from .sql import compose, identifier, query

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from psycopg import AsyncConnection

    from .roles import Roles
    from .sql import Statement

_LISTED = 5  # names that an error tells
_AT_ONCE = 500  # statements that are sent together


@dataclass(frozen=True)
class EjectReport(Shape):
    """What was taken out, and what was left. ``dry_run`` says that it would be; then there is no file.

    ``revoked`` and ``given`` count objects: rights on them were taken, or their owner is ``owner`` now. ``kept`` are roles of ours that
    something else uses, with where.
    """

    database: str
    file: str
    rows: dict[str, int]
    owner: str
    adopted: tuple[str, ...]
    made: tuple[str, ...]
    shared: tuple[str, ...]
    revoked: int
    given: int
    dropped: tuple[str, ...]
    kept: dict[str, tuple[str, ...]]
    dry_run: bool = False


async def eject(url: str, file: Path, *, owner: str | None = None, dry_run: bool = False) -> EjectReport:
    """Take the library out of the database that an administrator's URL leads to; whole, or not at all.

    ``file`` gets the control plane as SQL that psql runs. ``owner`` gets what the installation's roles own of tenants' schemas: without it
    who owns most of what was adopted, or else the administrator.

    :raises NotInitialised: there is no control plane.
    :raises CannotEject: something would not work any more; ``objects`` names it. Nothing was changed.
    :raises OutputExists: the file is there already.
    :raises PermissionDenied: the login may not do this.
    """
    refuse_existing(file)
    async with await connect(url) as connection:
        with translated():
            async with connection.transaction(force_rollback=dry_run), written(file, keep=not dry_run) as out:
                return await _Ejection(connection, url, owner, dry_run=dry_run).run(file, out)


class _Ejection:
    """One ejection on its way."""

    def __init__(self, connection: AsyncConnection[Any], url: str, owner: str | None, *, dry_run: bool) -> None:
        self._connection = connection
        self._url = url
        self._owner = owner
        self._dry_run = dry_run

    async def run(self, file: Path, out: Any) -> EjectReport:
        await self._run(query("eject.quiet"))
        roles = await self._begin()
        tenants, shared = await self._all("eject.tenants"), [row["namespace"] for row in await self._all("eject.shared")]
        owner = await self._new_owner()
        own = [row["role"] for row in tenants if row["role"]]
        names = [name for _, name in roles.named()]
        made = [row["role"] for row in await self._all("eject.made_here", roles=names, tenants=own)]
        adopted = [row["namespace"] for row in tenants if row["owner"] and row["isolation"] != "database"]
        ours = [row["namespace"] for row in tenants if not row["owner"] and row["isolation"] != "row"]
        # Until the file is written nothing is changed.
        rows = await out.write(self._connection, roles, create_roles=roles.migrator in made, made=ours, shared=shared)
        dropped, kept = await self._fate_of(made)
        saved = await self._statements("eject.saved_rights", gone=dropped)
        if shared:
            await self._run(compose("eject.keep_function", schema=identifier(shared[0]), owner=identifier(owner)))
        given = await self._statements("eject.giving", made=made, owner=owner, homes=None)
        await self._run_all(given)
        revoked = await self._statements("eject.revokes", made=made, brought=[name for name in names if name not in made], adopted=adopted)
        await self._run_all([*revoked, *saved])
        await self._drop_control_plane()
        await self._drop_roles(dropped)
        return EjectReport(
            database=self._connection.info.dbname,
            file=str(file),
            rows=rows,
            owner=owner,
            adopted=tuple(adopted),
            made=tuple(ours),
            shared=tuple(shared),
            revoked=len(revoked),
            given=len(given),
            dropped=tuple(dropped),
            kept=kept,
            dry_run=self._dry_run,
        )

    async def _begin(self) -> Roles:
        """Lock what is there, and see that it can go."""
        installation = await read_installation(self._connection)
        if installation is None:
            raise NotInitialised(f"database {self._connection.info.dbname!r} has no control plane", hint="There is nothing to take out.")
        check_version(installation.version)
        await self._run(query("control_plane.lock"))
        # What is under way is told before anything is locked: it is not waited for, and does not meet what we hold. Runs come first,
        # which nothing begins without.
        await self._see_that_it_may_go()
        for table in ("runs", "intents", "tenants"):
            await self._run(compose("eject.lock_table", table=identifier("tenancy", table)))
        await self._see_that_it_may_go()
        return installation.roles

    async def _see_that_it_may_go(self) -> None:
        self._refuse([row["object"] for row in await self._all("eject.in_the_way")], "end or drop them first")
        self._refuse(await self._adopted_databases(), "take the library out of each first: `tenancy eject`, with TENANCY_DATABASE_URL leading there")

    def _refuse(self, objects: Sequence[str], advice: str) -> None:
        if objects:
            listed = "; ".join(objects[:_LISTED]) + (f" … and {len(objects) - _LISTED} more" if len(objects) > _LISTED else "")
            hint = f"{advice[0].upper()}{advice[1:]}. Nothing was changed."
            raise CannotEject(f"the library cannot be taken out: {listed}", objects=list(objects), hint=hint)

    async def _adopted_databases(self) -> list[str]:
        """Those that were adopted and have a control plane still: each is taken out of its own, in a transaction there."""
        return [
            f"the database {row['namespace']} of tenant {row['tenant_id']}, which was adopted, has a control plane"
            for row in await self._all("eject.adopted_databases")
            if await has_control_plane(with_parts(self._url, database=row["namespace"]))
        ]

    async def _new_owner(self) -> str:
        if self._owner is None:
            return str((await self._all("eject.owners"))[0]["owner"])
        if not (await self._all("roles.role_exists", name=self._owner))[0]["found"]:
            raise ConfigurationError(f"the server has no role {self._owner!r}", hint="Name one that is there with --owner.")
        return self._owner

    async def _drop_control_plane(self) -> None:
        self._refuse([row["object"] for row in await self._all("registry.dependents", namespace="tenancy")], "take them off the schema tenancy")
        await self._run(query("eject.drop_control_plane"))

    async def _fate_of(self, made: Sequence[str]) -> tuple[list[str], dict[str, tuple[str, ...]]]:
        """Those of our roles that nothing but this database uses, and where the others are used.

        The installation's are one set: where another database works with one of them it works with all, and needs no right for some.
        """
        used = {row["role"]: tuple(row["used"]) for row in await self._all("eject.used_elsewhere", roles=list(made))}
        others = tuple(sorted({place for role, places in used.items() if not is_tenants(role) for place in places}))
        kept = {role: places if is_tenants(role) else others for role, places in used.items() if (places if is_tenants(role) else others)}
        return [role for role in used if role not in kept], kept

    async def _drop_roles(self, names: Sequence[str]) -> None:
        if not names:
            return
        try:
            await self._run(compose("eject.drop_roles", roles=sql.SQL(", ").join(map(identifier, names))))
        except DependentObjectsStillExist as error:
            # The server names the objects, and not the values of any row.
            self._refuse([f"{error.diag.message_primary}: {error.diag.message_detail}"], "take from the role what it has")

    async def _statements(self, name: str, **values: Any) -> list[str]:
        return [row["statement"] for row in await self._all(name, **values)]

    async def _run_all(self, statements: Sequence[str]) -> None:
        for start in range(0, len(statements), _AT_ONCE):
            await self._run(trusted(";\n".join(statements[start : start + _AT_ONCE])))

    async def _all(self, block: str, **values: Any) -> list[dict[str, Any]]:
        return await (await self._connection.cursor(row_factory=dict_row).execute(query(block), values or None)).fetchall()

    async def _run(self, statement: Statement) -> None:
        await self._connection.execute(statement)

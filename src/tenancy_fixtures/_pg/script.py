"""Run a pack's SQL so that it can leave neither its transaction nor its schema.

Where roles are separate, the script runs inside a ``SECURITY DEFINER`` function whose owner has rights on that schema
alone, for that moment: the server itself refuses COMMIT, SET ROLE and every neighbour. Where one login does
everything, or a role of the host's owns the schema, EXECUTE still refuses COMMIT, and what the script touched is compared
with what it may touch, before the caller commits.

That holds for the script. Triggers and functions that it makes run later, with the rights of whoever uses the tables, as
everywhere in PostgreSQL: a pack is code, and is to be trusted like code.
"""

from __future__ import annotations

from contextlib import asynccontextmanager, suppress
from typing import TYPE_CHECKING, Any

import psycopg
from psycopg import sql

from ..exceptions import DatabaseError, ScriptEscaped, ScriptFailed, TenancyError
from ._target import trusted
from .errors import raised_by_code, translate
from .sql import compose, identifier

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Sequence

    from .database import Transaction
    from .sql import Statement

_LEFT_TRANSACTION = frozenset({"2D000", "3B001"})
_LISTED = 5  # names that an error tells
_RUNNER = "tenancy_run_script"
_NO_RIGHT = frozenset({"42501"})


async def run_script(
    transaction: Transaction, text: str, *, file: str, namespace: str, fresh: bool, shared: Sequence[str] = (), owner: str | None = None
) -> None:
    """Run SQL text with ``namespace`` (and the ``shared`` schemas) as its search path.

    ``fresh`` says that the schema was made in this transaction and is empty. The transaction acts as the migrator. ``owner`` is the role
    that the schema belongs to where that is one of the host's: the script has its rights, and what it makes is that role's.

    :raises ScriptFailed: PostgreSQL refused it; carries line and column of the file.
    :raises ScriptEscaped: it tried to end its transaction, change its role, or reach another schema.
    """
    watch = Watch(transaction, namespace, shared, confined=owner is None and transaction.roles.script is not None, owner=owner)
    await watch.begin()
    async with _as_owner(transaction, namespace, owner, file) if owner else _confined(transaction, namespace, file, fresh=fresh) as statement:
        if not fresh:
            await defer_again(transaction, namespace)
        await give_search_path(transaction, [namespace, *shared])
        await _execute(transaction, text, file, statement, owner)
        # Before any other statement: a temporary table or type of the script's could stand in its way.
        refuse_escapes(await watch.temporary(), namespace, file)
        await refuse_waiting(transaction, [namespace, *shared], file, confined=watch.confined)
    await _set_context(transaction)
    refuse_escapes(await watch.escapes(), namespace, file)
    refuse_definers(await watch.definers(), file)


async def try_script(
    transaction: Transaction,
    text: str,
    reached: Callable[[], Awaitable[bool]],
    *,
    file: str,
    namespace: str,
    shared: Sequence[str] = (),
    owner: str | None = None,
) -> bool:
    """Run SQL text as :func:`run_script` does, and keep what it did if ``reached`` says so; else, and where it is refused, all of it is taken back."""
    done = False
    try:
        async with transaction.connection.transaction() as savepoint:
            await run_script(transaction, text, file=file, namespace=namespace, fresh=False, shared=shared, owner=owner)
            done = await reached()
            if not done:
                raise psycopg.Rollback(savepoint)
    except (ScriptFailed, ScriptEscaped, DatabaseError, psycopg.errors.InsufficientPrivilege):
        done = False
    if not done:
        await _set_context(transaction)
    return done


async def defer_again(transaction: Transaction, namespace: str) -> None:
    """Let constraints that are made to wait wait again: after a script they are made to speak, for the rest of the transaction."""
    for row in await transaction.all("script.made_to_wait", namespace=namespace):
        await transaction.run(compose("script.let_wait", constraint=identifier(namespace, row["name"])))


async def give_search_path(transaction: Transaction, schemas: Sequence[str]) -> None:
    """Let names without a schema be looked up in these, until the transaction's context is set anew."""
    path = sql.SQL(", ").join([identifier(name) for name in schemas]).as_string(transaction.connection)
    await transaction.run("database.set_search_path", path=path)


async def _execute(transaction: Transaction, text: str, file: str, statement: str | Statement, owner: str | None) -> None:
    # A script may put its own in place of the statements that the driver has prepared: this connection uses none any more.
    transaction.connection.prepare_threshold = None
    try:
        async with transaction.connection.transaction():
            await transaction.run(statement, script=text)
    except BaseException as error:
        with suppress(psycopg.Error):
            await tidy(transaction)
        if isinstance(error, psycopg.Error):
            raise explained(error, text, file) from None
        raise
    await tidy(transaction, owner)


async def tidy(transaction: Transaction, owner: str | None = None) -> None:
    """Take out of the session what the script left there, and set it as the transaction began; acting as the ``owner`` where there is one.

    Nothing in these two statements is looked up along a search path: the script's is in force until they are done.
    """
    await transaction.run("script.tidy")
    await _set_context(transaction, owner)


async def _set_context(transaction: Transaction, owner: str | None = None) -> None:
    await transaction.set_context(role=owner or transaction.roles.migrator)


@asynccontextmanager
async def _confined(transaction: Transaction, namespace: str, file: str, *, fresh: bool) -> AsyncIterator[str | Statement]:
    """Give the script's role this one schema, but for what others have made there, and take it back with all that was made in it."""
    roles = transaction.roles
    if roles.script is None or roles.migrator is None:
        yield "script.run"
        return
    parts = {"schema": identifier(namespace), "script": identifier(roles.script)}
    await transaction.run(compose("script.grant_schema", **parts))
    if not fresh:
        await _give(transaction, namespace, roles.script)
    yield "script.run"
    try:
        await _give(transaction, namespace, roles.migrator)
    except psycopg.errors.ObjectInUse:
        raise _waiting(file) from None
    await transaction.run(compose("script.take_back", **parts))


@asynccontextmanager
async def _as_owner(transaction: Transaction, namespace: str, owner: str, file: str) -> AsyncIterator[str | Statement]:
    """Act as the schema's owner; a function of that role's, there for as long as the script runs, keeps it from acting as another."""
    await become_owner(transaction, owner)
    runner = {"runner": identifier(namespace, _RUNNER)}
    await transaction.run(compose("script.make_runner", **runner))
    yield compose("script.run_with", **runner)
    try:
        await transaction.run(compose("script.drop_runner", **runner))
    except psycopg.errors.DependentObjectsStillExist:
        raise ScriptEscaped(f"{file} makes objects that depend on what runs it", file=file, hint="Nothing of the script was kept.") from None


async def become_owner(transaction: Transaction, owner: str) -> None:
    """Act as a role of the host's from here on.

    :raises PermissionDenied: the login may not.
    """
    await transaction.require_owner(owner)
    await _set_context(transaction, owner)


async def _give(transaction: Transaction, namespace: str, owner: str) -> None:
    """Give to a role what is in a schema and belongs to one of ours: one object of somebody else's is no reason to give nothing."""
    row = await transaction.one("script.giving", namespace=namespace, owner=owner) or {}
    if row["statements"]:
        await transaction.run(trusted(row["statements"]))


async def refuse_waiting(transaction: Transaction, allowed: Sequence[str], file: str, *, confined: bool) -> None:
    """See that no trigger has put off its work to COMMIT again, after what waited was done: nobody would look at it then.

    Where the script was ``confined`` its tables change their owner, which finds the same out.
    """
    if confined:
        return
    try:
        for table in await transaction.all("script.deferring", allowed=allowed):
            parts = {"table": identifier(table["schema"], table["name"]), "owner": identifier(table["owner"])}
            await transaction.run(compose("script.refuse_pending", **parts))
    except psycopg.errors.ObjectInUse:
        raise _waiting(file) from None


def _waiting(file: str) -> ScriptEscaped:
    hint = "A trigger that defers itself again runs when nobody looks at it. Nothing of the script was kept."
    return ScriptEscaped(f"{file} leaves work of its triggers to the end of the transaction", file=file, hint=hint)


class Watch:
    """What a script did outside the schemas that it may touch; where it was ``confined``, rights have kept it from most of that."""

    def __init__(self, transaction: Transaction, namespace: str, shared: Sequence[str], *, confined: bool, owner: str | None = None) -> None:
        self._transaction = transaction
        self.confined = confined
        self._owner = owner
        self._values: dict[str, Any] = {"namespace": namespace, "allowed": [namespace, *shared]}
        self._before: dict[tuple[str, str], str] = {}
        self._temporary: set[str] = set()
        self._reached: set[str] = set()
        self._definers: set[str] = set()

    async def begin(self) -> None:
        """Remember what this transaction itself has touched so far."""
        if not self.confined:
            row = await self._transaction.one("script.newest_oid", **self._values)
            self._values.update(newest=(row or {})["oid"], own=(row or {})["own"])
        self._temporary = {row["trace"] for row in await self._transaction.all("script.temporary")}
        self._reached = await self._reaches()
        # Those that an adopted tenant came with are its own.
        self._definers = {row["trace"] for row in await self._all_definers()} if self._owner else set()
        self._before = await self._touched()

    async def temporary(self) -> list[str]:
        """The temporary objects that the script made."""
        return sorted(row["object"] for row in await self._transaction.all("script.temporary") if row["trace"] not in self._temporary)

    async def escapes(self) -> list[str]:
        """The objects outside that the script made, changed, read or dropped, or that its own now stand on."""
        after = await self._touched()
        changed = {key for key in {*self._before, *after} if self._before.get(key) != after.get(key)}
        left = await self._transaction.all("script.left_behind", script=self._transaction.roles.script) if self.confined else []
        # What the schema stood on before is none of the script's doing.
        reached = await self._reaches() - self._reached
        return sorted({" ".join(key) for key in changed} | {row["object"] for row in left} | reached)

    async def definers(self) -> list[str]:
        """The functions that run with their owner's rights and are the script's making."""
        return [row["object"] for row in await self._all_definers() if row["trace"] not in self._definers]

    async def _all_definers(self) -> list[dict[str, Any]]:
        return await self._transaction.all("script.security_definers", namespace=self._values["namespace"], owner=self._owner)

    async def _reaches(self) -> set[str]:
        return {row["object"] for row in await self._transaction.all("script.reaches", **self._values)}

    async def _touched(self) -> dict[tuple[str, str], str]:
        rows = await self._transaction.all("script.guarded", **self._values)
        if not self.confined:
            rows += await self._transaction.all("script.touched", **self._values)
        return {(row["kind"], row["object"]): row["trace"] for row in rows}


def refuse_escapes(escapes: Sequence[str], namespace: str, file: str) -> None:
    """Raise where a script did something outside.

    :raises ScriptEscaped: it did.
    """
    if escapes:
        hint = "A script may only touch its own schema and the pack's shared_schemas. Nothing of it was kept."
        raise ScriptEscaped(f"{file} reaches outside the schema {namespace}: {_some(escapes)}", file=file, hint=hint)


def refuse_definers(definers: Sequence[str], file: str) -> None:
    """See that no function of the script's would run with the rights of all tenants' owner.

    :raises ScriptEscaped: one would.
    """
    if definers:
        raise ScriptEscaped(
            f"{file} makes SECURITY DEFINER functions: {_some(definers)}",
            file=file,
            hint="They would run with the rights of all tenants' owner. Use SECURITY INVOKER.",
        )


def _some(names: Sequence[str]) -> str:
    more = f" … and {len(names) - _LISTED} more" if len(names) > _LISTED else ""
    return f"{', '.join(names[:_LISTED])}{more}"


def explained(error: psycopg.Error, text: str, file: str) -> TenancyError:
    """What a refusal of PostgreSQL's means for a script, and where in its text it is."""
    state = error.sqlstate or ""
    if state[:2] in {"53", "57", "08", "40", "55"} or not state:
        return translate(error)
    line, column = _position(error, text)
    place = f", line {line}, column {column}" if line else ""
    facts: dict[str, Any] = {"file": file, "line": line, "column": column, "sqlstate": state}
    if state in _LEFT_TRANSACTION or _not_for_scripts(error):
        hint = "A script runs in one transaction with everything else: take COMMIT, ROLLBACK, COPY … FROM STDIN and the like out of it."
        return ScriptEscaped(f"{file}{place}: {_primary(error)}", hint=hint, **facts)
    if state in _NO_RIGHT:
        hint = (
            "A script has rights on its own schema only; leave out schema names, roles and settings of the server. "
            "Where it refers to a table that all tenants share, GRANT REFERENCES on that to the role for scripts."
        )
        return ScriptEscaped(f"{file}{place}: {_primary(error)}", hint=hint, **facts)
    return ScriptFailed(f"{file}{place}: {_primary(error)}", hint="Nothing of the script was kept.", **facts)


def _not_for_scripts(error: psycopg.Error) -> bool:
    # 0A000 is also said of honest mistakes (the type of a column that a view uses): only EXECUTE itself refuses COMMIT so.
    return error.sqlstate == "0A000" and error.diag.source_function == "exec_stmt_dynexecute"


def _primary(error: psycopg.Error) -> str:
    # A script's text is the pack's, yet messages of data errors and of its own RAISE may quote a row: name the condition.
    if (error.sqlstate or "")[:2] in {"22", "23", "44", "P0"} or raised_by_code(error):
        return translate(error).message
    return error.diag.message_primary or type(error).__name__


def _position(error: psycopg.Error, text: str) -> tuple[int | None, int | None]:
    """Line and column, from 1, where PostgreSQL tells the position within the script."""
    position = error.diag.internal_position
    if position is None or error.diag.internal_query != text:
        return None, None
    before = text[: int(position) - 1]
    return before.count("\n") + 1, len(before) - (before.rfind("\n") + 1) + 1

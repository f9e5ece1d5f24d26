"""What a schema lacks to be one that several tenants share, each seeing its own rows: as statements for a script.

Every table gets the column ``tenant_id``, which is the tenant's uid and filled in by itself; keys and unique indexes begin
with it, references lead from a tenant's row to a row of the same tenant, and a policy shows each tenant its own rows alone,
to the tables' owner as well. Constraints keep their names. Where nothing is lacking the schema may be shared: that is how a
script, and what became of it, is looked over before tenants' rows are put there.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ..constants import TENANT_COLUMN
from ..exceptions import CannotShare
from .ddl import ddl, quoted

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from .database import Transaction

POLICY = "tenant"
UID = "tenancy.tenant_uid()"
TEST = f"({TENANT_COLUMN} = ( SELECT {UID} AS tenant_uid))"


async def lacking(transaction: Transaction, namespace: str, *, file: str, advised: bool = False) -> dict[str, list[str]]:
    """The statements, in order, that make a schema one for several tenants, by what they are for; empty where it is one.

    ``file`` is what made the schema: errors name it. With ``advised`` also what makes it a better one.

    :raises CannotShare: it holds what no tenants can share.
    """
    values = {"schema": namespace, "column": TENANT_COLUMN, "policy": POLICY, "test": TEST, "uid": UID}
    await transaction.run("rowify.look_from", schema=namespace)
    refused = await transaction.all("rowify.unshareable", **values)
    tables = await transaction.all("rowify.tables", **values)
    keys = await transaction.all("rowify.keys", advised=advised, **values)
    references = await transaction.all("rowify.references", **values)
    partitions = await transaction.all("rowify.partitions", **values)
    views = await transaction.all("rowify.views", **values)
    await transaction.set_context(role=transaction.roles.migrator)
    if refused:
        raise _cannot_share(refused, file)
    steps = {
        "References and keys are taken off.": [
            *(ddl("rowify.drop_constraint", table=row["table"], name=row["name"]) for row in references),
            *(_without_key(row) for row in keys),
        ],
        "Every row says whose it is.": [ddl("rowify.add_tenant", table=row["name"], column=TENANT_COLUMN) for row in tables if not row["own"]],
        "Indexes begin with the tenant; what was unique is unique in its tenant.": [_with_key(row, namespace) for row in keys],
        "What a row refers to is its tenant's.": [
            ddl("rowify.add_constraint", _reference(row), table=row["table"], name=row["name"]) for row in references
        ],
        "Each tenant sees its own rows, whoever asks; without a tenant there are none.": [
            *(ddl("rowify.enable", table=row["name"]) for row in tables if not row["forced"]),
            *(ddl("rowify.add_policy", table=row["name"], policy=POLICY, column=TENANT_COLUMN) for row in tables if not row["policed"]),
        ],
        "Nobody reads a partition but through its table.": [ddl("rowify.enable", table=row["name"]) for row in partitions],
        "Views read with the rights of their reader.": [ddl("rowify.invoke", view=row["name"]) for row in views],
    }
    return {what: statements for what, statements in steps.items() if statements}


def _cannot_share(refused: Sequence[Mapping[str, Any]], file: str) -> CannotShare:
    listed = "; ".join(f"{row['object']}: {row['reason']}" for row in refused)
    hint = "Change the script, or keep its tenants apart by schema or by database."
    return CannotShare(f"{file} makes what tenants cannot share: {listed}", file=file, objects=tuple(row["object"] for row in refused), hint=hint)


def _without_key(row: Mapping[str, Any]) -> str:
    if row["is_constraint"]:
        return ddl("rowify.drop_constraint", table=row["table"], name=row["name"])
    return ddl("rowify.drop_index", name=row["name"])


def _with_key(row: Mapping[str, Any], namespace: str) -> str:
    """The key again, with the tenant before its columns: the first bracket of either definition opens their list."""
    if row["is_constraint"]:
        kind, columns = row["definition"].split("(", 1)
        return ddl("rowify.add_constraint", f"{kind}({quoted(TENANT_COLUMN)}, {columns}", table=row["table"], name=row["name"])
    head = row["head"]
    columns = row["index_definition"].removeprefix(head)
    return f"{head}{quoted(TENANT_COLUMN)}, {columns}".replace(f"{namespace}.", "", 1)


def _reference(row: Mapping[str, Any]) -> str:
    deletes = row["on_delete"] or ""
    if row["set_columns"]:
        deletes += f" ({_listed(row['set_columns'])})"
    return (
        f"FOREIGN KEY ({_listed([TENANT_COLUMN, *row['columns']])}) REFERENCES {quoted(row['target'])}"
        f" ({_listed([TENANT_COLUMN, *row['target_columns']])}){row['on_update']}{' ON DELETE ' + deletes if deletes else ''}{row['deferral']}"
    )


def _listed(names: Iterable[str]) -> str:
    return ", ".join(map(quoted, names))

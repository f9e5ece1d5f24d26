"""The models of a host's SQLAlchemy as the script of a pack's schema."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ..exceptions import PackInvalid
from ._compile import offline_dialect

if TYPE_CHECKING:
    from collections.abc import Collection

    from sqlalchemy import MetaData


def schema_script(metadata: MetaData, shared: Collection[str] = ()) -> str:
    """What makes the tables of the metadata in PostgreSQL, without names of schemas, each after those that it refers to.

    Types, sequences, indexes, comments and what the models execute beside (``DDL`` events) are in it. Tables in ``shared`` schemas are
    others', and only referred to.

    :raises PackInvalid: a table is in another schema, or cannot be made in PostgreSQL.
    """
    from sqlalchemy.engine.mock import MockConnection
    from sqlalchemy.exc import SQLAlchemyError

    strange = sorted(f"{table.schema}.{table.name}" for table in metadata.tables.values() if table.schema is not None and table.schema not in shared)
    if strange:
        hint = "A tenant's tables have no schema in the models; those of schemas that all tenants refer to are declared in shared_schemas."
        raise PackInvalid(f"tables are in schemas of their own: {', '.join(strange)}", hint=hint, tables=strange)
    statements: list[str] = []
    dialect = offline_dialect()

    def keep(statement: Any, *_: Any, **__: Any) -> None:
        statements.append(str(statement.compile(dialect=dialect, compile_kwargs={"literal_binds": True})).strip())

    engine: Any = MockConnection(dialect, keep)
    tables = [table for table in metadata.sorted_tables if table.schema is None]
    try:
        metadata.create_all(engine, tables=tables, checkfirst=False)
    except SQLAlchemyError as error:
        raise PackInvalid(f"the models cannot be made in PostgreSQL: {error}", hint="Base.metadata.create_all() should work.") from error
    return "".join(f"{statement};\n\n" for statement in statements)

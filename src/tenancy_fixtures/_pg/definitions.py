"""A schema as the statements that make it again, from PostgreSQL's own catalogue, each after what it stands on."""

from __future__ import annotations

import re
from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from psycopg.rows import dict_row, tuple_row

from ..utils import ranked_order
from .catalog import qualifier
from .sql import query

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from psycopg import AsyncConnection

# Where the text of a function begins that PostgreSQL has not read: names in it are the author's own.
_BODY = re.compile(r"^AS ", re.MULTILINE)
_ROUTINE = re.compile(r"CREATE\s+OR\s+REPLACE\s")


@dataclass(frozen=True)
class Ground:
    """What a schema stands on elsewhere: an object of another schema, or of an extension."""

    object: str
    schema: str | None
    extension: str | None


@dataclass(frozen=True)
class Definitions:
    """What makes a schema again: statements in order. ``beyond`` is what it holds besides, ``circles`` what needs each other."""

    statements: tuple[str, ...]
    grounds: tuple[Ground, ...]
    beyond: tuple[str, ...]
    circles: tuple[str, ...]

    @property
    def script(self) -> str:
        """All of them as one text. Functions may speak of tables that come after them, so nobody reads their bodies on the way."""
        unread = (query("definitions.unread_bodies").as_string(None),) if any(map(_ROUTINE.match, self.statements)) else ()
        return "\n".join(f"{statement};\n" for statement in (*unread, *self.statements))


async def read_definitions(connection: AsyncConnection[Any], schema: str) -> Definitions:
    """Read a schema's definitions; its own name is in none of them, but where the text of a function says it."""
    async with connection.transaction(force_rollback=True):
        cursor = connection.cursor(row_factory=tuple_row)
        quoted = await (await cursor.execute(query("catalog.look_from"), {"schema": schema})).fetchone()
        rows = await _all(connection, "definitions.objects", schema)
        needs: dict[str, set[str]] = defaultdict(set)
        for row in await _all(connection, "definitions.dependencies", schema):
            needs[row["key"]].add(row["needs"])
        grounds = [Ground(row["object"], row["schema"], row["extension"]) for row in await _all(connection, "definitions.grounds", schema)]
        beyond = [row["object"] for row in await _all(connection, "definitions.beyond", schema)]
    own = qualifier((quoted or (schema,))[0])
    ordered, left = _in_order(rows, needs)
    return Definitions(tuple(_without(own, row["statement"]) for row in ordered), tuple(grounds), tuple(beyond), tuple(row["name"] for row in left))


async def _all(connection: AsyncConnection[Any], name: str, schema: str) -> list[dict[str, Any]]:
    return await (await connection.cursor(row_factory=dict_row).execute(query(name), {"schema": schema})).fetchall()


def _without(own: re.Pattern[str], statement: str) -> str:
    body = _BODY.search(statement) if _ROUTINE.match(statement) else None
    end = body.start() if body else len(statement)
    return own.sub("", statement[:end]) + statement[end:]


def _in_order(rows: Iterable[Mapping[str, Any]], needs: Mapping[str, set[str]]) -> tuple[list[Mapping[str, Any]], list[Mapping[str, Any]]]:
    """Statements, each after those that it needs, by stage where that is open; and those that wait for each other."""
    by_key = {row["key"]: row for row in rows}
    waits = {key: {other for other in _needs(key, needs) if other in by_key and other != key} for key in by_key}
    ordered = list(ranked_order(waits, lambda key: (by_key[key]["stage"], by_key[key]["name"])))
    done = set(ordered)
    return [by_key[key] for key in ordered], [row for key, row in by_key.items() if key not in done]


def _needs(key: str, needs: Mapping[str, set[str]]) -> set[str]:
    """What a statement needs: a later one for an object also the object itself, and all that this needs."""
    whole = key[: key.rindex("/") + 1]
    return needs.get(key, set()) | ({whole} if whole != key else set())

"""Which schema is whose: by a pattern, by a registry of the host's, by a file."""

from __future__ import annotations

import csv
import io
from dataclasses import dataclass
from pathlib import Path
from typing import Optional

from ..exceptions import ConfigurationError, SourceMalformed, SourceMissing


@dataclass(frozen=True)
class Named:
    """A schema, the id that its tenant is to have, and the revision that it is said to be at, where anybody says so."""

    schema: str
    tenant_id: str
    revision: Optional[int] = None


@dataclass(frozen=True)
class Selection:
    """Which schemas are looked at: those that patterns fit, or that a registry of the host's names. ``ids`` is a file that names tenants.

    Or which ``databases``: in each the one ``schema`` that has the tenant's tables, ``public`` where nothing is said.
    """

    schemas: tuple[str, ...] = ()
    registry: Optional[str] = None
    ids: Optional[Path] = None
    databases: tuple[str, ...] = ()
    schema: Optional[str] = None

    @property
    def place(self) -> str:
        """What each tenant has of its own."""
        return "database" if self.databases else "schema"

    def check(self) -> None:
        """See that it says what to look at.

        :raises ConfigurationError: it says nothing, or too much.
        """
        if sum(map(bool, (self.schemas, self.registry, self.databases))) != 1:
            hint = "Give --schemas 'tenant_%', --registry, or --databases 'tenant_%'."
            raise ConfigurationError("schemas are named by patterns, or by a registry; or databases are, by patterns", hint=hint)
        if self.schema is not None and not self.databases:
            raise ConfigurationError("a schema is named for databases alone", hint="Give --databases 'tenant_%' with it, or --schemas.")
        for pattern in (*self.schemas, *self.databases):
            check_pattern(pattern)


def id_by_pattern(pattern: str, schema: str) -> str | None:
    """The id that a pattern gives a schema: what its ``%`` stands for, or the whole name; ``None`` where it does not fit.

    An underscore is one: it stands for nothing else.
    """
    before, wild, after = pattern.partition("%")
    if not wild:
        return schema if schema == pattern else None
    middle = schema[len(before) : len(schema) - len(after)]
    return middle if middle and f"{before}{middle}{after}" == schema else None


def check_pattern(pattern: str) -> None:
    """See that a pattern is one.

    :raises ConfigurationError: it has more than one ``%``, or stands for every schema.
    """
    if pattern.count("%") > 1 or not pattern.strip("%"):
        raise ConfigurationError(f"{pattern!r} is no pattern of schemas", hint="Write their common part and one %, as in 'tenant_%'.")


def read_ids(path: str | Path, place: str = "schema") -> dict[str, Named]:
    """The ids in a CSV file with the columns ``schema`` (or what else the ``place`` of a tenant is) and ``tenant_id``, and ``revision`` where it is known, by schema.

    :raises SourceMissing: no such file, or no right to read it.
    :raises SourceMalformed: it lacks a column, a value or is no CSV in UTF-8; says in which line.
    """
    try:
        text = Path(path).read_bytes().decode("utf-8-sig")
    except OSError as error:
        raise SourceMissing(f"{str(path)!r} cannot be read: {error.strerror}", source=str(path)) from error
    except UnicodeDecodeError as error:
        raise SourceMalformed(f"{str(path)!r} is not UTF-8 at byte {error.start}", source=str(path)) from error
    rows = csv.DictReader(io.StringIO(text, newline=""), strict=True)
    found: dict[str, Named] = {}
    columns = (place, "tenant_id")
    try:
        if not set(columns) <= set(rows.fieldnames or ()):
            raise SourceMalformed(f"{str(path)!r} lacks the columns {' and '.join(columns)}", source=str(path), hint="Name them in its first line.")
        for row in rows:
            named = _named(row, place, f"{str(path)!r}, line {rows.line_num}")
            if named.schema in found:
                raise SourceMalformed(f"{str(path)!r}, line {rows.line_num}: {place} {named.schema!r} is there twice", source=str(path))
            found[named.schema] = named
    except csv.Error as error:
        raise SourceMalformed(f"{str(path)!r}, line {rows.line_num}: {error}", source=str(path)) from error
    return found


def _named(row: dict[str, Optional[str]], place: str, line: str) -> Named:
    schema, tenant_id, revision = row[place], row["tenant_id"], row.get("revision") or None
    if not schema or not tenant_id or None in row:
        raise SourceMalformed(f"{line}: a {place} and a tenant_id are needed")
    if revision is not None and not revision.isdecimal():
        raise SourceMalformed(f"{line}: a revision is a number")
    return Named(schema, tenant_id, None if revision is None else int(revision))

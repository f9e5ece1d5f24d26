"""Which schema is whose: by a pattern, by a registry of the host's, by a file."""

from __future__ import annotations

import csv
import io
from dataclasses import dataclass
from pathlib import Path
from typing import Optional

from ..exceptions import ConfigurationError, SourceMalformed, SourceMissing

_COLUMNS = ("schema", "tenant_id")


@dataclass(frozen=True)
class Named:
    """A schema, the id that its tenant is to have, and the revision that it is said to be at, where anybody says so."""

    schema: str
    tenant_id: str
    revision: Optional[int] = None


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


def read_ids(path: str | Path) -> dict[str, Named]:
    """The ids in a CSV file with the columns ``schema`` and ``tenant_id``, and ``revision`` where it is known, by schema.

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
    try:
        if not set(_COLUMNS) <= set(rows.fieldnames or ()):
            raise SourceMalformed(f"{str(path)!r} lacks the columns {' and '.join(_COLUMNS)}", source=str(path), hint="Name them in its first line.")
        for row in rows:
            named = _named(row, f"{str(path)!r}, line {rows.line_num}")
            if named.schema in found:
                raise SourceMalformed(f"{str(path)!r}, line {rows.line_num}: schema {named.schema!r} is there twice", source=str(path))
            found[named.schema] = named
    except csv.Error as error:
        raise SourceMalformed(f"{str(path)!r}, line {rows.line_num}: {error}", source=str(path)) from error
    return found


def _named(row: dict[str, Optional[str]], place: str) -> Named:
    schema, tenant_id, revision = row["schema"], row["tenant_id"], row.get("revision") or None
    if not schema or not tenant_id or None in row:
        raise SourceMalformed(f"{place}: a schema and a tenant_id are needed")
    if revision is not None and not revision.isdecimal():
        raise SourceMalformed(f"{place}: a revision is a number")
    return Named(schema, tenant_id, None if revision is None else int(revision))

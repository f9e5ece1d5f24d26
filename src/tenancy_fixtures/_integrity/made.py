"""What a pack makes: its schema, in a transaction that is taken back, and how that compares with what is there."""

from __future__ import annotations

import asyncio
import re
import uuid
import weakref
from collections import defaultdict
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from .._isolation import make_head, replay, share
from .._pg.catalog import PLACE, fingerprint, read_tables
from .._pg.integrity import read_indexes
from .._pg.sql import compose, identifier
from ..constants import NAMESPACE_PREFIX

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping, MutableMapping

    from .._pg.database import Session, Transaction
    from .._pg.integrity import TableIndex
    from .._shapes import Table
    from ..packs import Pack
    from ..runtime import Runtime


@dataclass(frozen=True)
class Made:
    """What a pack's script makes: definitions by object, tables, indexes. ``$schema`` stands for the schema in definitions."""

    structure: Mapping[str, str]
    tables: Mapping[str, Table]
    indexes: tuple[TableIndex, ...]


# By the pack's digest, the revision, and whether tenants share it: the same for all tenants of a runtime.
_made: MutableMapping[Runtime, dict[tuple[str, int, bool], Made]] = weakref.WeakKeyDictionary()
# Many tenants are looked at together, and the first of them makes it for all: trials of the same tables would wait for each other's locks.
_making: MutableMapping[Runtime, defaultdict[tuple[str, int, bool], asyncio.Lock]] = weakref.WeakKeyDictionary()


@asynccontextmanager
async def made_by(
    pack: Pack, session: Session, *, revisions: bool = False, to: int | None = None, shared: bool = False, owner: str | None = None
) -> AsyncIterator[tuple[Transaction, str]]:
    """A schema that the pack's script has made, or its revisions one by one (``to`` the last of them), in a transaction that is taken back.

    With ``shared`` it is one that tenants share. With ``owner`` it is that role's, as an adopted tenant's is, where it may make schemas.
    """
    async with session.transaction(role="migrator", keep=False) as transaction:
        namespace = f"{NAMESPACE_PREFIX}try_{uuid.uuid4().hex}"
        owner = await _maker(transaction, owner)
        async with transaction.acting_as_role(owner):
            await transaction.run(compose("registry.create_namespace", schema=identifier(namespace)))
        if revisions:
            await replay(transaction, pack, namespace, to=to, owner=owner)
        else:
            await make_head(transaction, pack, namespace, owner=owner)
        if shared:
            await share(transaction, pack, namespace)
        async with transaction.acting_as_role(owner):
            yield transaction, namespace


async def _maker(transaction: Transaction, owner: str | None) -> str | None:
    """The owner, where it may make a schema: else the migrator does."""
    if owner is None:
        return None
    await transaction.require_owner(owner)
    row = await transaction.one("control_plane.may_make_schemas", role=owner)
    return owner if row and row["may"] else None


async def look_at(transaction: Transaction, namespace: str) -> Made:
    """What is in a schema."""
    structure = await fingerprint(transaction.connection, namespace)
    tables = await read_tables(transaction.connection, namespace)
    return Made(structure, tables, tuple(await read_indexes(transaction, namespace)))


async def made_at(runtime: Runtime, session: Session, pack: Pack, revision: int, *, shared: bool = False, owner: str | None = None) -> Made:
    """What the pack makes for tenants at a revision: its script at the head, and the revisions so far before it."""
    known = _made.setdefault(runtime, {})
    place = pack.digest, revision, shared
    async with _making.setdefault(runtime, defaultdict(asyncio.Lock))[place]:
        if place not in known:
            async with made_by(pack, session, revisions=revision != pack.head, to=revision, shared=shared, owner=owner) as (transaction, namespace):
                known[place] = await look_at(transaction, namespace)
    return known[place]


def plain(structure: Mapping[str, str]) -> dict[tuple[str, str], str]:
    """Definitions by kind and name of object, without what is no difference to those who use them: comments, a column's place.

    Whether an object is in force is another question than what it is.
    """
    parts = {tuple(item.split(" ", 1)): definition for item, definition in structure.items() if not item.startswith("comment on ")}
    return {(kind, name): _definition(kind, text) for (kind, name), text in parts.items()}


_STATES = {
    "column": r"^\d+ ",
    "constraint": r" NOT (VALID|ENFORCED)$",
    "index": r" invalid\b",
    "trigger": r"(?<=\)) [DRA]$",
    "rule": r"(?<=;) [DRA]$",
}


def _definition(kind: str, text: str) -> str:
    return re.sub(_STATES[kind], "", text) if kind in _STATES else text


def unlike(left: Mapping[str, str], right: Mapping[str, str]) -> list[str]:
    """Objects that are in one of two structures only, or not the same in both; those of a table that is missing go with it."""
    ours, theirs = plain(left), plain(right)
    alone = {name for kind, name in ours.keys() ^ theirs.keys() if kind == "table"}
    differing = {key for key in ours.keys() | theirs.keys() if ours.get(key) != theirs.get(key)}
    return sorted(
        f"{kind} {name}"
        for kind, name in differing
        if kind == "table" or not belongs(name, ours.get((kind, name), theirs.get((kind, name), "")), alone)
    )


def belongs(name: str, definition: str, tables: set[str]) -> bool:
    """Whether an object goes with one of these tables: then it need not be listed beside it."""
    return any(name.startswith(f"{table}.") or f"{PLACE}.{table} " in definition or f"owned by {table}." in definition for table in tables)

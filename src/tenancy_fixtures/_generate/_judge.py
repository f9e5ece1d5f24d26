"""Sees that values fit before any file is written: by the rules of the load, and by asking the database."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import polars as pl

from .._ingest.checks import compile_rule, find_broken
from .._pg.trial import broken_rows, require_castable
from ..exceptions import DatabaseError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from .._pg.database import Transaction
    from .._pg.trial import TableCheck
    from .._shapes import Column
    from ._fields import Field, Use
    from ._random import Rows
    from ._records import Records


class Judge:
    """Applies what a load would apply. The transaction holds the schema, and is taken back in the end."""

    def __init__(self, transaction: Transaction) -> None:
        self._transaction = transaction

    async def fitting(self, item: Field, texts: pl.Series, encoding: str) -> pl.Series:
        """Which texts every column that reads the field would take."""
        good = await asyncio.to_thread(_by_rules, item, texts, encoding)
        for use in item.own:
            if good.any():
                good = await self._by_server(use, texts, good)
        return good

    async def _by_server(self, use: Use, texts: pl.Series, good: pl.Series) -> pl.Series:
        places = good.arg_true()
        kept = _extracted(use, texts.filter(good)).to_list()
        declared = plain_type(use.column)
        try:
            # A savepoint: what the server refuses must not end the transaction.
            async with self._transaction.connection.transaction():
                if use.cast.as_text:
                    await require_castable(self._transaction, use.column.name, declared, kept)
                for check in use.checks:
                    broken = await broken_rows(self._transaction, check, {use.column.name: declared}, {use.column.name: kept})
                    if broken:
                        good = good.scatter(places.gather(broken), values=False)
        except DatabaseError:
            return pl.Series([False], dtype=pl.Boolean).new_from_index(0, len(texts))
        return good

    async def takes_null(self, item: Field) -> bool:
        """Whether the checks of the columns that hold a field's value pass where there is none."""
        for use in item.own:
            for check in use.checks:
                if await broken_rows(self._transaction, check, {use.column.name: plain_type(use.column)}, {use.column.name: [None]}):
                    return False
        return True

    async def broken_together(
        self, check: TableCheck, columns: Mapping[str, Column], records: Records, made: Mapping[str, str | pl.Expr], rows: Rows
    ) -> int:
        """How many of these rows a check of several columns refuses. ``made`` names each column's field, or is its constant."""
        texts = await asyncio.to_thread(_columns, records, made, rows)
        types = {name: plain_type(column) for name, column in columns.items()}
        return len(await broken_rows(self._transaction, check, types, texts))


def plain_type(column: Column) -> str:
    """The type to cast to: below a domain, so that its checks can be asked one by one."""
    return column.type.name if column.type.domain else column.type.declared


def _columns(records: Records, made: Mapping[str, str | pl.Expr], rows: Rows) -> dict[str, Sequence[str | None]]:
    frame = records.frame(rows)
    sources = {name: source if isinstance(source, pl.Expr) else pl.col(source) for name, source in made.items()}
    return {name: frame.with_columns(source.alias("made"))["made"].to_list() for name, source in sources.items()}


def _by_rules(item: Field, texts: pl.Series, encoding: str) -> pl.Series:
    good = pl.Series([True], dtype=pl.Boolean).new_from_index(0, len(texts))
    for use in item.uses:
        good &= ~texts.is_in(list(use.mapping.nulls)) if use.mapping.nulls else good
        text = _extracted(use, texts)
        good &= text.is_not_null()
        if not use.part:
            values = use.cast.convert(text)
            good &= values.is_not_null()
            frame = pl.DataFrame([values.alias(use.column.name)])
            checks = [compile_rule(rule, use.cast) for rule in use.rules if rule.rule != "not_null"]
            for mask, _ in find_broken(frame, checks, {use.column.name: use.cast}):
                good &= ~mask
    if not encoding.lower().replace("_", "-").startswith("utf"):
        good &= pl.Series([_encodable(text, encoding) for text in texts], dtype=pl.Boolean)
    return good


def _extracted(use: Use, texts: pl.Series) -> pl.Series:
    # Where the columns of a uuid have several, no records are made.
    pattern = use.mapping.patterns[0]
    return texts if pattern is None else texts.str.extract(pattern, 1)


def _encodable(text: str, encoding: str) -> bool:
    try:
        text.encode(encoding)
    except UnicodeEncodeError:
        return False
    return True

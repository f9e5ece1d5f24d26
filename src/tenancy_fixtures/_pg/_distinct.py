"""Whether all keys of a load differ, found while they go by: the server would have to sort or to hash them all once more."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pyarrow as pa

    from ._target import Target

# Types of which two values are equal exactly if their bytes are; text needs a collation that says so too.
_BYTEWISE = frozenset({"bool", "int2", "int4", "int8", "date", "time", "timestamp", "timestamptz", "uuid", "bytea"})
_TEXT = frozenset({"text", "varchar"})
# Hashes that are kept, in 16 MB; of a load with more keys the server is asked.
_LIMIT = 2_000_000
_SEED = 11  # any; the same for all frames


class DistinctKeys:
    """Hashes of 64 bits of the keys that were sent: where they all differ, so do the keys. Whether keys are equal, they do not say."""

    def __init__(self, target: Target, *, deterministic: bool) -> None:
        known = _BYTEWISE | _TEXT if deterministic else _BYTEWISE
        columns = [column for column in target.written if column.name in target.key]
        self._key = list(target.key)
        self._telling = all(column.type.name in known and column.name not in target.text_columns for column in columns)
        self._parts: list[Any] = []
        self._count = 0

    def hashes_of(self, frame: pa.Table) -> Any:
        """The hashes of a frame's keys for :meth:`add`, in any thread; ``None`` where a key lacks a part, or they would not tell anything."""
        keys = frame.select(self._key)
        if not self._telling or any(column.null_count for column in keys.columns):
            return None
        import polars as pl

        rows = pl.DataFrame(keys)
        return rows.hash_rows(seed=_SEED)

    def add(self, hashes: Any) -> None:
        """Remember the hashes of a frame that is sent."""
        self._count += 0 if hashes is None else len(hashes)
        self._telling = self._telling and hashes is not None and self._count <= _LIMIT
        if self._telling:
            self._parts.append(hashes)
        else:
            self._parts.clear()

    def all_differ(self) -> bool:
        """Whether it is certain that all keys are whole, and none came twice."""
        if not self._telling or not self._parts:
            return False
        import polars as pl

        return bool(pl.concat(self._parts).n_unique() == self._count)

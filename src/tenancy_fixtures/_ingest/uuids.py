"""Deterministic uuids: the same natural key gives the same id in every load, in every tenant."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING
from uuid import UUID

import polars as pl
import pyarrow as pa

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

NAMESPACE = UUID("6f6f2c5e-3d0b-5b1e-9a57-7c1f6a0f5e11")
SEPARATOR = "\x1f"  # unit separator: between the parts of a key, which text does not hold

# Ids remembered for each kind: enough for the artists of a catalogue that come back in every frame, and some 15 MB.
_REMEMBERED = 65_536
_VERSION = bytes((byte & 0x0F) | 0x50 for byte in range(256))
_VARIANT = bytes((byte & 0x3F) | 0x80 for byte in range(256))


class UuidMaker:
    """Version 5 uuids (RFC 9562) of keys, each distinct key of a frame hashed once."""

    def __init__(self) -> None:
        self._known: dict[str, dict[str, bytes]] = {}

    def make(self, kind: str, parts: Sequence[pl.Series]) -> pl.Series:
        """The 16 bytes of each row's id; null where a part is null.

        The hashed name is ``kind``, then each part, with :data:`SEPARATOR` between them.
        """
        keys = _joined(parts).to_arrow().dictionary_encode()
        distinct = keys.dictionary.to_pylist()
        known = self._known.setdefault(kind, {})
        new = [key for key in distinct if key not in known]
        if len(known) + len(new) > _REMEMBERED:
            known = self._known[kind] = {key: known[key] for key in distinct if key in known}
        known.update(zip(new, _hash(kind, new)))
        ids = pa.array([known[key] for key in distinct], pa.large_binary())
        return pl.Series(ids.take(keys.indices), dtype=pl.Binary)


def uuid_of(kind: str, *parts: str) -> UUID:
    """The id that :class:`UuidMaker` makes of one key."""
    return UUID(bytes=_hash(kind, [SEPARATOR.join(parts)])[0])


def hyphenated(ids: pl.Series) -> pl.Series:
    """The ids as PostgreSQL prints them."""
    digits = ids.bin.encode("hex")
    spans = ((0, 8), (8, 4), (12, 4), (16, 4), (20, 12))
    return pl.select(pl.concat_str([digits.str.slice(*span) for span in spans], separator="-")).to_series()


def _joined(parts: Sequence[pl.Series]) -> pl.Series:
    return parts[0] if len(parts) == 1 else pl.select(pl.concat_str(list(parts), separator=SEPARATOR)).to_series()


def _hash(kind: str, keys: Iterable[str]) -> list[bytes]:
    prefix = NAMESPACE.bytes + (kind + SEPARATOR).encode()
    sha1 = hashlib.sha1  # what version 5 is made of; it secures nothing here
    joined = bytearray(b"".join([sha1(prefix + key.encode(), usedforsecurity=False).digest()[:16] for key in keys]))
    joined[6::16] = joined[6::16].translate(_VERSION)
    joined[8::16] = joined[8::16].translate(_VARIANT)
    return [bytes(joined[start : start + 16]) for start in range(0, len(joined), 16)]

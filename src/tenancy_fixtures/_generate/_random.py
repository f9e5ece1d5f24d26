"""Random numbers by place: what a row gets depends on seed, column and row number alone, not on the rows before it.

So any row can be made again where another dataset refers to it, in blocks of any size, without remembering anything. Only
whole numbers and what IEEE 754 rounds exactly are used: the same numbers come out on every platform.
"""

from __future__ import annotations

import hashlib
from math import gcd
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Rows = NDArray[np.int64]

MOST_ROWS = 2**31  # of one dataset: products with a stride below 2**32 fit into 64 bits
_STEP, _FIRST, _SECOND = np.uint64(0x9E3779B97F4A7C15), np.uint64(0xBF58476D1CE4E5B9), np.uint64(0x94D049BB133111EB)  # of splitmix64
_UNIT = 2.0**-53


def key_of(*names: object) -> int:
    """A number for what these names mean together; other names, another number."""
    text = "\x1f".join(map(str, names))
    return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=8).digest(), "big")


def bits(rows: Rows, key: int) -> NDArray[np.uint64]:
    """64 random bits for each row (splitmix64); no two rows get the same."""
    value = rows.astype(np.uint64) * _STEP + np.uint64(key)
    value = (value ^ (value >> np.uint64(30))) * _FIRST
    value = (value ^ (value >> np.uint64(27))) * _SECOND
    return value ^ (value >> np.uint64(31))


def uniform(rows: Rows, key: int) -> NDArray[np.float64]:
    """A number from 0 to below 1 for each row."""
    return (bits(rows, key) >> np.uint64(11)).astype(np.float64) * _UNIT


def below(rows: Rows, key: int, number: int, *, tail: bool = False) -> Rows:
    """A whole number from 0 to below ``number`` for each row; with ``tail`` small ones are frequent and large ones rare."""
    share = uniform(rows, key)
    if tail:
        share = share * share * share
    return np.minimum((share * number).astype(np.int64), number - 1)


def permuted(rows: Rows, key: int, number: int) -> Rows:
    """The rows 0 to ``number - 1`` in another order: each of these numbers once."""
    if number <= 1:
        return np.zeros_like(rows)
    return ((rows.astype(np.uint64) * np.uint64(_stride(key, number)) + np.uint64(key % number)) % np.uint64(number)).astype(np.int64)


def _stride(key: int, number: int) -> int:
    """A step that comes by every one of ``number`` places, and leaves room in 64 bits."""
    stride = 1 + key % min(number - 1, 2**31)
    while gcd(stride, number) > 1:
        stride += 1
    return stride

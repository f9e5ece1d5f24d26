"""What an answer says."""

from __future__ import annotations

import json
import math
from typing import Any


def read_json(content: bytes) -> Any:
    """What JSON says.

    :raises ValueError: it is none, is nested too deeply, or holds a number that cannot be written as JSON again.
    """
    try:
        return json.loads(content, parse_float=_finite, parse_constant=_finite)
    except RecursionError:
        raise ValueError("too many levels") from None


def _finite(text: str) -> float:
    found = float(text)
    if not math.isfinite(found):
        raise ValueError("no number of JSON's")
    return found

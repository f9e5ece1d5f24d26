"""Standard input, kept in the temporary file of the load: it can be read once only."""

from __future__ import annotations

import select
import sys
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Final

from ..exceptions import SourceMissing
from ._source_errors import missing

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ._extents import Extent, Spool

NAME: Final = "stdin"
_CHUNK = 1 << 20
_LOOK_SECONDS = 0.2


def take_input(spool: Spool) -> Extent:
    """Read standard input to its end.

    :raises SourceMissing: there is none.
    :raises SourceTooLarge: it is more than the limits allow.
    """
    stream: Any = getattr(sys.stdin, "buffer", None)
    if stream is None or stream.closed:
        raise SourceMissing("there is no standard input", source=NAME, hint="Pipe the records in, or name a file.")
    return spool.take(NAME, _chunks(stream, spool))


def _chunks(stream: Any, spool: Spool) -> Iterator[bytes]:
    try:
        while True:
            _wait(stream, spool)
            chunk = stream.read1(_CHUNK)
            if not chunk:
                return
            yield chunk
    except OSError as error:
        raise missing(NAME, error) from error


def _wait(stream: Any, spool: Spool) -> None:
    """Until there is something to read: a thread that sits in a read could not be called back when the load is cancelled."""
    with suppress(OSError, ValueError, AttributeError):  # no descriptor behind it, or none that can be waited for
        while not spool.closed and not select.select([stream.fileno()], [], [], _LOOK_SECONDS)[0]:
            continue
    if spool.closed:
        raise SourceMissing("standard input was closed while it was being read", source=NAME)

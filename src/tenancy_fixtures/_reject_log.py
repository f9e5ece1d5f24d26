"""Bad records: how many a load allows, which there were, and the file that lists all of them."""

from __future__ import annotations

import json
import os
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

from .constants import MAX_LISTED_REJECTS
from .exceptions import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from ._ingest import Frame
    from ._shapes import Reject
    from .exceptions import DataRejected

# Bytes of a list of rejects that stay in memory; a longer one goes to a temporary file.
_IN_MEMORY = 1 << 20
# What a line of a list has, and how long it is at most.
_KEYS = {"dataset", "source", "record", "line", "column", "rule", "message"}
_LONGEST_LINE = 1 << 16


def _is_wrong(value: Any, kind: Any, most: float | None) -> bool:
    return not isinstance(value, kind) or value < 0 or (most is not None and value > most)


@dataclass(frozen=True)
class Budget:
    """How many bad records a load may leave out: none, or with ``reject`` up to ``max_errors`` and up to ``max_share`` of all."""

    reject: bool = False
    max_errors: int | None = None
    max_share: float | None = None

    def __post_init__(self) -> None:
        if self.max_errors is not None and _is_wrong(self.max_errors, int, None):
            raise ConfigurationError(f"max_errors cannot be {self.max_errors!r}", hint="It is a number of records, 0 or more.")
        if self.max_share is not None and _is_wrong(self.max_share, (int, float), 1):
            raise ConfigurationError(f"max_share cannot be {self.max_share!r}", hint="It is a share of the records, from 0 to 1.")

    def allows(self, rejected: int, read: int) -> bool:
        """Whether a load of so many records, of which so many are bad, may be kept."""
        if not rejected:
            return True
        return self.reject and not self.ends_early(rejected) and (self.max_share is None or rejected <= self.max_share * read)

    def ends_early(self, rejected: int) -> bool:
        """Whether so many bad records are too many, whatever comes."""
        return self.reject and self.max_errors is not None and rejected > self.max_errors

    @property
    def words(self) -> str:
        """What is allowed, for an error's message; nothing where no bad record is."""
        parts = [] if self.max_errors is None else [str(self.max_errors)]
        parts += [] if self.max_share is None else [f"{self.max_share:.4g} of all"]
        return f" (at most {' and '.join(parts)} may)" if self.reject and parts else ""

    @property
    def hint(self) -> str:
        """What to do about more bad records than are allowed."""
        return "Mend the records, or raise the budget." if self.words else "Mend the records, or load with on_error=reject to leave them out."


class RejectTally:
    """The bad records of one dataset: those that the reader finds, anew in each attempt, and those that the database refused.

    The first of them are listed. With ``keep_all`` the rest waits in a temporary file for :func:`write_rejects`.
    """

    def __init__(self, dataset: str, *, keep_all: bool = False) -> None:
        self.refused: frozenset[int] = frozenset()
        self.read = 0
        self.hint: str | None = None
        self._dataset = dataset
        self._rejected = 0
        self._uncounted = 0
        self._found: list[Reject] = []
        self._refusals: list[Reject] = []
        self._file: IO[str] | None = None
        if keep_all:
            self._file = tempfile.SpooledTemporaryFile(_IN_MEMORY, "w+", encoding="utf-8")  # noqa: SIM115 - lives as long as the tally

    @property
    def rejected(self) -> int:
        """How many records are bad, as far as is known."""
        return self._rejected + self._uncounted

    @property
    def listed(self) -> tuple[Reject, ...]:
        """The first of their faults: the reader's, then the database's."""
        return tuple([*self._found, *self._refusals][:MAX_LISTED_REJECTS])

    def start_again(self) -> None:
        """The records are read from the start."""
        self.read = self._rejected = self._uncounted = 0
        self._found = []
        if self._file is not None:
            self._file.seek(0)
            self._file.truncate()

    def add(self, frame: Frame) -> None:
        """Count a frame. Records that were refused before are among its bad ones."""
        self.read += frame.records
        self._rejected += frame.rejected
        self._found += frame.rejects[: MAX_LISTED_REJECTS - len(self._found)]
        if self._file is not None:
            self._file.writelines(map(self._line, frame.rejects))

    def refuse(self, error: DataRejected) -> int:
        """The database refused these records: they are left out from now on. Gives how many of them are new."""
        new = frozenset(error.ordinals) - self.refused
        self.refused |= new
        self._uncounted += len(new)
        self._refusals += error.rejects
        self.hint = self.hint or error.hint
        return len(new)

    def lines(self) -> Iterator[str]:
        """All of their faults, each as an object of JSON with the end of the line."""
        if self._file is not None:
            self._file.seek(0)
            yield from self._file
        yield from map(self._line, self._refusals)

    def close(self) -> None:
        """Give the temporary file back."""
        if self._file is not None:
            self._file.close()

    def _line(self, reject: Reject) -> str:
        return json.dumps({"dataset": self._dataset, **reject.to_dict()}, ensure_ascii=False) + "\n"


def check_rejects_path(path: Path) -> None:
    """See that a list of bad records may be written to ``path``: nothing is there, or an earlier list.

    :raises ConfigurationError: something else is there, which must not be lost.
    """
    if not path.exists() and not path.is_symlink():
        return
    hint = "Name a file that is not there yet, or one that an earlier load wrote."
    if path.is_symlink() or not path.is_file():
        raise ConfigurationError(f"the rejects cannot be written to {path}: it is no regular file", hint=hint)
    try:
        with path.open(encoding="utf-8") as file:
            first = json.loads(file.readline(_LONGEST_LINE) or "{}")
        ours = isinstance(first, dict) and first.keys() in (set(), _KEYS)
    except (OSError, ValueError):
        ours = False
    if not ours:
        raise ConfigurationError(f"the rejects cannot be written to {path}: another file is there", hint=hint)


def write_rejects(path: Path, tallies: Sequence[RejectTally]) -> None:
    """Write the faults of several datasets to one file as NDJSON: dataset, source, record, line, column, rule, message; never a value.

    The file appears as a whole or not at all. The tallies are closed.

    :raises ConfigurationError: it cannot be written there.
    """
    try:
        handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
        try:
            with os.fdopen(handle, "w", encoding="utf-8") as file:
                for tally in tallies:
                    file.writelines(tally.lines())
            Path(name).replace(path)
        except BaseException:
            Path(name).unlink()
            raise
    except OSError as error:
        message = f"the rejects cannot be written to {path}: {error.strerror}"
        raise ConfigurationError(message, hint="Name a file in a folder that is there.") from error
    finally:
        for tally in tallies:
            tally.close()

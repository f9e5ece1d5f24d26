"""One step of a pack's structure, whoever is its author: the pack's own SQL, or the host's Alembic."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from pathlib import Path  # noqa: TC003 - a field's type
from typing import Any, Protocol


class OnlineWork(Protocol):
    """Runs a revision on a connection of SQLAlchemy's; ``fresh`` says that nobody uses the schema yet."""

    def __call__(self, connection: Any, *, fresh: bool) -> None: ...


@dataclass(frozen=True)
class Revision:
    """One numbered step of a pack's schema; ``digest`` is the SHA-256 of its text.

    ``row_sql`` is what it does to tables that tenants share, where the pack says so (``NNNN_name.row.sql``).

    One that Alembic knows has its id there as ``version``, and as ``heads`` what Alembic's version table says once it is applied. Its
    ``number`` is its place in the order from base to head, ``sql`` what it compiles to, ``source`` the text that it was compiled from. Where
    it must be asked on a connection instead, since it reads what is there, ``work`` does that and ``sql`` is empty. One that ``leaves`` its
    transaction runs within it where nobody uses the schema yet, and not elsewhere.
    """

    number: int
    name: str
    file: Path
    sql: str = field(repr=False)
    row_sql: str | None = field(repr=False, default=None)
    version: str | None = None
    heads: tuple[str, ...] = ()
    source: str | None = field(repr=False, default=None)
    work: OnlineWork | None = field(repr=False, compare=False, default=None)
    leaves: bool = False

    @property
    def label(self) -> str:
        """What a report calls it."""
        return f"{self.number:04d}_{self.name}"

    @property
    def online(self) -> bool:
        """Whether it must run on a connection, since SQL alone cannot say what it does."""
        return self.work is not None

    @property
    def digest(self) -> str:
        """SHA-256 of the text, in hex: it shows when a revision that tenants have applied is edited.

        Of Alembic's it is that of the source: what that compiles to is another text with each release of SQLAlchemy.
        """
        return hashlib.sha256((self.sql if self.source is None else self.source).encode()).hexdigest()

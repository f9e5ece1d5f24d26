"""How a CSV file is written: its signs, where its table begins and ends, and what its ragged records are."""

from __future__ import annotations

import csv
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Tuple, Union

if TYPE_CHECKING:
    from .._pack_models import Source

Footer = Union[int, str, None]

DELIMITER, QUOTE = ",", '"'
_ENDS = "\r\n"


@dataclass(frozen=True)
class Dialect:
    """``quote`` and ``escape`` are empty where there is none. ``skip`` counts the lines before the header, blank ones and comments too.

    ``names`` are those of a file without a header; ``footer`` is a number of lines, or a pattern of them.
    """

    delimiter: str = DELIMITER
    quote: str = QUOTE
    escape: str = ""
    doubled: bool = True
    comment: str = ""
    skip: int = 0
    names: Tuple[str, ...] | None = None
    footer: Footer = None
    ragged: str = "reject"

    @classmethod
    def of(cls, declared: Source) -> Dialect:
        """What is declared, and the usual where nothing is."""
        return cls(
            delimiter=declared.delimiter or DELIMITER,
            quote=QUOTE if declared.quote is None else declared.quote,
            escape=declared.escape or "",
            doubled=declared.doubled_quotes,
            comment=declared.comment or "",
            skip=declared.skip or 0,
            names=None if declared.header is None else tuple(declared.header),
            footer=declared.footer,
            ragged=declared.ragged,
        )

    @property
    def is_plain(self) -> bool:
        """Whether pyarrow can read it, which is faster."""
        signs = all(sign.isascii() for sign in (self.delimiter, self.quote))
        return signs and self.doubled and self.ragged == "reject" and not (self.escape or self.comment or self.footer)

    @property
    def options(self) -> dict[str, Any]:
        """The arguments of :func:`csv.reader`."""
        quoting = {"quotechar": self.quote, "quoting": csv.QUOTE_MINIMAL} if self.quote else {"quotechar": None, "quoting": csv.QUOTE_NONE}
        return {"delimiter": self.delimiter, "escapechar": self.escape or None, "doublequote": self.doubled, **quoting}

    def fits(self, cells: int, width: int) -> bool:
        """Whether a record of so many cells belongs in a table of that width."""
        return cells == width or (self.ragged == "pad" and cells < width) or (self.ragged == "join" and cells > width)

    def is_comment(self, line: str) -> bool:
        """Whether a line that no record has begun before is a comment."""
        return bool(self.comment) and line.startswith(self.comment)


def is_blank(line: str) -> bool:
    """Whether a line has nothing in it: it is no record."""
    return not line.strip(_ENDS)

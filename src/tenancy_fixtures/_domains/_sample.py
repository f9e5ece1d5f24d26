"""What the first part of a source shows of it: its format, its names, some of its values. However large it is, some 256 KB are read."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from itertools import islice
from typing import TYPE_CHECKING, Any

from .._ingest import count_wanted, fold_words
from .._ingest.readers import Field, detect, open_reader
from .._pack_models import Source
from ..constants import MAX_JSON_DEPTH
from ..exceptions import SourceError, SourceMissing
from ._partial_json import first_documents

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from .._ingest import FileSource

SAMPLE_BYTES = 1 << 18
_DOCUMENTS, _ELEMENTS, _VALUES = 200, 50, 50  # looked at; of each array; kept of each name
_LISTED = 12  # names that a message lists
# Names that are rather somebody's values, as in an object that has one member for each person.
_PERSONAL = re.compile(r"@|[0-9]{6}")
_MARKS = {b"\xff\xfe": "utf-16", b"\xfe\xff": "utf-16"}


@dataclass(frozen=True)
class Sample:
    """``values`` has some values, as texts, under each name: a column, or a path in the documents. ``text`` is the first part of the file.

    ``fault`` says why there are no names; ``headless``, that none of a table's names is one that anybody knows; ``headed``, that a table
    has names and no record; ``empty``, that a document has no value at all.
    """

    source: str
    format: str
    records: int
    values: dict[str, list[str]] = field(repr=False, default_factory=dict)
    text: str = field(repr=False, default="")
    fault: str | None = None
    headless: bool = False
    headed: bool = False
    empty: bool = False

    def find(self, name: str) -> list[str] | None:
        """The values under a name; ``None`` where it is not there. ``**.x`` is ``x`` at any depth."""
        name = plain(name, self.format)
        if not name.startswith("**."):
            return self.values.get(name)
        last = name[3:]
        found = [values for path, values in self.values.items() if path == last or path.endswith(f".{last}")]
        return [value for values in found for value in values] if found else None

    @property
    def seen(self) -> str:
        """What was seen, in words, and no value of it."""
        if self.fault is not None:
            return f"{self.format}: {self.fault}"
        names = [name for name in self.values if "." not in name] or list(self.values)
        if self.headless:
            # What is taken for names may be a record's values.
            if len(self.values) == 1:
                return "a text, and no table of more than one column"
            return f"{self.format} with {len(self.values)} columns, no name of which is known: it may have no header"
        shown = [name for name in names if not _PERSONAL.search(name)][:_LISTED]
        more = f" and {len(names) - len(shown)} more" if len(names) > len(shown) else ""
        return f"{self.format} with {', '.join(shown)}{more}" if names else f"{self.format} without a name"


def plain(name: str, kind: str) -> str:
    """A name as names are compared in a source of the format ``kind``."""
    return fold_words(name) if kind == "csv" else name.strip().casefold()


def take_sample(source: FileSource, wanted: Iterable[str], hints: Iterable[str] = ()) -> Sample:
    """Look at the first part of a source.

    ``wanted`` are the names of columns that it may be known by; they, and the ``hints``, tell a header from a line before it.

    :raises SourceMissing: it has gone, or may not be read.
    """
    kind = detect(source)
    head = _head(source)
    if kind in ("json", "ndjson"):
        documents = [item for item in islice(first_documents(head.lstrip("\ufeff")), _DOCUMENTS) if isinstance(item, dict)]
        values: dict[str, list[str]] = {}
        for document in documents:
            for path, value in _paths(document, "", 0):
                kept = values.setdefault(plain(path, kind), [])
                if value is not None and len(kept) < _VALUES:
                    kept.append(value)
        fault = None if documents else "no object of JSON begins there"
        return Sample(source.name, kind, len(documents), values, head, fault, empty=kind == "json" and _is_empty(head))
    try:
        fields = {**{name: Field("hint") for name in hints}, **{name: Field("exact") for name in wanted}}
        return _of_table(source, kind, fields, head)
    except SourceMissing:
        raise
    except SourceError as error:
        return Sample(source.name, kind, 0, text=head, fault=error.message)


def _of_table(source: FileSource, kind: str, fields: Mapping[str, Field], head: str) -> Sample:
    declared = Source.model_validate({"path": "any", "format": kind, "ragged": "join"})
    reader = open_reader(source, declared, fields)
    frame = next(reader.frames(SAMPLE_BYTES), None)
    values: dict[str, list[str]] = {plain(name, kind): [] for name in reader.header}
    if frame is not None:
        for place, name in enumerate(reader.header):
            cells = frame.cells[str(place)].head(_VALUES).to_list() if str(place) in frame.cells.columns else []
            values[plain(name, kind)] += [_as_text(cell) for cell in cells if cell is not None]
    headless = kind == "csv" and not count_wanted(reader.header, fields)
    records = 0 if frame is None else frame.cells.height
    return Sample(source.name, kind, records, values, head, headless=headless, headed=not headless and not records)


def _is_empty(text: str) -> bool:
    """Whether a text is JSON, and there is no value in it: nothing but empty lists and objects, in whatever depth."""
    try:
        return not _has_value(json.loads(text.lstrip("\ufeff")))
    except (ValueError, RecursionError):
        return False


def _has_value(document: Any) -> bool:
    if isinstance(document, (dict, list)):
        return any(map(_has_value, document.values() if isinstance(document, dict) else document))
    return True


def _head(source: FileSource) -> str:
    with source.open() as file:
        data = file.read(SAMPLE_BYTES)
    return data.decode(_MARKS.get(data[:2], "utf-8"), "replace")


def _paths(value: Any, path: str, depth: int) -> Iterator[tuple[str, str | None]]:
    if depth > MAX_JSON_DEPTH:
        return
    if path:
        yield path, None if value is None or isinstance(value, (dict, list)) else _as_text(value)
    if isinstance(value, dict):
        for key, item in value.items():
            yield from _paths(item, f"{path}.{key}" if path else key, depth + 1)
    elif isinstance(value, list):
        for item in value[:_ELEMENTS]:
            yield from _paths(item, f"{path}[]", depth + 1)


def _as_text(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)

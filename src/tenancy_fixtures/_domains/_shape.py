"""A shape that is ready to load: its declaration, and the functions that it names."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property, partial
from typing import TYPE_CHECKING, Any, BinaryIO, Callable

from .._ingest import Hooks
from .._ingest.readers import Made
from .._shape_models import FILE, GIVEN
from ..exceptions import ConfigurationError, PackInvalid
from ..packs import read_shapes

if TYPE_CHECKING:
    from pathlib import Path

    from .._shape_models import FileShape, ShapeDataset

# Makes any number of records of one document, which it gets with the values that the caller gives, and where the file is as
# ``file``. Numbers of JSON come as texts that keep every digit.
Rewrite = Callable[[Any, Mapping[str, str]], Iterable[Made]]
# Reads documents from the bytes of a file that is no JSON.
Documents = Callable[[BinaryIO], Iterable[Any]]


@dataclass(frozen=True)
class KnownShape:
    """A declaration, and the functions that it names as ``rewrite`` and ``documents``."""

    declared: FileShape
    rewriters: Mapping[str, Rewrite] = field(default_factory=dict, repr=False)
    readers: Mapping[str, Documents] = field(default_factory=dict, repr=False)

    def __post_init__(self) -> None:
        for dataset in self.declared.datasets:
            for name, known in ((dataset.rewrite, self.rewriters), (dataset.documents, self.readers)):
                if name is not None and name not in known:
                    message = f"the shape {self.name!r} names a function {name!r} that is not there"
                    raise PackInvalid(message, dataset=dataset.name, hint=f"There are: {', '.join(known) or 'none'}.")

    @property
    def name(self) -> str:
        """The declaration's name."""
        return self.declared.name

    @property
    def domain(self) -> str:
        """The domain that it belongs to."""
        return self.declared.domain

    @cached_property
    def columns(self) -> frozenset[str]:
        """The names that a table of the kind may have: it is known by them, or its datasets read them."""
        from .._ingest.mapping import read_names

        read = (read_names(dataset) for dataset in self.declared.datasets)
        return frozenset(self.declared.columns).union(*read)

    def datasets(self) -> list[ShapeDataset]:
        """The datasets, each with the shape's name before its own: so it is called in reports and in the ledger."""
        return [dataset.model_copy(update={"name": f"{self.name}.{dataset.name}"}) for dataset in self.declared.datasets]

    def hooks(self, dataset: ShapeDataset, given: Mapping[str, str]) -> Hooks:
        """What is done to the dataset's records; ``given`` are the caller's values."""
        values = {name: given.get(name, value) for name, value in dataset.given.items()}
        known = {name: value for name, value in values.items() if value is not None}
        rewrite = None if dataset.rewrite is None else partial(_rewritten, self.rewriters[dataset.rewrite], known)
        documents = None if dataset.documents is None else self.readers[dataset.documents]
        named = {f"{GIVEN}{name}": value for name, value in known.items()}
        return Hooks(rewrite, documents, named, self.declared.columns, self.columns, by_file=dataset.by_file, refuse_secrets=dataset.refuse_secrets)


def _rewritten(rewrite: Rewrite, given: Mapping[str, str], document: Any, file: str) -> Iterable[Made]:
    return rewrite(document, {**given, FILE: file})


def shapes_in(
    folder: Path, *, rewriters: Mapping[str, Rewrite] | None = None, readers: Mapping[str, Documents] | None = None
) -> tuple[KnownShape, ...]:
    """The shapes that a folder declares, with the functions that they may name.

    :raises PackInvalid: a declaration breaks its schema, or names a function that is not there.
    :raises ConfigurationError: the folder has none.
    """
    found = tuple(KnownShape(shape, rewriters or {}, readers or {}) for shape in read_shapes(folder))
    if not found:
        raise ConfigurationError(f"no shape is declared in {str(folder)!r}", hint="Give the folder with the shapes' JSON files.")
    return found

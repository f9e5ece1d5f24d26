"""Which fields of a dataset take their values from rows of another one: by foreign keys, and by uuids of the same kind."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Iterator, NamedTuple

from ..exceptions import CannotGenerate
from ._fields import local_fields

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from .._pack_models import ColumnMapping, Dataset, Target
    from .._shapes import ForeignKey, Table
    from ._fields import Field

    Fields = Mapping[str, Mapping[str, Field]]  # by dataset and name


class Provider(NamedTuple):
    """Where the values that a reference may have come from: a dataset and its fields."""

    dataset: str
    fields: tuple[str, ...]


@dataclass(frozen=True)
class Reference:
    """Fields of a dataset that together lead to a row of ``provider``; its fields stand in the same order."""

    dataset: str
    fields: tuple[str, ...]
    provider: Provider
    place: str

    @property
    def to_itself(self) -> bool:
        """Whether rows lead to rows of the same dataset."""
        return self.provider.dataset == self.dataset

    def leads(self, name: str) -> tuple[str, str]:
        """The provider's field that a field gets its values from."""
        return self.provider.dataset, self.provider.fields[self.fields.index(name)]


class References:
    """The references of all datasets of a pack, and for each field the one that gives it its values."""

    def __init__(self, datasets: Sequence[Dataset], tables: Mapping[str, Table], fields: Fields) -> None:
        self._datasets = datasets
        self._tables = tables
        self._fields = fields
        self.of_field: dict[tuple[str, str], Reference] = {}
        wanted = sorted({reference for dataset in datasets for reference in self._read(dataset)}, key=lambda item: (-len(item.fields), repr(item)))
        for reference in wanted:
            self._assign(reference)
        self._refuse_circles()
        for reference in self.of_field.values():
            for name in reference.provider.fields:
                self._fields[reference.provider.dataset][name].required = True

    def of_dataset(self, name: str) -> list[Reference]:
        """The references that give a dataset's fields their values."""
        return list(dict.fromkeys(reference for (dataset, _), reference in self.of_field.items() if dataset == name))

    def needed(self, names: Sequence[str]) -> list[str]:
        """These datasets and those that they refer to, over any number of steps, in the pack's order."""
        found = set(names)
        while True:
            more = {reference.provider.dataset for name in found for reference in self.of_dataset(name)} - found
            if not more:
                return [dataset.name for dataset in self._datasets if dataset.name in found]
            found |= more

    # --- finding them -----------------------------------------------------------------------------------------------------

    def _read(self, dataset: Dataset) -> Iterator[Reference]:
        fields = self._fields[dataset.name]
        for target in dataset.targets:
            for name, mapping in target.columns.items():
                if mapping.uuid is not None:
                    yield from self._by_kind(dataset, target, name, mapping)
            for key in self._tables[target.table].foreign_keys:
                if all(name in target.columns and target.columns[name].source is not None for name in key.columns):
                    own = tuple(local_fields(target.columns[name], fields)[0] for name in key.columns)
                    yield from self._by_key(dataset, own, key)
                else:
                    self._refuse_constants(dataset, target, key)

    def _by_kind(self, dataset: Dataset, target: Target, name: str, mapping: ColumnMapping) -> Iterator[Reference]:
        own = local_fields(mapping, self._fields[dataset.name])
        place = f"{target.table}.{name}"
        kind = mapping.uuid_kind or target.table
        found = self._best(dataset, list(self._of_kind(kind)), own)
        if found is None:
            key = next((key for key in self._tables[target.table].foreign_keys if key.columns == (name,)), None)
            if key is not None:
                self._leave_empty(dataset, own, f"{place} refers to {key.target_table}, and no dataset has a key of uuid kind {kind!r} there")
            return
        if len(found.fields) != len(own):
            raise CannotGenerate(f"{place} and the key of dataset {found.dataset} are made of different numbers of columns", dataset=dataset.name)
        if found != Provider(dataset.name, own):
            yield Reference(dataset.name, own, found, place)

    def _of_kind(self, kind: str) -> Iterator[tuple[bool, Provider]]:
        for dataset in self._datasets:
            for target in dataset.targets:
                for name in target.key if len(target.key) == 1 else ():
                    mapping = target.columns[name]
                    if mapping.uuid is not None and (mapping.uuid_kind or target.table) == kind:
                        yield target.derived, Provider(dataset.name, local_fields(mapping, self._fields[dataset.name]))

    def _by_key(self, dataset: Dataset, own: tuple[str, ...], key: ForeignKey) -> Iterator[Reference]:
        found = self._best(dataset, list(self._of_table(key)), own)
        place = f"{key.table}.{','.join(key.columns)}"
        if found is None:
            self._leave_empty(dataset, own, f"{place} refers to {key.target_table}, and no dataset fills {','.join(key.target_columns)} there")
        elif found != Provider(dataset.name, own):
            yield Reference(dataset.name, own, found, place)

    def _of_table(self, key: ForeignKey) -> Iterator[tuple[bool, Provider]]:
        for dataset in self._datasets:
            for target in dataset.targets:
                known = target.table == key.target_table and self._tables[target.table].schema == key.target_schema
                if known and all(name in target.columns and target.columns[name].source is not None for name in key.target_columns):
                    fields = (local_fields(target.columns[name], self._fields[dataset.name])[0] for name in key.target_columns)
                    yield target.derived, Provider(dataset.name, tuple(fields))

    def _best(self, dataset: Dataset, found: list[tuple[bool, Provider]], own: tuple[str, ...]) -> Provider | None:
        """A dataset's own table before rows that are derived from records of another; what is the same record before all."""
        here = Provider(dataset.name, own)
        if (False, here) in found:
            return here
        ordered = sorted(found, key=lambda item: (item[0], item[1] != here))
        return ordered[0][1] if ordered else None

    def _leave_empty(self, dataset: Dataset, own: tuple[str, ...], why: str) -> None:
        """A reference to rows that nobody makes leads nowhere, where that is allowed."""
        loose = [self._fields[dataset.name][name] for name in own if not self._fields[dataset.name][name].required]
        if not loose:
            raise CannotGenerate(f"dataset {dataset.name}: {why}", dataset=dataset.name, hint="Declare a dataset for that table, or let it be null.")
        for item in loose:
            item.void = True

    def _refuse_constants(self, dataset: Dataset, target: Target, key: ForeignKey) -> None:
        mapped = [target.columns.get(name) for name in key.columns]
        if any(item is not None and item.const is not None for item in mapped) and any(
            item is not None and item.source is not None for item in mapped
        ):
            raise CannotGenerate(f"{key.table}.{','.join(key.columns)} refers by a constant and a field together", dataset=dataset.name)

    # --- putting them together ----------------------------------------------------------------------------------------------

    def _assign(self, reference: Reference) -> None:
        taken = [name for name in reference.fields if (reference.dataset, name) in self.of_field]
        if not taken and not self._goes_round(reference):
            self.of_field.update(((reference.dataset, name), reference) for name in reference.fields)
        elif len(taken) == len(reference.fields) and self._follows(reference):
            return
        else:
            free = tuple(name for name in reference.fields if name not in taken)
            self._leave_empty(self._dataset(reference.dataset), free, f"{reference.place} shares columns with another reference")

    def _goes_round(self, reference: Reference) -> bool:
        """Whether a row's value would be asked of the row itself: a part of a key that refers to keys with the same part."""
        return reference.to_itself and bool(set(reference.fields) & set(reference.provider.fields))

    def _follows(self, reference: Reference) -> bool:
        """Whether fields that have their values from elsewhere come from the provider's rows in the end."""
        at = [(reference.dataset, name) for name in reference.fields]
        goal = [(reference.provider.dataset, name) for name in reference.provider.fields]
        for _ in range(len(self._datasets) + 1):
            if at == goal:
                return True
            steps = [self.of_field.get(place) for place in at]
            if steps[0] is None or any(step != steps[0] for step in steps):
                return False
            at = [steps[0].leads(name) for _, name in at]
        return False

    def _refuse_circles(self) -> None:
        for start in self.of_field:
            at, seen = start, {start}
            while at in self.of_field:
                at = self.of_field[at].leads(at[1])
                if at in seen:
                    raise CannotGenerate(f"the references of {start[0]}.{start[1]} go round in a circle that has no beginning", dataset=start[0])
                seen.add(at)

    def _dataset(self, name: str) -> Dataset:
        return next(dataset for dataset in self._datasets if dataset.name == name)

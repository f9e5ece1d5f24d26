"""The fields of a dataset's records: which source columns there have to be, and what the tables ask of each."""

from __future__ import annotations

from dataclasses import dataclass, field
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from .._ingest.types import cast_for
from ..exceptions import CannotGenerate
from ._checks import atoms

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from .._ingest.types import Cast
    from .._pack_models import ColumnMapping, Dataset, Rule, Target
    from .._pg.trial import TableCheck
    from .._shapes import Column, Table

# What is understood of a pack: anything else that a dataset says is named in an error, and never passed over.
_MAPPING = {"source", "uuid", "uuid_kind", "const", "extract", "nulls", "optional"}
_RULE = {"column", "rule", "min", "max", "pattern", "values"}
_RULES = {"not_null", "range", "length", "pattern", "one_of"}
_SOURCE = {"path", "format", "encoding", "delimiter", "ragged"}


@dataclass(frozen=True)
class Use:
    """One target column that reads a field; ``part`` where it is one of several parts of a uuid."""

    target: Target
    table: Table
    column: Column
    mapping: ColumnMapping
    cast: Cast
    rules: tuple[Rule, ...]
    checks: tuple[TableCheck, ...]
    part: bool

    @property
    def required(self) -> bool:
        """Whether a record must have a value for it."""
        return not self.column.nullable or self.column.name in self.target.key or any(rule.rule == "not_null" for rule in self.rules)

    @property
    def place(self) -> str:
        """Table and column, for messages."""
        return f"{self.table.name}.{self.column.name}"


@dataclass
class Field:
    """One source column of a dataset, and all that reads it."""

    dataset: str
    name: str
    uses: list[Use] = field(default_factory=list)
    required: bool = False
    void: bool = False

    @property
    def own(self) -> list[Use]:
        """The columns that hold its value itself."""
        return [use for use in self.uses if not use.part]

    @property
    def main(self) -> Use:
        """The column whose type decides what its texts look like: one that is not just text, if there is one."""
        uses = self.own or self.uses
        return next((use for use in uses if use.cast.kind != "text" or use.column.type.labels), uses[0])

    @property
    def type(self) -> str:
        """The catalogue's name of that type; text for what only uuids are made of."""
        return self.main.column.type.name if self.own else "text"

    @property
    def nulls(self) -> tuple[str, ...]:
        """The texts that stand for no value wherever the field is read."""
        return tuple(text for text in self.uses[0].mapping.nulls if all(text in use.mapping.nulls for use in self.uses))

    @property
    def extract(self) -> str | None:
        """The expression that takes the value out of the text."""
        return next((pattern for use in self.uses for pattern in use.mapping.patterns if pattern), None)


@dataclass
class Wants:
    """What a field's values must be, as far as rules, checks and types say it plainly. Bounds are included."""

    low: Decimal | None = None
    high: Decimal | None = None
    shortest: int = 0
    longest: int | None = None
    values: tuple[str, ...] | None = None
    patterns: tuple[str, ...] = ()
    first: str | None = None
    last: str | None = None

    def at_least(self, bound: Decimal) -> None:
        """Raise the lower bound."""
        self.low = bound if self.low is None else max(self.low, bound)

    def at_most(self, bound: Decimal) -> None:
        """Lower the upper bound."""
        self.high = bound if self.high is None else min(self.high, bound)

    def no_longer(self, length: int) -> None:
        """Lower the greatest length."""
        self.longest = length if self.longest is None else min(self.longest, length)

    def only(self, values: Iterable[str]) -> None:
        """Allow these values alone."""
        kept = tuple(dict.fromkeys(values))
        self.values = kept if self.values is None else tuple(value for value in self.values if value in kept)


def read_fields(dataset: Dataset, tables: Mapping[str, Table], checks: Sequence[TableCheck]) -> dict[str, Field]:
    """The fields of a dataset by name, in the order in which its mapping names them.

    :raises CannotGenerate: the dataset uses something that is not understood here.
    """
    refuse_unknown(dataset.source, _SOURCE, f"the source of dataset {dataset.name}", dataset.name)
    inputs = [names for target in dataset.targets for mapping in target.columns.values() for names in _inputs(dataset, mapping)]
    header = {names[0]: None for names in inputs if len(names) == 1}
    for names in inputs:
        if not header.keys() & set(names):
            header[names[0]] = None
    fields: dict[str, Field] = {}
    for target in dataset.targets:
        for name, mapping in target.columns.items():
            for names in _inputs(dataset, mapping):
                use = _use(target, tables[target.table], name, mapping, checks)
                found = next(item for item in names if item in header)
                fields.setdefault(found, Field(dataset.name, found)).uses.append(use)
    for item in fields.values():
        # A line with nothing in it is no record, so that a lonely field always has a value.
        item.required = any(use.required for use in item.uses) or not item.nulls or len(fields) == 1
        _refuse_extracts(item)
    return fields


def local_fields(mapping: ColumnMapping, fields: Mapping[str, Field]) -> tuple[str, ...]:
    """The fields that a column is made of."""
    names = [mapping.source] if mapping.source is not None else [part.split("|") for part in mapping.uuid or ()]
    return tuple(next(name for name in choice if name in fields) for choice in names)


def _use(target: Target, table: Table, name: str, mapping: ColumnMapping, checks: Sequence[TableCheck]) -> Use:
    column = table.column(name)
    assert column is not None, "the pack's fit was checked before"
    rules = tuple(rule for rule in target.rules if name in rule.names or not rule.names)
    for rule in rules:
        refuse_unknown(rule, _RULE, f"the rule {rule.rule} of {table.name}.{name}")
        if rule.rule not in _RULES:
            raise CannotGenerate(f"{table.name}.{name} has a rule {rule.rule!r}, and no values can be made by it", table=table.name, column_name=name)
    own = tuple(check for check in checks if check.table == table.name and check.columns == (name,))
    return Use(target, table, column, mapping, cast_for(column.type), rules, own, mapping.uuid is not None)


def _inputs(dataset: Dataset, mapping: ColumnMapping) -> list[list[str]]:
    refuse_unknown(mapping, _MAPPING, f"a column of dataset {dataset.name}", dataset.name)
    if mapping.source is not None:
        return [list(mapping.source)]
    return [part.split("|") for part in mapping.uuid or ()]


def refuse_unknown(model: Any, known: set[str], what: str, dataset: str | None = None) -> None:
    """See that a part of the pack says nothing that would be passed over here.

    :raises CannotGenerate: it does.
    """
    found = [
        info.alias or name
        for name, info in type(model).model_fields.items()
        if name not in known and getattr(model, name) != info.get_default(call_default_factory=True)
    ]
    if found:
        hint = "Write such files by hand, or declare a dataset without it for made data."
        raise CannotGenerate(f"{what} uses {', '.join(found)}, and no records can be made for that", dataset=dataset, hint=hint)


def _refuse_extracts(item: Field) -> None:
    if len({pattern for use in item.uses for pattern in use.mapping.patterns}) > 1:
        raise CannotGenerate(f"the columns that read {item.name!r} of dataset {item.dataset} extract different parts of it", dataset=item.dataset)


# --- what is asked of values --------------------------------------------------------------------------------------------


def wants_of(item: Field) -> Wants:
    """What the columns that hold a field's value ask of it."""
    wants = Wants()
    for use in item.own:
        _by_type(wants, use)
        for rule in use.rules:
            _by_rule(wants, rule)
        for check in use.checks:
            for atom in atoms(check.expression):
                if atom.column == use.column.name:
                    _by_atom(wants, atom.sign, atom.values, integral=use.cast.integral)
    return wants


def _by_type(wants: Wants, use: Use) -> None:
    kind = use.column.type
    if kind.labels:
        wants.only(kind.labels)
    if kind.length:
        wants.no_longer(kind.length)
    if kind.name == "name":
        wants.no_longer(63)
    bits = {"int2": 15, "int4": 31, "int8": 63}.get(kind.name)
    if bits:
        wants.at_least(Decimal(-(2**bits)))
        wants.at_most(Decimal(2**bits - 1))
    if kind.precision is not None:
        most = Decimal(10) ** (kind.precision - (kind.scale or 0)) - Decimal(10) ** -(kind.scale or 0)
        wants.at_least(-most)
        wants.at_most(most)


def _by_rule(wants: Wants, rule: Rule) -> None:
    if rule.rule == "range":
        if rule.min is not None:
            wants.at_least(Decimal(repr(rule.min)))
        if rule.max is not None:
            wants.at_most(Decimal(repr(rule.max)))
    elif rule.rule == "length":
        wants.shortest = max(wants.shortest, int(-(-(rule.min or 0) // 1)))
        if rule.max is not None:
            wants.no_longer(int(rule.max))
    elif rule.rule == "pattern":
        wants.patterns += (str(rule.pattern),)
    elif rule.rule == "one_of":
        wants.only(str(int(value)) if isinstance(value, float) and value == int(value) else str(value) for value in rule.values or ())


def _by_atom(wants: Wants, sign: str, values: tuple[str, ...], *, integral: bool) -> None:
    if sign == "in":
        wants.only(values)
    elif sign == "~":
        wants.patterns += values
    elif sign.startswith("length"):
        _by_length(wants, sign.partition(" ")[2], values[0])
    elif sign in ("<", "<=", ">", ">="):
        _by_comparison(wants, sign, values[0], integral=integral)


def _by_length(wants: Wants, sign: str, value: str) -> None:
    if not value.isdigit():
        return
    length = int(value)
    if sign in (">", ">=", "="):
        wants.shortest = max(wants.shortest, length + (sign == ">"))
    if sign in ("<", "<=", "="):
        wants.no_longer(length - (sign == "<"))


def _by_comparison(wants: Wants, sign: str, value: str, *, integral: bool) -> None:
    try:
        bound = Decimal(value)
    except ArithmeticError:
        # A moment, by how it is written; whether it is one is seen where moments are made.
        if sign.startswith(">"):
            wants.first = max(wants.first or "", value)
        else:
            wants.last = min(wants.last or "9", value)
        return
    step = Decimal(1) if integral else Decimal("0.0001")
    if sign.startswith(">"):
        wants.at_least(bound if sign == ">=" else bound + step)
    else:
        wants.at_most(bound if sign == "<=" else bound - step)

"""What the files of a pack may say: pydantic models, from which their JSON Schemas are made."""

from __future__ import annotations

import re
from typing import Dict, List, Literal, Optional, Union

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from .constants import CONTROL_SCHEMA, NAMESPACE_PREFIX

IDENTIFIER = r"^[A-Za-z_][A-Za-z0-9_]{0,62}$"
NAME = r"^[a-z0-9][a-z0-9_.-]{0,62}$"


class Model(BaseModel):
    """Unknown keys are errors: a misspelt option must not be ignored."""

    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True)


Scalar = Union[bool, int, float, str]


class Join(Model):
    """Source columns with a separator between them; without a value in one of them there is none, unless ``skip_nulls``."""

    columns: List[str] = Field(min_length=1, description="Source columns; each may be `a|b`: the first one present.")
    separator: str = " "
    skip_nulls: bool = Field(False, description="Leave columns without a value out.")


class NumberMarks(Model):
    """How numbers are written: the sign between thousands, if any, and the one before the fraction."""

    thousands: Optional[str] = Field(None, min_length=1, max_length=1)
    decimal: str = Field(".", min_length=1, max_length=1)

    @model_validator(mode="after")
    def _apart(self) -> NumberMarks:
        if self.thousands == self.decimal or any(mark.isalnum() or mark in "+-" for mark in (self.thousands or "", self.decimal)):
            raise ValueError("thousands and decimal must be two signs, neither letters nor digits")
        return self


class Step(Model):
    """One step that has something to say: exactly one of these keys, ``otherwise`` beside ``map``."""

    replace: Optional[Dict[str, str]] = Field(None, description="Pieces of text and what stands in their place, one after the other.")
    map: Optional[Dict[str, Optional[Scalar]]] = Field(None, description="Whole texts and what they mean.")
    otherwise: Literal["reject", "keep", "null"] = Field("reject", description="What becomes of a text that is not in the map.")
    number: Optional[NumberMarks] = Field(None, description="How the number is written.")
    format: Optional[str] = Field(None, min_length=1, description="How the date or time is written, such as `%d.%m.%Y`.")
    epoch: Optional[Literal["s", "ms", "us", "auto"]] = Field(
        None, description="A number of these since 1970, in UTC; `auto`: of the unit that gives a moment between 1973 and 5138."
    )
    shift: Optional[int] = Field(
        None, ge=-18, le=18, description="So many places that the point of a number moves to the right; to the left below 0."
    )
    split: Optional[str] = Field(None, min_length=1, description="What stands between the values of an array.")
    default: Optional[Scalar] = Field(None, description="The value where there is none.")
    pair: Optional[str] = Field(None, min_length=1, description="Of a JSON array of `key` and `value`: the value under this key, or none.")

    @property
    def name(self) -> str:
        """The key that is given."""
        return next(name for name in _STEPS if getattr(self, name) is not None)

    @model_validator(mode="after")
    def _one(self) -> Step:
        given = [name for name in _STEPS if getattr(self, name) is not None]
        if len(given) != 1 or ("otherwise" in self.model_fields_set and given != ["map"]):
            raise ValueError(f"give exactly one of {', '.join(_STEPS)}; otherwise goes with map")
        if "" in (self.replace or {}):
            raise ValueError("replace needs a piece of text to look for")
        return self


_STEPS = ("replace", "map", "number", "format", "epoch", "shift", "split", "default", "pair")
_ORIGINS = ("source", "join", "uuid", "const", "provenance", "members")
_WHOLE = ("const", "provenance", "members")


class Lookup(Model):
    """A row of another table of the tenant that is known by something else than its key, such as an id that a source has for it."""

    table: str = Field(pattern=IDENTIFIER)
    by: str = Field(min_length=1, description="The column that holds what the source says.")
    value: str = Field(min_length=1, description="The column whose value is stored; of several rows the lowest.")
    missing: Literal["reject", "leave_out"] = Field(
        "reject",
        description="What becomes of a record where there is no such row and the column is not optional. "
        "What is left out is told in the report, and tried again by the next load of the same content.",
    )


class ColumnMapping(Model):
    """Where a target column's value comes from: exactly one of ``from``, ``join``, ``uuid``, ``const``, ``provenance`` and ``members``.

    ``from`` names source columns, the first that the source has is read; ``join`` puts several together; ``uuid`` makes a
    version 5 uuid (RFC 9562) of the named source columns, so that the same natural key gives the same id in every load;
    ``const`` is a fixed value; ``provenance`` is where the record stood; ``members`` are columns that make one object of JSON. ``nulls`` stand for no value, then ``extract`` keeps
    the first group of a regular expression, then come the ``steps``, in their order.
    """

    source: Optional[List[str]] = Field(None, alias="from", min_length=1, description="Source columns; the first one present is read.")
    join: Optional[Join] = None
    uuid: Optional[List[str]] = Field(
        None, min_length=1, description="Source columns that a deterministic uuid is made of; each may be `a|b`: the first one present."
    )
    uuid_kind: Optional[str] = Field(None, description="Word that keeps uuids of different things apart; the target table where none is given.")
    const: Optional[Scalar] = None
    provenance: Optional[Literal["record", "source"]] = Field(None, description="The record's number in its source, or the source's name.")
    members: Optional[List[str]] = Field(
        None,
        min_length=1,
        description="Columns that make an object of JSON: by name, or in tables by patterns such as `*`, for what nothing else reads.",
    )
    lookup: Optional[Lookup] = Field(None, description="With `from`: the value is what this row has, which the source's value names.")
    extract: Optional[Union[str, List[Optional[str]]]] = Field(
        None, description="Regular expression; its first group is the value. No match is a reject. Of a uuid, one for all columns or for each."
    )
    nulls: List[str] = Field(default_factory=lambda: [""], description="Texts that stand for no value.")
    steps: List[Union[Literal["strip", "lower", "upper", "first_day", "pairs"], Step]] = Field(
        default_factory=list, description="What is done with the text, in this order; of a uuid, with each of its columns."
    )
    optional: bool = Field(False, description="The source may lack the column: its default, or null, is stored.")
    only_if_column: bool = Field(False, description="The table may lack the column: the value is not stored then.")

    @model_validator(mode="after")
    def _one_origin(self) -> ColumnMapping:
        given = [name for name in _ORIGINS if getattr(self, name) is not None]
        if len(given) != 1:
            raise ValueError("give exactly one of from, join, uuid, const, provenance and members")
        if given[0] in _WHOLE and (self.steps or self.extract is not None):
            raise ValueError(f"{given[0]} is the value: it takes neither steps nor extract")
        if self.lookup is not None and self.source is None:
            raise ValueError("lookup goes with from")
        if isinstance(self.extract, list) and len(self.extract) != len(self.uuid or ()):
            raise ValueError("a list in extract has one pattern, or null, for each column of a uuid")
        return self

    @property
    def patterns(self) -> List[Optional[str]]:
        """What ``extract`` says of each column that is read."""
        return self.extract if isinstance(self.extract, list) else [self.extract] * len(self.uuid or (self.join and self.join.columns) or "1")


class Reference(Model):
    """Columns of another table of the tenant that must hold the values."""

    table: str = Field(pattern=IDENTIFIER)
    columns: List[str] = Field(min_length=1)


# Rules that look at all records together, or without which there is no row.
_OF_ALL = ("not_null", "unique", "sequence", "references")


class Rule(Model):
    """What the values of ``column``, or of ``columns`` together, must be: target columns.

    Null passes every rule but ``not_null``, and so does a record for which ``when`` is not true.
    """

    rule: Literal["not_null", "range", "length", "pattern", "one_of", "unique", "sequence", "references", "expression"]
    column: Optional[str] = None
    columns: Optional[List[str]] = Field(None, min_length=1, description="For `unique`, `sequence` and `references`: several columns together.")
    min: Optional[float] = None
    max: Optional[float] = None
    pattern: Optional[str] = None
    values: Optional[List[Union[int, float, str]]] = None
    references: Optional[Reference] = Field(None, description="For `references`: where the values must be when the load is complete.")
    expression: Optional[str] = Field(None, description="For `expression`: a condition over the target's columns, in SQL.")
    severity: Literal["error", "warning"] = Field("error", description="A record that breaks it is a reject, or is loaded and told in the report.")
    when: Optional[str] = Field(None, description="The rule holds for records for which this condition is true.")

    @property
    def names(self) -> List[str]:
        """The columns that the rule names; an expression names its own."""
        return [self.column] if self.column is not None else list(self.columns or ())

    @model_validator(mode="after")
    def _complete(self) -> Rule:
        needs = {"range": ("min", "max"), "length": ("min", "max"), "pattern": ("pattern",), "one_of": ("values",)}
        needs.update(references=("references",), expression=("expression",))
        wanted = needs.get(self.rule, ())
        if wanted and all(getattr(self, name) is None for name in wanted):
            raise ValueError(f"a {self.rule} rule needs {' or '.join(wanted)}")
        several = self.rule in ("unique", "sequence", "references")
        if (self.columns is not None and not several) or (self.column is not None and (self.columns is not None or self.rule == "expression")):
            raise ValueError("a rule names one column; unique, sequence and references may name columns instead, and expression names none")
        if not self.names and self.rule != "expression":
            raise ValueError(f"a {self.rule} rule needs column{' or columns' if several else ''}")
        if self.references is not None and (self.rule != "references" or len(self.references.columns) != len(self.names)):
            raise ValueError("references names as many columns of the other table as the rule names here")
        if self.when is not None and self.rule in _OF_ALL:
            raise ValueError(f"a {self.rule} rule holds for all records: it takes no when")
        if self.severity != "error" and self.rule in _OF_ALL:
            raise ValueError(f"a {self.rule} rule cannot be broken by a record that is loaded: it takes no severity")
        return self


class Target(Model):
    """One table that a dataset fills. The key decides which rows are the same row; it must be unique in the table."""

    table: str = Field(pattern=IDENTIFIER)
    key: List[str] = Field(min_length=1, description="Target columns of the natural key.")
    columns: Dict[str, ColumnMapping] = Field(min_length=1)
    rules: List[Rule] = Field(default_factory=list)
    derived: bool = Field(
        False, description="Rows are made from records (an artist from its tracks): equal keys are expected, and not counted as duplicates."
    )
    optional: bool = Field(False, description="For `derived`: a record that lacks a value which the row must have makes no row, and is no reject.")
    existing: Literal["replace", "complete", "fill", "keep"] = Field(
        "replace",
        description="What becomes of a row that is there: it gets all values of the record, all that the record has, those that it lacks itself, or none."
        " Of records with one key in one load the first is kept; with `complete` and `fill` it gets what it lacks from those after it.",
    )
    partitions: Optional[Literal["month"]] = Field(
        None, description="Of a table that is partitioned by ranges of a time: partitions that the records need are made, one for each of these."
    )

    @property
    def completing(self) -> bool:
        """Whether a record says only what it has, and leaves the rest to others with its key: in the table, or in the same load."""
        return self.existing in ("complete", "fill")

    @model_validator(mode="after")
    def _made_of_others(self) -> Target:
        if self.optional and not self.derived:
            raise ValueError("only rows that are derived are optional: every record must be accounted for")
        return self

    @model_validator(mode="after")
    def _known_columns(self) -> Target:
        unknown = [name for name in [*self.key, *(name for rule in self.rules for name in rule.names)] if name not in self.columns]
        if unknown:
            raise ValueError(f"not among the columns of {self.table}: {', '.join(sorted(set(unknown)))}")
        if self.derived and any(rule.rule in ("unique", "sequence") for rule in self.rules):
            raise ValueError(f"the same rows of {self.table} come again and again, since it is derived: nothing in them is unique")
        return self


class Source(Model):
    """Where a dataset's records are, inside the pack's folder: a file, a folder or a glob."""

    path: str
    format: Literal["auto", "csv", "json", "ndjson", "parquet", "arrow"] = Field(
        "auto", description="What the files are; by their names and contents where nothing is said."
    )
    records: str = Field("", description="JSON: the path from a document to its records, such as `items[].track`; `[]` opens an array.")
    having: List[str] = Field(default_factory=list, description="Names: records that lack a value there are not this dataset's.")
    lacking: List[str] = Field(default_factory=list, description="Names: records that have a value there are not this dataset's.")
    first_of: Literal["file", "record"] = Field("file", description="Tables: of several names the file's first is read, or each record's.")
    encoding: Optional[str] = Field(None, description="As Python's codecs call it; found out where none is given.")
    delimiter: Optional[str] = Field(None, min_length=1, max_length=1, description="The sign between cells; found out where none is given.")
    quote: Optional[str] = Field(None, max_length=1, description='The sign around cells, empty where there is none; found out, and mostly `"`.')
    escape: Optional[str] = Field(None, max_length=1, description="The sign that takes the next one's meaning away; empty where there is none.")
    doubled_quotes: bool = Field(True, description="Whether a quote inside a quoted cell is written twice.")
    comment: Optional[str] = Field(None, min_length=1, description="How lines begin that are comments.")
    skip: Optional[int] = Field(None, ge=0, description="Lines before the header; found out where it is not given.")
    header: Optional[List[str]] = Field(None, min_length=1, description="Column names of files that have no header.")
    footer: Optional[Union[int, str]] = Field(None, description="Lines at the end that are no records: how many, or a pattern that they match.")
    ragged: Literal["reject", "pad", "join"] = Field(
        "reject", description="What becomes of records with too few cells (pad: they are empty) or too many (join: they go into the last column)."
    )

    @field_validator("path")
    @classmethod
    def _inside(cls, path: str) -> str:
        if path.startswith(("/", "\\")) or ".." in path.replace("\\", "/").split("/"):
            raise ValueError("the path must stay inside the pack's folder")
        return path

    @model_validator(mode="after")
    def _readable(self) -> Source:
        signs = [sign for sign in (self.delimiter, self.quote, self.escape) if sign]
        if len(set(signs)) < len(signs) or any(sign in "\r\n\0" for sign in signs):
            raise ValueError("delimiter, quote and escape must be different signs, and no ends of lines")
        if isinstance(self.footer, str):
            try:
                re.compile(self.footer)
            except re.error as error:
                raise ValueError(f"the footer is no regular expression: {error}") from error
        return self


class Dataset(Model):
    """One source and the tables that it fills, in the order in which they are written.

    The first target that is not ``derived`` is the dataset's own table: its keys are what ``stored`` counts.
    """

    name: str = Field(pattern=NAME)
    description: str = ""
    source: Source
    targets: List[Target] = Field(min_length=1)
    extra_columns: Literal["error", "ignore"] = Field(
        "error", description="What to do with source columns that no target reads; ignored ones are listed in the report."
    )
    on_error: Literal["fail", "reject"] = "fail"
    sync: bool = Field(False, description="Rows that the dataset has put there, and no longer has, are removed. Rows of others never are.")
    max_errors: Optional[int] = Field(None, ge=0, description="Bad records that `reject` may leave out; more of them fail the load.")
    max_share: Optional[float] = Field(None, ge=0, le=1, description="The share of all records that `reject` may leave out, from 0 to 1.")

    @property
    def own(self) -> Target:
        """The target whose keys the dataset counts."""
        return next((target for target in self.targets if not target.derived), self.targets[0])


class IntegrityCheck(Model):
    """A rule over a tenant's tables, as the query that gives the rows which break it: ``tenancy validate`` asks it."""

    name: str = Field(pattern=NAME)
    description: str = Field("", description="What is wrong with the rows that the query gives; a finding says it.")
    severity: Literal["error", "warning", "info"] = "error"
    query: str = Field(
        min_length=1, description="One SELECT over the tenant's tables, without a semicolon: the keys of the rows that break the rule."
    )

    @field_validator("query")
    @classmethod
    def _one_statement(cls, query: str) -> str:
        if query.rstrip().endswith(";"):
            raise ValueError("a query is one SELECT, without a semicolon at its end")
        return query


class AlembicHistory(Model):
    """Where the host's Alembic keeps the revisions that this pack's tenants have: it stays their author."""

    config: str = Field("alembic.ini", min_length=1, description="Alembic's configuration, relative to the pack's folder.")
    metadata: Optional[str] = Field(
        None,
        pattern=r"^[A-Za-z_][\w.]*:[A-Za-z_][\w.]*$",
        description="The models, as `module:attribute`: revisions then follow their naming conventions.",
    )
    version_table: str = Field("alembic_version", pattern=IDENTIFIER, description="Where Alembic writes down which revision a schema has.")


class PackManifest(Model):
    """``pack.json``: what the pack is and which datasets it has."""

    name: str = Field(pattern=NAME)
    version: str = Field(min_length=1)
    description: str = ""
    extensions: List[str] = Field(default_factory=list, description="PostgreSQL extensions that the schema script needs.")
    shared_schemas: List[str] = Field(default_factory=list, description="Schemas outside the tenant's own that scripts may refer to.")
    datasets: List[Dataset] = Field(default_factory=list)
    checks: List[IntegrityCheck] = Field(default_factory=list, description="Rules over the tenant's tables, asked by `tenancy validate`.")
    alembic: Optional[AlembicHistory] = Field(None, description="Takes the place of the folder `migrations`: the revisions are those of Alembic.")

    @model_validator(mode="after")
    def _distinct(self) -> PackManifest:
        for kind, items in (("datasets", self.datasets), ("checks", self.checks)):
            names = [item.name for item in items]
            twice = sorted({name for name in names if names.count(name) > 1})
            if twice:
                raise ValueError(f"{kind} declared twice: {', '.join(twice)}")
        return self

    @field_validator("shared_schemas")
    @classmethod
    def _of_the_host(cls, names: List[str]) -> List[str]:
        """Neither tenants' schemas nor the control plane nor PostgreSQL's own can be shared: that would let scripts into them."""
        closed = [name for name in names if name in (CONTROL_SCHEMA, "information_schema") or name.startswith((NAMESPACE_PREFIX, "pg_"))]
        closed += [name for name in names if not name or "\x00" in name or len(name.encode()) > 63]  # noqa: PLR2004 - NAMEDATALEN - 1
        if closed:
            raise ValueError(f"cannot be shared: {', '.join(map(repr, closed))}")
        return names

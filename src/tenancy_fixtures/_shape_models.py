"""What a declaration of a shape may say. A shape is one kind of file: how it is recognised, and the datasets that load it."""

from __future__ import annotations

import re
from typing import Dict, List, Literal, Optional, Tuple, Union

from pydantic import Field, field_validator, model_validator

from ._pack_models import NAME, Dataset, Model, Source

# A value that the caller gives for the whole file, as a mapping names it.
GIVEN = "@"
# Where the file of a record is, among the values that a function gets.
FILE = "file"


class Recognise(Model):
    """How a file of the shape is known: by what is in it. All that is said must hold.

    Names are those of columns, or in JSON paths from a document, which is each element where the file is an array:
    ``playlists[].tracks[].track_uri``. ``**.uri`` is ``uri`` at any depth. Capitals and blanks around a name do not count.
    """

    formats: List[Literal["csv", "json", "ndjson", "parquet", "arrow"]] = Field(
        default_factory=list, description="What the file is; any, where none is named."
    )
    needs: List[Union[str, List[str]]] = Field(default_factory=list, description="Names that are there; of a list of names, one of them.")
    lacks: List[str] = Field(default_factory=list, description="Names that are not there.")
    values: Dict[str, str] = Field(
        default_factory=dict, description="Names, and a regular expression that a value there matches; `a|b` is one of the two."
    )
    text: List[str] = Field(default_factory=list, description="Regular expressions that are found in the first part of the text.")
    files: List[str] = Field(
        default_factory=list,
        description="Patterns of file names: a hint, where the contents fit several shapes; such files are looked at, whatever their suffix.",
    )

    @field_validator("values", "text")
    @classmethod
    def _patterns(cls, patterns: Union[Dict[str, str], List[str]]) -> Union[Dict[str, str], List[str]]:
        for pattern in patterns.values() if isinstance(patterns, dict) else patterns:
            try:
                re.compile(pattern)
            except re.error as error:  # noqa: PERF203 - which of them it is
                raise ValueError(f"{pattern!r} is no regular expression: {error}") from error
        return patterns

    @model_validator(mode="after")
    def _says_something(self) -> Recognise:
        if not (self.tells or self.files):
            raise ValueError("say what the contents are known by: needs, values or text, or files that hold nothing to load")
        return self

    @property
    def tells(self) -> bool:
        """Whether it says anything of the contents."""
        return bool(self.needs or self.values or self.text)

    @property
    def names(self) -> List[str]:
        """All names that are looked for."""
        needed = [name for item in self.needs for name in ([item] if isinstance(item, str) else item)]
        return [*needed, *self.lacks, *(name for names in self.values for name in names.split("|"))]


class ShapeSource(Source):
    """How the records of a shape are written; which file it is says the caller."""

    path: str = ""


def _found_out() -> ShapeSource:
    return ShapeSource.model_validate({})


class ShapeDataset(Dataset):
    """One of the datasets that read a file of the shape."""

    source: ShapeSource = Field(default_factory=_found_out)
    extra_columns: Literal["error", "ignore"] = "ignore"
    rewrite: Optional[str] = Field(None, description="A function of the loader's, by its name, that makes records of each document.")
    documents: Optional[str] = Field(None, description="A function of the loader's, by its name, that reads documents from a file that is no JSON.")
    by_file: bool = Field(
        False, description="Whether the file's name or folder says something that its records do not: the same content is then loaded once for each."
    )
    refuse_secrets: bool = Field(False, description="Whether a record is bad that holds what looks like a password, a key or a token.")
    given: Dict[str, Optional[str]] = Field(
        default_factory=dict,
        description="Values that the caller may give for the whole file, and what they are without him; mappings read them as `@name`.",
    )


class FileShape(Model):
    """One kind of file."""

    name: str = Field(pattern=NAME)
    domain: str = Field(pattern=NAME)
    description: str = Field(min_length=1, description="What it is, as in: a slice of the Million Playlist Dataset.")
    recognise: Union[Recognise, List[Recognise]] = Field(description="What it is known by; of a list, one is enough.")
    datasets: List[ShapeDataset] = Field(default_factory=list)
    holds_nothing: str = Field("", description="Why there is nothing to load; for a shape without datasets.")

    @property
    def known_by(self) -> List[Recognise]:
        """What it may be known by."""
        return [self.recognise] if isinstance(self.recognise, Recognise) else list(self.recognise)

    @property
    def columns(self) -> Tuple[str, ...]:
        """The names at the top of a record that it may be known by."""
        return tuple(name for known in self.known_by for name in known.names if not set(name) & set(".["))

    @model_validator(mode="after")
    def _loads(self) -> FileShape:
        if bool(self.datasets) == bool(self.holds_nothing):
            raise ValueError("give datasets, or say in holds_nothing why there is nothing to load")
        if self.datasets and not all(known.tells for known in self.known_by):
            raise ValueError("say what the contents are known by: the name alone is enough only where there is nothing to load")
        names = [dataset.name for dataset in self.datasets]
        if len(set(names)) < len(names):
            raise ValueError("two datasets have the same name")
        if not self.known_by:
            raise ValueError("say what it is known by")
        return self

"""Read, check and digest a pack: a folder of templates, revisions and data for one kind of tenant."""

from __future__ import annotations

import hashlib
import importlib
import json
import re
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from pydantic import BaseModel, ValidationError

from ._alembic import read_history, schema_script
from ._pack_models import AlembicHistory, Dataset, PackManifest
from ._revisions import Revision
from ._shape_models import FileShape
from ._template_models import ConfigTemplate, TenantTemplate, Tier
from .exceptions import DatasetNotFound, PackInvalid
from .utils import ValidationUtils

if TYPE_CHECKING:
    from collections.abc import Collection

    from sqlalchemy import MetaData

__all__ = ["DEFAULT_FOLDER", "Pack", "Revision", "json_schemas", "read_shapes"]

MANIFEST, TENANT, CONFIG, SCHEMA, MIGRATIONS = "pack.json", "tenant_template.json", "config_template.json", "schema_template.sql", "migrations"
ROW_SCHEMA = "schema_template.row.sql"
SHAPES = "shapes"
DEFAULT_FOLDER = Path(__file__).parent / "templates"
_REVISION = re.compile(r"^(\d{4})_([a-z0-9_]+)\.sql$")
_ROW_SUFFIX = ".row.sql"
_Model = TypeVar("_Model", bound=BaseModel)


@dataclass(frozen=True)
class Pack:
    """A kind of tenant: what it is, how its schema looks and came to be, and what it is seeded with.

    ``schema_sql`` makes the schema at its head; without it a new tenant gets the revisions, one after the other. ``of_models`` says that it was made
    from models, and not read from a folder.
    """

    folder: Path
    manifest: PackManifest = field(repr=False)
    tenant_template: TenantTemplate = field(repr=False)
    config_template: ConfigTemplate = field(repr=False)
    schema_sql: str | None = field(repr=False)
    revisions: tuple[Revision, ...] = field(repr=False, default=())
    shapes: tuple[FileShape, ...] = field(repr=False, default=())
    row_sql: str | None = field(repr=False, default=None)
    of_models: bool = field(repr=False, default=False)

    @classmethod
    def default(cls) -> Pack:
        """The pack that comes with the library: a Spotify AI agent."""
        return cls.from_folder(DEFAULT_FOLDER)

    @classmethod
    def from_folder(cls, folder: str | Path) -> Pack:
        """Read a pack and check every template against its schema.

        Where Alembic has the revisions, their modules are imported: a pack is code, and is to be trusted like code.

        :raises PackInvalid: a file is missing, is not JSON, breaks its schema, or the revisions have a gap; says where.
        """
        root = Path(folder)
        if not root.is_dir():
            raise PackInvalid(f"no pack folder {str(folder)!r}", file=str(folder), hint="Give the folder that holds pack.json.")
        manifest = _read_model(root / MANIFEST, PackManifest)
        return cls(
            folder=root,
            manifest=manifest,
            tenant_template=_read_model(root / TENANT, TenantTemplate),
            config_template=_read_model(root / CONFIG, ConfigTemplate),
            schema_sql=None if manifest.alembic and not (root / SCHEMA).exists() else _read_text(root / SCHEMA),
            revisions=_read_alembic(root, manifest.alembic) if manifest.alembic else _read_revisions(root / MIGRATIONS),
            shapes=read_shapes(root / SHAPES),
            row_sql=_read_text(root / ROW_SCHEMA) if (root / ROW_SCHEMA).exists() else None,
        )

    @classmethod
    def from_metadata(
        cls,
        name: str,
        metadata: MetaData,
        *,
        migrations: str | Path | None = None,
        folder: str | Path | None = None,
        tenant_template: TenantTemplate | None = None,
        config_template: ConfigTemplate | None = None,
        **manifest: Any,
    ) -> Pack:
        """A pack whose schema is that of SQLAlchemy's models.

        ``migrations`` is an ``alembic.ini``, or a folder of ``NNNN_*.sql``; that these come to what the models say is for ``tenancy pack check`` to see,
        and a difference is an error. Datasets look for their files from ``folder``, or else from where the process runs. Without a template a
        tenant has one tier, ``standard``, and no configuration. Whatever else ``pack.json`` may say, such as ``datasets`` and ``shared_schemas``, is
        said by its name.

        :raises PackInvalid: a table of the models is in a schema that is not shared, or something of the rest is no part of a pack.
        """
        source = None if migrations is None else Path(migrations)
        values: dict[str, Any] = {"version": "1", **manifest, "name": name}
        if source is not None and not source.is_dir():
            values["alembic"] = {**manifest.get("alembic", {}), "config": source.name}
        checked = _model(PackManifest, values, f"the pack {name!r}")
        return cls(
            folder=Path.cwd() if folder is None else Path(folder),
            manifest=checked,
            tenant_template=tenant_template or TenantTemplate(default_tier="standard", tiers={"standard": Tier()}),
            config_template=config_template or ConfigTemplate(defaults={}),
            schema_sql=schema_script(metadata, checked.shared_schemas),
            revisions=() if source is None else _revisions_of(source, checked, metadata),
            of_models=True,
        )

    @classmethod
    def resolve(cls, reference: str | None) -> Pack:
        """The pack that a setting names: ``None``, a folder, or ``module:attribute``.

        :raises PackInvalid: nothing of that name is a pack.
        """
        if reference is None:
            return cls.default()
        if ":" in reference and not Path(reference).exists():
            return _import_pack(reference)
        return cls.from_folder(reference)

    @property
    def name(self) -> str:
        """The pack's name."""
        return self.manifest.name

    @property
    def head(self) -> int:
        """The number of the last revision; 0 where the pack has none."""
        return self.revisions[-1].number if self.revisions else 0

    @property
    def schema_file(self) -> str:
        """What a tenant's schema is made by, as messages name it."""
        return "the models" if self.of_models else SCHEMA

    def versions_at(self, number: int) -> tuple[str, ...]:
        """What Alembic's version table says when a tenant has the revisions up to that number; nothing where they are not Alembic's."""
        return self.revisions[number - 1].heads if number else ()

    def number_at(self, versions: Collection[str]) -> int | None:
        """The number of the revision after which Alembic's version table says just this; 0 for nothing, ``None`` where no number stands for it."""
        wanted = tuple(sorted(versions))
        return next((number for number in range(self.head + 1) if self.versions_at(number) == wanted), None)

    @cached_property
    def digest(self) -> str:
        """SHA-256 over manifest, templates, schema and revisions: what a release is known by."""
        models = [self.manifest, self.tenant_template, self.config_template, *self.shapes]
        parts: list[Any] = [*(model.model_dump(mode="json") for model in models), *([] if self.row_sql is None else [self.row_sql])]
        revisions = [(item.number, item.digest, *([] if item.row_sql is None else [item.row_sql])) for item in self.revisions]
        content = json.dumps([*parts, self.schema_sql, revisions], sort_keys=True)
        return hashlib.sha256(content.encode()).hexdigest()

    def dataset(self, name: str) -> Dataset:
        """The dataset of that name.

        :raises DatasetNotFound: the pack declares none.
        """
        for dataset in self.manifest.datasets:
            if dataset.name == name:
                return dataset
        names = ", ".join(item.name for item in self.manifest.datasets) or "none"
        raise DatasetNotFound(f"the pack {self.name!r} has no dataset {name!r}", hint=f"It has: {names}.", dataset=name)


def json_schemas() -> dict[str, dict[str, Any]]:
    """The JSON Schema of each JSON file of a pack, by file name."""
    models = ((MANIFEST, PackManifest), (TENANT, TenantTemplate), (CONFIG, ConfigTemplate), (f"{SHAPES}.json", FileShape))
    return {name: model.model_json_schema() for name, model in models}


def read_shapes(folder: Path) -> tuple[FileShape, ...]:
    """The shapes that a folder declares, one in each ``*.json``, by file name; none where there is no such folder.

    :raises PackInvalid: a file breaks its schema, or two declare the same shape; says where.
    """
    shapes: dict[str, FileShape] = {}
    for path in sorted(folder.glob("*.json")):
        shape = _read_model(path, FileShape)
        if shape.name in shapes:
            raise PackInvalid(f"{path.name}: the shape {shape.name!r} is declared twice", file=str(path), hint="Give one of them another name.")
        shapes[shape.name] = shape
    return tuple(shapes.values())


def _read_text(path: Path) -> str:
    try:
        # A pipe would be waited for until somebody writes to it.
        if path.exists() and not path.is_file():
            raise PackInvalid(f"{path.name} is no regular file", file=str(path), hint="A pack needs a file there.")
        text = path.read_bytes().decode("utf-8-sig")
    except OSError as error:
        raise PackInvalid(f"{path.name} cannot be read: {error.strerror}", file=str(path), hint="A pack needs this file.") from error
    except UnicodeDecodeError as error:
        raise PackInvalid(f"{path.name} is not UTF-8 at byte {error.start}", file=str(path), hint="Save it as UTF-8.") from error
    if "\x00" in text:
        raise PackInvalid(f"{path.name} holds a NUL byte", file=str(path), hint="Remove it; PostgreSQL's text cannot hold it.")
    return text


def _read_model(path: Path, model: type[_Model]) -> _Model:
    text = _read_text(path)
    try:
        content = json.loads(text, parse_constant=_refuse_constant)
    except json.JSONDecodeError as error:
        message = f"{path.name}, line {error.lineno}, column {error.colno}: not JSON: {error.msg}"
        raise PackInvalid(message, file=str(path), line=error.lineno, column=error.colno) from error
    except RecursionError as error:
        raise PackInvalid(f"{path.name}: nested too deeply", file=str(path)) from error
    except ValueError as error:
        raise PackInvalid(f"{path.name}: not JSON: {error}", file=str(path)) from error
    problem = ValidationUtils.unstorable(content)
    if problem is not None:
        raise PackInvalid(f"{path.name}: {problem}", file=str(path), pointer=problem.split(" ")[0], hint="PostgreSQL's jsonb cannot hold it.")
    return _model(model, content, path.name, file=str(path))


def _model(model: type[_Model], content: Any, what: str, **facts: Any) -> _Model:
    try:
        return model.model_validate(content)
    except ValidationError as error:
        problems = [(_pointer(item["loc"]), item["msg"]) for item in error.errors(include_url=False)]
        message = "; ".join(f"{what} at {pointer}: {text}" for pointer, text in problems)
        raise PackInvalid(message, pointer=problems[0][0], hint="The JSON Schema of this file says what it may hold.", **facts) from error


def _refuse_constant(name: str) -> None:
    raise ValueError(f"{name} is no number there")


def _pointer(location: tuple[Any, ...]) -> str:
    """A JSON Pointer (RFC 6901)."""
    return "/" + "/".join(str(part).replace("~", "~0").replace("/", "~1") for part in location)


def _read_alembic(root: Path, history: AlembicHistory) -> tuple[Revision, ...]:
    if (root / MIGRATIONS).is_dir() and any((root / MIGRATIONS).glob("*.sql")):
        hint = f"Take the folder {MIGRATIONS} away, or `alembic` out of {MANIFEST}."
        raise PackInvalid("the pack has revisions of Alembic and of its own", file=str(root / MIGRATIONS), hint=hint)
    return read_history(root / history.config, metadata=history.metadata, version_table=history.version_table)


def _revisions_of(source: Path, manifest: PackManifest, metadata: MetaData) -> tuple[Revision, ...]:
    if manifest.alembic is None:
        return _read_revisions(source)
    return read_history(source, metadata=metadata, version_table=manifest.alembic.version_table)


def _read_revisions(folder: Path) -> tuple[Revision, ...]:
    if not folder.is_dir():
        return ()
    found = []
    for path in sorted(folder.glob("*.sql")):
        if path.name.endswith(_ROW_SUFFIX):
            _refuse_alone(path)
            continue
        match = _REVISION.match(path.name)
        if match is None:
            raise PackInvalid(f"{path.name} is not a revision's name", file=str(path), hint="Name it NNNN_what_it_does.sql.")
        shared = path.with_name(path.stem + _ROW_SUFFIX)
        found.append(Revision(int(match[1]), match[2], path, _read_text(path), _read_text(shared) if shared.exists() else None))
    for expected, revision in enumerate(found, start=1):
        if revision.number != expected:
            raise PackInvalid(
                f"revision {expected:04d} is missing or there twice", file=str(revision.file), hint="Number revisions from 0001 without a gap."
            )
    return tuple(found)


def _refuse_alone(path: Path) -> None:
    revision = path.name[: -len(_ROW_SUFFIX)] + ".sql"
    if not path.with_name(revision).exists():
        raise PackInvalid(
            f"{path.name} belongs to no revision", file=str(path), hint=f"It is for tables that tenants share what {revision} is for others."
        )


def _import_pack(reference: str) -> Pack:
    module_name, _, attribute = reference.partition(":")
    try:
        found = getattr(importlib.import_module(module_name), attribute)
    except (ImportError, AttributeError, ValueError) as error:
        raise PackInvalid(f"no pack at {reference!r}: {error}", hint="Give a folder, or module:attribute.") from error
    if not isinstance(found, Pack):
        raise PackInvalid(f"{reference!r} is a {type(found).__name__}, not a Pack", hint="Make it with Pack.from_folder(…).")
    return found

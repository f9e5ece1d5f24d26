"""What a model is called, where its file does not say; what it is for; and the values of a configuration, each by its path."""

from __future__ import annotations

import json
import re
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Any

from .._ingest._paths import as_name
from .._ingest.readers import BadDocument

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

Object = dict[str, Any]

# The version of a model that is only known by its name: Hugging Face's own word.
MAIN = "main"
_ARCHIVE = re.compile(r"\.(?:zip|tar|tgz|tar\.\w+|tzst|tbz2)$", re.IGNORECASE)
_SUFFIXES = re.compile(r"(?:\.(?:json|ya?ml|md|txt))?(?:\.(?:gz|zst|bz2))?$", re.IGNORECASE)
_CACHED = re.compile(r"^models--(.+)$")
_PURPOSES = {
    "embedding": "embedding feature-extraction sentence-similarity zero-shot-image-classification image-feature-extraction",
    "classification": "moderation moderations object-detection fill-mask",
    "generation": "chat completion responses conversational image_generation video_generation audio_speech text-generation text2text-generation"
    " summarization translation image-text-to-text text-to-image text-to-speech text-to-audio",
}
_PURPOSE_OF = {task: purpose for purpose, tasks in _PURPOSES.items() for task in tasks.split()}


def name_of_file(given: Mapping[str, str]) -> str:
    """The model's name as the caller gives it, else that of the file without its endings."""
    return given.get("model") or _SUFFIXES.sub("", PurePosixPath(given["file"]).name)


def name_of_folder(given: Mapping[str, str], otherwise: Any = None) -> tuple[str, str]:
    """Name and version of the model whose folder holds the file.

    In the cache of Hugging Face's hub that is ``models--org--name/snapshots/COMMIT``; elsewhere the folder is called like the model.

    :raises BadDocument: the caller gives none, and the path has no folder.
    """
    folders = [part for part in PurePosixPath(given["file"]).parts[:-1] if part not in ("/", ".", "..")]
    version = given.get("version") or MAIN
    for position, part in enumerate(folders):
        cached = _CACHED.match(part)
        if cached:
            commit = folders[position + 2] if folders[position + 1 : position + 2] == ["snapshots"] and len(folders) > position + 2 else version
            return given.get("model") or cached[1].replace("--", "/"), given.get("version") or commit
    name = given.get("model") or (otherwise if isinstance(otherwise, str) else "") or (_ARCHIVE.sub("", folders[-1]) if folders else "")
    if not name:
        raise BadDocument("expected a folder that is called like the model, or its name, given as model")
    return name, version


def purpose_of(task: Any) -> str | None:
    """What the tenant's tables call the purpose of a task; nothing where they have no word for it."""
    if not isinstance(task, str):
        return None
    return _PURPOSE_OF.get(task) or ("classification" if task.endswith("classification") else None)


def leaves(value: Any, path: str = "", whole: frozenset[str] = frozenset()) -> Iterator[Object]:
    """Every value of a configuration: its path, and itself as JSON. Arrays are one value each, and so are the objects called like ``whole``."""
    if isinstance(value, dict) and value and path.rpartition(".")[2] not in whole:
        for key, item in value.items():
            yield from leaves(item, f"{path}.{as_name(key)}" if path else as_name(key), whole)
    else:
        yield {"name": path, "value": as_document(value)}


def as_document(value: Any) -> Any:
    """A value as what a column of ``jsonb`` takes: texts in quotes, and null as JSON has it."""
    if value is None:
        return "null"
    return json.dumps(value, ensure_ascii=False) if type(value) is str else value


def texts_of(value: Any) -> list[str]:
    """The texts of a value that may be one or a list of them."""
    return [item for item in (value if isinstance(value, list) else [value]) if isinstance(item, str) and item.strip()]

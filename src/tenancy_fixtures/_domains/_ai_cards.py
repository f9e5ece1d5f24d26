"""Records of what describes a model: the front matter of a model card, and MLflow's ``MLmodel``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ._ai_names import MAIN, Object, name_of_folder, purpose_of, texts_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

# Lists of a card, and what each tells of the model.
_LISTS = {"language": "language", "tags": "tag", "datasets": "dataset", "metrics": "metric"}
_PYTHON = "python_function"  # the flavour that nearly every package has besides its own


def card_models(document: Any, given: Mapping[str, str]) -> Iterator[Object]:
    """The model of a card, by its folder."""
    name, _ = _card(document, given)
    task = document.get("pipeline_tag")
    yield {
        "name": name,
        "task": task,
        "purpose": purpose_of(task),
        "library": document.get("library_name"),
        "license": document.get("license_name") or ", ".join(texts_of(document.get("license"))) or None,
        "base_model": ", ".join(texts_of(document.get("base_model"))) or None,
    }


def card_capabilities(document: Any, given: Mapping[str, str]) -> Iterator[Object]:
    """Languages, tags, data sets that it was made with, measures that it is judged by."""
    name, _ = _card(document, given)
    for key, kind in _LISTS.items():
        for text in dict.fromkeys(texts_of(document.get(key))):
            yield {"model": name, "kind": kind, "name": text}


def card_evaluations(document: Any, given: Mapping[str, str]) -> Iterator[Object]:
    """Every measurement of the card's ``model-index``."""
    name, version = _card(document, given)
    for index in _objects(document.get("model-index")):
        for result in _objects(index.get("results")):
            data = result["dataset"] if isinstance(result.get("dataset"), dict) else {}
            names = [data.get("name") or data.get("type"), data.get("config"), data.get("split")]
            benchmark = ", ".join(str(item) for item in names if item)
            for metric in _objects(result.get("metrics")):
                settings = metric.get("args") or metric.get("config")
                kind = metric.get("type") or metric.get("name")
                yield {
                    "model": name,
                    "version": version,
                    "benchmark": benchmark or None,
                    "metric": f"{kind}, {settings}" if kind and isinstance(settings, str) else kind,
                    "value": metric.get("value"),
                }


def mlflow_versions(document: Any, given: Mapping[str, str]) -> Iterator[Object]:
    """The version that an ``MLmodel`` describes: of the model that its artifact is called like, or its folder."""
    name, version = _mlflow(document, given)
    size = document.get("model_size_bytes")
    plain = {key: value for key, value in document.items() if key not in ("utc_time_created", "model_size_bytes", "artifact_path")}
    yield {
        "name": name,
        "version": version,
        "library": next((flavour for flavour in _flavours(document) if flavour != _PYTHON), _PYTHON),
        "artifact": document.get("artifact_path"),
        "size": size,
        "created": document.get("utc_time_created"),
        "parameters": plain,
    }


def mlflow_capabilities(document: Any, given: Mapping[str, str]) -> Iterator[Object]:
    """The flavours: by which libraries it can be loaded."""
    name, _ = _mlflow(document, given)
    for flavour in _flavours(document):
        yield {"model": name, "kind": "flavor", "name": flavour}


def _card(document: Any, given: Mapping[str, str]) -> tuple[str, str]:
    named = [index["name"] for index in _objects(document.get("model-index")) if isinstance(index.get("name"), str)]
    # A path with a folder says more than a name within the card, which often lacks its owner.
    return name_of_folder(given, named[0] if named and "/" not in given["file"] else None)


def _mlflow(document: Any, given: Mapping[str, str]) -> tuple[str, str]:
    path = document.get("artifact_path")
    plain = path if isinstance(path, str) and "://" not in path and ":/" not in path else None
    name, version = name_of_folder(given, plain)
    ids = (document.get(key) for key in ("model_id", "model_uuid", "run_id"))
    return name, next((item for item in ids if isinstance(item, str) and item), version) if version == MAIN else version


def _flavours(document: Object) -> list[str]:
    flavours = document.get("flavors")
    return list(flavours) if isinstance(flavours, dict) else []


def _objects(value: Any) -> list[Object]:
    return [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []

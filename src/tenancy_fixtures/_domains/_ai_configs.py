"""Records of models' configurations: open_clip's, and those of Hugging Face's transformers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ._ai_names import Object, leaves, name_of_file, name_of_folder, purpose_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

# The parts of a configuration, and what a model that has one takes.
_INPUTS = {
    "vision_cfg": "image",
    "text_cfg": "text",
    "audio_cfg": "audio",
    "audio_naflex_cfg": "audio",
    "vision_config": "image",
    "text_config": "text",
    "audio_config": "audio",
}
# How many tokens a model takes, as architectures call it.
_LENGTHS = ("max_position_embeddings", "n_positions", "max_sequence_length", "seq_length", "n_ctx", "max_seq_len")
# One value each: the names of a classifier's labels, often a thousand.
_WHOLE = frozenset({"id2label", "label2id"})
_CLIP_TASK = "zero-shot-image-classification"


def clip_models(document: Any, given: Mapping[str, str]) -> Iterator[Object]:
    """The model of one of open_clip's configurations: it is called like its file."""
    config, name = _clip(document, given)
    seen = any(part in config for part in ("vision_cfg", "genlip_cfg"))
    yield {"name": name, "library": "open_clip", "task": _CLIP_TASK if seen else None, "purpose": "embedding", "length": _clip_length(config)}


def clip_parameters(document: Any, given: Mapping[str, str]) -> Iterator[Object]:
    """Every value of the configuration."""
    config, name = _clip(document, given)
    for leaf in leaves(config):
        yield {"model": name, **leaf}


def clip_capabilities(document: Any, given: Mapping[str, str]) -> Iterator[Object]:
    """What the model takes."""
    config, name = _clip(document, given)
    for kind in _inputs(config):
        yield {"model": name, "kind": "input", "name": kind}


def hub_models(document: Any, given: Mapping[str, str]) -> Iterator[Object]:
    """The model of a ``config.json``, by its folder, and the version that the folder holds."""
    name, version = _hub(document, given)
    classes = document.get("architectures")
    inner = document["text_config"] if isinstance(document.get("text_config"), dict) else {}
    yield {
        "name": name,
        "version": version,
        "architecture": next(iter(classes), None) if isinstance(classes, list) else document.get("model_type"),
        "task": _task_of(classes),
        "purpose": purpose_of(_task_of(classes)),
        "length": next((place[key] for place in (document, inner) for key in _LENGTHS if place.get(key) is not None), None),
        "parameters": {key: document[key] for key in ("transformers_version", "torch_dtype", "dtype", "_commit_hash") if key in document},
    }


def hub_parameters(document: Any, given: Mapping[str, str]) -> Iterator[Object]:
    """Every value of the configuration."""
    name, _ = _hub(document, given)
    for leaf in leaves(document, whole=_WHOLE):
        yield {"model": name, **leaf}


def hub_capabilities(document: Any, given: Mapping[str, str]) -> Iterator[Object]:
    """What the model takes, where the configuration has a part for it."""
    name, _ = _hub(document, given)
    for kind in _inputs(document):
        yield {"model": name, "kind": "input", "name": kind}


def _clip(document: Any, given: Mapping[str, str]) -> tuple[Object, str]:
    """The configuration, and the model's name; on the hub both stand in a file that is called like its kind."""
    if isinstance(document.get("model_cfg"), dict):
        return document["model_cfg"], name_of_folder(given)[0]
    return document, name_of_file(given)


def _hub(document: Any, given: Mapping[str, str]) -> tuple[str, str]:
    name, version = name_of_folder(given)
    return name, str(given.get("version") or document.get("_commit_hash") or version)


def _inputs(config: Object) -> list[str]:
    return list(dict.fromkeys(kind for part, kind in _INPUTS.items() if isinstance(config.get(part), dict)))


def _clip_length(config: Object) -> Any:
    text = config.get("text_cfg")
    return text.get("context_length") if isinstance(text, dict) else None


def _task_of(classes: Any) -> str | None:
    """What the name of a class ends with."""
    first = next(iter(classes), None) if isinstance(classes, list) else None
    ends = {
        "ForCausalLM": "text-generation",
        "ForConditionalGeneration": "text2text-generation",
        "ForSequenceClassification": "text-classification",
        "ForTokenClassification": "token-classification",
        "ForImageClassification": "image-classification",
        "ForAudioClassification": "audio-classification",
        "ForQuestionAnswering": "question-answering",
        "ForMaskedLM": "fill-mask",
        "ForObjectDetection": "object-detection",
    }
    return next((task for end, task in ends.items() if isinstance(first, str) and first.endswith(end)), None)

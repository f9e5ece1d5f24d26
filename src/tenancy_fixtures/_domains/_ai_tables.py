"""Records of tables of models: prices and context windows, results of benchmarks, sizes; and prompts."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from .._ingest._json_values import Number
from .._ingest.readers import BadDocument
from ._ai_names import MAIN, Object, as_document, leaves, name_of_file, purpose_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

_NAMES = ("model", "model_name", "name", "id")
_VERSIONS = ("pretrained", "version", "checkpoint", "revision")
# An entry that only shows how entries are written.
_SAMPLE = "sample_spec"
# What a list may stand under. What else does is the provider.
_AROUND = frozenset({"models", "data", "items", "results", "prices"})
_PRICE = re.compile(r"(?:^|[_. ])(?:cost|price|pricing)(?:$|[_. ])", re.IGNORECASE)
_RANGE = re.compile(r"\.range(?:\.|$)")  # for how many tokens a price holds
_ROUND = {"max_tokens", "max_input_tokens", "max_output_tokens", "context_window", "context_length", "max_completion_tokens", "context_size"}
_KNOWN = {*_NAMES, *_ROUND, "provider", "litellm_provider", "owned_by", "mode", "task", "type", "deprecation_date"}
_LISTS = {"supported_endpoints": "endpoint", "supported_modalities": "input", "supported_output_modalities": "output", "supported_regions": "region"}
_SUPPORTS = "supports_"
# How a table of results calls the size of a model: not a result.
_SIZES = re.compile(r"^(?:params?|parameters|flops|macs|size|gflops|mparams)\b", re.IGNORECASE)
_MILLIONS = re.compile(r"^params?(?:eters)? ?\(m\)$", re.IGNORECASE)
_NUMBER = re.compile(r"-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][-+]?[0-9]+)?")
_NO_RESULT = frozenset({"none", "", "nan"})
_VARIABLE = re.compile(r"(?<!\{)\{\{?\s*([A-Za-z_]\w*)\s*\}?\}(?!\})")


def price_models(document: Any, given: Mapping[str, str]) -> Iterator[Object]:  # noqa: ARG001 - every rewriter gets what is given
    """The models of a price list, each with how much it takes and gives."""
    for name, entry in _entries(document):
        if not isinstance(entry, dict):
            # No object: a bad record, which says so.
            yield entry
            continue
        task = _first(entry, "mode", "task", "type")
        yield {
            "name": name,
            "provider": _first(entry, "litellm_provider", "provider", "owned_by"),
            "task": task,
            "purpose": purpose_of(task),
            "max_input_tokens": _first(entry, "max_input_tokens", "context_window", "context_length", "context_size", "max_tokens"),
            "max_output_tokens": _first(entry, "max_output_tokens", "max_completion_tokens"),
            "deprecation_date": entry.get("deprecation_date"),
        }


def prices(document: Any, given: Mapping[str, str]) -> Iterator[Object]:  # noqa: ARG001
    """Every price, under the name that the list gives it: the name tells what it is for."""
    for name, entry in _entries(document):
        for path, value in _plain(entry):
            if value not in (None, "") and _PRICE.search(path) and not _RANGE.search(path):
                yield {"model": name, "name": path, "amount": value}


def price_capabilities(document: Any, given: Mapping[str, str]) -> Iterator[Object]:  # noqa: ARG001
    """What a model can do: each ``supports_`` that is true, and what it takes, gives, and is reached by."""
    for name, entry in _entries(document):
        for key, value in entry.items() if isinstance(entry, dict) else ():
            if key.startswith(_SUPPORTS) and str(value).lower() == "true":
                yield {"model": name, "kind": "feature", "name": key[len(_SUPPORTS) :]}
            for text in dict.fromkeys(map(str, value)) if key in _LISTS and isinstance(value, list) else ():
                yield {"model": name, "kind": _LISTS[key], "name": text}


def price_parameters(document: Any, given: Mapping[str, str]) -> Iterator[Object]:  # noqa: ARG001
    """All else that an entry says: limits of rate, sources, notes; and prices in steps, as a whole."""
    for name, entry in _entries(document):
        rest = {key: value for key, value in entry.items() if _is_other(key, value)} if isinstance(entry, dict) else {}
        for leaf in leaves(rest) if rest else ():
            if isinstance(leaf["value"], list) or not _PRICE.search(leaf["name"]):
                yield {"model": name, **leaf}


def result_versions(document: Any, given: Mapping[str, str]) -> Iterator[Object]:  # noqa: ARG001
    """The version that a row of results is about, and its sizes."""
    sizes = {key: _as_number(value) for key, value in document.items() if _SIZES.match(key) and value}
    millions = next((value for key, value in sizes.items() if _MILLIONS.match(key)), None)
    yield {"name": _first(document, *_NAMES), "version": _version(document), "millions": millions, "parameters": sizes}


def result_evaluations(document: Any, given: Mapping[str, str]) -> Iterator[Object]:  # noqa: ARG001
    """One record for each result of a row; an empty cell is none."""
    for key, value in document.items():
        if str(value).lower() not in _NO_RESULT and key.lower() not in {*_NAMES, *_VERSIONS} and not _SIZES.match(key):
            yield {"model": _first(document, *_NAMES), "version": _version(document), "benchmark": key, "metric": "score", "value": value}


def profile_models(document: Any, given: Mapping[str, str]) -> Iterator[Object]:  # noqa: ARG001
    """The model of a row of sizes."""
    yield {"name": _first(document, *_NAMES), "millions": document.get("mparams")}


def profile_parameters(document: Any, given: Mapping[str, str]) -> Iterator[Object]:  # noqa: ARG001
    """One record for each size of a row."""
    for key, value in document.items():
        if value not in (None, "") and key.lower() not in _NAMES:
            yield {"model": _first(document, *_NAMES), "name": f"profile.{key}", "value": as_document(_as_number(value))}


def prompts(document: Any, given: Mapping[str, str]) -> Iterator[Object]:
    """A prompt, with the variables that it names, or that are in it."""
    template = _first(document, "template", "prompt", "text", "content")
    if template is not None and type(template) is not str:
        raise BadDocument("expected a text as the prompt's template")
    named = document.get("input_variables", document.get("variables"))
    found = list(dict.fromkeys(_VARIABLE.findall(template))) if template else []
    yield {
        "name": _first(document, "name", "id") or name_of_file(given),
        "version": document.get("version") or Number("1"),
        "template": template,
        "variables": named if isinstance(named, list) else [part.strip() for part in named.split(",") if part.strip()] if named else found,
    }


def _entries(document: Any) -> Iterator[tuple[Any, Any]]:
    """Names and entries: of a row or an object that names its model, or of an object that has one entry under each name.

    What stands around them, such as a list under ``models`` or one object for each provider, is no model.
    """
    name = _first(document, *_NAMES)
    if isinstance(name, str) or not any(isinstance(entry, (dict, list)) for entry in document.values()):
        yield name, document
        return
    for key, entry in document.items():
        if isinstance(entry, list) and any(map(_is_model, entry)):
            for item in entry:
                yield from _entries(item) if isinstance(item, dict) else [(None, item)]
        elif _holds_models(entry):
            provider = {} if key in _AROUND else {"provider": key}
            yield from ((name, {**provider, **inner} if isinstance(inner, dict) else inner) for name, inner in _entries(entry))
        elif key != _SAMPLE:
            yield key, entry


def _is_model(entry: Any) -> bool:
    """Whether it says itself what something costs, or how much it takes."""
    return isinstance(entry, dict) and any(key in _ROUND or _PRICE.search(key) for key in entry)


def _holds_models(entry: Any) -> bool:
    return isinstance(entry, dict) and not _is_model(entry) and any(_is_model(inner) or _holds_models(inner) for inner in entry.values())


def _plain(entry: Any) -> Iterator[tuple[str, Any]]:
    """The plain values of an entry by their paths, elements of arrays too."""
    waiting: list[tuple[str, Any]] = [("", entry)]
    while waiting:
        path, value = waiting.pop(0)
        members = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else None
        if members is None:
            yield path, value
        else:
            waiting += [(f"{path}.{key}" if path else str(key), item) for key, item in members]


def _is_other(key: str, value: Any) -> bool:
    return not (key in _KNOWN or key in _LISTS or key.startswith(_SUPPORTS)) and value not in (None, "")


def _first(entry: Any, *names: str) -> Any:
    return next((entry[name] for name in names if entry.get(name) not in (None, "")), None)


def _as_number(cell: Any) -> Any:
    """A cell of a table as the number that it may be."""
    return Number(cell) if isinstance(cell, str) and _NUMBER.fullmatch(cell) else cell


def _version(document: Object) -> Any:
    return _first(document, *_VERSIONS) or MAIN

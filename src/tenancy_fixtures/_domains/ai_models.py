"""Models of artificial intelligence: their configurations, cards, packages, prices, results, prompts."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

from . import _ai_cards as cards
from . import _ai_configs as configs
from . import _ai_tables as tables
from ._shape import shapes_in

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ._shape import Documents, KnownShape, Rewrite

_REWRITERS: dict[str, Rewrite] = {
    "card_capabilities": cards.card_capabilities,
    "card_evaluations": cards.card_evaluations,
    "card_models": cards.card_models,
    "clip_capabilities": configs.clip_capabilities,
    "clip_models": configs.clip_models,
    "clip_parameters": configs.clip_parameters,
    "hub_capabilities": configs.hub_capabilities,
    "hub_models": configs.hub_models,
    "hub_parameters": configs.hub_parameters,
    "mlflow_capabilities": cards.mlflow_capabilities,
    "mlflow_versions": cards.mlflow_versions,
    "price_capabilities": tables.price_capabilities,
    "price_models": tables.price_models,
    "price_parameters": tables.price_parameters,
    "prices": tables.prices,
    "profile_models": tables.profile_models,
    "profile_parameters": tables.profile_parameters,
    "prompts": tables.prompts,
    "result_evaluations": tables.result_evaluations,
    "result_versions": tables.result_versions,
}


def _yaml(file: BinaryIO) -> Iterator[Any]:
    # PyYAML is loaded when a file needs it.
    from .._ingest.yaml_documents import documents

    yield from documents(file)


def _front_matter(file: BinaryIO) -> Iterator[Any]:
    from .._ingest.yaml_documents import front_matter

    yield from front_matter(file)


_READERS: dict[str, Documents] = {"yaml": _yaml, "front_matter": _front_matter}


def shapes() -> tuple[KnownShape, ...]:
    """All kinds of files of the domain."""
    return shapes_in(Path(__file__).parent / "shapes" / "ai_models", rewriters=_REWRITERS, readers=_READERS)

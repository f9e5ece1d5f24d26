"""Collaboration: workspaces and what belongs to them, the edits that comments and documents came about by, and what other services tell."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .._pg.edits import apply_edits
from ._each import each
from ._edits import edits
from ._shape import shapes_in
from ._webhooks import activities

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from .._ingest.readers import Made
    from .._pg.database import Transaction
    from ._shape import KnownShape, Rewrite

# The tables that :func:`settle` writes to.
SETTLED = ("comments", "documents", "edits")
_SECTIONS = ("workspaces", "roles", "members", "invitations", "documents", "comments", "workflows")


def section(name: str, export: Any, given: Mapping[str, str]) -> Iterator[Made]:  # noqa: ARG001 - every rewriter gets what is given
    """The records of one part of an export, which may lack it."""
    yield from each(export.get(name), lambda _, record: record)


def workflow_steps(export: Any, given: Mapping[str, str]) -> Iterator[Made]:
    """The steps of all workflows of an export, in their order."""
    for workflow in section("workflows", export, given):
        # What is no workflow is told as one.
        if isinstance(workflow, dict):
            yield from each(workflow.get("steps"), partial(_step, workflow), what="step")


def _step(workflow: Mapping[str, Any], position: int, step: Mapping[str, Any]) -> dict[str, Any]:
    return {**step, "workspace": workflow.get("workspace"), "workflow": workflow.get("name"), "position": position}


def shapes() -> tuple[KnownShape, ...]:
    """All kinds of files of the domain."""
    rewriters: dict[str, Rewrite] = {"activities": activities, "edits": edits, "workflow_steps": workflow_steps}
    rewriters.update({name: partial(section, name) for name in _SECTIONS})
    return shapes_in(Path(__file__).parent / "shapes" / "collaboration", rewriters=rewriters)


async def settle(transaction: Transaction, namespace: str, *, removed: bool) -> dict[str, int]:  # noqa: ARG001 - what is shown stays
    """Let comments and documents show the edits that were loaded, in the load's own transaction."""
    return await apply_edits(transaction, namespace)

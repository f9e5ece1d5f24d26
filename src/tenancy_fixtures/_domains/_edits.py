"""Edits of comments and documents: what the mapping of a stream reads."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .._ingest.uuids import uuid_of
from ._each import each

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from .._ingest.readers import Made

_NUMBER = ("number", "sequence", "seq", "version")
_OPERATIONS = {
    **dict.fromkeys(("insert", "create", "add"), "insert"),
    **dict.fromkeys(("replace", "update", "edit"), "replace"),
    **dict.fromkeys(("delete", "remove"), "delete"),
}


def edits(document: Any, given: Mapping[str, str]) -> Iterator[Made]:  # noqa: ARG001 - every rewriter gets what is given
    """The edits of a stream, or one edit that stands alone. A stream without a name is its workspace's."""
    shared = {name: document.get(name) for name in ("stream", "workspace", "author")}
    yield from each(
        document.get("edits", [document]), lambda _, edit: _edit({**shared, **{name: value for name, value in edit.items() if value is not None}})
    )


def _edit(edit: Mapping[str, Any]) -> dict[str, Any]:
    number = int(str(_first(edit, *_NUMBER)))
    workspace, kind, key = edit["workspace"], edit.get("kind") or edit.get("object_kind") or "comment", _first(edit, "id", "object_id")
    operation = str(_first(edit, "operation", "op")).lower()
    operation = _OPERATIONS.get(operation, operation)
    return {
        "stream": edit.get("stream") or workspace,
        "number": number,
        "previous": number - 1 if number > 1 else None,
        "workspace": workspace,
        "kind": kind,
        "object": None if workspace is None or key is None else str(uuid_of(kind, workspace, key)),
        "operation": operation,
        "body": None if operation == "delete" else _first(edit, "text", "body", "content"),
        "author": edit.get("author"),
        "at": _first(edit, "at", "timestamp", "made_at"),
    }


def _first(edit: Mapping[str, Any], *names: str) -> Any:
    return next((edit[name] for name in names if edit.get(name) is not None), None)

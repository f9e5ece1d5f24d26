"""What is said of a source that cannot be read."""

from __future__ import annotations

import os

from ..exceptions import SourceMalformed, SourceMissing


def missing(name: str, error: OSError) -> SourceMissing:
    """The error for a file that the system would not open."""
    name = as_text(name)
    return SourceMissing(
        f"{name} cannot be read: {error.strerror or type(error).__name__}", source=name, hint="Check the path and the rights to read it."
    )


def damaged(name: str, what: str) -> SourceMalformed:
    """The error for packed bytes that cannot be unpacked."""
    return SourceMalformed(f"{name} {what}", source=name, hint="Nothing was loaded. Fetch or pack the file again.")


def as_text(name: str) -> str:
    """A file's name as text that a report can hold: names are bytes, and not always UTF-8."""
    return os.fsencode(name).decode("utf-8", "replace").replace("\x00", "\ufffd")

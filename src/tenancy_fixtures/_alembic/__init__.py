"""The host's Alembic and SQLAlchemy as authors of a pack: its history in order, each revision compiled or asked on a connection; its models as a script."""

from __future__ import annotations

from ._history import read_history
from ._models import schema_script
from ._proxies import alone

__all__ = ["alone", "read_history", "schema_script"]

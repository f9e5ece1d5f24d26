"""What an application's transactions begin with, as text for any driver; and the engine that is ours."""

from __future__ import annotations

import re
from functools import cache
from typing import TYPE_CHECKING, Any

from psycopg.conninfo import conninfo_to_dict

from .connect import CONNECT_TIMEOUT, PARAMETERS
from .sql import query

if TYPE_CHECKING:
    from sqlalchemy.ext.asyncio import AsyncEngine

    from ..settings import Settings

_PARAMETER = re.compile(r"%\((\w+)\)s")


@cache
def text_of(name: str) -> str:
    """A named statement with its parameters as ``:name``, which SQLAlchemy writes as each driver wants them."""
    return _PARAMETER.sub(r":\1", query(name).as_string(None))


def open_engine(url: str, settings: Settings) -> AsyncEngine:
    """An engine of SQLAlchemy on that database, for sessions; dispose of it in the loop that it was used in."""
    from sqlalchemy.ext.asyncio import create_async_engine

    arguments: dict[str, Any] = {**conninfo_to_dict(url), **PARAMETERS, "connect_timeout": CONNECT_TIMEOUT}
    if settings.pooler:
        arguments["prepare_threshold"] = None
    return create_async_engine("postgresql+psycopg://", connect_args=arguments, pool_size=settings.max_concurrency, pool_timeout=CONNECT_TIMEOUT)

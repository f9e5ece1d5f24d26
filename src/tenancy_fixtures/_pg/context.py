"""What an application's transactions begin with, as text for any driver; and the engine that is ours."""

from __future__ import annotations

import re
from functools import cache
from typing import TYPE_CHECKING, Any

from psycopg.conninfo import conninfo_to_dict

from .connect import CONNECT_TIMEOUT, PARAMETERS
from .sql import query

if TYPE_CHECKING:
    from sqlalchemy.engine import Engine
    from sqlalchemy.ext.asyncio import AsyncEngine

    from ..settings import Settings

_PARAMETER = re.compile(r"%\((\w+)\)s")


@cache
def text_of(name: str) -> str:
    """A named statement with its parameters as ``:name``, which SQLAlchemy writes as each driver wants them."""
    return _PARAMETER.sub(r":\1", query(name).as_string(None))


def open_engine(url: str, settings: Settings, *, keep: bool = True) -> AsyncEngine:
    """An engine of SQLAlchemy on that database, for sessions; dispose of it in the loop that it was used in.

    Without ``keep`` no connection outlives its session: then any loop may use it.
    """
    from sqlalchemy.ext.asyncio import create_async_engine
    from sqlalchemy.pool import NullPool

    pool: dict[str, Any] = {"pool_size": settings.max_concurrency, "pool_timeout": CONNECT_TIMEOUT} if keep else {"poolclass": NullPool}
    return create_async_engine("postgresql+psycopg://", connect_args=_arguments(url, settings), **pool)


def open_sync_engine(url: str, settings: Settings) -> Engine:
    """The same for sessions that do not wait; connections that somebody has ended meanwhile are made anew."""
    from sqlalchemy import create_engine

    return create_engine("postgresql+psycopg://", connect_args=_arguments(url, settings), pool_size=settings.max_concurrency, pool_pre_ping=True)


def _arguments(url: str, settings: Settings) -> dict[str, Any]:
    arguments: dict[str, Any] = {**conninfo_to_dict(url), **PARAMETERS, "connect_timeout": CONNECT_TIMEOUT}
    if settings.pooler:
        arguments["prepare_threshold"] = None
    return arguments

"""Analytics: streams of events as Segment, Snowplow and Google Analytics have them, what was summed up of them, metrics, segments."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from .._pg.sessions import derive_sessions, forget_sessions
from ._shape import shapes_in

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from .._pg.database import Transaction
    from ._shape import KnownShape

# The tables that :func:`settle` writes to.
SETTLED = ("analytics_visitors", "analytics_sessions")

# What the mapping of a Snowplow event reads itself; all other members of its record are its properties.
_MAPPED = frozenset(
    {
        *("event_id", "event_name", "event", "domain_userid", "network_userid", "user_id", "domain_sessionid", "derived_tstamp", "collector_tstamp"),
        *("page_url", "page_referrer", "user_ipaddress", "useragent"),
    }
)


def shapes() -> tuple[KnownShape, ...]:
    """All kinds of files of the domain."""
    return shapes_in(Path(__file__).parent / "shapes" / "analytics", rewriters={"snowplow_event": snowplow_event})


def snowplow_event(event: Any, given: Mapping[str, str]) -> Iterator[dict[str, Any]]:  # noqa: ARG001 - every rewriter gets what is given
    """An event with what its mapping does not name as its properties."""
    yield {**event, "rest": {name: value for name, value in event.items() if name not in _MAPPED and value is not None}}


async def settle(transaction: Transaction, namespace: str, *, removed: bool) -> dict[str, int]:
    """Sum up sessions of the events that were loaded, in the load's own transaction; where events were removed, all of them."""
    if removed:
        await forget_sessions(transaction, namespace)
    return await derive_sessions(transaction, namespace)

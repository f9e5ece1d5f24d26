"""Pure functions that the rooms above share, and that a host application may call: names, limits, merges, digests."""

from __future__ import annotations

import hashlib
import heapq
import json
import math
import re
from collections.abc import Mapping
from contextlib import suppress
from decimal import Decimal, InvalidOperation
from graphlib import CycleError, TopologicalSorter
from typing import TYPE_CHECKING, Any

from .constants import MAX_IDENTIFIER_BYTES, NAMESPACE_PREFIX, SHARED_PREFIX
from .exceptions import ConfigurationError, InvalidTenantId

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from uuid import UUID

_TENANT_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,62}")
_QUANTITY = re.compile(r"^\s*(?P<number>\d+(?:\.\d+)?)\s*(?P<unit>[A-Za-z]*)\s*(?:(?:/|per\s+)\s*(?P<period>[A-Za-z]+))?\s*$")
_BYTES = {"b": 1} | {f"{p}b": 1000**n for n, p in enumerate("kmgtpe", 1)} | {f"{p}ib": 1024**n for n, p in enumerate("kmgtpe", 1)}
_MULTIPLES = {"": 1, "k": 10**3, "m": 10**6, "g": 10**9}
_PERIODS = {name: period for period in ("second", "minute", "hour", "day", "week", "month", "year") for name in (period, f"{period}s")}
_SHORT_PERIODS = {"s": "second", "sec": "second", "min": "minute", "h": "hour", "d": "day", "w": "week", "mo": "month", "y": "year"}
# Limits that are rates: how often in a period. Without a period, a month is meant.
RATES = frozenset({"api_calls", "requests", "ai_generations", "exports"})


class TenantUtils:
    """Names of tenants."""

    @staticmethod
    def check_id(tenant_id: str) -> str:
        """Give the id back where it can be a tenant's name.

        :raises InvalidTenantId: it is not ``[A-Za-z0-9][A-Za-z0-9_.-]{0,62}``; says which character, or how long.
        """
        if not isinstance(tenant_id, str):
            raise InvalidTenantId(f"a tenant id is text, not {type(tenant_id).__name__}", hint=_ID_HINT)
        if _TENANT_ID.fullmatch(tenant_id):
            return tenant_id
        raise InvalidTenantId(f"{tenant_id!r} cannot be a tenant id: {_id_problem(tenant_id)}", tenant=tenant_id, hint=_ID_HINT)

    @staticmethod
    def namespace(tenant_id: str, uid: UUID | None = None) -> str:
        """The schema's name for a tenant: ``t_`` + the id in ``[a-z0-9_]``, with a piece of ``uid`` where one is given.

        The id alone is not always unique (``Acme`` and ``acme``); it never exceeds 63 bytes.
        """
        slug = re.sub(r"[^a-z0-9_]", "_", TenantUtils.check_id(tenant_id).lower())
        suffix = "" if uid is None else f"_{uid.hex[:12]}"
        room = MAX_IDENTIFIER_BYTES - len(NAMESPACE_PREFIX) - len(suffix)
        return f"{NAMESPACE_PREFIX}{slug[:room]}{suffix}"

    @staticmethod
    def shared_namespace(pack: str, uid: UUID | None = None) -> str:
        """The name of the schema that the tenants of a pack share: ``shared_`` + the pack's name, as :meth:`namespace` has ids."""
        slug = re.sub(r"[^a-z0-9_]", "_", pack.lower())
        suffix = "" if uid is None else f"_{uid.hex[:12]}"
        return f"{SHARED_PREFIX}{slug[: MAX_IDENTIFIER_BYTES - len(SHARED_PREFIX) - len(suffix)]}{suffix}"


_ID_HINT = "Use 1 to 63 of A-Z a-z 0-9 _ . - and begin with a letter or a digit."


def _id_problem(tenant_id: str) -> str:
    if not tenant_id:
        return "it is empty"
    if len(tenant_id) > MAX_IDENTIFIER_BYTES:
        return f"it has {len(tenant_id)} characters"
    place = next(place for place in range(1, len(tenant_id) + 1) if not _TENANT_ID.fullmatch(tenant_id[:place]))
    wrong = tenant_id[place - 1]
    return f"character {place} is {wrong!r} (U+{ord(wrong):04X})"


class ConfigUtils:
    """Layers of configuration and limits with units."""

    @staticmethod
    def deep_merge(base: Mapping[str, Any], over: Mapping[str, Any]) -> dict[str, Any]:
        """``over`` laid on ``base``: objects are merged key by key, everything else is replaced whole, lists too."""
        merged = dict(base)
        for key, value in over.items():
            below = merged.get(key)
            merged[key] = ConfigUtils.deep_merge(below, value) if isinstance(below, dict) and isinstance(value, dict) else value
        return merged

    @staticmethod
    def parse_limit(name: str, value: Any) -> dict[str, Any]:
        """A limit with its unit worked out: ``{"value": …}``, with ``"unit": "bytes"`` or ``"period"`` where it has one.

        ``"100GB"`` is 100·10⁹ bytes and ``"1GiB"`` 2³⁰; ``"10k/day"`` is 10,000 a day. Rates (``api_calls``…) without a
        period are per month. A number stands for itself (bytes, for ``storage``).

        :raises ConfigurationError: the text is no quantity, or has a unit that is not known.
        """
        if isinstance(value, dict) and "value" in value:
            return dict(value)
        number, unit, period = _quantity(name, value)
        if unit not in _BYTES and unit not in _MULTIPLES:
            raise ConfigurationError(f"limit {name!r}: no such unit: {unit!r}", hint="Bytes: kB MB GB TB, KiB MiB GiB TiB. Numbers: k M G.")
        limit: dict[str, Any] = {"value": _whole(name, number * (_BYTES.get(unit) or _MULTIPLES[unit]))}
        if unit in _BYTES or name == "storage":
            limit["unit"] = "bytes"
        if period or name in RATES:
            limit["period"] = period or "month"
        return limit

    @staticmethod
    def parse_limits(limits: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
        """Every limit of a mapping, parsed."""
        return {name: ConfigUtils.parse_limit(name, value) for name, value in limits.items()}


def _is_text(text: str) -> bool:
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:
        return False
    return "\x00" not in text


def _quantity(name: str, value: Any) -> tuple[Decimal, str, str | None]:
    if isinstance(value, bool) or not isinstance(value, (int, float, str)):
        raise ConfigurationError(f"limit {name!r} is neither a number nor text", hint='Write for example 10000 or "100GB".')
    match = _QUANTITY.match(str(value)) if isinstance(value, str) else None
    if isinstance(value, str) and match is None:
        raise ConfigurationError(f"limit {name!r} is not a quantity", hint='Write for example "100GB", "10k" or "500/day".')
    try:
        number = Decimal(match["number"] if match else str(value))
    except InvalidOperation:
        raise ConfigurationError(f"limit {name!r} is not a number") from None
    if not number.is_finite() or number < 0:
        raise ConfigurationError(f"limit {name!r} is negative or not finite", hint="Leave a limit out where there is none.")
    return number, (match["unit"].lower() if match else ""), _period(name, match["period"] if match else None)


def _period(name: str, text: str | None) -> str | None:
    if text is None:
        return None
    found = _PERIODS.get(text.lower()) or _SHORT_PERIODS.get(text.lower())
    if found is None:
        raise ConfigurationError(f"limit {name!r}: no such period: {text!r}", hint="One of second, minute, hour, day, week, month, year.")
    return found


def _whole(name: str, number: Decimal) -> int:
    if number != number.to_integral_value():
        raise ConfigurationError(f"limit {name!r} is not a whole number")
    return int(number)


def ranked_order(needs: Mapping[str, Iterable[str]], rank: Callable[[str], Any]) -> Iterator[str]:
    """Names, each after those that it needs; of several that could be next, the one of the lowest rank.

    Those that need each other in a circle are left out, and with them what needs one of them.
    """
    sorter = TopologicalSorter(needs)
    # What does not wait for a circle can be had nevertheless.
    with suppress(CycleError):
        sorter.prepare()
    ready: list[tuple[Any, str]] = []
    while sorter.is_active():
        for name in sorter.get_ready():
            heapq.heappush(ready, (rank(name), name))
        _, name = heapq.heappop(ready)
        yield name
        sorter.done(name)


class FixtureUtils:
    """Order and identity of fixtures."""

    @staticmethod
    def in_order(dependencies: Mapping[str, Iterable[str]]) -> list[str]:
        """Names so that each comes after those that it depends on; names that are not among the keys are ignored.

        :raises ConfigurationError: they depend on each other in a circle.
        """
        graph = {name: [other for other in others if other in dependencies] for name, others in dependencies.items()}
        try:
            return list(TopologicalSorter(graph).static_order())
        except CycleError as error:
            raise ConfigurationError(f"fixtures depend on each other in a circle: {' → '.join(error.args[1])}") from error

    @staticmethod
    def digest(content: Any) -> str:
        """SHA-256, in hex, of JSON-ready content, independent of the order of its keys."""
        return hashlib.sha256(json.dumps(content, sort_keys=True, separators=(",", ":"), default=str).encode()).hexdigest()


class ValidationUtils:
    """Sums that must come out, and values that must be such as the database can hold."""

    @staticmethod
    def unstorable(value: Any, pointer: str = "") -> str | None:
        """What in a value ``jsonb`` cannot hold, with its JSON Pointer; ``None`` where it can hold all of it.

        A NUL or half of a surrogate pair in a text, a number that is none, a name that is no text, an object that is no JSON.
        """
        if isinstance(value, str):
            return None if _is_text(value) else f"{pointer or '/'} holds a NUL or half of a surrogate pair"
        if value is None or isinstance(value, (bool, int)) or (isinstance(value, float) and math.isfinite(value)):
            return None
        if isinstance(value, float):
            return f"{pointer or '/'} is no number that JSON knows"
        if isinstance(value, Mapping):
            strange = next((name for name in value if not isinstance(name, str) or not _is_text(name)), None)
            if strange is not None:
                return f"{pointer or '/'} has a name that is no text"
            items: Iterable[tuple[Any, Any]] = value.items()
        elif isinstance(value, (list, tuple)):
            items = enumerate(value)
        else:
            return f"{pointer or '/'} is of type {type(value).__name__}, which JSON has not"
        return next((found for name, item in items if (found := ValidationUtils.unstorable(item, f"{pointer}/{name}"))), None)

    @staticmethod
    def require_json(value: Any, what: str) -> None:
        """See that ``jsonb`` can hold a value.

        :raises ConfigurationError: it cannot; names ``what`` and the place.
        """
        problem = ValidationUtils.unstorable(value)
        if problem is not None:
            raise ConfigurationError(f"{what}: {problem}", hint="Write plain JSON values.")

    @staticmethod
    def unaccounted(read: int, *parts: int) -> int:
        """How many of ``read`` records no part accounts for: 0 where nothing was lost."""
        return read - sum(parts)

"""One probe after the other, each in transactions and on connections of its own; and what shows that it crossed."""

from __future__ import annotations

import re
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

import anyio
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from .._pg.raw_copy import can_copy, copy_in, copy_out
from .._pg.sql import compose, identifier, literal
from ..exceptions import DatabaseUnavailable, TenancyError
from . import _probes as probes
from ._report import CROSSED, NOTHING, REFUSED, UNTRIED, Outcome
from ._tenants import NOBODYS_KEY, OWN_KEYS, SHARED_KEY

if TYPE_CHECKING:
    from collections.abc import Iterable

    from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession

    from ._probes import Probe, Step
    from ._tenants import Ground

_PARAMETER = re.compile(r"%\((\w+)\)s")
_SAID_TO_NOBODY = "neither"


class Sessions(Protocol):
    """What sessions come from: :class:`.TenantSessions`, or something in its place."""

    def async_session(self, tenant_id: str | None = None, **options: Any) -> AsyncSession:
        """A session of one tenant, or of nobody."""
        ...


class _CannotTry(Exception):
    """The engine's driver has no such way."""


@dataclass
class _Seen:
    """What came back from the statements of a probe: to the attacker, and to the victim."""

    answers: list[object] = field(default_factory=list)
    attacker: list[str] = field(default_factory=list)
    victim: list[str] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)
    error: str | None = None

    def of(self, step: Step) -> list[str]:
        """Where the answers to a step's statements are kept."""
        return self.victim if step.actor in (probes.VICTIM, probes.BESIDE) else self.attacker

    def fail(self, step: Step, error: DBAPIError | TenancyError) -> None:
        """Keep how a step ended."""
        code, message = _told(error)
        self.error = self.error or code
        self.answers.append(code)
        if self.of(step) is self.attacker:
            self.errors.append(message)


class Attack:
    """Tries probes on a ground, through the sessions of an application, which are on these engines."""

    def __init__(self, ground: Ground, sessions: Sessions, *engines: AsyncEngine) -> None:
        self._ground = ground
        self._sessions = sessions
        self._engines = engines
        self._texts: dict[tuple[str, str], str] = {}
        self._untouched: tuple[str, str] | None = None

    async def run(self, declared: Iterable[Probe]) -> list[Outcome]:
        """Try those of the probes that are for the ground's isolation, in their order."""
        chosen = [probe for probe in declared if self._ground.isolation in probe.isolations]
        await self._write([step for probe in chosen for step in probe.steps])
        return [await self.try_one(probe) for probe in chosen]

    async def try_one(self, probe: Probe) -> Outcome:
        """Try one probe, and put back what it has changed.

        :raises DatabaseUnavailable: the connection was lost: nothing is known of the probe.
        """
        self._untouched = self._untouched or await self._ground.look()
        try:
            seen = await self._attempt(probe, "victim")
            other = await self._attempt(probe, "nobody") if probe.sign == probes.REVEALED else None
        except _CannotTry:
            return self._outcome(probe, UNTRIED)
        now = await self._ground.look()
        if now != self._untouched:
            await self._ground.restore()
        sign = self._sign(probe, seen, other) or (probes.CHANGED if now[1] != self._untouched[1] else None)
        if sign is not None:
            return self._outcome(probe, CROSSED, seen.error, sign)
        return self._outcome(probe, REFUSED if seen.error else NOTHING, seen.error)

    def _outcome(self, probe: Probe, result: str, error: str | None = None, sign: str | None = None) -> Outcome:
        return Outcome(probe.name, probe.attack_class, self._ground.isolation, probe.about, result, error, sign)

    def _sign(self, probe: Probe, seen: _Seen, other: _Seen | None) -> str | None:
        attacker, victim = self._ground.attacker, self._ground.victim
        names = (victim.tenant.tenant_id, victim.tenant.namespace)
        signs = {
            probes.READ: _any(seen.attacker, victim.marker),
            probes.TOLD: _any(seen.errors, victim.marker),
            probes.PLANTED: _any(seen.victim, attacker.marker),
            probes.REVEALED: other is not None and seen.answers != other.answers,
            probes.DONE: probe.sign == probes.DONE and seen.error is None,
            probes.NAMED: probe.sign == probes.NAMED and any(_any(seen.attacker, name) for name in names),
        }
        return next((sign for sign, is_seen in signs.items() if is_seen), None)

    async def _attempt(self, probe: Probe, whose: str) -> _Seen:
        """All steps of a probe, with the keys that the victim has, or that nobody has."""
        seen = _Seen()
        try:
            async with AsyncExitStack() as beside:
                for step in probe.steps:
                    if seen.error is None and not step.last:
                        await self._step(step, seen, self._values(probe, step, whose), beside)
        finally:
            with anyio.CancelScope(shield=True):
                for step in (item for item in probe.steps if item.last):
                    await self._step(step, _Seen(), self._values(probe, step, whose), AsyncExitStack())
                # What this probe has left in a connection is none of the next one's business.
                for engine in self._engines:
                    await engine.dispose()
        return seen

    async def _step(self, step: Step, seen: _Seen, values: dict[str, Any], beside: AsyncExitStack) -> None:
        try:
            async with AsyncExitStack() as ends:
                session = self._sessions.async_session(self._named(step))
                await (beside if step.actor == probes.BESIDE else ends).enter_async_context(session)
                for block in step.blocks:
                    await _WAYS[step.way](session, self._texts[block, self._role(step)], values, seen, step)
                if step.kept and step.actor != probes.BESIDE:
                    await session.commit()
        except (DBAPIError, TenancyError) as error:
            if isinstance(error, DBAPIError) and error.connection_invalidated:
                raise DatabaseUnavailable("the connection was lost in the middle of a probe", hint="Check the server, and attack again.") from None
            seen.fail(step, error)

    def _named(self, step: Step) -> str | None:
        """Whom the step's session is asked for."""
        attacker, victim = self._ground.attacker.tenant.tenant_id, self._ground.victim.tenant.tenant_id
        if step.tenant_id is not None:
            return step.tenant_id.format(attacker=attacker, victim=victim, VICTIM=victim.upper())
        return {probes.ATTACKER: attacker, probes.NOBODY: None}.get(step.actor, victim)

    async def _write(self, steps: Iterable[Step]) -> None:
        """Put the names into all statements, as only a connection of our own driver quotes them: other drivers get them as text."""
        attacker, victim = self._ground.attacker, self._ground.victim
        parts = {"own": identifier(attacker.tenant.namespace), "victim": identifier(victim.tenant.namespace), "secret": literal(victim.marker)}
        async with self._ground.runtime.database.transaction(role="loader") as transaction:
            for step in steps:
                role = self._role(step)
                for block in step.blocks:
                    statement = compose(f"attack.{block}", **parts, role=identifier(role))
                    self._texts[block, role] = statement.as_string(transaction.connection)

    def _role(self, step: Step) -> str:
        """A role's name; where one login does everything there is none to take."""
        if step.role == "victim":
            return self._ground.victim.role
        return (getattr(self._ground.runtime.database.roles, step.role) if step.role else None) or "none"

    def _values(self, probe: Probe, step: Step, whose: str) -> dict[str, Any]:
        attacker, victim = self._ground.attacker, self._ground.victim
        reveals = probe.sign == probes.REVEALED
        return {
            "role": self._role(step),
            "own": attacker.tenant.namespace,
            "own_id": attacker.tenant.tenant_id,
            "own_uid": str(attacker.tenant.uid),
            "victim": victim.tenant.namespace,
            "victim_id": victim.tenant.tenant_id,
            "victim_uid": str(victim.tenant.uid),
            "victim_key": OWN_KEYS["victim"],
            "large_object": victim.large_object,
            "code": victim.code if whose == "victim" else _SAID_TO_NOBODY,
            "key": SHARED_KEY if not reveals else OWN_KEYS["victim"] if whose == "victim" else NOBODYS_KEY,
            "value": probe.value.format(victim=victim.tenant.namespace),
        }


async def _execute(session: AsyncSession, statement: str, values: dict[str, Any], seen: _Seen, step: Step) -> None:
    named = {name: values[name] for name in _PARAMETER.findall(statement)}
    result: Any = await session.execute(text(_PARAMETER.sub(r":\1", statement)), named)
    if result.returns_rows:
        rows = [" ".join(str(value) for value in row) for row in result.all()]
        seen.of(step).extend(rows)
        seen.answers.append(len(rows))
    else:
        seen.answers.append(result.rowcount)


async def _copy_out(session: AsyncSession, statement: str, _: dict[str, Any], seen: _Seen, step: Step) -> None:
    seen.of(step).append(await copy_out(await _raw(session), statement))


async def _copy_in(session: AsyncSession, statement: str, _: dict[str, Any], __: _Seen, ___: Step) -> None:
    await copy_in(await _raw(session), statement, (SHARED_KEY, "attacker"))


async def _raw(session: AsyncSession) -> Any:
    """The driver's own connection, on which the session's transaction has begun."""
    connection = (await (await session.connection()).get_raw_connection()).driver_connection
    if not can_copy(connection):
        raise _CannotTry
    return connection


_WAYS = {probes.EXECUTE: _execute, probes.COPY_OUT: _copy_out, probes.COPY_IN: _copy_in}


def _told(error: DBAPIError | TenancyError) -> tuple[str, str]:
    """An error's SQLSTATE, or its name; and all that the driver would tell of it, which an application may show."""
    origin: Any = error.orig if isinstance(error, DBAPIError) else getattr(error, "driver_error", None)
    state = getattr(origin, "sqlstate", None)
    # Some drivers' adapters keep the server's own error as the cause, and its detail apart.
    told = [origin, getattr(origin, "__cause__", None)]
    parts = [str(item) for item in told] + [str(getattr(item, "detail", "")) for item in told]
    return state or type(origin or error).__name__, " ".join([str(error) if origin is None else "", *parts])


def _any(texts: Iterable[str], word: str) -> bool:
    return any(word in item for item in texts)

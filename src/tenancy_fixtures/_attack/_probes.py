"""What a probe is: statements of one or more users of a connection, and what shows that something crossed from tenant to tenant."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Optional

from .._shapes import Shape

# Who speaks in a step. "beside" is the victim on a connection of its own, whose transaction goes on meanwhile.
ATTACKER, VICTIM, NOBODY, BESIDE = "attacker", "victim", "nobody", "beside"

# What a session says in plain SQL, or by COPY, which not every driver's session can.
EXECUTE, COPY_OUT, COPY_IN = "execute", "copy_out", "copy_in"

# What shows a crossing. The first four are looked for whatever a probe is; the others where it says so.
READ: Final = "read"  # the attacker has a value of the victim
CHANGED: Final = "changed"  # the victim's rows, or its sequence, are others than before
PLANTED: Final = "planted"  # the victim has a value of the attacker in the place of its own
TOLD: Final = "told"  # a value of the victim stands in an error
REVEALED: Final = "revealed"  # what the victim has gives another answer than what nobody has
DONE: Final = "done"  # that it could be done at all is what crosses
NAMED: Final = "named"  # the victim's name is told

EVERY_ISOLATION: Final = ("schema", "row", "database")
OWN_SCHEMA: Final = ("schema",)
SHARED: Final = ("row",)
# Where each tenant has tables of its own.
UNSHARED: Final = ("schema", "database")


@dataclass(frozen=True)
class Step:
    """One transaction: whose it is, and the blocks of ``queries/attack.sql`` that it sends.

    ``role`` is the purpose of the role that ``{role}`` stands for, or ``"victim"`` for the victim's own. With ``tenant_id`` the
    transaction is asked for by that name, in which ``{attacker}`` and ``{victim}`` stand for the tenants' ids. What is not
    to be ``kept`` is rolled back, ``last`` says that it is done whatever came before, and is none of the attack.
    """

    actor: str
    blocks: tuple[str, ...]
    way: str = EXECUTE
    role: Optional[str] = None
    tenant_id: Optional[str] = None
    kept: bool = True
    last: bool = False


@dataclass(frozen=True)
class Probe(Shape):
    """One way in which a tenant may reach its neighbour: ``attack_class`` is ``"a"`` for ordinary statements, ``"b"`` for any SQL at all.

    ``sign`` is what shows a crossing beside what is looked for in every probe.
    """

    name: str
    attack_class: str
    about: str
    steps: tuple[Step, ...]
    sign: Optional[str] = None
    value: str = ""
    isolations: tuple[str, ...] = EVERY_ISOLATION


def attacker(*blocks: str, way: str = EXECUTE, role: str | None = None, kept: bool = True) -> tuple[Step, ...]:
    """A probe of one transaction."""
    return (Step(ATTACKER, blocks, way, role, kept=kept),)

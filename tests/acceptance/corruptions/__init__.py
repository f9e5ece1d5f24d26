"""Ways to damage a tenant, each a named function: what an administrator, a crash or a bug can do behind the library's back."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass

from tests.acceptance.support import State

Found = tuple[str, str]

# Rows are written without triggers and references; catalogues are changed by hand.
REPLICA = "SET session_replication_role = replica"
NOBODY = "00000000-0000-4000-8000-000000000000"


@dataclass(frozen=True)
class Corruption:
    """One kind of damage: what does it, which findings it must lead to and no others, whether a repair takes it away again."""

    name: str
    damage: Callable[[State, random.Random], None]
    finds: tuple[Found, ...]
    repaired: bool
    count: int | None = None
    anew: tuple[str, ...] = ()  # tables whose rows come back with other defaults: what no source holds


ALL: list[Corruption] = []


def corruption(
    *finds: Found, repaired: bool = False, count: int | None = None, anew: tuple[str, ...] = ()
) -> Callable[..., Callable[[State, random.Random], None]]:
    """Add a function to the list."""

    def add(damage: Callable[[State, random.Random], None]) -> Callable[[State, random.Random], None]:
        ALL.append(Corruption(damage.__name__, damage, finds, repaired, count, anew))
        return damage

    return add


def some(db: State, pick: random.Random, query: str) -> str:
    """One of the values that a query gives, by the seed."""
    values = sorted(str(next(iter(row.values()))) for row in db.rows(query))
    return pick.choice(values)


def one_user(db: State, pick: random.Random) -> str:
    """The id of a user to whom nothing belongs."""
    return some(db, pick, "SELECT user_id FROM t_acme.users WHERE handle IN ('user5', 'user6', 'user7')")


def blind(db: State, index: str, statement: str) -> None:
    """Write while an index does not look."""
    ready = "UPDATE pg_index SET indisready = {} WHERE indexrelid = 't_acme.{}'::regclass"
    db.run(ready.format("false", index))
    db.run(statement)
    db.run(ready.format("true", index))


from . import rows, structure  # noqa: E402, F401 - they add theirs to the list

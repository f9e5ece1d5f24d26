"""The roles of an installation: made by ``tenancy init``, brought by the host, or none at all."""

from __future__ import annotations

import dataclasses
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Optional, TypeVar

from psycopg import sql
from psycopg.errors import DuplicateObject, InternalError_, UniqueViolation

from .._shapes import Shape
from ..exceptions import ConfigurationError
from .sql import Statement, compose, identifier

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterator, Mapping

_Result = TypeVar("_Result")

# Roles belong to the whole server, and our locks to one database. Work on them in another database at the same moment shows
# as "tuple concurrently updated" (XX000) or as a name that is there already, and has committed by then: go again.
_ATTEMPTS = 20
_LONGEST_WAIT = 0.5  # seconds; at random, so that those who met do not meet again

# Purposes that an installation may do without.
_OPTIONAL = frozenset({"registrar", "tenants"})

_ROLE_NAME = re.compile(r"^[A-Za-z_][A-Za-z0-9_-]{0,62}$")


# What a tenant's own role is called: the control plane's functions make no other.
_TENANTS_ROLE = re.compile(r"^tenancy_t_[0-9a-f]{32}$")


def is_tenants(role: str) -> bool:
    """Whether a role is one tenant's own."""
    return _TENANTS_ROLE.match(role) is not None


@dataclass(frozen=True)
class Roles(Shape):
    """Who may do what. All ``None``: one login does everything, with its own rights.

    ``owner`` owns the control plane; ``migrator`` owns tenants' schemas and changes their structure; ``loader`` writes
    rows; ``app`` is for the host's sessions; ``auditor`` reads the trace; ``script`` runs packs' SQL and has rights on
    the one schema in hand only. ``registrar`` makes a role for each tenant, and ``tenants`` is what all of those are
    members of: both or neither; without them ``app`` has the rights on every tenant's schema.
    """

    owner: Optional[str] = None
    migrator: Optional[str] = None
    loader: Optional[str] = None
    app: Optional[str] = None
    auditor: Optional[str] = None
    script: Optional[str] = None
    registrar: Optional[str] = None
    tenants: Optional[str] = None

    def __post_init__(self) -> None:
        for _, name in self.named():
            if not _ROLE_NAME.match(name):
                raise ConfigurationError(
                    f"{name!r} cannot be a role's name here", hint="Use letters, digits, - and _, at most 63, beginning with a letter."
                )
        if (self.registrar is None) != (self.tenants is None):
            raise ConfigurationError(
                "a registrar and the tenants' group go together", hint="Name both --role registrar=… and --role tenants=…, or neither."
            )

    @classmethod
    def prefixed(cls, prefix: str = "tenancy") -> Roles:
        """The names that ``tenancy init`` gives."""
        return cls(**{item.name: f"{prefix}_{item.name}" for item in dataclasses.fields(cls)})

    @classmethod
    def from_mapping(cls, names: Mapping[str, str]) -> Roles:
        """The roles as an installation has stored them, or as a host names them."""
        unknown = sorted(set(names) - {item.name for item in dataclasses.fields(cls)})
        if unknown:
            raise ConfigurationError(
                f"no such purpose of a role: {', '.join(unknown)}", hint=f"Purposes: {', '.join(item.name for item in dataclasses.fields(cls))}."
            )
        missing = sorted({item.name for item in dataclasses.fields(cls)} - set(names) - _OPTIONAL)
        if names and missing:
            raise ConfigurationError(f"no role is named for: {', '.join(missing)}", hint="Name a role for every purpose, or none at all.")
        return cls(**dict(names))

    @property
    def separate(self) -> bool:
        """True where roles exist and transactions switch to them."""
        return self.migrator is not None

    @property
    def for_each_tenant(self) -> bool:
        """True where a tenant has a role of its own."""
        return self.registrar is not None

    def with_new(self, asked: Roles) -> Roles:
        """These, as an older installation has them, and those of ``asked`` that it did not know yet."""
        known = dataclasses.replace(asked, registrar=None, tenants=None)
        return dataclasses.replace(self, registrar=asked.registrar, tenants=asked.tenants) if self == known else self

    def named(self) -> Iterator[tuple[str, str]]:
        """Purpose and name of each role that exists."""
        for item in dataclasses.fields(self):
            name = getattr(self, item.name)
            if name is not None:
                yield item.name, name


def role_statements(roles: Roles, *, create: bool) -> list[Statement]:
    """What makes the roles and their memberships; harmless where they exist already."""
    statements: list[Statement] = []
    for _, name in roles.named():
        if create:
            statements.append(
                compose("roles.create_role", literal=sql.Literal(name), message=sql.Literal(f"The group role {name} is used by tenancy fixtures."))
            )
        # An administrator who is no superuser (CREATEROLE) must be a member to act as the owner.
        statements.append(compose("roles.join_role", role=identifier(name)))
    if roles.migrator and roles.script:
        # The owner of what a script made changes afterwards from script to migrator: that needs both.
        statements.append(compose("roles.grant_role", role=identifier(roles.script), member=identifier(roles.migrator)))
    if create and roles.app and roles.registrar and roles.tenants:
        parts = {"app": identifier(roles.app), "registrar": identifier(roles.registrar), "tenants": identifier(roles.tenants)}
        statements.append(compose("roles.register", **parts))
    return statements


def login_statements(roles: Roles, login: str, purposes: tuple[str, ...]) -> list[Statement]:
    """Let a login act as the roles of these purposes; it switches to one in each transaction."""
    names = [getattr(roles, purpose) for purpose in purposes]
    return [compose("roles.grant_role", role=identifier(name), member=identifier(login)) for name in names if name]


async def going_again(work: Callable[[], Awaitable[_Result]]) -> _Result:
    """Do work on the server's roles, a transaction of its own, again where that of another database was in its way."""
    # Imported where it is needed: only init does.
    from tenacity import AsyncRetrying, retry_if_exception_type, stop_after_attempt, wait_random

    faults = retry_if_exception_type((InternalError_, UniqueViolation, DuplicateObject))
    async for attempt in AsyncRetrying(retry=faults, stop=stop_after_attempt(_ATTEMPTS), wait=wait_random(0, _LONGEST_WAIT), reraise=True):
        with attempt:
            return await work()
    raise AssertionError("an attempt gives a result or fails")  # pragma: no cover

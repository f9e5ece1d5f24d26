"""Is the installation as it should be? Every fault has a name, the object that has it, a reason and what mends it.

Each is one query over PostgreSQL's own catalogue (``_pg/queries/doctor.sql``), all of them in one transaction that sees one
state of the database and writes nothing. So a doctor may be asked at any time, by whoever may act as the migrator.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from ._attack._report import AttackReport
from ._shapes import Shape

if TYPE_CHECKING:
    from ._pg.database import Transaction
    from .runtime import Runtime
    from .settings import Settings

__all__ = ["FAULTS", "AttackReport", "DoctorReport", "Fault", "attack", "examine"]

# By name: how bad it is, and why it matters. An error lets a tenant's data out, or the trace be changed; a warning makes
# that easier; a note is how the installation is meant to be, and worth to know.
FAULTS: Final[dict[str, tuple[str, str]]] = {
    "login_is_superuser": ("error", "A superuser passes by every right and every policy: one bad statement reaches all tenants."),
    "login_bypasses_rls": ("error", "Row-level security does not hold for it: tables that tenants share are open."),
    "login_inherits": ("error", "It has the role's rights before the transaction has said whose turn it is."),
    "login_may_do_all": ("warning", "The application's login may also change structure and load data: who takes it over may as well."),
    "role_missing": ("error", "The installation works with this role, and the server does not have it."),
    "role_can_login": ("warning", "It is meant to be switched to, with its rights in force for one transaction."),
    "role_is_powerful": ("error", "None of the installation's roles needs this, and it passes by their limits."),
    "role_in_predefined_role": ("error", "It reads or writes beyond what it was granted: other tenants' rows, or files of the server."),
    "registrar_open": ("error", "Who acts as it may make roles and give them to others, those of tenants too."),
    "tenant_without_role": ("warning", "The rights on its schema are those of the application's role, which every tenant's session has."),
    "app_inherits": ("error", "It has the rights of all tenants before the transaction has said whose turn it is."),
    "app_owns_objects": ("error", "An owner may change, drop and grant what it owns, whatever was granted to it."),
    "foreign_owner": ("error", "Its owner may read it, change it, and give rights on it to others."),
    "public_grant": ("error", "Everybody who may connect has these rights on a tenant's data."),
    "foreign_grant": ("error", "A role that is none of the installation's has these rights on a tenant's data."),
    "control_plane_open": ("error", "The registry, the ledger and the trace are for the installation's roles alone."),
    "audit_trigger_off": ("error", "Entries of the audit log could be changed or removed."),
    "audit_open": ("error", "This role could remove the trace of what it did, once the trigger is off."),
    "definer_function": ("error", "It runs with the rights of all tenants' owner, whoever calls it."),
    "view_crosses": ("error", "It reads with the rights of its owner, and shows a tenant's rows to whoever may read the view."),
    "key_crosses": ("error", "Whether a row is there can be probed from outside of its tenant, and deleting it may be blocked."),
    "inheritance_crosses": ("error", "Rows of one are read and written through the other, with the rights on that."),
    "trigger_crosses": ("error", "A tenant's code runs on the rows of another."),
    "default_crosses": ("error", "Inserting a row reads or changes what is another tenant's."),
    "type_crosses": ("warning", "Dropping the tenant that has the type takes the column along."),
    "default_privileges_open": ("error", "What is made from now on is open to others from its beginning."),
    "setting_forced": ("error", "It changes what a name means, or which rights and policies hold, for every session."),
    "public_schema_writable": ("warning", "Anybody may put functions there that others call by mistake."),
    "database_open": ("warning", "Everybody may make schemas, and names that are found before the right ones."),
    "risky_extension": ("warning", "Its functions leave the database: for other servers, for files, or for programs."),
    "foreign_server_usable": ("warning", "Sessions of the installation's roles can send data to another server."),
    "publication_holds_tenants": ("warning", "Whoever subscribes gets every tenant's rows."),
    "event_trigger": ("warning", "Its function runs within whatever the library does to structure."),
    "namespace_missing": ("error", "The registry knows a tenant whose schema is gone."),
    "database_missing": ("error", "The registry knows a tenant whose database is gone."),
    "intent_left": ("warning", "A crash has left a database half made or half dropped: whoever comes next puts it in order."),
    "template_open": (
        "warning",
        "Tenants' databases are copies of it: what somebody puts there all of them get, and while he is in it none is made.",
    ),
    "namespace_unknown": ("warning", "It looks like a tenant's schema, and the registry has no tenant for it."),
    "policy_missing": ("error", "Tenants share the schema, and nothing keeps their rows of this table apart."),
    "policy_not_in_force": ("error", "The table has the tenants' policy, and it is not asked."),
    "policy_open": ("error", "It lets every row through, whatever the other policies of the table say."),
    "server_too_old": ("warning", "CVE-2025-8713: statistics of the planner show values of rows that a policy or a view hides."),
    "connection_not_encrypted": ("warning", "Data and passwords can be read on their way."),
    "pooler_unsaid": ("error", "A pooler stands between: without TENANCY_POOLER=true prepared statements and session state go astray."),
    "tenants_share_a_role": (
        "warning",
        "One role has rights on the schemas of several tenants: a statement that names a neighbour's schema reaches it.",
    ),
}


@dataclass(frozen=True)
class Fault(Shape):
    """Something that is not as it should be. ``severity`` is ``error``, ``warning`` or ``note``; ``fix`` is SQL, or a command."""

    name: str
    severity: str
    object: str
    why: str
    fix: str


@dataclass(frozen=True)
class DoctorReport(Shape):
    """What was looked for, and what was found."""

    database: str
    checks: tuple[str, ...]
    faults: tuple[Fault, ...] = ()
    seconds: float = 0.0

    @property
    def ok(self) -> bool:
        """True where no fault is an error."""
        return not self.of("error")

    def of(self, severity: str) -> tuple[Fault, ...]:
        """The faults of one severity."""
        return tuple(fault for fault in self.faults if fault.severity == severity)

    def to_dict(self) -> dict[str, Any]:
        """The fields with ``ok`` as plain JSON-ready values."""
        return {**Shape.to_dict(self), "ok": self.ok}


async def examine(runtime: Runtime) -> DoctorReport:
    """Look the installation over: roles, rights, owners, policies, what crosses from tenant to tenant, settings, server.

    :raises PermissionDenied: the login may not act as the migrator, who reads the registry.
    """
    began = time.perf_counter()
    roles = runtime.database.roles
    values: dict[str, Any] = {"known": [name for _, name in roles.named()], "separate": roles.separate}
    values.update({purpose: getattr(roles, purpose) for purpose in ("migrator", "loader", "app", "auditor", "script", "registrar", "tenants")})
    faults: list[Fault] = []
    async with runtime.slots, runtime.database.session() as session, session.transaction(role="migrator", snapshot=True) as transaction:
        for name in FAULTS:
            rows = await _pooler(transaction, said=runtime.settings.pooler) if name == "pooler_unsaid" else await _ask(transaction, name, values)
            severity, why = FAULTS[name]
            faults += [Fault(name, severity, row["object"], why, row["fix"].strip()) for row in rows]
        database = transaction.connection.info.dbname
    return DoctorReport(database, tuple(FAULTS), tuple(faults), round(time.perf_counter() - began, 6))


async def attack(settings: Settings | None = None, *, url: str | None = None, own_login: bool = False, remove_left: bool = False) -> AttackReport:
    """Make two throw-away tenants, try to cross from one to the other through the application's login, and drop both again.

    ``url`` is the one that the application connects with, ``postgresql+asyncpg://…`` for that driver; without it the settings' own.
    With ``own_login`` each of the two gets a login of its own, and connects with that. With ``remove_left`` tenants of an attack that did not
    come to its end are dropped first: those of one that goes on at this moment as well.

    :raises ConfigurationError: the login cannot act for tenants, so that no refusal would show anything; or tenants have no roles to log in as.
    :raises DatabaseUnavailable: nobody answers there, or the connection was lost.
    """
    # What it takes is heavy, and of no use to whoever only looks an installation over.
    from ._attack._run import attack as run

    return await run(settings, url=url, own_login=own_login, remove_left=remove_left)


async def _ask(transaction: Transaction, name: str, values: dict[str, Any]) -> list[dict[str, Any]]:
    return await transaction.all(f"doctor.{name}", **values)


async def _pooler(transaction: Transaction, *, said: bool) -> list[dict[str, Any]]:
    """A pooler gives its clients process numbers of its own: the server's is another than the driver was told."""
    row = await transaction.one("doctor.backend")
    if said or row is None or row["pid"] == transaction.connection.info.backend_pid:
        return []
    return [{"object": "connection", "fix": "Set TENANCY_POOLER=true."}]

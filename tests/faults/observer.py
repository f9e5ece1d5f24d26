"""What a tenant is, seen from outside by an administrator; and where in its work a killed process was."""

from __future__ import annotations

import asyncio
import hashlib
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from psycopg import sql
from psycopg.rows import dict_row

from tenancy_fixtures._pg.catalog import digest, fingerprint
from tenancy_fixtures.utils import TenantUtils

if TYPE_CHECKING:
    from collections.abc import Mapping

    from psycopg import AsyncConnection

Facts = dict[str, Any]  # fact → value; what is not there is None, empty, or no fact at all

# Seconds for a server to notice that a client has gone: the statement on its way is finished first.
PATIENCE = 60
# Seconds after which a statement that was waited for has come and gone between two looks: the kill then falls late.
MISSED = 10

# The worker is stopped while this is asked, so it cannot go on. A work's transaction holds the tenant's lock; a
# relation that is locked exclusively and that nobody else can see is one that this transaction has made.
ACTIVITY = """
SELECT a.pid, a.backend_xid::text::bigint AS xid,
    EXISTS (SELECT FROM pg_locks l WHERE l.pid = a.pid AND l.locktype = 'relation' AND l.relation = 'tenancy.locks'::regclass AND l.granted) AS working,
    EXISTS (SELECT FROM pg_locks l WHERE l.pid = a.pid AND l.locktype = 'relation' AND l.mode = 'AccessExclusiveLock' AND l.granted
            AND NOT EXISTS (SELECT FROM pg_class c WHERE c.oid = l.relation)) AS building
FROM pg_stat_activity a
WHERE a.datname = current_database() AND a.application_name = 'tenancy-fixtures' AND a.pid <> pg_backend_pid()
"""
SENT = "SELECT FROM pg_stat_activity WHERE datname = current_database() AND application_name = 'tenancy-fixtures' AND query LIKE %(text)s"
PROGRESS = """
SELECT (SELECT count(*) FROM tenancy.tenants WHERE tenant_id = %(tenant)s)::int
     + (SELECT count(*) > 0 FROM tenancy.ledger JOIN tenancy.tenants USING (uid) WHERE tenant_id = %(tenant)s)::int AS commits
"""
FATE = """
SELECT pg_xact_status((newest - (newest - %(xid)s) %% 4294967296)::text::xid8) AS fate
FROM (SELECT pg_snapshot_xmax(pg_current_snapshot())::text::numeric AS newest) now
"""
REGISTRY = "SELECT uid, namespace, isolation, state, tier, features, limits, labels, pack, release, revision FROM tenancy.tenants WHERE tenant_id = %(tenant)s"
REVISIONS = "SELECT number, name, digest FROM tenancy.revisions WHERE uid = %(uid)s ORDER BY number"
CONFIG = "SELECT version, md5(value::text) AS value FROM tenancy.config WHERE uid = %(uid)s ORDER BY version"
LEDGER = "SELECT dataset, digest FROM tenancy.ledger WHERE uid = %(uid)s ORDER BY dataset"
TABLES = "SELECT relname FROM pg_class WHERE relnamespace = to_regnamespace(quote_ident(%(schema)s)) AND relkind = 'r' ORDER BY relname"
RIGHTS = """
SELECT nspname AS name, nspowner::regrole::text AS owner, regexp_replace(nspacl::text, 'tenancy_t_[0-9a-f]{32}', 'tenant', 'g') AS acl FROM pg_namespace WHERE nspname = %(schema)s
UNION ALL
SELECT relname, relowner::regrole::text, regexp_replace(relacl::text, 'tenancy_t_[0-9a-f]{32}', 'tenant', 'g') FROM pg_class WHERE relnamespace = to_regnamespace(quote_ident(%(schema)s))
ORDER BY 1
"""
SCHEMA = "SELECT FROM pg_namespace WHERE nspname = %(schema)s"
# What effects were written down: audit entries, and steps that did something.
TRACE = """
SELECT 'audit ' || action || coalesce(' ' || (detail ->> 'dataset'), '') AS effect, count(*) AS times
FROM tenancy.audit_log WHERE tenant_id = %(tenant)s AND action NOT LIKE 'run:%%' GROUP BY 1
UNION ALL
SELECT 'step ' || fixture || ' ' || action || ' ' || CASE WHEN fixture = 'data' THEN object ELSE '' END, count(*)
FROM tenancy.steps JOIN tenancy.runs USING (run_id) WHERE tenant_id = %(tenant)s AND action <> 'skip' GROUP BY 1
"""
ORPHANS = r"""
SELECT 'schema ' || nspname AS orphan FROM pg_namespace
WHERE nspname LIKE 't\_%' AND nspname NOT IN (SELECT namespace FROM tenancy.tenants)
UNION ALL
SELECT 'tenant without schema ' || namespace FROM tenancy.tenants WHERE namespace NOT IN (SELECT nspname FROM pg_namespace)
UNION ALL
SELECT 'temporary relation ' || relname FROM pg_class WHERE relpersistence = 't'
UNION ALL
SELECT 'rows of nobody in ' || kind FROM (
    SELECT 'revisions' AS kind, uid FROM tenancy.revisions UNION ALL SELECT 'config', uid FROM tenancy.config UNION ALL SELECT 'ledger', uid FROM tenancy.ledger
) part WHERE uid NOT IN (SELECT uid FROM tenancy.tenants)
UNION ALL
SELECT 'rights on the schema of ' || nspname FROM pg_namespace
WHERE EXISTS (SELECT FROM aclexplode(nspacl) r JOIN pg_roles o ON o.oid = r.grantee WHERE o.rolname LIKE '%\_script')
"""
# Runs that a command after their lease should have ended, and runs whose end is not in the audit log exactly once.
UNRECONCILED = """
SELECT count(*) AS count FROM tenancy.runs r
WHERE tenant_id LIKE %(tenants)s AND (
    state NOT IN ('succeeded', 'crashed')
    OR (state = 'crashed') <> (1 = (SELECT count(*) FROM tenancy.audit_log a WHERE a.run_id = r.run_id AND action = 'run:crashed')))
"""
LEASE_LEFT = """
SELECT greatest(extract(epoch FROM max(lease_until) - clock_timestamp()), 0)::float AS seconds FROM tenancy.runs WHERE state = 'running'
"""
STATES = "SELECT state, count(*) AS count FROM tenancy.runs WHERE tenant_id LIKE %(tenants)s GROUP BY state ORDER BY state"
ERASE = "DELETE FROM tenancy.{} WHERE uid = %(uid)s"


@dataclass(frozen=True)
class Snapshot:
    """What the server said of the worker's connections at the moment of the kill, the worker being stopped.

    ``commits`` counts the transactions of the work that others could see: none, the tenant's, the load's as well.
    """

    working: bool
    building: bool
    commits: int
    xid: int | None


class Observer:
    """Looks at a database from outside."""

    def __init__(self, connection: AsyncConnection[Any]) -> None:
        self._connection = connection

    async def all(self, statement: str | sql.Composable, **values: Any) -> list[dict[str, Any]]:
        return await (await self._connection.cursor(row_factory=dict_row).execute(statement, values or None)).fetchall()

    async def snapshot(self, tenant: str) -> Snapshot:
        """Where the worker is. Its progress is asked first: a commit between the two questions is told by :meth:`fate`."""
        commits = await self.progress(tenant)
        rows = await self.all(ACTIVITY)
        at_work = [row for row in rows if row["working"]]
        return Snapshot(bool(at_work), any(row["building"] for row in at_work), commits, at_work[0]["xid"] if at_work else None)

    async def progress(self, tenant: str) -> int:
        return int((await self.all(PROGRESS, tenant=tenant))[0]["commits"])

    async def fate(self, xid: int) -> str:
        """``committed`` or ``aborted``: the server's own word on a transaction."""
        return str((await self.all(FATE, xid=xid))[0]["fate"])

    async def until_seen(self, text: str) -> float:
        """Wait until a worker's last statement is like that, or until it must have been missed; when that was."""
        deadline = time.monotonic() + MISSED
        while time.monotonic() < deadline and not await self.all(SENT, text=text):
            pass
        return time.perf_counter()

    async def until_alone(self) -> None:
        """Wait until the server has ended the killed process' connections."""
        deadline = time.monotonic() + PATIENCE
        while await self.all(ACTIVITY):
            assert time.monotonic() < deadline, "the server keeps a connection whose client is dead"
            await asyncio.sleep(0.01)

    async def look(self, tenant: str) -> Facts:
        """Everything that makes a tenant, in a form that is the same for every tenant in the same state."""
        found = await self.all(REGISTRY, tenant=tenant)
        row = found[0] if found else {}
        uid = row.pop("uid", None)
        namespace = row.pop("namespace", TenantUtils.namespace(tenant))
        facts: Facts = {"registry": row or None}
        for name, statement in (("revisions", REVISIONS), ("config", CONFIG), ("ledger", LEDGER)):
            facts[name] = [tuple(item.values()) for item in await self.all(statement, uid=uid)]
        facts.update(await self._schema(namespace))
        facts["trace"] = {item["effect"]: item["times"] for item in await self.all(TRACE, tenant=tenant)}
        facts["orphans"] = [item["orphan"] for item in await self.all(ORPHANS)]
        return facts

    async def _schema(self, namespace: str) -> Facts:
        if not await self.all(SCHEMA, schema=namespace):
            return {"structure": None, "rights": None, "rows": {}}
        rights = [(row["name"].replace(namespace, "", 1), row["owner"], row["acl"]) for row in await self.all(RIGHTS, schema=namespace)]
        structure = digest(await fingerprint(self._connection, namespace))
        return {"structure": structure, "rights": hashlib.sha256(repr(rights).encode()).hexdigest(), "rows": await self._rows(namespace)}

    async def _rows(self, namespace: str) -> dict[str, int]:
        names = [row["relname"] for row in await self.all(TABLES, schema=namespace)]
        if not names:
            return {}
        part = "(SELECT count(*) FROM {}) AS {}"
        counts = sql.SQL(", ").join(sql.SQL(part).format(sql.Identifier(namespace, name), sql.Identifier(name)) for name in names)
        return (await self.all(sql.SQL("SELECT {}").format(counts)))[0]

    async def erase(self, tenant: str) -> None:
        """Take away whatever is left of a tenant, by force: half of one is nothing that the library has a command for."""
        rows = await self.all(REGISTRY, tenant=tenant)
        schema = rows[0]["namespace"] if rows else TenantUtils.namespace(tenant)
        await self._connection.execute(sql.SQL("DROP SCHEMA IF EXISTS {} CASCADE").format(sql.Identifier(schema)))
        for table in ("ledger", "config", "revisions", "tenants") if rows else ():
            await self._connection.execute(sql.SQL(ERASE).format(sql.Identifier(table)), {"uid": rows[0]["uid"]})

    async def lease_left(self) -> float:
        """Seconds until every run that has not ended is past its lease."""
        return float((await self.all(LEASE_LEFT))[0]["seconds"] or 0)

    async def unreconciled(self, tenants: str) -> int:
        return int((await self.all(UNRECONCILED, tenants=tenants))[0]["count"])

    async def run_states(self, tenants: str) -> dict[str, int]:
        return {row["state"]: row["count"] for row in await self.all(STATES, tenants=tenants)}


def differences(facts: Facts, expected: Facts, ignored: frozenset[str] = frozenset()) -> list[str]:
    """Which facts differ, by name; numbers where they say more."""
    lines = []
    for name in sorted({*facts, *expected} - ignored):
        mine, theirs = facts.get(name), expected.get(name)
        if mine == theirs:
            continue
        if isinstance(mine, dict) and isinstance(theirs, dict) and name in ("rows", "trace"):
            keys = [key for key in sorted({*mine, *theirs}) if mine.get(key) != theirs.get(key)]
            lines += [f"{name}: {key}: {mine.get(key)} and not {theirs.get(key)}" for key in keys]
        else:
            lines.append(f"{name}: {'is there' if mine else 'is missing'}{', and differs' if mine and theirs else ''}")
    return lines


def shortage(have: Mapping[str, int], expected: Mapping[str, int]) -> int:
    """How many are missing."""
    return sum(max(0, number - have.get(name, 0)) for name, number in expected.items())

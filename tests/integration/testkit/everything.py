"""A pack whose tables have what makes a tenant hard to put back, and what a tenant is, as an administrator sees it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import psycopg
from psycopg import sql

SCHEMA = """
CREATE TYPE mood AS ENUM ('calm', 'loud');
CREATE DOMAIN share AS numeric(5,2) CHECK (VALUE BETWEEN 0 AND 100);
CREATE TYPE pair AS (mood mood, share share);

CREATE TABLE people (
    person_id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    name      text NOT NULL UNIQUE,
    mood      mood NOT NULL DEFAULT 'calm',
    moods     mood[] NOT NULL DEFAULT '{}',
    pair      pair,
    loud_name text GENERATED ALWAYS AS (upper(name)) STORED,
    boss      bigint REFERENCES people
);
CREATE TABLE teams (team_id integer PRIMARY KEY, lead bigint NOT NULL REFERENCES people);
ALTER TABLE people ADD COLUMN team integer REFERENCES teams;
CREATE TABLE seats (seat integer UNIQUE DEFERRABLE, person bigint REFERENCES people ON DELETE CASCADE);
CREATE TABLE notes (note text, written integer);
CREATE TABLE "Odd ""name" ("a b" integer PRIMARY KEY, CHECK ("a b" > 0));
CREATE TABLE events (at integer NOT NULL, what text, PRIMARY KEY (at)) PARTITION BY RANGE (at);
CREATE TABLE events_early PARTITION OF events FOR VALUES FROM (0) TO (100);
CREATE TABLE events_late PARTITION OF events FOR VALUES FROM (100) TO (200);
CREATE TABLE parents (id integer PRIMARY KEY);
CREATE TABLE children (extra text) INHERITS (parents);
CREATE TABLE empty (id integer PRIMARY KEY, value jsonb);
CREATE TABLE things (thing_id integer PRIMARY KEY, label text NOT NULL);
CREATE SEQUENCE tickets START 7 INCREMENT 5;
CREATE FUNCTION noted() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN EXECUTE format('INSERT INTO %I.notes VALUES (''changed'', 0)', TG_TABLE_SCHEMA); RETURN NULL; END $$;
CREATE TRIGGER noted AFTER INSERT OR UPDATE OR DELETE ON people FOR EACH STATEMENT EXECUTE FUNCTION noted();

INSERT INTO people (name, mood, moods, pair) VALUES ('ann', 'loud', '{calm,loud}', '(loud,12.5)'), ('bob', 'calm', '{}', NULL);
UPDATE people SET boss = 1 WHERE name = 'bob';
INSERT INTO teams VALUES (1, 1), (2, 2);
UPDATE people SET team = 2 WHERE name = 'ann';
INSERT INTO seats VALUES (1, 1), (2, 2), (NULL, NULL), (NULL, NULL);
INSERT INTO notes SELECT 'same', 1 FROM generate_series(1, 5);
INSERT INTO "Odd ""name" VALUES (1), (2);
INSERT INTO events SELECT g * 20, 'e' || g FROM generate_series(0, 9) AS g;
INSERT INTO parents VALUES (1);
INSERT INTO children VALUES (11, 'x'), (12, 'y');
SELECT nextval('tickets');
CREATE MATERIALIZED VIEW crowd AS SELECT count(*) AS people, 1 AS one FROM people;
CREATE UNIQUE INDEX crowd_key ON crowd (one);
"""
DATASET = {
    "name": "things",
    "source": {"path": "data/things.csv"},
    "targets": [{"table": "things", "key": ["thing_id"], "columns": {"thing_id": {"from": ["thing_id"]}, "label": {"from": ["label"]}}}],
}


def write_pack(folder: Path, schema: str = SCHEMA, **template: Any) -> Path:
    """The pack's folder."""
    (folder / "migrations").mkdir(parents=True)
    (folder / "data").mkdir()
    (folder / "pack.json").write_text(json.dumps({"name": "everything", "version": "1.0.0", "description": "Everything.", "datasets": [DATASET]}))
    tenants = {"default_tier": "basic", "tiers": {"basic": {"features": [], "limits": {}}, "team": {"features": ["x"], "limits": {}}}, **template}
    (folder / "tenant_template.json").write_text(json.dumps(tenants))
    (folder / "config_template.json").write_text(json.dumps({"defaults": {"depth": 1}}))
    (folder / "schema_template.sql").write_text(schema)
    (folder / "migrations" / "0001_initial.sql").write_text(schema)
    (folder / "data" / "things.csv").write_text("thing_id,label\n1,one\n2,two\n3,three\n")
    return folder


_ROWS = "SELECT array_agg(t.*::text ORDER BY t.*::text) FROM ONLY {} AS t"
_NUMBER = "SELECT last_value, is_called FROM {}"
# All that pg_dump would print, without numbers that differ from tenant to tenant.
_STRUCTURE = """
WITH r AS (SELECT c.* FROM pg_class AS c JOIN pg_namespace AS n ON n.oid = c.relnamespace WHERE n.nspname = %(home)s)
SELECT concat_ws(' ', 'relation', r.relname, r.relkind, r.relacl, r.reloptions, r.relrowsecurity, r.relowner::regrole, r.relispopulated, obj_description(r.oid, 'pg_class')) FROM r
UNION ALL SELECT concat_ws(' ', 'column', r.relname, a.attname, format_type(a.atttypid, a.atttypmod), a.attnotnull, a.attacl, a.attisdropped,
    pg_get_expr(d.adbin, d.adrelid), col_description(r.oid, a.attnum)) FROM r JOIN pg_attribute AS a ON a.attrelid = r.oid
    LEFT JOIN pg_attrdef AS d ON (d.adrelid, d.adnum) = (a.attrelid, a.attnum)
UNION ALL SELECT concat_ws(' ', 'constraint', k.conname, pg_get_constraintdef(k.oid)) FROM pg_constraint AS k WHERE k.conrelid IN (SELECT oid FROM r)
UNION ALL SELECT concat_ws(' ', 'index', pg_get_indexdef(r.oid)) FROM r WHERE r.relkind = 'i'
UNION ALL SELECT concat_ws(' ', 'trigger', pg_get_triggerdef(t.oid), t.tgenabled) FROM pg_trigger AS t WHERE t.tgrelid IN (SELECT oid FROM r) AND NOT t.tgisinternal
UNION ALL SELECT concat_ws(' ', 'policy', p.polname) FROM pg_policy AS p WHERE p.polrelid IN (SELECT oid FROM r)
UNION ALL SELECT concat_ws(' ', 'rule', w.rulename) FROM pg_rewrite AS w WHERE w.ev_class IN (SELECT oid FROM r)
UNION ALL SELECT concat_ws(' ', 'function', pg_get_functiondef(p.oid), p.proacl) FROM pg_proc AS p JOIN pg_namespace AS n ON n.oid = p.pronamespace WHERE n.nspname = %(home)s
UNION ALL SELECT concat_ws(' ', 'type', t.typname, t.typtype, t.typacl, e.enumlabel) FROM pg_type AS t JOIN pg_namespace AS n ON n.oid = t.typnamespace
    LEFT JOIN pg_enum AS e ON e.enumtypid = t.oid WHERE n.nspname = %(home)s
UNION ALL SELECT concat_ws(' ', 'schema', n.nspacl, n.nspowner::regrole, obj_description(n.oid, 'pg_namespace')) FROM pg_namespace AS n WHERE n.nspname = %(home)s
UNION ALL SELECT concat_ws(' ', 'role', a.rolcanlogin, a.rolpassword, a.rolconfig, a.rolsuper) FROM pg_roles AS a WHERE a.rolname = %(role)s
UNION ALL SELECT concat_ws(' ', 'member', m.roleid::regrole, m.member::regrole) FROM pg_auth_members AS m JOIN pg_roles AS a ON a.oid IN (m.roleid, m.member) WHERE a.rolname = %(role)s
UNION ALL SELECT concat_ws(' ', 'sequence', r.relname, s.seqstart, s.seqincrement, s.seqmax) FROM r JOIN pg_sequence AS s ON s.seqrelid = r.oid
ORDER BY 1
"""
_CONTROL = """
SELECT concat_ws(' ', 'tenant', t.state, t.tier, t.features, t.limits, t.labels, t.release, t.revision) FROM tenancy.tenants AS t WHERE t.uid = %(uid)s
UNION ALL SELECT concat_ws(' ', 'config', c.version, c.value) FROM tenancy.config AS c WHERE c.uid = %(uid)s
UNION ALL SELECT concat_ws(' ', 'ledger', c.dataset, c.digest) FROM tenancy.ledger AS c WHERE c.uid = %(uid)s
UNION ALL SELECT concat_ws(' ', 'revision', c.number, c.digest) FROM tenancy.revisions AS c WHERE c.uid = %(uid)s
UNION ALL SELECT concat_ws(' ', 'digests', c.target, c.rows, c.checksum) FROM tenancy.row_digests AS c WHERE c.uid = %(uid)s
UNION ALL SELECT concat_ws(' ', 'run', c.operation, c.state) FROM tenancy.runs AS c WHERE c.uid = %(uid)s
UNION ALL SELECT concat_ws(' ', 'audit', c.action) FROM tenancy.audit_log AS c WHERE c.uid = %(uid)s
UNION ALL SELECT 'of all ' || count(*) FROM tenancy.tenants
ORDER BY 1
"""


def picture(url: str, tenant: Any) -> dict[str, Any]:
    """All that a test could see of a tenant: rows, numbers, structure, rights, what the control plane says; under names that any tenant has."""
    with psycopg.connect(url) as connection:
        cursor = connection.cursor()
        cursor.execute("SET search_path = pg_catalog")
        facts = {"home": tenant.namespace, "role": tenant.role, "uid": tenant.uid}
        seen: dict[str, Any] = {"structure": [row[0] for row in cursor.execute(_STRUCTURE, facts)]}
        seen["control"] = [row[0] for row in cursor.execute(_CONTROL, facts)]
        names = cursor.execute(
            "SELECT relname, relkind FROM pg_class WHERE relnamespace = %s::regnamespace AND relkind IN ('r', 'm', 'S')", [tenant.namespace]
        )
        for name, kind in names.fetchall():
            query = _NUMBER if kind == "S" else _ROWS
            # As PostgreSQL prints what was read from a table of any tenant.
            seen[name] = cursor.execute(
                sql.SQL(query if kind != "m" else query.replace("ONLY ", "")).format(sql.Identifier(tenant.namespace, name))
            ).fetchone()
    text = json.dumps(seen, default=str)
    for name, said in (
        (tenant.namespace, "HOME"),
        (str(tenant.role), "ROLE"),
        (str(tenant.uid), "UID"),
        (f"Tenant {tenant.tenant_id} ", "Tenant NAME "),
    ):
        text = text.replace(name, said)
    found: dict[str, Any] = json.loads(text)
    return found


def differences(found: dict[str, Any], wanted: dict[str, Any]) -> list[str]:
    """What one picture has and the other has not, line by line."""
    lines = [{f"{name}: {line}" for name, part in seen.items() for line in _lines(part)} for seen in (found, wanted)]
    return [f"+ {line}" for line in sorted(lines[0] - lines[1])] + [f"- {line}" for line in sorted(lines[1] - lines[0])]


def _lines(part: Any) -> list[str]:
    """Each line with the number of times that it is there."""
    rows = part[0] if len(part) == 1 and isinstance(part[0], list) else part
    return [f"{row} ({rows.count(row)})" for row in rows or [None]]

-- name: find
SELECT uid, tenant_id, namespace::text AS namespace, role::text AS role, owner::text AS owner, isolation, state, tier, features, limits, labels, pack, release, revision, created_at, updated_at
FROM tenancy.tenants
WHERE tenant_id = %(tenant_id)s

-- name: elsewhere
-- Only where the tenant has a database of its own, and this is not it.
SELECT namespace::text AS namespace FROM tenancy.tenants
WHERE tenant_id = %(tenant_id)s AND isolation = 'database' AND namespace <> pg_catalog.current_database()

-- name: project
UPDATE tenancy.tenants AS t
SET role = %(role)s, state = %(state)s, tier = %(tier)s, features = %(features)s, limits = %(limits)s, labels = %(labels)s, release = %(release)s,
    revision = %(revision)s, updated_at = %(updated_at)s
WHERE t.uid = %(uid)s AND t.updated_at IS DISTINCT FROM %(updated_at)s

-- name: enter
-- The row that the main registry has of a tenant, in the registry of the tenant's own database.
INSERT INTO tenancy.tenants (uid, tenant_id, namespace, isolation, state, tier, features, limits, labels, pack, release, created_at, updated_at)
VALUES (%(uid)s, %(tenant_id)s, %(namespace)s, %(isolation)s, %(state)s, %(tier)s, %(features)s, %(limits)s, %(labels)s, %(pack)s, %(release)s,
    %(created_at)s, %(updated_at)s)
ON CONFLICT (tenant_id) DO NOTHING

-- name: list
SELECT uid, tenant_id, namespace::text AS namespace, role::text AS role, owner::text AS owner, isolation, state, tier, features, limits, labels, pack, release, revision, created_at, updated_at
FROM tenancy.tenants
ORDER BY tenant_id COLLATE "C"

-- name: add
INSERT INTO tenancy.tenants (uid, tenant_id, namespace, isolation, tier, features, limits, labels, pack, release, revision)
VALUES (%(uid)s, %(tenant_id)s, %(namespace)s, %(isolation)s, %(tier)s, %(features)s, %(limits)s, %(labels)s, %(pack)s, %(release)s, %(revision)s)

-- name: make_role
SELECT tenancy.make_tenant_role(%(uid)s)::text AS role

-- name: join_tenants
SELECT tenancy.join_tenants(%(uid)s)

-- name: drop_role
SELECT tenancy.drop_tenant_role(%(uid)s) AS dropped

-- name: set_role
UPDATE tenancy.tenants SET role = %(role)s, updated_at = now() WHERE uid = %(uid)s

-- name: may_enter
-- For itself: a schema that everybody may use, as PostgreSQL makes public, was not opened by that.
SELECT pg_catalog.pg_has_role(%(role)s::pg_catalog.name, n.nspowner, 'USAGE') OR EXISTS (
    SELECT FROM pg_catalog.aclexplode(n.nspacl) AS g
    WHERE g.grantee <> 0 AND g.privilege_type = 'USAGE' AND pg_catalog.pg_has_role(%(role)s::pg_catalog.name, g.grantee, 'USAGE')) AS may
FROM pg_catalog.pg_namespace AS n WHERE n.nspname = %(namespace)s

-- name: role_exists
SELECT EXISTS (SELECT FROM pg_catalog.pg_roles WHERE rolname = %(role)s) AS found

-- name: set_login
SELECT tenancy.set_tenant_login(%(uid)s, %(namespace)s, %(verifier)s)

-- name: may_connect
SELECT pg_catalog.has_database_privilege(%(role)s::name, pg_catalog.current_database(), 'CONNECT') AS may

-- name: roles_that_share
-- Of tenants that share a schema, those that have a role, for a login, on this server.
SELECT t.role::text AS role FROM tenancy.tenants AS t JOIN pg_catalog.pg_roles AS r ON r.rolname = t.role
WHERE t.namespace = %(namespace)s AND t.isolation = 'row' ORDER BY 1

-- name: take_rights
-- Of the application, where the tenant has a role of its own now; of that role, where the tenant goes and the schema stays.
REVOKE ALL ON ALL TABLES IN SCHEMA {schema} FROM {role};
REVOKE ALL ON ALL SEQUENCES IN SCHEMA {schema} FROM {role};
REVOKE ALL ON SCHEMA {schema} FROM {role}

-- name: change
UPDATE tenancy.tenants
SET tier = %(tier)s, features = %(features)s, limits = %(limits)s, labels = %(labels)s, updated_at = now()
WHERE uid = %(uid)s

-- name: set_release
UPDATE tenancy.tenants SET revision = %(revision)s, release = %(release)s, updated_at = now() WHERE uid = %(uid)s

-- name: remove
DELETE FROM tenancy.tenants WHERE uid = %(uid)s

-- name: namespace_taken
-- By a tenant, or by a schema that is none of ours.
SELECT EXISTS (SELECT FROM pg_catalog.pg_namespace WHERE nspname = %(namespace)s)
    OR EXISTS (SELECT FROM tenancy.tenants WHERE namespace = %(namespace)s)
    OR EXISTS (SELECT FROM tenancy.shared_schemas WHERE namespace = %(namespace)s) AS taken

-- name: add_revision
INSERT INTO tenancy.revisions (uid, number, name, digest, run_id) VALUES (%(uid)s, %(number)s, %(name)s, %(digest)s, %(run_id)s)

-- name: revisions
SELECT number, name, digest FROM tenancy.revisions WHERE uid = %(uid)s ORDER BY number

-- name: remove_revisions
DELETE FROM tenancy.revisions WHERE uid = %(uid)s

-- name: current_config
SELECT version, value FROM tenancy.config WHERE uid = %(uid)s ORDER BY version DESC LIMIT 1

-- name: add_config
INSERT INTO tenancy.config (uid, version, value, run_id) VALUES (%(uid)s, %(version)s, %(value)s, %(run_id)s)

-- name: remove_config
DELETE FROM tenancy.config WHERE uid = %(uid)s

-- name: ledger_entry
SELECT digest, report FROM tenancy.ledger WHERE uid = %(uid)s AND dataset = %(dataset)s

-- name: ledger
SELECT dataset, digest, report, loaded_at FROM tenancy.ledger WHERE uid = %(uid)s ORDER BY dataset

-- name: write_ledger
INSERT INTO tenancy.ledger (uid, dataset, digest, report, run_id) VALUES (%(uid)s, %(dataset)s, %(digest)s, %(report)s, %(run_id)s)
ON CONFLICT (uid, dataset) DO UPDATE
SET digest = excluded.digest, report = excluded.report, run_id = excluded.run_id, loaded_at = now()

-- name: forget_dataset
WITH forgotten AS (DELETE FROM tenancy.loaded_keys WHERE uid = %(uid)s AND dataset = %(dataset)s)
DELETE FROM tenancy.ledger WHERE uid = %(uid)s AND dataset = %(dataset)s

-- name: remove_ledger
WITH forgotten AS (DELETE FROM tenancy.loaded_keys WHERE uid = %(uid)s), unrecorded AS (DELETE FROM tenancy.checksums WHERE uid = %(uid)s)
DELETE FROM tenancy.ledger WHERE uid = %(uid)s

-- name: create_namespace
CREATE SCHEMA {schema}

-- name: dependents
-- What stands elsewhere on objects of a schema, and CASCADE would take along with them: a view is told in place of its rule.
WITH RECURSIVE home AS (
    SELECT n.oid FROM pg_catalog.pg_namespace AS n WHERE n.nspname = %(namespace)s
), own (classid, objid) AS (
    SELECT d.classid, d.objid
    FROM pg_catalog.pg_depend AS d
    WHERE d.refclassid = 'pg_catalog.pg_namespace'::pg_catalog.regclass AND d.refobjid = (SELECT oid FROM home)
    UNION
    -- Parts of an object. Tables are none: a partition, a child may be somewhere else.
    SELECT d.classid, d.objid
    FROM own
    JOIN pg_catalog.pg_depend AS d ON d.refclassid = own.classid AND d.refobjid = own.objid
    LEFT JOIN pg_catalog.pg_class AS c ON d.classid = 'pg_catalog.pg_class'::pg_catalog.regclass AND c.oid = d.objid
    WHERE d.deptype IN ('a', 'i', 'P', 'S') AND coalesce(c.relkind NOT IN ('r', 'p', 'f'), true)
), dependent AS (
    SELECT DISTINCT d.classid, d.objid, d.objsubid
    FROM own
    JOIN pg_catalog.pg_depend AS d ON d.refclassid = own.classid AND d.refobjid = own.objid
    WHERE d.deptype <> 'e' AND NOT EXISTS (SELECT FROM own AS o WHERE o.classid = d.classid AND o.objid = d.objid)
)
SELECT DISTINCT CASE
    WHEN w.oid IS NULL THEN pg_catalog.pg_describe_object(d.classid, d.objid, d.objsubid)
    ELSE pg_catalog.pg_describe_object('pg_catalog.pg_class'::pg_catalog.regclass, w.ev_class, 0) END AS object
FROM dependent AS d
LEFT JOIN pg_catalog.pg_rewrite AS w ON d.classid = 'pg_catalog.pg_rewrite'::pg_catalog.regclass AND w.oid = d.objid AND w.rulename = '_RETURN'
LEFT JOIN pg_catalog.pg_class AS c ON d.classid = 'pg_catalog.pg_class'::pg_catalog.regclass AND c.oid = d.objid
-- Where the whole of a table hangs on the schema, its columns need no word; tables for large values are parts of others.
WHERE c.relkind IS DISTINCT FROM 't'
  AND (d.objsubid = 0 OR NOT EXISTS (SELECT FROM dependent AS w WHERE w.classid = d.classid AND w.objid = d.objid AND w.objsubid = 0))
  -- A cast or a transform between the schema's own and what is built in is nobody else's.
  AND (d.classid NOT IN ('pg_catalog.pg_cast'::pg_catalog.regclass, 'pg_catalog.pg_transform'::pg_catalog.regclass) OR EXISTS (
      SELECT FROM pg_catalog.pg_depend AS s
      WHERE s.classid = d.classid AND s.objid = d.objid AND s.refclassid = 'pg_catalog.pg_type'::pg_catalog.regclass
        AND NOT EXISTS (SELECT FROM own AS o WHERE o.classid = s.refclassid AND o.objid = s.refobjid)))
ORDER BY object

-- name: drop_namespace
DROP SCHEMA {schema} CASCADE

-- name: describe_namespace
COMMENT ON SCHEMA {schema} IS {comment}

-- name: grant_schema
GRANT USAGE ON SCHEMA {schema} TO {loader}, {user}

-- name: grant_objects
-- After every script: what it made is not yet granted.
GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA {schema} TO {loader}, {user};
GRANT USAGE, SELECT, UPDATE ON ALL SEQUENCES IN SCHEMA {schema} TO {loader};
GRANT USAGE, SELECT ON ALL SEQUENCES IN SCHEMA {schema} TO {user}

-- name: namespace_exists
SELECT EXISTS (SELECT FROM pg_catalog.pg_namespace WHERE nspname = %(namespace)s) AS found

-- name: missing_extensions
SELECT wanted.name
FROM pg_catalog.unnest(%(names)s::text[]) AS wanted (name)
WHERE NOT EXISTS (SELECT FROM pg_catalog.pg_extension WHERE extname = wanted.name)
ORDER BY wanted.name

-- name: relation_sizes
-- Estimated rows of a tenant's tables. What the server counts itself comes first: reltuples keeps what the ANALYZE of a load
-- found even where that load was taken back.
SELECT c.relname::text AS name,
    CASE
        WHEN c.relkind = 'r' AND coalesce(pg_catalog.pg_stat_get_last_analyze_time(c.oid), pg_catalog.pg_stat_get_last_autoanalyze_time(c.oid)) IS NOT NULL
        THEN pg_catalog.pg_stat_get_live_tuples(c.oid)
        ELSE greatest(c.reltuples, 0)::bigint
    END AS rows,
    pg_catalog.pg_total_relation_size(c.oid) AS bytes
FROM pg_catalog.pg_class AS c
JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace
WHERE n.nspname = %(namespace)s AND c.relkind IN ('r', 'p')
ORDER BY c.relname

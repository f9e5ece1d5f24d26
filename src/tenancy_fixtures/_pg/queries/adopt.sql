-- What was there before us: schemas, whose they are, and what they say of themselves.

-- name: parts
-- Of each schema: how many tables it has, and who owns something in it.
part (namespace, owner, is_table) AS (
    SELECT c.relnamespace, c.relowner, c.relkind IN ('r', 'p') FROM pg_catalog.pg_class AS c
    WHERE c.relkind IN ('r', 'p', 'v', 'm', 'S', 'f')
      AND NOT EXISTS (SELECT FROM pg_catalog.pg_depend AS d
                      WHERE d.classid = 'pg_catalog.pg_class'::pg_catalog.regclass AND d.objid = c.oid AND d.deptype = 'e')
    UNION ALL
    -- A range type's constructors belong to whoever made the server; an extension's functions to whoever made that.
    SELECT p.pronamespace, p.proowner, false FROM pg_catalog.pg_proc AS p
    WHERE NOT EXISTS (SELECT FROM pg_catalog.pg_depend AS d
                      WHERE d.classid = 'pg_catalog.pg_proc'::pg_catalog.regclass AND d.objid = p.oid AND d.deptype IN ('i', 'e'))
    UNION ALL
    SELECT t.typnamespace, t.typowner, false FROM pg_catalog.pg_type AS t
    WHERE t.typtype IN ('d', 'e', 'r')
      AND NOT EXISTS (SELECT FROM pg_catalog.pg_depend AS d
                      WHERE d.classid = 'pg_catalog.pg_type'::pg_catalog.regclass AND d.objid = t.oid AND d.deptype = 'e')
), found AS (
    SELECT p.namespace, pg_catalog.count(*) FILTER (WHERE p.is_table) AS tables, pg_catalog.array_agg(DISTINCT p.owner) AS owners
    FROM part AS p GROUP BY p.namespace
)

-- name: schemas
-- Every schema that is not the server's or ours: its owner, whether this login may act as that, the roles of others that own parts of it,
-- how many tables it has, and the tenant that has it already.
WITH {parts}
SELECT n.oid::bigint AS oid, n.nspname::text AS name, pg_catalog.pg_get_userbyid(n.nspowner)::text AS owner, session_user::text AS login,
    pg_catalog.pg_has_role(session_user, n.nspowner,
        CASE WHEN pg_catalog.current_setting('server_version_num')::integer >= 160000 THEN 'SET' ELSE 'MEMBER' END) AS reachable,
    coalesce(f.tables, 0) AS tables,
    array(SELECT pg_catalog.pg_get_userbyid(o.owner)::text FROM pg_catalog.unnest(f.owners) AS o (owner) WHERE o.owner <> n.nspowner ORDER BY 1) AS strangers,
    coalesce(t.tenant_id, CASE WHEN s.uid IS NOT NULL THEN 'tenants that share it' END) AS taken,
    t.uid IS NOT NULL AND t.uid = a.uid AS adopted
FROM pg_catalog.pg_namespace AS n
LEFT JOIN found AS f ON f.namespace = n.oid
LEFT JOIN tenancy.tenants AS t ON t.namespace = n.nspname AND t.isolation <> 'row'
LEFT JOIN tenancy.shared_schemas AS s ON s.namespace = n.nspname
LEFT JOIN tenancy.adoptions AS a ON a.namespace = n.nspname
WHERE n.nspname !~ '^pg_' AND n.nspname NOT IN ('information_schema', 'tenancy')
ORDER BY n.nspname COLLATE "C"

-- name: schema
-- One schema of a database that is to be one tenant's. The schema `public` is the server's own or its database's, whoever has made the
-- tables in it: one who owns all that is in a schema owns what the tenant has. He is to go on with it, and to make schemas for trial.
WITH {parts}
SELECT n.oid::bigint AS oid, n.nspname::text AS name, o.owner::text AS owner, session_user::text AS login,
    pg_catalog.pg_has_role(session_user, o.owner,
        CASE WHEN pg_catalog.current_setting('server_version_num')::integer >= 160000 THEN 'SET' ELSE 'MEMBER' END) AS reachable,
    coalesce(f.tables, 0) AS tables,
    array(SELECT pg_catalog.pg_get_userbyid(w.owner)::text FROM pg_catalog.unnest(f.owners) AS w (owner)
          WHERE pg_catalog.pg_get_userbyid(w.owner) <> o.owner ORDER BY 1) AS strangers,
    NULL AS taken, false AS adopted,
    pg_catalog.has_database_privilege(o.owner, pg_catalog.current_database(), 'CREATE') AS may_make_schemas,
    pg_catalog.has_schema_privilege(o.owner, n.oid, 'CREATE') AS may_make_tables
FROM pg_catalog.pg_namespace AS n
JOIN pg_catalog.pg_database AS d ON d.datname = pg_catalog.current_database()
LEFT JOIN found AS f ON f.namespace = n.oid
CROSS JOIN LATERAL (
    SELECT pg_catalog.pg_get_userbyid(CASE
        WHEN pg_catalog.cardinality(f.owners) = 1 THEN f.owners[1]
        WHEN pg_catalog.pg_get_userbyid(n.nspowner) = 'pg_database_owner' THEN d.datdba
        ELSE n.nspowner END) AS owner
) AS o
WHERE n.nspname = %(schema)s

-- name: let_make_schemas
GRANT CREATE ON DATABASE {database} TO {owner}

-- name: let_make_tables
GRANT USAGE, CREATE ON SCHEMA {schema} TO {owner}

-- name: databases
-- All of the server's but this one and templates: whether this login may connect, and the tenant that has it already.
SELECT d.datname::text AS name, d.datallowconn AND pg_catalog.has_database_privilege(session_user, d.oid, 'CONNECT') AS open, t.tenant_id AS taken,
    coalesce(t.uid = a.uid, false) AS adopted
FROM pg_catalog.pg_database AS d
LEFT JOIN tenancy.tenants AS t ON t.namespace = d.datname AND t.isolation = 'database'
LEFT JOIN tenancy.adoptions AS a ON a.namespace = d.datname
WHERE NOT d.datistemplate AND d.datname <> pg_catalog.current_database()
ORDER BY d.datname COLLATE "C"

-- name: tenants_inside
-- Who is registered in a tenant's own database, and for which installation.
SELECT t.uid, t.tenant_id, t.namespace::text AS namespace, a.reason FROM tenancy.tenants AS t LEFT JOIN tenancy.adoptions AS a ON a.uid = t.uid

-- name: same_schema
-- Whether a schema is still the one that was looked at.
SELECT EXISTS (SELECT FROM pg_catalog.pg_namespace AS n
               WHERE n.oid = %(oid)s::oid AND n.nspname = %(namespace)s AND pg_catalog.pg_get_userbyid(n.nspowner) = %(owner)s) AS same

-- name: ids
SELECT tenant_id FROM tenancy.tenants

-- name: known
SELECT namespace::text AS schema, tenant_id, verdict, revision, owner::text AS owner, reason, difference
FROM tenancy.adoptions WHERE namespace = ANY (%(names)s::name[])

-- name: own
UPDATE tenancy.tenants SET owner = %(owner)s WHERE uid = %(uid)s

-- name: add_revisions
INSERT INTO tenancy.revisions (uid, number, name, digest, run_id)
SELECT %(uid)s, r.number, r.name, r.digest, %(run_id)s
FROM ROWS FROM (pg_catalog.unnest(%(numbers)s::integer[]), pg_catalog.unnest(%(names)s::text[]), pg_catalog.unnest(%(digests)s::text[]))
    AS r (number, name, digest)

-- name: write
-- What is a tenant's already stays as it was written when that was adopted. A host's registry may hold what is too long for a schema's name.
INSERT INTO tenancy.adoptions AS a (namespace, tenant_id, verdict, revision, owner, reason, difference, uid)
SELECT r.schema::name, r.tenant_id, r.verdict, r.revision, r.owner, r.reason, r.difference, r.uid
FROM pg_catalog.jsonb_to_recordset(%(rows)s)
    AS r (schema text, tenant_id text, verdict text, revision integer, owner name, reason text, difference jsonb, uid uuid)
WHERE pg_catalog.octet_length(r.schema) <= 63
ON CONFLICT (namespace) DO UPDATE
SET tenant_id = excluded.tenant_id, verdict = excluded.verdict, revision = excluded.revision, owner = excluded.owner, reason = excluded.reason,
    difference = excluded.difference, uid = excluded.uid, rights = '[]', at = pg_catalog.clock_timestamp()
WHERE NOT EXISTS (SELECT FROM tenancy.tenants AS t WHERE t.uid = a.uid)

-- name: remember_rights
-- On the schema, its relations and their columns: what these roles have, so that it can be given back.
WITH object (kind, name, acl) AS (
    SELECT 'schema', NULL::name, n.nspacl FROM pg_catalog.pg_namespace AS n WHERE n.nspname = %(namespace)s
    UNION ALL
    SELECT CASE c.relkind WHEN 'S' THEN 'sequence' ELSE 'table' END, c.relname, c.relacl
    FROM pg_catalog.pg_class AS c JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace WHERE n.nspname = %(namespace)s
), entry AS (
    SELECT pg_catalog.jsonb_build_object('kind', o.kind, 'name', o.name, 'role', pg_catalog.pg_get_userbyid(g.grantee), 'right', g.privilege_type,
        'grantable', g.is_grantable, 'columns', NULL::text[]) AS entry
    FROM object AS o CROSS JOIN LATERAL pg_catalog.aclexplode(o.acl) AS g
    WHERE pg_catalog.pg_get_userbyid(g.grantee) = ANY (%(roles)s::text[])
    UNION ALL
    SELECT pg_catalog.jsonb_build_object('kind', 'table', 'name', c.relname, 'role', pg_catalog.pg_get_userbyid(g.grantee), 'right', g.privilege_type,
        'grantable', g.is_grantable, 'columns', pg_catalog.array_agg(a.attname ORDER BY a.attnum))
    FROM pg_catalog.pg_attribute AS a JOIN pg_catalog.pg_class AS c ON c.oid = a.attrelid JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace
    CROSS JOIN LATERAL pg_catalog.aclexplode(a.attacl) AS g
    WHERE n.nspname = %(namespace)s AND pg_catalog.pg_get_userbyid(g.grantee) = ANY (%(roles)s::text[])
    GROUP BY c.relname, g.grantee, g.privilege_type, g.is_grantable
)
UPDATE tenancy.adoptions SET rights = coalesce((SELECT pg_catalog.jsonb_agg(e.entry) FROM entry AS e), '[]') WHERE uid = %(uid)s

-- name: registry_columns
-- Columns of that name with a unique index of their own: what a registry of tenants has their schemas' names in.
SELECT n.nspname::text AS schema, c.relname::text AS table, a.attname::text AS column
FROM pg_catalog.pg_class AS c
JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace
JOIN pg_catalog.pg_attribute AS a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
WHERE n.nspname = %(schema)s AND a.attname = %(column)s AND c.relkind IN ('r', 'p')
  AND EXISTS (SELECT FROM pg_catalog.pg_index AS i
              WHERE i.indrelid = c.oid AND i.indisunique AND i.indnkeyatts = 1 AND i.indkey[0] = a.attnum AND i.indpred IS NULL)
ORDER BY 1, 2

-- name: registry_table
SELECT pg_catalog.pg_get_userbyid(c.relowner)::text AS owner,
    array(SELECT a.attname::text FROM pg_catalog.pg_attribute AS a WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped) AS columns
FROM pg_catalog.pg_class AS c JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace
WHERE n.nspname = %(schema)s AND c.relname = %(table)s AND c.relkind IN ('r', 'p', 'v', 'm')

-- name: registered_names
SELECT DISTINCT {column}::text AS name FROM {table} WHERE {column} IS NOT NULL ORDER BY 1

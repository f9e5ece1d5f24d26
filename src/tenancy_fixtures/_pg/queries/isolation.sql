-- What in a tenant's schema is somebody else's, or leads to somebody else.

-- name: strange_owners
-- Objects that do not belong to the role that owns the schema, or that makes schemas here.
WITH home AS (
    SELECT n.oid, n.nspowner FROM pg_catalog.pg_namespace AS n WHERE n.nspname = %(namespace)s
), expected AS (
    SELECT coalesce((SELECT r.oid FROM pg_catalog.pg_roles AS r WHERE r.rolname = %(migrator)s), home.nspowner) AS role FROM home
), object (description, owner) AS (
    -- PostgreSQL's own name for whoever owns the database.
    SELECT 'schema ' || %(namespace)s, CASE WHEN pg_catalog.pg_get_userbyid(h.nspowner) = 'pg_database_owner' THEN d.datdba ELSE h.nspowner END
    FROM home AS h JOIN pg_catalog.pg_database AS d ON d.datname = pg_catalog.current_database()
    UNION ALL
    SELECT CASE c.relkind WHEN 'S' THEN 'sequence ' WHEN 'v' THEN 'view ' WHEN 'm' THEN 'materialized view ' WHEN 'f' THEN 'foreign table ' ELSE 'table ' END
        || c.relname, c.relowner
    FROM pg_catalog.pg_class AS c JOIN home AS h ON h.oid = c.relnamespace
    WHERE c.relkind IN ('r', 'p', 'v', 'm', 'S', 'f')
    UNION ALL
    SELECT 'function ' || p.proname, p.proowner FROM pg_catalog.pg_proc AS p JOIN home AS h ON h.oid = p.pronamespace
    -- A range type's constructors belong to whoever made the server; an extension's functions to whoever made that.
    WHERE NOT EXISTS (SELECT FROM pg_catalog.pg_depend AS d
                      WHERE d.classid = 'pg_catalog.pg_proc'::pg_catalog.regclass AND d.objid = p.oid AND d.deptype IN ('i', 'e'))
    UNION ALL
    SELECT 'type ' || t.typname, t.typowner
    FROM pg_catalog.pg_type AS t JOIN home AS h ON h.oid = t.typnamespace LEFT JOIN pg_catalog.pg_class AS c ON c.oid = t.typrelid
    WHERE t.typtype IN ('d', 'e', 'r') OR (t.typtype = 'c' AND c.relkind = 'c')
)
SELECT o.description AS object, pg_catalog.pg_get_userbyid(o.owner) AS owner
FROM object AS o, expected AS e
WHERE o.owner <> e.role
ORDER BY 1

-- name: strange_grants
-- Rights of roles that are none of the installation's. Everybody may execute functions, and use types and the schema public, unless that is
-- taken away.
WITH home AS (
    SELECT n.oid, n.nspname, n.nspowner, n.nspacl FROM pg_catalog.pg_namespace AS n WHERE n.nspname = %(namespace)s
), object (description, owner, acl, usual) AS (
    SELECT 'schema ' || h.nspname, h.nspowner, h.nspacl, CASE h.nspname WHEN 'public' THEN 'USAGE' ELSE '' END FROM home AS h
    UNION ALL
    SELECT 'relation ' || c.relname, c.relowner, c.relacl, '' FROM pg_catalog.pg_class AS c JOIN home AS h ON h.oid = c.relnamespace
    UNION ALL
    SELECT 'column ' || c.relname || '.' || a.attname, c.relowner, a.attacl, ''
    FROM pg_catalog.pg_attribute AS a JOIN pg_catalog.pg_class AS c ON c.oid = a.attrelid JOIN home AS h ON h.oid = c.relnamespace
    UNION ALL
    SELECT 'function ' || p.proname, p.proowner, p.proacl, 'EXECUTE' FROM pg_catalog.pg_proc AS p JOIN home AS h ON h.oid = p.pronamespace
    UNION ALL
    SELECT 'type ' || t.typname, t.typowner, t.typacl, 'USAGE' FROM pg_catalog.pg_type AS t JOIN home AS h ON h.oid = t.typnamespace
)
SELECT o.description AS object, CASE g.grantee WHEN 0 THEN 'PUBLIC' ELSE pg_catalog.pg_get_userbyid(g.grantee) END AS grantee,
    g.grantee = 0 AS everybody, pg_catalog.string_agg(DISTINCT g.privilege_type, ', ' ORDER BY g.privilege_type) AS rights
FROM object AS o CROSS JOIN LATERAL pg_catalog.aclexplode(o.acl) AS g
WHERE g.grantee <> o.owner
  AND CASE WHEN g.grantee = 0 THEN g.privilege_type <> o.usual
      ELSE %(separate)s AND pg_catalog.pg_get_userbyid(g.grantee) <> ALL (%(known)s::text[]) END
GROUP BY o.description, g.grantee
ORDER BY 1, 2

-- name: other_tenants
-- The schemas of the other tenants, but for one that they share with this one.
SELECT tenant_id, namespace::text AS namespace, uid FROM tenancy.tenants WHERE uid <> %(uid)s AND namespace <> %(namespace)s ORDER BY tenant_id

-- name: whose_schema
-- What the schema says of itself: the comment that it was made with names its tenant.
SELECT pg_catalog.obj_description(n.oid, 'pg_namespace') AS comment FROM pg_catalog.pg_namespace AS n WHERE n.nspname = %(namespace)s

-- name: bodies
-- Functions whose text, which PostgreSQL does not keep account of, names the schema of another tenant.
SELECT p.proname::text AS name, t.tenant_id
FROM pg_catalog.pg_proc AS p
JOIN pg_catalog.pg_namespace AS n ON n.oid = p.pronamespace
JOIN tenancy.tenants AS t ON t.uid <> %(uid)s AND t.namespace <> n.nspname AND pg_catalog.strpos(p.prosrc, t.namespace || '.') > 0
WHERE n.nspname = %(namespace)s
ORDER BY 1, 2

-- name: tenants_in_column
-- Rows that say themselves whose they are: of another tenant, by its id or its uid. Values and tenants may both be many: they
-- are joined by what is equal, which need not compare each with each.
WITH found AS MATERIALIZED (
    SELECT {column}::text AS value, count(*) AS rows FROM {table} WHERE {column} IS NOT NULL GROUP BY 1
), names (tenant_id, value) AS MATERIALIZED (
    SELECT tenant_id, tenant_id FROM tenancy.tenants WHERE uid <> {uid}
    UNION
    SELECT tenant_id, uid::text FROM tenancy.tenants WHERE uid <> {uid}
)
SELECT n.tenant_id, f.rows FROM found AS f JOIN names AS n ON n.value = f.value ORDER BY 1

-- name: missing_rights
-- What loader and application are given after every script and have no more, by object: on what the migrator owns, and on what the pack
-- makes (``made``, by kind and name). Partitions are used by way of their table, and need no rights of their own. ``owned`` says that
-- the migrator can give them.
WITH home AS (
    SELECT n.oid, n.nspname, n.nspowner FROM pg_catalog.pg_namespace AS n WHERE n.nspname = %(namespace)s
), who AS (
    SELECT r.oid, r.rolname = %(loader)s AS is_loader FROM pg_catalog.pg_roles AS r WHERE r.rolname IN (%(loader)s, %(user)s)
), object (kind, name, owner, is_loader, "right", granted) AS (
    SELECT 'schema', h.nspname::text, h.nspowner, w.is_loader, 'USAGE', pg_catalog.has_schema_privilege(w.oid, h.oid, 'USAGE')
    FROM home AS h, who AS w
    UNION ALL
    SELECT CASE c.relkind WHEN 'v' THEN 'view' WHEN 'm' THEN 'materialized view' WHEN 'f' THEN 'foreign table' ELSE 'table' END,
        c.relname::text, c.relowner, w.is_loader, g.kind, pg_catalog.has_table_privilege(w.oid, c.oid, g.kind)
    FROM pg_catalog.pg_class AS c JOIN home AS h ON h.oid = c.relnamespace,
        who AS w, pg_catalog.unnest('{SELECT,INSERT,UPDATE,DELETE}'::text[]) AS g (kind)
    WHERE c.relkind IN ('r', 'p', 'v', 'm', 'f') AND NOT c.relispartition
    UNION ALL
    SELECT 'sequence', c.relname::text, c.relowner, w.is_loader, g.kind, pg_catalog.has_sequence_privilege(w.oid, c.oid, g.kind)
    FROM pg_catalog.pg_class AS c JOIN home AS h ON h.oid = c.relnamespace,
        who AS w, pg_catalog.unnest('{USAGE,SELECT,UPDATE}'::text[]) AS g (kind)
    -- The application draws numbers, and sets no sequence.
    WHERE c.relkind = 'S' AND (w.is_loader OR g.kind <> 'UPDATE')
)
SELECT o.kind, o.name, pg_catalog.pg_has_role(%(migrator)s::name, o.owner, 'USAGE')
        AND (SELECT pg_catalog.has_schema_privilege(%(migrator)s::name, h.oid, 'USAGE') FROM home AS h) AS owned,
    pg_catalog.string_agg(o.right, ', ' ORDER BY o.right) FILTER (WHERE o.is_loader) AS loader,
    pg_catalog.string_agg(o.right, ', ' ORDER BY o.right) FILTER (WHERE NOT o.is_loader) AS "user"
FROM object AS o
WHERE NOT o.granted AND (pg_catalog.pg_has_role(%(migrator)s::name, o.owner, 'USAGE') OR o.kind || ' ' || o.name = ANY (%(made)s::text[]))
GROUP BY o.kind, o.name, o.owner
ORDER BY o.kind = 'schema' DESC, o.kind, o.name

-- name: grant_table
GRANT SELECT, INSERT, UPDATE, DELETE ON {table} TO {loader}, {user}

-- name: grant_sequence
GRANT USAGE, SELECT, UPDATE ON SEQUENCE {sequence} TO {loader};
GRANT USAGE, SELECT ON SEQUENCE {sequence} TO {user}

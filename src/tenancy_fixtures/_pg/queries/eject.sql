-- Taking the library out of a database: what is its own goes, what is the tenants' stays.

-- name: quiet
SELECT pg_catalog.set_config('search_path', 'pg_catalog, pg_temp', true), pg_catalog.set_config('lock_timeout', '10s', true),
    pg_catalog.set_config('jit', 'off', true), pg_catalog.set_config('DateStyle', 'ISO, MDY', true), pg_catalog.set_config('TimeZone', 'UTC', true)

-- name: lock_table
LOCK TABLE {table} IN EXCLUSIVE MODE

-- name: in_the_way
-- What keeps the library from being taken out.
SELECT pg_catalog.format('tenant %s has a database of its own, %s', t.tenant_id, t.namespace) AS object
FROM tenancy.tenants AS t WHERE t.isolation = 'database' AND t.namespace <> pg_catalog.current_database() AND t.owner IS NULL
UNION ALL
SELECT pg_catalog.format('a database is being made or dropped: %s', i.namespace) FROM tenancy.intents AS i
UNION ALL
SELECT pg_catalog.format('run %s of tenant %s has not ended', r.operation, r.tenant_id)
FROM tenancy.runs AS r WHERE r.state = 'running' AND r.lease_until > pg_catalog.clock_timestamp()
UNION ALL
-- A function's text is kept as it is: what it names is looked for when it runs.
SELECT pg_catalog.format('function %s names the schema tenancy', p.oid::pg_catalog.regprocedure)
FROM pg_catalog.pg_proc AS p JOIN pg_catalog.pg_namespace AS n ON n.oid = p.pronamespace
WHERE n.nspname IN (SELECT t.namespace FROM tenancy.tenants AS t UNION SELECT s.namespace FROM tenancy.shared_schemas AS s)
  AND p.prosrc ~ '\mtenancy\.'
ORDER BY 1

-- name: adopted_databases
SELECT t.tenant_id, t.namespace::text AS namespace FROM tenancy.tenants AS t JOIN pg_catalog.pg_database AS d ON d.datname = t.namespace
WHERE t.isolation = 'database' AND t.owner IS NOT NULL
ORDER BY 1

-- name: tenants
SELECT tenant_id, namespace::text AS namespace, role::text AS role, owner::text AS owner, isolation FROM tenancy.tenants ORDER BY tenant_id COLLATE "C"

-- name: shared
SELECT namespace::text AS namespace FROM tenancy.shared_schemas ORDER BY namespace COLLATE "C"

-- name: owners
-- Who owns most of what was adopted; else whoever does this.
SELECT coalesce((SELECT t.owner::text FROM tenancy.tenants AS t WHERE t.owner IS NOT NULL GROUP BY t.owner ORDER BY pg_catalog.count(*) DESC, t.owner LIMIT 1),
    CURRENT_USER::text) AS owner

-- name: made_here
-- Of these roles those that init has made, as their comment says, and tenants' own.
SELECT r.rolname::text AS role FROM pg_catalog.pg_roles AS r
WHERE (r.rolname = ANY (%(roles)s::text[]) AND pg_catalog.shobj_description(r.oid, 'pg_authid') = pg_catalog.format('The group role %%s is used by tenancy fixtures.', r.rolname))
   OR (r.rolname = ANY (%(tenants)s::text[]))
ORDER BY 1

-- name: keep_function
ALTER FUNCTION tenancy.tenant_uid() SET SCHEMA {schema};
ALTER FUNCTION {schema}.tenant_uid() OWNER TO {owner}

-- name: take_function_back
-- In the file: policies of a shared schema, where that is there, ask the control plane's function again.
SELECT pg_catalog.format('DROP FUNCTION tenancy.tenant_uid(); ALTER FUNCTION %%1$I.tenant_uid() SET SCHEMA tenancy; ALTER FUNCTION tenancy.tenant_uid() OWNER TO %%2$s',
    n.nspname, coalesce(pg_catalog.quote_ident(%(owner)s::text), 'CURRENT_USER')) AS statement
FROM pg_catalog.pg_namespace AS n
WHERE n.nspname = %(schema)s AND pg_catalog.to_regprocedure(pg_catalog.format('%%I.tenant_uid()', n.nspname)) IS NOT NULL

-- name: revokes
-- The statements that take from roles what they may in this database: from those made here all, from a host's own what they may in tenants' schemas.
WITH role AS (
    SELECT r.oid, r.rolname, r.rolname = ANY (%(made)s::text[]) AS made FROM pg_catalog.pg_roles AS r
    WHERE r.rolname = ANY (%(made)s::text[]) OR r.rolname = ANY (%(brought)s::text[])
), home AS (
    SELECT n.oid, n.nspname, n.nspname = ANY (%(adopted)s::text[]) AS adopted FROM pg_catalog.pg_namespace AS n WHERE n.nspname <> 'tenancy'
), object (description, acl, owner, adopted) AS (
    SELECT pg_catalog.format('SCHEMA %%I', h.nspname), n.nspacl, n.nspowner, h.adopted FROM pg_catalog.pg_namespace AS n JOIN home AS h ON h.oid = n.oid
    UNION ALL
    SELECT pg_catalog.format('%%s %%I.%%I', CASE c.relkind WHEN 'S' THEN 'SEQUENCE' ELSE 'TABLE' END, h.nspname, c.relname), c.relacl, c.relowner, h.adopted
    FROM pg_catalog.pg_class AS c JOIN home AS h ON h.oid = c.relnamespace
    UNION ALL
    -- To take a right on the table is to take those on its columns.
    SELECT pg_catalog.format('TABLE %%I.%%I', h.nspname, c.relname), a.attacl, c.relowner, h.adopted
    FROM pg_catalog.pg_attribute AS a JOIN pg_catalog.pg_class AS c ON c.oid = a.attrelid JOIN home AS h ON h.oid = c.relnamespace
    WHERE a.attacl IS NOT NULL
    UNION ALL
    SELECT pg_catalog.format('ROUTINE %%s', p.oid::pg_catalog.regprocedure), p.proacl, p.proowner, h.adopted
    FROM pg_catalog.pg_proc AS p JOIN home AS h ON h.oid = p.pronamespace
    UNION ALL
    SELECT pg_catalog.format('TYPE %%s', t.oid::pg_catalog.regtype), t.typacl, t.typowner, h.adopted FROM pg_catalog.pg_type AS t JOIN home AS h ON h.oid = t.typnamespace
    WHERE t.typacl IS NOT NULL
    UNION ALL
    SELECT pg_catalog.format('DATABASE %%I', d.datname), d.datacl, d.datdba, false FROM pg_catalog.pg_database AS d WHERE d.datname = pg_catalog.current_database()
)
SELECT pg_catalog.format('REVOKE ALL ON %%s FROM %%s', o.description, pg_catalog.string_agg(DISTINCT pg_catalog.quote_ident(r.rolname), ', ')) AS statement
FROM object AS o CROSS JOIN LATERAL pg_catalog.aclexplode(o.acl) AS g JOIN role AS r ON r.oid = g.grantee
WHERE g.grantee <> o.owner AND (r.made OR o.adopted)
GROUP BY o.description ORDER BY o.description

-- name: saved_rights
-- The statements that give back to a host's own roles what they had in schemas before those were opened to tenants' roles.
SELECT pg_catalog.format('GRANT %%s%%s ON %%s TO %%I%%s', e.entry ->> 'right',
        (SELECT ' (' || pg_catalog.string_agg(pg_catalog.quote_ident(c), ', ') || ')' FROM pg_catalog.jsonb_array_elements_text(nullif(e.entry -> 'columns', 'null')) AS c),
        CASE e.entry ->> 'kind' WHEN 'schema' THEN pg_catalog.format('SCHEMA %%I', a.namespace)
            ELSE pg_catalog.format('%%s %%I.%%I', pg_catalog.upper(e.entry ->> 'kind'), a.namespace, e.entry ->> 'name') END,
        e.entry ->> 'role', CASE WHEN (e.entry ->> 'grantable')::boolean THEN ' WITH GRANT OPTION' ELSE '' END) AS statement
FROM tenancy.adoptions AS a JOIN tenancy.tenants AS t ON t.uid = a.uid CROSS JOIN LATERAL pg_catalog.jsonb_array_elements(a.rights) AS e (entry)
LEFT JOIN pg_catalog.pg_namespace AS n ON n.nspname = a.namespace
LEFT JOIN pg_catalog.pg_class AS r ON r.relnamespace = n.oid AND r.relname = e.entry ->> 'name'
-- What was dropped since has no rights.
WHERE e.entry ->> 'role' <> ALL (%(gone)s::text[]) AND n.oid IS NOT NULL AND (r.oid IS NOT NULL OR e.entry ->> 'kind' = 'schema')

-- name: giving
-- The statements that give to a role what these own outside of the control plane; with ``homes`` what the owners of these schemas have in them.
-- Sequences of columns go with their table.
WITH home AS (
    SELECT n.oid, n.nspname, n.nspowner FROM pg_catalog.pg_namespace AS n
    WHERE n.nspname <> 'tenancy' AND n.nspname !~ '^pg_' AND (%(homes)s::name[] IS NULL OR n.nspname = ANY (%(homes)s::name[]))
), giver AS (
    SELECT r.oid FROM pg_catalog.pg_roles AS r
    WHERE r.rolname = ANY (%(made)s::text[]) OR (%(homes)s::name[] IS NOT NULL AND r.oid IN (SELECT h.nspowner FROM home AS h))
), part (description, owner) AS (
    SELECT pg_catalog.format('SCHEMA %%I', h.nspname), h.nspowner FROM home AS h
    UNION ALL
    SELECT pg_catalog.format('%%s %%I.%%I', k.keyword, h.nspname, c.relname), c.relowner
    FROM pg_catalog.pg_class AS c
    JOIN home AS h ON h.oid = c.relnamespace
    JOIN (VALUES ('r', 'TABLE'), ('p', 'TABLE'), ('v', 'VIEW'), ('m', 'MATERIALIZED VIEW'), ('S', 'SEQUENCE'), ('f', 'FOREIGN TABLE'))
        AS k (kind, keyword) ON k.kind = c.relkind::text
    WHERE c.relkind <> 'S' OR NOT EXISTS (
        SELECT FROM pg_catalog.pg_depend AS d
        WHERE d.classid = 'pg_catalog.pg_class'::pg_catalog.regclass AND d.objid = c.oid AND d.deptype IN ('a', 'i')
          AND d.refclassid = 'pg_catalog.pg_class'::pg_catalog.regclass AND d.refobjsubid > 0)
    UNION ALL
    SELECT pg_catalog.format('ROUTINE %%s', p.oid::pg_catalog.regprocedure), p.proowner
    FROM pg_catalog.pg_proc AS p JOIN home AS h ON h.oid = p.pronamespace
    WHERE NOT EXISTS (SELECT FROM pg_catalog.pg_depend AS d WHERE d.classid = 'pg_catalog.pg_proc'::pg_catalog.regclass AND d.objid = p.oid AND d.deptype = 'i')
    UNION ALL
    SELECT pg_catalog.format('%%s %%I.%%I', CASE t.typtype WHEN 'd' THEN 'DOMAIN' ELSE 'TYPE' END, h.nspname, t.typname), t.typowner
    FROM pg_catalog.pg_type AS t JOIN home AS h ON h.oid = t.typnamespace LEFT JOIN pg_catalog.pg_class AS c ON c.oid = t.typrelid
    WHERE t.typtype IN ('d', 'e', 'r') OR (t.typtype = 'c' AND c.relkind = 'c')
       -- From PostgreSQL 17 on a multirange follows its range, and may not be changed by itself.
       OR (t.typtype = 'm' AND pg_catalog.current_setting('server_version_num')::integer < 170000)
    UNION ALL
    SELECT pg_catalog.format('STATISTICS %%I.%%I', h.nspname, e.stxname), e.stxowner FROM pg_catalog.pg_statistic_ext AS e JOIN home AS h ON h.oid = e.stxnamespace
    UNION ALL
    SELECT pg_catalog.format('COLLATION %%I.%%I', h.nspname, l.collname), l.collowner FROM pg_catalog.pg_collation AS l JOIN home AS h ON h.oid = l.collnamespace
)
SELECT pg_catalog.format('ALTER %%s OWNER TO %%I', p.description, %(owner)s::text) AS statement
FROM part AS p JOIN giver AS g ON g.oid = p.owner ORDER BY p.description

-- name: drop_control_plane
DROP SCHEMA tenancy CASCADE

-- name: used_elsewhere
-- Where else than in this database these roles are used; memberships go with them.
SELECT r.rolname::text AS role, array(
    SELECT DISTINCT coalesce(b.datname::text, 'the server') FROM pg_catalog.pg_shdepend AS d LEFT JOIN pg_catalog.pg_database AS b ON b.oid = d.dbid
    WHERE d.refclassid = 'pg_catalog.pg_authid'::pg_catalog.regclass AND d.refobjid = r.oid AND d.classid <> 'pg_catalog.pg_auth_members'::pg_catalog.regclass
      AND (SELECT h.oid FROM pg_catalog.pg_database AS h WHERE h.datname = pg_catalog.current_database())
          <> CASE WHEN d.classid = 'pg_catalog.pg_database'::pg_catalog.regclass THEN d.objid ELSE d.dbid END
    ORDER BY 1) AS used
FROM pg_catalog.pg_roles AS r WHERE r.rolname = ANY (%(roles)s::text[]) ORDER BY 1

-- name: drop_roles
DROP ROLE {roles}

-- name: forget_installation
DELETE FROM tenancy.installation;
DELETE FROM tenancy.migrations

-- name: columns
-- In order, but for those that are made of others.
SELECT a.attname::text AS name FROM pg_catalog.pg_attribute AS a
WHERE a.attrelid = pg_catalog.format('tenancy.%%I', %(table)s::text)::pg_catalog.regclass AND a.attnum > 0 AND NOT a.attisdropped AND a.attgenerated = ''
ORDER BY a.attnum

-- name: copy_in
COPY {table} ({columns}) FROM STDIN

-- name: copy_out
COPY {table} ({columns}) TO STDOUT

-- name: sequences
-- The statements that let sequences of the control plane go on where they are.
SELECT pg_catalog.format('SELECT pg_catalog.setval(%L, %s, true)', pg_catalog.format('tenancy.%I', s.sequencename), s.last_value) AS statement
FROM pg_catalog.pg_sequences AS s WHERE s.schemaname = 'tenancy' AND s.last_value IS NOT NULL ORDER BY 1

-- What a schema lacks to be one that several tenants share, each seeing its own rows; asked of PostgreSQL's own catalogue.
-- Partitions are parts of their tables and follow them, but for row-level security, which each has for itself.

-- name: look_from
-- Names of the schema's own objects are printed without it, and none of its functions and operators is taken for ours.
SELECT pg_catalog.set_config('search_path', 'pg_catalog, ' || pg_catalog.quote_ident(%(schema)s) || ', pg_temp', true)

-- name: tables
-- Each table that is no partition, with what its rows are told apart by; ``own`` says that the column of tenants is there.
SELECT c.relname::text AS name, c.relrowsecurity AND c.relforcerowsecurity AS forced,
    EXISTS (SELECT FROM pg_attribute a WHERE a.attrelid = c.oid AND a.attname = %(column)s AND NOT a.attisdropped
            AND a.attnotnull AND a.atttypid = 'uuid'::regtype) AS own,
    EXISTS (SELECT FROM pg_policy p WHERE p.polrelid = c.oid AND p.polname = %(policy)s AND p.polpermissive AND p.polcmd = '*' AND p.polroles = '{0}'
            AND pg_get_expr(p.polqual, c.oid) = %(test)s AND pg_get_expr(p.polwithcheck, c.oid) = %(test)s) AS policed
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE n.nspname = %(schema)s AND c.relkind IN ('r', 'p') AND NOT c.relispartition
ORDER BY c.oid

-- name: partitions
-- Partitions at any depth that are open to whoever may read them directly.
SELECT c.relname::text AS name
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE n.nspname = %(schema)s AND c.relkind IN ('r', 'p') AND c.relispartition AND NOT (c.relrowsecurity AND c.relforcerowsecurity)
ORDER BY c.oid

-- name: keys
-- Unique and primary keys that hold no tenant: constraints with their definition, other indexes as what stands before their columns and
-- what follows. With ``advised`` indexes that are no keys too: only with the tenant first do they serve a tenant's questions, and those of
-- references, whatever statistics say.
SELECT t.relname::text AS table, x.relname::text AS name, o.conname IS NOT NULL AS is_constraint,
    pg_get_constraintdef(o.oid) AS definition, pg_get_indexdef(x.oid) AS index_definition,
    format('CREATE %%sINDEX %%I ON %%s%%s USING %%s (', CASE WHEN i.indisunique THEN 'UNIQUE ' ELSE '' END, x.relname,
        CASE WHEN t.relkind = 'p' THEN 'ONLY ' ELSE '' END, format('%%I.%%I', n.nspname, t.relname), m.amname) AS head
FROM pg_index i
JOIN pg_class x ON x.oid = i.indexrelid
JOIN pg_am m ON m.oid = x.relam
JOIN pg_class t ON t.oid = i.indrelid
JOIN pg_namespace n ON n.oid = t.relnamespace
LEFT JOIN pg_constraint o ON o.conindid = x.oid AND o.conrelid = t.oid AND o.contype IN ('p', 'u')
WHERE n.nspname = %(schema)s AND (i.indisunique OR (%(advised)s AND m.amname = 'btree')) AND NOT t.relispartition AND t.relkind IN ('r', 'p')
  AND NOT EXISTS (SELECT FROM pg_attribute a WHERE a.attrelid = t.oid AND a.attname = %(column)s AND a.attnum = ANY (i.indkey::int2[]))
ORDER BY i.indisprimary DESC, t.oid, x.relname

-- name: references
-- Foreign keys between the schema's tables that do not lead from a tenant's row to one of the same tenant.
SELECT t.relname::text AS table, o.conname::text AS name, f.relname::text AS target,
    (SELECT array_agg(a.attname::text ORDER BY k.place) FROM unnest(o.conkey) WITH ORDINALITY k (number, place)
     JOIN pg_attribute a ON a.attrelid = o.conrelid AND a.attnum = k.number) AS columns,
    (SELECT array_agg(a.attname::text ORDER BY k.place) FROM unnest(o.confkey) WITH ORDINALITY k (number, place)
     JOIN pg_attribute a ON a.attrelid = o.confrelid AND a.attnum = k.number) AS target_columns,
    CASE o.confupdtype WHEN 'r' THEN ' ON UPDATE RESTRICT' WHEN 'c' THEN ' ON UPDATE CASCADE' ELSE '' END AS on_update,
    CASE o.confdeltype WHEN 'r' THEN 'RESTRICT' WHEN 'c' THEN 'CASCADE' WHEN 'n' THEN 'SET NULL' WHEN 'd' THEN 'SET DEFAULT' END AS on_delete,
    (SELECT array_agg(a.attname::text ORDER BY k.place)
     FROM unnest(coalesce(o.confdelsetcols, o.conkey)) WITH ORDINALITY k (number, place)
     JOIN pg_attribute a ON a.attrelid = o.conrelid AND a.attnum = k.number
     WHERE o.confdeltype IN ('n', 'd')) AS set_columns,
    CASE WHEN o.condeferrable THEN ' DEFERRABLE' ELSE '' END || CASE WHEN o.condeferred THEN ' INITIALLY DEFERRED' ELSE '' END AS deferral
FROM pg_constraint o
JOIN pg_class t ON t.oid = o.conrelid
JOIN pg_class f ON f.oid = o.confrelid
JOIN pg_namespace n ON n.oid = t.relnamespace
WHERE n.nspname = %(schema)s AND f.relnamespace = n.oid AND o.contype = 'f' AND o.conparentid = 0
  AND NOT EXISTS (SELECT FROM pg_attribute a WHERE a.attrelid = t.oid AND a.attname = %(column)s AND a.attnum = ANY (o.conkey))
ORDER BY t.oid, o.conname

-- name: views
-- Views that read with the rights of their owner instead of their reader's.
SELECT c.relname::text AS name
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE n.nspname = %(schema)s AND c.relkind = 'v' AND NOT coalesce(c.reloptions::text[] && ARRAY['security_invoker=true', 'security_invoker=on'], false)
ORDER BY c.oid

-- name: unshareable
-- What several tenants cannot share, or not without a decision of the pack's author.
WITH home AS (SELECT oid FROM pg_namespace WHERE nspname = %(schema)s),
relation AS (SELECT c.* FROM pg_class c JOIN home ON c.relnamespace = home.oid)
SELECT 'materialised view ' || c.relname AS object, 'it would hold the rows of all tenants, and no policy can be on it' AS reason
FROM relation c WHERE c.relkind = 'm'
UNION ALL
SELECT 'foreign table ' || c.relname, 'no policy can be on it' FROM relation c WHERE c.relkind = 'f'
UNION ALL
SELECT 'table ' || c.relname, format('it has a column %%s of its own', %(column)s)
FROM relation c JOIN pg_attribute a ON a.attrelid = c.oid AND a.attname = %(column)s AND NOT a.attisdropped
LEFT JOIN pg_attrdef d ON d.adrelid = c.oid AND d.adnum = a.attnum
WHERE c.relkind IN ('r', 'p') AND pg_get_expr(d.adbin, d.adrelid) IS DISTINCT FROM %(uid)s
UNION ALL
SELECT 'table ' || c.relname, 'it inherits from another, whose policies do not hold for it'
FROM relation c WHERE c.relkind = 'r' AND NOT c.relispartition AND EXISTS (SELECT FROM pg_inherits i WHERE i.inhrelid = c.oid)
UNION ALL
SELECT 'policy ' || p.polname || ' on ' || c.relname, 'policies of a pack are joined with OR, and would show rows of other tenants'
FROM relation c JOIN pg_policy p ON p.polrelid = c.oid WHERE p.polname <> %(policy)s AND p.polpermissive
UNION ALL
SELECT 'constraint ' || o.conname || ' on ' || c.relname, 'EXCLUDE would keep rows of different tenants apart'
FROM relation c JOIN pg_constraint o ON o.conrelid = c.oid WHERE o.contype = 'x'
UNION ALL
SELECT 'constraint ' || o.conname || ' on ' || c.relname, 'MATCH FULL over several columns asks for all or none of them, and the tenant is always there'
FROM relation c JOIN pg_constraint o ON o.conrelid = c.oid
WHERE o.contype = 'f' AND o.conparentid = 0 AND o.confmatchtype = 'f' AND cardinality(o.conkey) > 1
UNION ALL
SELECT 'constraint ' || o.conname || ' on ' || c.relname, 'ON UPDATE SET NULL and SET DEFAULT would set the tenant as well'
FROM relation c JOIN pg_constraint o ON o.conrelid = c.oid WHERE o.contype = 'f' AND o.conparentid = 0 AND o.confupdtype IN ('n', 'd')
UNION ALL
SELECT 'rule ' || r.rulename || ' on ' || c.relname, 'what it does is done with the rights of the table''s owner'
FROM relation c JOIN pg_rewrite r ON r.ev_class = c.oid WHERE c.relkind IN ('r', 'p')
UNION ALL
SELECT 'view ' || v.relname, format('it groups by the key %%s, which will hold the tenant too', o.conname)
FROM relation c JOIN pg_constraint o ON o.conrelid = c.oid AND o.contype IN ('p', 'u')
JOIN pg_depend d ON d.refclassid = 'pg_constraint'::regclass AND d.refobjid = o.oid AND d.classid = 'pg_rewrite'::regclass
JOIN pg_rewrite r ON r.oid = d.objid JOIN pg_class v ON v.oid = r.ev_class
UNION ALL
SELECT 'routine ' || p.oid::regprocedure::text, 'SECURITY DEFINER: it works with the rights of its owner'
FROM pg_proc p JOIN home ON p.pronamespace = home.oid WHERE p.prosecdef
ORDER BY 1

-- name: drop_constraint
ALTER TABLE {table} DROP CONSTRAINT {name}

-- name: drop_index
DROP INDEX {name}

-- name: add_tenant
ALTER TABLE {table} ADD COLUMN {column} uuid NOT NULL DEFAULT tenancy.tenant_uid()

-- name: add_constraint
ALTER TABLE {table} ADD CONSTRAINT {name} {definition}

-- name: enable
ALTER TABLE {table} ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY

-- name: add_policy
CREATE POLICY {policy} ON {table} USING ({column} = (SELECT tenancy.tenant_uid())) WITH CHECK ({column} = (SELECT tenancy.tenant_uid()))

-- name: invoke
ALTER VIEW {view} SET (security_invoker = true)

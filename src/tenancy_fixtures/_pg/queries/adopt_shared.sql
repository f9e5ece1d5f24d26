-- What there is of tenants that share tables, made by others: asked of PostgreSQL's own catalogue, which everybody may read.
-- A block named as something that is missing gives where it is missing, and the statement that would mend it: advice, which nobody here runs.

-- name: login
SELECT session_user::text AS login, EXISTS (SELECT FROM pg_namespace WHERE nspname = %(schema)s) AS there

-- name: tables
-- Partitions are parts of their tables.
SELECT c.oid::bigint AS oid, c.relname::text AS name, c.relrowsecurity AS enabled, c.relforcerowsecurity AS forced,
    CASE WHEN c.reltuples < 0 THEN NULL ELSE c.reltuples::bigint END AS rows
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE n.nspname = %(schema)s AND c.relkind IN ('r', 'p') AND NOT c.relispartition
  AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.classid = 'pg_class'::regclass AND d.objid = c.oid AND d.deptype = 'e')
ORDER BY c.relname COLLATE "C"

-- name: columns
-- Columns that may say whose a row is, by their names.
SELECT c.oid::bigint AS oid, a.attname::text AS name, format_type(a.atttypid, a.atttypmod) AS type
FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE n.nspname = %(schema)s AND c.relkind IN ('r', 'p') AND NOT c.relispartition AND a.attnum > 0 AND NOT a.attisdropped
  AND (lower(replace(a.attname, '_', '')) = ANY (%(names)s::text[]) OR a.attname = %(column)s)
ORDER BY a.attname COLLATE "C", c.oid

-- name: references
SELECT o.oid::bigint AS oid, o.conrelid::bigint AS source, o.confrelid::bigint AS target, f.relname::text AS target_name,
    format('%%I.%%I', m.nspname, f.relname) AS target_printed,
    (SELECT array_agg(a.attname::text ORDER BY k.place) FROM unnest(o.conkey) WITH ORDINALITY k (number, place)
     JOIN pg_attribute a ON a.attrelid = o.conrelid AND a.attnum = k.number) AS columns,
    (SELECT array_agg(a.attname::text ORDER BY k.place) FROM unnest(o.confkey) WITH ORDINALITY k (number, place)
     JOIN pg_attribute a ON a.attrelid = o.confrelid AND a.attnum = k.number) AS target_columns
FROM pg_constraint o JOIN pg_class t ON t.oid = o.conrelid JOIN pg_namespace n ON n.oid = t.relnamespace
JOIN pg_class f ON f.oid = o.confrelid JOIN pg_namespace m ON m.oid = f.relnamespace
WHERE n.nspname = %(schema)s AND o.contype = 'f' AND o.conparentid = 0
ORDER BY t.relname COLLATE "C", o.conname COLLATE "C"

-- name: column_facts
-- Whether a table's column cannot be null, and whether an index begins with it.
SELECT h.oid::bigint AS oid, a.attnotnull AS filled,
    EXISTS (SELECT FROM pg_index i WHERE i.indrelid = h.oid AND i.indisvalid AND i.indpred IS NULL AND i.indkey[0] = a.attnum) AS indexed
FROM unnest(%(oids)s::bigint[]::oid[], %(columns)s::text[]) AS h (oid, col)
JOIN pg_attribute a ON a.attrelid = h.oid AND a.attname = h.col AND NOT a.attisdropped

-- name: policies
SELECT c.oid::bigint AS oid, format('policy %%I on %%I.%%I', p.polname, n.nspname, c.relname) AS object, p.polname::text AS name, c.relname::text AS table,
    p.polcmd::text AS command, p.polpermissive AS permissive, p.polroles = '{0}' AS everybody,
    pg_get_expr(p.polqual, c.oid) AS using, pg_get_expr(p.polwithcheck, c.oid) AS "check"
FROM pg_policy p JOIN pg_class c ON c.oid = p.polrelid JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE n.nspname = %(schema)s AND c.relkind IN ('r', 'p') AND NOT c.relispartition
ORDER BY c.relname COLLATE "C", p.polname COLLATE "C"

-- name: held
-- A part of other blocks: the tables that hold tenants' rows, with the column that tells whose, and what a policy would ask of it. ``has`` says
-- that the column is there; ``followed`` that the table has none, and policies that follow its rows to a table that has.
SELECT h.oid, h.col, h.has, h.through, h.followed, c.relname, c.relkind, c.relowner, c.relacl, c.relrowsecurity, c.relforcerowsecurity,
    format('%%I.%%I', n.nspname, c.relname) AS name, quote_ident(h.col) AS quoted,
    (SELECT a.attnum FROM pg_attribute a WHERE a.attrelid = h.oid AND a.attname = h.col AND NOT a.attisdropped) AS number,
    format('%%I = nullif(current_setting(%%L, true), '''')::%%s', h.col, %(setting)s::text, %(type)s::text) AS test
FROM unnest(%(oids)s::bigint[]::oid[], %(columns)s::text[], %(has)s::boolean[], %(through)s::bigint[]::oid[], %(followed)s::boolean[])
    AS h (oid, col, has, through, followed)
JOIN pg_class c ON c.oid = h.oid JOIN pg_namespace n ON n.oid = c.relnamespace

-- name: policy_fixes
WITH held AS ({held})
SELECT h.oid::bigint AS oid, p.polname::text AS name,
    format('ALTER POLICY %%I ON %%s%%s%%s;', p.polname, h.name, CASE WHEN p.polcmd <> 'a' THEN format(' USING (%%s)', h.test) ELSE '' END,
        CASE WHEN p.polcmd IN ('a', 'w', '*') THEN format(' WITH CHECK (%%s)', h.test) ELSE '' END) AS fix
FROM held h JOIN pg_policy p ON p.polrelid = h.oid

-- name: column_type
WITH held AS ({held})
SELECT h.relname::text AS table, format('column %%s.%%I', h.name, h.col) AS object,
    format('the type %%s that it has elsewhere: it is %%s', %(type)s::text, format_type(a.atttypid, a.atttypmod)) AS missing,
    format('ALTER TABLE %%s ALTER COLUMN %%s TYPE %%s USING %%s::%%s;', h.name, h.quoted, %(type)s::text, h.quoted, %(type)s::text) AS fix
FROM held h JOIN pg_attribute a ON a.attrelid = h.oid AND a.attnum = h.number
WHERE h.has AND format_type(a.atttypid, a.atttypmod) <> %(type)s::text
ORDER BY h.name

-- name: column_missing
WITH held AS ({held})
SELECT h.relname::text AS table, format('table %%s', h.name) AS object, format('the column %%I: its rows are a tenant''s by way of %%s', h.col, o.conname) AS missing,
    format('ALTER TABLE %%1$s ADD COLUMN %%2$s %%3$s; UPDATE %%1$s AS c SET %%2$s = p.%%4$I FROM %%5$s AS p WHERE %%6$s; ALTER TABLE %%1$s ALTER COLUMN %%2$s SET NOT NULL;',
        h.name, h.quoted, %(type)s::text, coalesce(p.col, %(key)s::text), format('%%I.%%I', n.nspname, t.relname),
        (SELECT string_agg(format('p.%%I = c.%%I', b.attname, a.attname), ' AND ') FROM unnest(o.conkey, o.confkey) AS k (here, there)
         JOIN pg_attribute a ON a.attrelid = o.conrelid AND a.attnum = k.here JOIN pg_attribute b ON b.attrelid = o.confrelid AND b.attnum = k.there)) AS fix
FROM held h JOIN pg_constraint o ON o.oid = h.through JOIN pg_class t ON t.oid = o.confrelid JOIN pg_namespace n ON n.oid = t.relnamespace
LEFT JOIN held p ON p.oid = o.confrelid
WHERE NOT h.has AND NOT h.followed
-- What is nearer to the column comes first: the next one's rows take it from there.
ORDER BY array_position(%(oids)s::bigint[], h.oid::bigint)

-- name: column_nullable
WITH held AS ({held})
SELECT h.relname::text AS table, format('column %%s.%%I', h.name, h.col) AS object, 'NOT NULL' AS missing,
    format('ALTER TABLE %%s ALTER COLUMN %%s SET NOT NULL;', h.name, h.quoted) AS fix
FROM held h JOIN pg_attribute a ON a.attrelid = h.oid AND a.attnum = h.number
WHERE h.has AND NOT a.attnotnull
ORDER BY h.name

-- name: key_lacks
-- A primary key may be without the column where a second key holds both: references lead to that one. Where references lead to a key, another
-- is to be made beside it first.
WITH held AS ({held}), unique_index AS (
    SELECT h.*, i.indexrelid, i.indisprimary, (i.indkey::int2[])[0:i.indnkeyatts - 1] AS keys, i.indpred IS NULL AND i.indexprs IS NULL AS whole, x.relname AS index,
        o.conname, pg_get_constraintdef(o.oid) AS definition, pg_get_indexdef(i.indexrelid) AS index_definition,
        format(' USING %%s (', m.amname) AS before,
        EXISTS (SELECT FROM pg_constraint f WHERE f.contype = 'f' AND f.conindid = i.indexrelid) AS is_target
    FROM held h JOIN pg_index i ON i.indrelid = h.oid JOIN pg_class x ON x.oid = i.indexrelid JOIN pg_am m ON m.oid = x.relam
    LEFT JOIN pg_constraint o ON o.conindid = x.oid AND o.conrelid = h.oid AND o.contype IN ('p', 'u')
    WHERE i.indisunique AND NOT h.followed
)
SELECT u.relname::text AS table, format('%%s %%I on %%s', CASE WHEN u.indisprimary THEN 'primary key' WHEN u.conname IS NULL THEN 'unique index' ELSE 'unique key' END,
        u.index, u.name) AS object,
    format('the column %%I', u.col) AS missing,
    CASE WHEN u.indisprimary OR u.is_target THEN
        format('ALTER TABLE %%s ADD UNIQUE (%%s, %%s);', u.name, u.quoted, (SELECT string_agg(quote_ident(a.attname), ', ' ORDER BY k.place)
            FROM unnest(u.keys) WITH ORDINALITY AS k (number, place) JOIN pg_attribute a ON a.attrelid = u.oid AND a.attnum = k.number))
    WHEN u.conname IS NOT NULL THEN
        format('ALTER TABLE %%s DROP CONSTRAINT %%I, ADD CONSTRAINT %%I %%s%%s, %%s;', u.name, u.conname, u.conname,
            left(u.definition, strpos(u.definition, '(')), u.quoted, substr(u.definition, strpos(u.definition, '(') + 1))
    ELSE format('DROP INDEX %%I.%%I; %%s%%s, %%s;', %(schema)s::text, u.index, left(u.index_definition, strpos(u.index_definition, u.before) + length(u.before) - 1),
            u.quoted, substr(u.index_definition, strpos(u.index_definition, u.before) + length(u.before)))
    END AS fix
FROM unique_index u
WHERE (u.number IS NULL OR NOT u.number = ANY (u.keys))
  AND NOT (u.indisprimary AND EXISTS (SELECT FROM unique_index b WHERE b.oid = u.oid AND b.whole AND b.number = ANY (b.keys)
                                      AND b.keys @> u.keys AND b.keys <@ (u.keys || u.number)))
ORDER BY u.name, u.indisprimary DESC, u.index

-- name: reference_lacks
WITH held AS ({held})
SELECT h.relname::text AS table, format('reference %%I from %%s to %%s', o.conname, h.name, t.name) AS object, format('the column %%I', h.col) AS missing,
    format('ALTER TABLE %%s DROP CONSTRAINT %%I, ADD CONSTRAINT %%I FOREIGN KEY (%%s, %%s) REFERENCES %%s (%%s, %%s)%%s%%s%%s%%s;', h.name, o.conname, o.conname,
        h.quoted, (SELECT string_agg(quote_ident(a.attname), ', ' ORDER BY k.place) FROM unnest(o.conkey) WITH ORDINALITY k (number, place)
                   JOIN pg_attribute a ON a.attrelid = o.conrelid AND a.attnum = k.number),
        t.name, t.quoted, (SELECT string_agg(quote_ident(a.attname), ', ' ORDER BY k.place) FROM unnest(o.confkey) WITH ORDINALITY k (number, place)
                   JOIN pg_attribute a ON a.attrelid = o.confrelid AND a.attnum = k.number),
        CASE o.confupdtype WHEN 'r' THEN ' ON UPDATE RESTRICT' WHEN 'c' THEN ' ON UPDATE CASCADE' ELSE '' END,
        CASE o.confdeltype WHEN 'r' THEN ' ON DELETE RESTRICT' WHEN 'c' THEN ' ON DELETE CASCADE' WHEN 'n' THEN ' ON DELETE SET NULL'
            WHEN 'd' THEN ' ON DELETE SET DEFAULT' ELSE '' END,
        -- The tenant stays when what the row refers to goes.
        (SELECT format(' (%%s)', string_agg(quote_ident(a.attname), ', ' ORDER BY k.place)) FROM unnest(coalesce(o.confdelsetcols, o.conkey)) WITH ORDINALITY k (number, place)
         JOIN pg_attribute a ON a.attrelid = o.conrelid AND a.attnum = k.number WHERE o.confdeltype IN ('n', 'd') HAVING count(*) > 0),
        CASE WHEN o.condeferrable THEN ' DEFERRABLE' ELSE '' END || CASE WHEN o.condeferred THEN ' INITIALLY DEFERRED' ELSE '' END) AS fix
FROM held h JOIN pg_constraint o ON o.conrelid = h.oid AND o.contype = 'f' AND o.conparentid = 0 JOIN held t ON t.oid = o.confrelid
WHERE NOT h.followed AND NOT t.followed
  AND NOT EXISTS (SELECT FROM unnest(o.conkey, o.confkey) AS k (here, there) WHERE k.here = h.number AND k.there = t.number)
ORDER BY h.name, o.conname

-- name: index_missing
WITH held AS ({held})
SELECT h.relname::text AS table, format('table %%s', h.name) AS object, format('an index that begins with %%I', h.col) AS missing,
    format('CREATE INDEX%%s ON %%s (%%s);', CASE WHEN h.relkind = 'r' THEN ' CONCURRENTLY' ELSE '' END, h.name, h.quoted) AS fix
FROM held h
WHERE NOT h.followed AND NOT EXISTS (SELECT FROM pg_index i WHERE i.indrelid = h.oid AND i.indisvalid AND i.indpred IS NULL AND i.indkey[0] = h.number)
ORDER BY h.name

-- name: security_off
WITH held AS ({held})
SELECT h.relname::text AS table, format('table %%s', h.name) AS object, 'row-level security' AS missing,
    format('ALTER TABLE %%s ENABLE ROW LEVEL SECURITY;', h.name) AS fix
FROM held h WHERE NOT h.relrowsecurity ORDER BY h.name

-- name: security_not_forced
WITH held AS ({held})
SELECT h.relname::text AS table, format('table %%s', h.name) AS object, 'row-level security for its owner' AS missing,
    format('ALTER TABLE %%s FORCE ROW LEVEL SECURITY;', h.name) AS fix
FROM held h WHERE NOT h.relforcerowsecurity ORDER BY h.name

-- name: policy_missing
WITH held AS ({held})
SELECT h.relname::text AS table, format('table %%s', h.name) AS object, 'a policy' AS missing,
    format('CREATE POLICY %%s ON %%s USING (%%s) WITH CHECK (%%s);', 'tenant', h.name, h.test, h.test) AS fix
FROM held h WHERE NOT EXISTS (SELECT FROM pg_policy p WHERE p.polrelid = h.oid AND p.polpermissive) ORDER BY h.name

-- name: partition_open
WITH held AS ({held})
SELECT h.relname::text AS table, format('partition %%I.%%I', n.nspname, c.relname) AS object, 'row-level security of its own' AS missing,
    format('REVOKE ALL ON %%I.%%I FROM %%s;', n.nspname, c.relname, (
        SELECT string_agg(DISTINCT CASE g.grantee WHEN 0 THEN 'PUBLIC' ELSE quote_ident(pg_get_userbyid(g.grantee)) END, ', ')
        FROM aclexplode(c.relacl) AS g WHERE g.grantee <> c.relowner)) AS fix
FROM held h CROSS JOIN LATERAL pg_partition_tree(h.oid) AS p JOIN pg_class c ON c.oid = p.relid JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE c.relispartition AND NOT (c.relrowsecurity AND c.relforcerowsecurity) AND EXISTS (SELECT FROM aclexplode(c.relacl) AS g WHERE g.grantee <> c.relowner)
ORDER BY 2

-- name: reading
-- A part of other blocks: views that read tenants' rows, whichever schema they are in, also by way of others.
SELECT r.ev_class AS oid FROM pg_depend d JOIN pg_rewrite r ON r.oid = d.objid
WHERE d.classid = 'pg_rewrite'::regclass AND d.refclassid = 'pg_class'::regclass AND d.refobjid = ANY (%(oids)s::bigint[]::oid[]) AND r.ev_class <> d.refobjid
UNION
SELECT r.ev_class FROM reading v JOIN pg_depend d ON d.refobjid = v.oid JOIN pg_rewrite r ON r.oid = d.objid
WHERE d.classid = 'pg_rewrite'::regclass AND d.refclassid = 'pg_class'::regclass AND r.ev_class <> d.refobjid

-- name: view_definer
WITH RECURSIVE reading (oid) AS ({reading})
SELECT NULL::text AS table, format('view %%I.%%I', n.nspname, c.relname) AS object, 'security_invoker' AS missing,
    format('ALTER VIEW %%I.%%I SET (security_invoker = true);', n.nspname, c.relname) AS fix
FROM reading v JOIN pg_class c ON c.oid = v.oid JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE c.relkind = 'v' AND NOT EXISTS (SELECT FROM pg_options_to_table(c.reloptions) AS o WHERE o.option_name = 'security_invoker' AND o.option_value::boolean)
ORDER BY 2

-- name: materialized_view
WITH RECURSIVE reading (oid) AS ({reading})
SELECT NULL::text AS table, format('materialised view %%I.%%I', n.nspname, c.relname) AS object, 'a policy, which no materialised view can have' AS missing,
    format('REVOKE ALL ON %%I.%%I FROM %%s;', n.nspname, c.relname,
        string_agg(DISTINCT CASE g.grantee WHEN 0 THEN 'PUBLIC' ELSE quote_ident(pg_get_userbyid(g.grantee)) END, ', ')) AS fix
FROM reading v JOIN pg_class c ON c.oid = v.oid JOIN pg_namespace n ON n.oid = c.relnamespace CROSS JOIN LATERAL aclexplode(c.relacl) AS g
WHERE c.relkind = 'm' AND g.grantee <> c.relowner
GROUP BY n.nspname, c.relname ORDER BY 2

-- name: definer_function
SELECT NULL::text AS table, format('routine %%s', p.oid::regprocedure) AS object, 'SECURITY INVOKER' AS missing,
    format('ALTER ROUTINE %%s SECURITY INVOKER;', p.oid::regprocedure) AS fix
FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace
WHERE n.nspname = %(schema)s AND p.prosecdef
  AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.classid = 'pg_proc'::regclass AND d.objid = p.oid AND d.deptype = 'e')
ORDER BY 2

-- name: role_bypasses
-- Who is given rights on tenants' rows, and logins that are members of those. A superuser counts as everybody's member: of him only what was said is asked.
WITH held AS ({held}), given AS (
    SELECT DISTINCT g.grantee AS oid FROM held h CROSS JOIN LATERAL aclexplode(h.relacl) AS g WHERE g.grantee NOT IN (0, h.relowner)
)
SELECT NULL::text AS table, format('role %%I', r.rolname) AS object, CASE WHEN r.rolsuper THEN 'NOSUPERUSER' ELSE 'NOBYPASSRLS' END AS missing,
    format('ALTER ROLE %%I%%s NOBYPASSRLS;', r.rolname, CASE WHEN r.rolsuper THEN ' NOSUPERUSER' ELSE '' END) AS fix
FROM pg_roles r
WHERE (r.rolsuper OR r.rolbypassrls) AND EXISTS (
    SELECT FROM given g WHERE g.oid = r.oid OR (r.rolcanlogin AND (
        EXISTS (SELECT FROM pg_auth_members m WHERE m.roleid = g.oid AND m.member = r.oid) OR (NOT r.rolsuper AND pg_has_role(r.oid, g.oid, 'MEMBER')))))
ORDER BY 2

-- name: role_acts_as_owner
WITH held AS ({held})
SELECT DISTINCT NULL::text AS table, format('role %%I, which may act as %%I', r.rolname, pg_get_userbyid(h.relowner)) AS object, 'a distance to the owner' AS missing,
    format('REVOKE %%I FROM %%I;', pg_get_userbyid(h.relowner), r.rolname) AS fix
FROM held h CROSS JOIN LATERAL aclexplode(h.relacl) AS g JOIN pg_roles r ON r.oid = g.grantee
WHERE r.oid <> h.relowner AND NOT r.rolsuper AND pg_has_role(r.oid, h.relowner, 'MEMBER')
ORDER BY 2

-- name: role_is_owner
-- Nobody but the owner has a right on any of them: so the application works as that.
WITH held AS ({held})
SELECT NULL::text AS table, format('role %%I, the owner%%s', r.rolname, CASE WHEN r.rolsuper THEN ' and a superuser' WHEN r.rolbypassrls THEN ' with BYPASSRLS' ELSE '' END) AS object,
    'a role for the application' AS missing,
    -- What all have in common is not for each of them to change, and partitions are reached by way of their table.
    format('CREATE ROLE %%1$I LOGIN; GRANT USAGE ON SCHEMA %%2$I TO %%1$I; GRANT SELECT ON %%3$s TO %%1$I; GRANT INSERT, UPDATE, DELETE ON %%4$s TO %%1$I; GRANT USAGE ON ALL SEQUENCES IN SCHEMA %%2$I TO %%1$I;',
        left(%(schema)s::text, 59) || '_app', %(schema)s::text,
        (SELECT string_agg(format('%%I.%%I', n.nspname, c.relname), ', ' ORDER BY c.relname) FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
         WHERE n.nspname = %(schema)s AND c.relkind IN ('r', 'p', 'v') AND NOT c.relispartition),
        string_agg(h.name, ', ' ORDER BY h.name)) AS fix
FROM held h JOIN pg_roles r ON r.oid = h.relowner
WHERE NOT EXISTS (SELECT FROM held o CROSS JOIN LATERAL aclexplode(o.relacl) AS g WHERE g.grantee <> o.relowner)
  AND NOT EXISTS (SELECT FROM held o JOIN pg_attribute a ON a.attrelid = o.oid CROSS JOIN LATERAL aclexplode(a.attacl) AS g WHERE g.grantee <> o.relowner)
GROUP BY r.rolname, r.rolsuper, r.rolbypassrls ORDER BY 2

-- name: truncate_granted
WITH held AS ({held})
SELECT h.relname::text AS table, format('table %%s', h.name) AS object, 'a limit to TRUNCATE' AS missing,
    format('REVOKE TRUNCATE ON %%s FROM %%s;', h.name, string_agg(DISTINCT CASE g.grantee WHEN 0 THEN 'PUBLIC' ELSE quote_ident(pg_get_userbyid(g.grantee)) END, ', ')) AS fix
FROM held h CROSS JOIN LATERAL aclexplode(h.relacl) AS g
WHERE g.privilege_type = 'TRUNCATE' AND g.grantee <> h.relowner
GROUP BY h.relname, h.name ORDER BY 2

-- name: countable
-- May their tenants be counted, and how large are they? Policies would show this login a part, or nothing.
SELECT n.nspname::text AS schema, c.relname::text AS table, h.col AS column,
    has_schema_privilege(n.oid, 'USAGE') AND has_column_privilege(c.oid, h.col, 'SELECT') AS readable, row_security_active(c.oid) AS hidden,
    (SELECT sum(pg_relation_size(p.relid)) FROM (SELECT c.oid AS relid UNION SELECT relid FROM pg_partition_tree(c.oid)) AS p)::bigint AS bytes,
    greatest(c.reltuples, 0)::bigint AS rows,
    (SELECT CASE WHEN s.n_distinct < 0 THEN -s.n_distinct * greatest(c.reltuples, 0) ELSE s.n_distinct END::bigint FROM pg_stats s
     WHERE s.schemaname = n.nspname AND s.tablename = c.relname AND s.attname = h.col ORDER BY s.inherited DESC LIMIT 1) AS estimate
FROM unnest(%(oids)s::bigint[]::oid[], %(columns)s::text[]) AS h (oid, col) JOIN pg_class c ON c.oid = h.oid JOIN pg_namespace n ON n.oid = c.relnamespace

-- name: tenants_of
SELECT {column}::text AS tenant FROM {table} WHERE {column} IS NOT NULL

-- name: count_tenants
SELECT count(*) AS tenants FROM ({all}) AS t

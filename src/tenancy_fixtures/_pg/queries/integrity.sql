-- Questions to a tenant's tables. They read the tables themselves and no index: an index may be what is wrong.

-- name: by_heap
-- Rows are read where they are stored. Sums over millions of rows are kept in memory as far as a server can well spare it.
SELECT pg_catalog.set_config('enable_indexscan', 'off', true), pg_catalog.set_config('enable_indexonlyscan', 'off', true),
    pg_catalog.set_config('enable_bitmapscan', 'off', true), pg_catalog.set_config('work_mem', '64MB', true)

-- name: by_index
SELECT pg_catalog.set_config('enable_indexscan', 'on', true), pg_catalog.set_config('enable_indexonlyscan', 'on', true),
    pg_catalog.set_config('enable_seqscan', 'off', true), pg_catalog.set_config('enable_sort', 'off', true)

-- name: by_heap_again
SELECT pg_catalog.set_config('enable_indexscan', 'off', true), pg_catalog.set_config('enable_indexonlyscan', 'off', true),
    pg_catalog.set_config('enable_seqscan', 'on', true), pg_catalog.set_config('enable_sort', 'on', true)

-- name: may_use
SELECT pg_catalog.has_schema_privilege(n.oid, 'USAGE') AS usable FROM pg_catalog.pg_namespace AS n WHERE n.nspname = %(namespace)s

-- name: tables
-- Tables by name: whether they are parts of others, whether this role may read them, and whether they are its own.
SELECT c.relname::text AS name, c.relispartition AS part, pg_catalog.has_table_privilege(c.oid, 'SELECT') AS readable,
    pg_catalog.pg_has_role(c.relowner, 'USAGE') AS owned
FROM pg_catalog.pg_class AS c JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace
WHERE n.nspname = %(namespace)s AND c.relkind IN ('r', 'p') AND pg_catalog.has_schema_privilege(n.oid, 'USAGE')
ORDER BY 1

-- name: not_in_force
-- What is there and does not work: constraints never checked for all rows, or whose triggers are switched off; indexes that a
-- failed build left invalid; triggers and rules that are switched off, one by one or for whole sessions.
SELECT 'constraint' AS kind, c.relname || '.' || k.conname AS object, 'was never checked for every row' AS fault
FROM pg_catalog.pg_constraint AS k
JOIN pg_catalog.pg_namespace AS n ON n.oid = k.connamespace
JOIN pg_catalog.pg_class AS c ON c.oid = k.conrelid
WHERE n.nspname = %(namespace)s AND NOT k.convalidated
UNION ALL
SELECT 'index', c.relname, 'is invalid: a build of it failed, or was never ended'
FROM pg_catalog.pg_index AS i
JOIN pg_catalog.pg_class AS c ON c.oid = i.indexrelid
JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace
WHERE n.nspname = %(namespace)s AND NOT (i.indisvalid AND i.indisready AND i.indislive)
UNION ALL
-- The triggers that enforce a reference can be switched off, on either side.
SELECT DISTINCT 'constraint', c.relname || '.' || k.conname, 'is not enforced: its triggers are switched off'
FROM pg_catalog.pg_trigger AS g
JOIN pg_catalog.pg_constraint AS k ON k.oid = g.tgconstraint
JOIN pg_catalog.pg_namespace AS n ON n.oid = k.connamespace
JOIN pg_catalog.pg_class AS c ON c.oid = k.conrelid
WHERE n.nspname = %(namespace)s AND g.tgisinternal AND g.tgenabled IN ('D', 'R') AND k.convalidated
UNION ALL
SELECT 'trigger', c.relname || '.' || g.tgname, 'is switched off'
FROM pg_catalog.pg_trigger AS g
JOIN pg_catalog.pg_class AS c ON c.oid = g.tgrelid
JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace
WHERE n.nspname = %(namespace)s AND NOT g.tgisinternal AND g.tgenabled IN ('D', 'R')
UNION ALL
SELECT 'rule', c.relname || '.' || w.rulename, 'is switched off'
FROM pg_catalog.pg_rewrite AS w
JOIN pg_catalog.pg_class AS c ON c.oid = w.ev_class
JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace
WHERE n.nspname = %(namespace)s AND w.ev_enabled IN ('D', 'R')
UNION ALL
-- In such a session no reference is enforced and no trigger runs, whatever is said of each.
SELECT 'setting', 'session_replication_role', 'is replica in new sessions of ' || coalesce('the role ' || r.rolname, 'the database')
FROM pg_catalog.pg_db_role_setting AS s
LEFT JOIN pg_catalog.pg_roles AS r ON r.oid = s.setrole
WHERE s.setdatabase IN (0, (SELECT oid FROM pg_catalog.pg_database WHERE datname = pg_catalog.current_database()))
  AND 'session_replication_role=replica' = ANY (s.setconfig)
  AND (s.setrole = 0 OR (NOT r.rolsuper AND pg_catalog.has_schema_privilege(r.oid, %(namespace)s, 'USAGE')))
ORDER BY 1, 2

-- name: table_checks
SELECT c.relname::text AS table, o.conname::text AS name, pg_catalog.pg_get_expr(o.conbin, o.conrelid) AS expression
FROM pg_catalog.pg_constraint AS o
JOIN pg_catalog.pg_class AS c ON c.oid = o.conrelid
JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace
WHERE n.nspname = %(namespace)s AND o.contype = 'c' AND NOT o.connoinherit
ORDER BY 1, 2

-- name: indexes
-- The indexes of tables that are no parts of others, with what PostgreSQL prints of their keys and of the rows that they are for.
SELECT c.relname::text AS table, x.relname::text AS name, i.indisunique AS "unique", i.indnullsnotdistinct AS nulls_not_distinct,
    m.amname = 'btree' AND i.indisvalid AND i.indisready AND i.indislive AS ordered,
    (SELECT pg_catalog.array_agg(pg_catalog.pg_get_indexdef(i.indexrelid, k, false) ORDER BY k) FROM pg_catalog.generate_series(1, i.indnkeyatts) AS k) AS keys,
    (SELECT pg_catalog.array_agg(CASE WHEN o.option & 1 = 1 THEN ' DESC' ELSE '' END || CASE WHEN o.option & 2 = 2 THEN ' NULLS FIRST' ELSE ' NULLS LAST' END
                                 ORDER BY o.place)
     FROM pg_catalog.unnest(i.indoption::pg_catalog.int2[]) WITH ORDINALITY AS o (option, place) WHERE o.place <= i.indnkeyatts) AS orders,
    pg_catalog.pg_get_expr(i.indpred, i.indrelid) AS predicate
FROM pg_catalog.pg_index AS i
JOIN pg_catalog.pg_class AS c ON c.oid = i.indrelid
JOIN pg_catalog.pg_class AS x ON x.oid = i.indexrelid
JOIN pg_catalog.pg_am AS m ON m.oid = x.relam
JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace
WHERE n.nspname = %(namespace)s AND c.relkind IN ('r', 'p') AND NOT c.relispartition
ORDER BY 1, 2

-- name: scan
SELECT count(*) AS rows {counts} FROM {table}

-- name: duplicates
SELECT coalesce(sum(found.rows - 1), 0)::bigint AS rows
FROM (SELECT count(*) AS rows FROM {table} WHERE {condition} GROUP BY {keys} HAVING count(*) > 1) AS found

-- name: duplicate_keys
SELECT pg_catalog.concat_ws(', ', {keys}) AS name FROM {table} WHERE {condition} GROUP BY {keys} HAVING count(*) > 1 ORDER BY 1 LIMIT {limit}

-- name: explain_index_rows
EXPLAIN (FORMAT JSON, COSTS OFF) SELECT count(*) AS rows FROM (SELECT FROM {table} WHERE {condition} ORDER BY {order}) AS ordered

-- name: index_rows
SELECT count(*) AS rows FROM (SELECT FROM {table} WHERE {condition} ORDER BY {order}) AS ordered

-- name: count_rows_where
SELECT count(*) AS rows FROM {table} WHERE {condition}

-- name: keys_where
SELECT pg_catalog.concat_ws(', ', {key}) AS name FROM {table} WHERE {condition} ORDER BY 1 LIMIT {limit}

-- name: orphaned
-- A condition: the reference leads nowhere. A constraint that was switched off while somebody wrote leaves such rows.
({present}) AND NOT EXISTS (SELECT FROM {target} AS parent WHERE {joined})

-- name: sequences
-- The sequence behind each number that a default or an identity draws from it, whoever owns it; its bounds, where it does not begin again there.
SELECT DISTINCT c.relname::text AS table, a.attname::text AS column, n.nspname::text AS schema, s.relname::text AS sequence, q.seqincrement AS step,
    CASE WHEN NOT q.seqcycle THEN q.seqmin END AS low, CASE WHEN NOT q.seqcycle THEN q.seqmax END AS high,
    pg_catalog.has_sequence_privilege(s.oid, 'SELECT') AS readable, pg_catalog.pg_has_role(s.relowner, 'USAGE') AS owned
FROM pg_catalog.pg_class AS c
JOIN pg_catalog.pg_namespace AS h ON h.oid = c.relnamespace
JOIN pg_catalog.pg_attribute AS a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
LEFT JOIN pg_catalog.pg_attrdef AS v ON v.adrelid = a.attrelid AND v.adnum = a.attnum
JOIN pg_catalog.pg_depend AS d ON d.refclassid = 'pg_catalog.pg_class'::pg_catalog.regclass AND (
    -- Owned by the column, or used by its default.
    (d.classid = 'pg_catalog.pg_class'::pg_catalog.regclass AND d.refobjid = c.oid AND d.refobjsubid = a.attnum AND d.deptype IN ('a', 'i'))
    OR (d.classid = 'pg_catalog.pg_attrdef'::pg_catalog.regclass AND d.objid = v.oid AND d.deptype = 'n'))
JOIN pg_catalog.pg_class AS s ON s.relkind = 'S' AND s.oid = CASE WHEN d.deptype = 'n' THEN d.refobjid ELSE d.objid END
JOIN pg_catalog.pg_sequence AS q ON q.seqrelid = s.oid
JOIN pg_catalog.pg_namespace AS n ON n.oid = s.relnamespace
WHERE h.nspname = %(namespace)s AND c.relkind IN ('r', 'p') AND NOT c.relispartition
ORDER BY 1, 2

-- name: sequence_gap
-- Whether the next number is one that the table has already, or has passed: by the direction in which the sequence counts. Whether there is a
-- next number; and one after the table's last.
SELECT coalesce(CASE WHEN {step} > 0 THEN max({column}) >= s.next ELSE min({column}) <= s.next END, false) AS behind,
    coalesce(s.next NOT BETWEEN {low} AND {high}, false) AS used_up,
    coalesce(CASE WHEN {step} > 0 THEN max({column}) ELSE min({column}) END::numeric + {step} BETWEEN {low} AND {high}, true) AS has_room
FROM (SELECT last_value::numeric + CASE WHEN is_called THEN {step} ELSE 0 END AS next FROM {sequence}) AS s LEFT JOIN {table} ON true
GROUP BY s.next

-- name: move_sequence
SELECT pg_catalog.setval({sequence}, (SELECT CASE WHEN {step} > 0 THEN max({column}) ELSE min({column}) END FROM {table}))

-- name: clock
-- Moments of the control plane's own that lie in the future, or before what they follow: the server's clock was set.
SELECT 'registry' AS object, 'was changed before it was made, or is made in the future' AS fault
FROM tenancy.tenants WHERE uid = %(uid)s AND (created_at > now() + interval '5 minutes' OR updated_at > now() + interval '5 minutes' OR updated_at < created_at)
UNION ALL
SELECT 'dataset ' || l.dataset, 'was loaded in the future, or before the tenant was made'
FROM tenancy.ledger AS l JOIN tenancy.tenants AS t ON t.uid = l.uid
WHERE l.uid = %(uid)s AND (l.loaded_at > now() + interval '5 minutes' OR l.loaded_at < t.created_at - interval '5 minutes')
ORDER BY 1

-- name: delete_orphans
DELETE FROM {table} WHERE {condition}

-- name: unlink_orphans
UPDATE {table} SET {changed} WHERE {condition}

-- name: unvalidated
-- Constraints that do not hold for every row or are not kept any more, and indexes that a failed build left invalid.
SELECT c.conrelid::pg_catalog.regclass::text AS object, c.conname::text AS name, 'constraint' AS kind
FROM pg_catalog.pg_constraint AS c
JOIN pg_catalog.pg_namespace AS n ON n.oid = c.connamespace
WHERE n.nspname = %(namespace)s AND NOT c.convalidated
UNION ALL
SELECT i.indrelid::pg_catalog.regclass::text, i.indexrelid::pg_catalog.regclass::text, 'index'
FROM pg_catalog.pg_index AS i
JOIN pg_catalog.pg_class AS c ON c.oid = i.indexrelid
JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace
WHERE n.nspname = %(namespace)s AND NOT (i.indisvalid AND i.indisready)
UNION ALL
-- The triggers that enforce a reference can be switched off, on either side.
SELECT DISTINCT k.conrelid::pg_catalog.regclass::text, k.conname::text, 'constraint'
FROM pg_catalog.pg_trigger AS g
JOIN pg_catalog.pg_constraint AS k ON k.oid = g.tgconstraint
JOIN pg_catalog.pg_namespace AS n ON n.oid = k.connamespace
WHERE n.nspname = %(namespace)s AND g.tgisinternal AND g.tgenabled IN ('D', 'R') AND k.convalidated

-- name: count_rows
SELECT count(*) AS rows FROM {table}

-- name: count_orphans
-- Rows whose reference leads nowhere: a constraint that was switched off while somebody wrote leaves them.
SELECT count(*) AS rows
FROM {table} AS child
WHERE ({present}) AND NOT EXISTS (SELECT FROM {target} AS parent WHERE {joined})

-- name: sequences_behind
-- The sequence behind each number that a default or an identity draws from it.
SELECT c.relname::text AS table, a.attname::text AS column, n.nspname::text AS schema, s.relname::text AS sequence
FROM pg_catalog.pg_depend AS d
JOIN pg_catalog.pg_class AS s ON s.oid = d.objid AND s.relkind = 'S'
JOIN pg_catalog.pg_class AS c ON c.oid = d.refobjid
JOIN pg_catalog.pg_attribute AS a ON a.attrelid = c.oid AND a.attnum = d.refobjsubid
JOIN pg_catalog.pg_namespace AS n ON n.oid = s.relnamespace
WHERE d.classid = 'pg_catalog.pg_class'::pg_catalog.regclass AND d.refclassid = 'pg_catalog.pg_class'::pg_catalog.regclass
  AND d.deptype IN ('a', 'i') AND n.nspname = %(namespace)s
ORDER BY 1, 2

-- name: sequence_gap
-- True where the next number is one that the table has already.
SELECT coalesce((SELECT max({column}) FROM {table}), 0) > (SELECT CASE WHEN is_called THEN last_value ELSE last_value - 1 END FROM {sequence}) AS behind

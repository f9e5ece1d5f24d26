-- Questions to a schema that was made for trial, before any row is there.

-- name: checks
-- Every CHECK of a schema's tables, and of the domains of their columns (where VALUE stands for the column).
SELECT c.relname::text AS table, o.conname::text AS name, pg_get_expr(o.conbin, o.conrelid) AS expression, NULL AS domain_column,
    (SELECT array_agg(a.attname::text ORDER BY a.attnum) FROM pg_attribute a WHERE a.attrelid = o.conrelid AND a.attnum = ANY (o.conkey)) AS columns
FROM pg_constraint o JOIN pg_class c ON c.oid = o.conrelid JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE n.nspname = %(schema)s AND o.contype = 'c'
UNION ALL
(WITH RECURSIVE domain AS (
    SELECT a.attrelid, a.attname, t.oid, t.typbasetype, t.typtype
    FROM pg_attribute a JOIN pg_type t ON t.oid = a.atttypid JOIN pg_class c ON c.oid = a.attrelid JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE n.nspname = %(schema)s AND c.relkind IN ('r', 'p') AND a.attnum > 0 AND NOT a.attisdropped AND t.typtype = 'd'
    UNION ALL
    SELECT d.attrelid, d.attname, t.oid, t.typbasetype, t.typtype FROM domain d JOIN pg_type t ON t.oid = d.typbasetype WHERE d.typtype = 'd'
)
SELECT c.relname::text, o.conname::text, pg_get_expr(o.conbin, 0), d.attname::text, ARRAY[d.attname::text]
FROM domain d JOIN pg_constraint o ON o.contypid = d.oid AND o.contype = 'c' JOIN pg_class c ON c.oid = d.attrelid)
ORDER BY 1, 2, 4

-- name: expression_indexes
-- The columns that each unique index over expressions, or over some rows only, reads; such an index keeps texts apart too.
SELECT c.relname::text AS table, x.relname::text AS name,
    (SELECT array_agg(DISTINCT a.attname::text ORDER BY a.attname::text)
     FROM pg_depend d JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = d.refobjsubid
     WHERE d.classid = 'pg_class'::regclass AND d.objid = i.indexrelid AND d.refclassid = 'pg_class'::regclass AND d.refobjid = i.indrelid
       AND d.refobjsubid > 0) AS columns
FROM pg_index i JOIN pg_class c ON c.oid = i.indrelid JOIN pg_class x ON x.oid = i.indexrelid JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE n.nspname = %(schema)s AND (i.indisunique AND (i.indpred IS NOT NULL OR i.indexprs IS NOT NULL) OR i.indisexclusion)
ORDER BY 1, 2

-- name: broken
-- The places (from 1) of rows, given as texts, that a check refuses. The innermost FROM has the table's columns and no other.
SELECT given.n AS place
FROM unnest({arrays}) WITH ORDINALITY AS given ({names}, n)
WHERE NOT coalesce((SELECT {check} FROM (SELECT {columns}) AS {table}), true)

-- name: castable
SELECT count({column}::{type}) AS values FROM unnest(%(texts)s::text[]) AS given ({column})

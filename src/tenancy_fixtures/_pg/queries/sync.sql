-- Which rows a dataset has put into a table, so that those that it drops later can be taken out, and no others.

-- name: remember
-- The keys that were there before the load: rows with these are somebody else's, whatever the load makes of them.
CREATE TEMPORARY TABLE {before} ON COMMIT DROP AS SELECT {digest} AS key FROM {table} AS r

-- name: own_new
INSERT INTO tenancy.loaded_keys (uid, dataset, target, key)
SELECT {uid}, {dataset}, {target}, found.key
FROM (SELECT DISTINCT {digest} AS key FROM {relation} AS r) AS found
WHERE NOT EXISTS (SELECT FROM {before} AS b WHERE b.key = found.key)
ON CONFLICT DO NOTHING

-- name: note_gone
-- The keys that the dataset has put there, and no longer has.
CREATE TEMPORARY TABLE {gone} ON COMMIT DROP AS
SELECT o.key FROM tenancy.loaded_keys AS o
WHERE o.uid = {uid} AND o.dataset = {dataset} AND o.target = {target}
  AND NOT EXISTS (SELECT FROM {relation} AS r WHERE {digest} = o.key)

-- name: referring
-- Foreign keys that lead to a table. A partition's belongs to the table that it is a part of.
SELECT n.nspname AS schema, c.relname AS table, c.oid = f.confrelid AS to_itself,
       (SELECT array_agg(a.attname::text ORDER BY k.place)
        FROM unnest(f.conkey) WITH ORDINALITY AS k (number, place)
        JOIN pg_catalog.pg_attribute AS a ON a.attrelid = f.conrelid AND a.attnum = k.number) AS columns,
       (SELECT array_agg(a.attname::text ORDER BY k.place)
        FROM unnest(f.confkey) WITH ORDINALITY AS k (number, place)
        JOIN pg_catalog.pg_attribute AS a ON a.attrelid = f.confrelid AND a.attnum = k.number) AS targets
FROM pg_catalog.pg_constraint AS f
JOIN pg_catalog.pg_class AS c ON c.oid = f.conrelid
JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace
WHERE f.confrelid = %(table)s::regclass AND f.contype = 'f' AND f.conparentid = 0
ORDER BY n.nspname, c.relname, f.conname

-- name: count_referring
SELECT count(*) AS count FROM {referring} AS t JOIN {table} AS r ON {match} JOIN {gone} AS g ON g.key = {digest}
WHERE NOT ({to_itself} AND EXISTS (SELECT FROM {gone} AS o WHERE o.key = {own_digest}))

-- name: forget_gone
DELETE FROM tenancy.loaded_keys AS o USING {gone} AS g
WHERE o.uid = {uid} AND o.dataset = {dataset} AND o.target = {target} AND o.key = g.key

-- name: remove_gone
DELETE FROM {table} AS r USING {gone} AS g WHERE {digest} = g.key

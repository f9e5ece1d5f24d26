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

-- name: remove_gone
WITH gone AS (
    DELETE FROM tenancy.loaded_keys AS o
    WHERE o.uid = {uid} AND o.dataset = {dataset} AND o.target = {target}
      AND NOT EXISTS (SELECT FROM {relation} AS r WHERE {digest} = o.key)
    RETURNING o.key
)
DELETE FROM {table} AS r USING gone WHERE {digest} = gone.key

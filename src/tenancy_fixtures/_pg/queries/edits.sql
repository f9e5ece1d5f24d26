-- Edits of comments and documents.

-- name: waiting
SELECT EXISTS (SELECT FROM {edits} WHERE NOT is_applied) AS found

-- name: apply
-- The last edit of each says how it is; its first one says who began it, and when.
WITH pending AS (
    SELECT DISTINCT object_kind, object_id FROM {edits} WHERE NOT is_applied
), last AS MATERIALIZED (
    SELECT DISTINCT ON (e.object_kind, e.object_id) e.object_kind, e.object_id, e.workspace_id, e.operation, e.body, e.made_at,
        first_value(e.author_id) OVER began AS author_id, first_value(e.made_at) OVER began AS began_at, count(*) OVER whole AS edits
    FROM {edits} AS e JOIN pending USING (object_kind, object_id)
    WINDOW whole AS (PARTITION BY e.object_kind, e.object_id),
           began AS (PARTITION BY e.object_kind, e.object_id ORDER BY e.number ROWS BETWEEN UNBOUNDED PRECEDING AND UNBOUNDED FOLLOWING)
    ORDER BY e.object_kind, e.object_id, e.number DESC
), gone_comments AS (
    DELETE FROM {comments} AS c USING last AS l WHERE l.object_kind = 'comment' AND l.operation = 'delete' AND c.comment_id = l.object_id RETURNING 1
), gone_documents AS (
    DELETE FROM {documents} AS d USING last AS l WHERE l.object_kind = 'document' AND l.operation = 'delete' AND d.document_id = l.object_id RETURNING 1
), written_comments AS (
    INSERT INTO {comments} AS c (comment_id, workspace_id, author_id, body, created_at, edited_at)
    SELECT object_id, workspace_id, author_id, body, began_at, CASE WHEN edits > 1 THEN made_at END FROM last WHERE object_kind = 'comment' AND operation <> 'delete'
    ON CONFLICT ({tenant}comment_id) DO UPDATE SET body = excluded.body, edited_at = excluded.edited_at WHERE c.body <> excluded.body
    RETURNING 1
), written_documents AS (
    INSERT INTO {documents} AS d (document_id, workspace_id, author_id, body, created_at, edited_at)
    SELECT object_id, workspace_id, author_id, body, began_at, CASE WHEN edits > 1 THEN made_at END FROM last WHERE object_kind = 'document' AND operation <> 'delete'
    ON CONFLICT ({tenant}document_id) DO UPDATE SET body = excluded.body, edited_at = excluded.edited_at WHERE d.body <> excluded.body
    RETURNING 1
), applied AS (
    UPDATE {edits} SET is_applied = true WHERE NOT is_applied RETURNING 1
)
SELECT (SELECT count(*) FROM applied) AS edits,
    (SELECT count(*) FROM written_comments) + (SELECT count(*) FROM written_documents) AS written,
    (SELECT count(*) FROM gone_comments) + (SELECT count(*) FROM gone_documents) AS removed

-- name: start
-- The lease is by the server's clock, the only one that all processes share.
INSERT INTO tenancy.runs (run_id, tenant_id, operation, idempotency_key, arguments_digest, lease_until)
VALUES (%(run_id)s, %(tenant_id)s, %(operation)s, %(idempotency_key)s, %(arguments_digest)s,
        clock_timestamp() + make_interval(secs => %(lease)s))
ON CONFLICT (idempotency_key) WHERE idempotency_key IS NOT NULL AND state IN ('running', 'succeeded') DO NOTHING
RETURNING run_id

-- name: by_key
SELECT run_id, tenant_id, operation, state, arguments_digest, report
FROM tenancy.runs
WHERE idempotency_key = %(idempotency_key)s AND state IN ('running', 'succeeded')

-- name: hold
-- The row lock says that the run lives: it is held until the work's transaction ends, however it ends.
SELECT state FROM tenancy.runs WHERE run_id = %(run_id)s FOR UPDATE

-- name: succeed
UPDATE tenancy.runs
SET state = 'succeeded', uid = %(uid)s, finished_at = clock_timestamp(), report = %(report)s
WHERE run_id = %(run_id)s

-- name: fail
UPDATE tenancy.runs
SET state = 'failed', uid = %(uid)s, finished_at = clock_timestamp(), error = %(error)s, report = %(report)s
WHERE run_id = %(run_id)s AND state IN ('running', 'crashed')

-- name: reap
-- A run whose lease is over and whose row nobody holds has lost its process; its transaction went with it.
WITH dead AS (
    SELECT run_id FROM tenancy.runs
    WHERE state = 'running' AND lease_until < clock_timestamp()
    FOR UPDATE SKIP LOCKED
)
UPDATE tenancy.runs AS r
SET state = 'crashed', finished_at = clock_timestamp()
FROM dead
WHERE r.run_id = dead.run_id
RETURNING r.run_id, r.tenant_id, r.uid, r.operation

-- name: add_step
INSERT INTO tenancy.steps (run_id, ordinal, fixture, action, object, detail)
VALUES (%(run_id)s, %(ordinal)s, %(fixture)s, %(action)s, %(object)s, %(detail)s)

-- name: recent
SELECT run_id, tenant_id, uid, operation, state, actor, started_at, finished_at, error
FROM tenancy.runs
WHERE tenant_id = %(tenant_id)s
ORDER BY started_at DESC
LIMIT %(limit)s

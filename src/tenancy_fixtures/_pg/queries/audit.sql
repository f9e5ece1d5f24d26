-- name: append
INSERT INTO tenancy.audit_log (tenant_id, uid, run_id, action, detail)
VALUES (%(tenant_id)s, %(uid)s, %(run_id)s, %(action)s, %(detail)s)

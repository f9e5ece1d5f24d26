-- Tenants in databases of their own. Making and dropping a database cannot be part of a transaction: what is about to be done is
-- written down first, so that whoever comes after a crash can finish it or undo it.
CREATE TABLE tenancy.intents (
    tenant_id text PRIMARY KEY,
    uid uuid NOT NULL,
    namespace name NOT NULL UNIQUE,
    kind text NOT NULL CHECK (kind IN ('create', 'drop')),
    at timestamptz NOT NULL DEFAULT clock_timestamp()
);
COMMENT ON TABLE tenancy.intents IS 'Databases that are being made or dropped. Whoever does so holds the lock of its tenant; a row whose lock nobody holds was left by a crash.';

-- An advisory lock asks for no right: whoever can connect could take it, and let operations on any tenant wait.
CREATE TABLE tenancy.locks (
    name text PRIMARY KEY
);
COMMENT ON TABLE tenancy.locks IS 'Rows to be locked: operations on one tenant go one after the other.';

ALTER TABLE tenancy.installation ADD COLUMN template name;
COMMENT ON COLUMN tenancy.installation.template IS 'The database that tenants'' own are copies of; null where they cannot have any.';

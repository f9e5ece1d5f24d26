-- Tenants that were there before: their structure stays with the role that owns it, and what was found of it is written down.
ALTER TABLE tenancy.tenants ADD COLUMN owner name;
COMMENT ON COLUMN tenancy.tenants.owner IS 'The role that owns the structure of a tenant that was adopted, and that its revisions run as; null where it was made here.';

CREATE TABLE tenancy.adoptions (
    namespace name PRIMARY KEY,
    tenant_id text,
    verdict text NOT NULL CHECK (verdict IN ('ready', 'drifted', 'conflict')),
    revision integer,
    owner name,
    reason text,
    difference jsonb NOT NULL DEFAULT '[]' CHECK (jsonb_typeof(difference) = 'array'),
    rights jsonb NOT NULL DEFAULT '[]' CHECK (jsonb_typeof(rights) = 'array'),
    uid uuid UNIQUE,
    at timestamptz NOT NULL DEFAULT clock_timestamp()
);
COMMENT ON TABLE tenancy.adoptions IS 'The schemas that were looked at for adoption, and what was found. Those with a uid are tenants since.';
COMMENT ON COLUMN tenancy.adoptions.rights IS 'What the installation''s roles were allowed in the schema before anything was granted to them there.';

-- Schemas that several tenants share: their structure is one, and moves once for all of them.
CREATE TABLE tenancy.shared_schemas (
    namespace name PRIMARY KEY,
    uid uuid NOT NULL UNIQUE DEFAULT gen_random_uuid(),
    pack text NOT NULL UNIQUE,
    release text NOT NULL,
    revision integer NOT NULL DEFAULT 0 CHECK (revision >= 0),
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now()
);
COMMENT ON TABLE tenancy.shared_schemas IS 'The schema that the row tenants of a pack share: one row for each pack. Its revisions hang on uid.';

-- Those tenants have the schema's name in common.
ALTER TABLE tenancy.tenants DROP CONSTRAINT tenants_namespace_key;
CREATE UNIQUE INDEX tenants_namespace_key ON tenancy.tenants (namespace) WHERE isolation <> 'row';

-- Whose rows a session sees in tables that several tenants share: policies, and the column that says whose a row is, ask this.
-- A tenant's own role is its tenant, whatever the session has set; any other has said whose turn it is in the transaction.
-- Without either there is no tenant: nothing is seen, and nothing can be written. Parsed here, once, and not along the search
-- path of whoever asks.
CREATE FUNCTION tenancy.tenant_uid() RETURNS uuid
LANGUAGE sql STABLE PARALLEL SAFE
RETURN CASE
    WHEN CURRENT_USER::text ~ '^tenancy_t_[0-9a-f]{32}$' THEN substr(CURRENT_USER::text, 11)::uuid
    ELSE nullif(current_setting('tenancy.tenant_uid', true), '')::uuid
END;
COMMENT ON FUNCTION tenancy.tenant_uid() IS 'The tenant whose rows this session sees in tables that several tenants share; null where there is none.';

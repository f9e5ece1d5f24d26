-- What makes the schema of schema_template.sql one that several tenants share (isolation "row"); it runs after that, in the same
-- transaction. Written by `tenancy pack rowify`, to be read and kept beside it: where the schema changes, write it again.
--
-- Each row says whose it is, keys and references hold the tenant, and policies show each tenant its own rows alone.

-- References and keys are taken off.

ALTER TABLE "notes" DROP CONSTRAINT "notes_pkey";
DROP INDEX "notes_written_on_idx";

-- Every row says whose it is.

ALTER TABLE "notes" ADD COLUMN "tenant_id" uuid NOT NULL DEFAULT tenancy.tenant_uid();

-- Indexes begin with the tenant; what was unique is unique in its tenant.

ALTER TABLE "notes" ADD CONSTRAINT "notes_pkey" PRIMARY KEY ("tenant_id", note_id);
CREATE INDEX notes_written_on_idx ON notes USING btree ("tenant_id", written_on);

-- Each tenant sees its own rows, whoever asks; without a tenant there are none.

ALTER TABLE "notes" ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
CREATE POLICY "tenant" ON "notes" USING ("tenant_id" = (SELECT tenancy.tenant_uid())) WITH CHECK ("tenant_id" = (SELECT tenancy.tenant_uid()));

-- What makes the schema of schema_template.sql one that several tenants share (isolation "row"); it runs after that, in the same
-- transaction. Written by `tenancy pack rowify`, to be read and kept beside it: where the schema changes, write it again.
--
-- Each row says whose it is, keys and references hold the tenant, and policies show each tenant its own rows alone.

-- References and keys are taken off.

ALTER TABLE "notes" DROP CONSTRAINT "notes_item_id_fkey";
ALTER TABLE "items" DROP CONSTRAINT "items_pkey";
ALTER TABLE "notes" DROP CONSTRAINT "notes_pkey";
ALTER TABLE "items" DROP CONSTRAINT "items_code_key";
DROP INDEX "notes_item_id_idx";

-- Every row says whose it is.

ALTER TABLE "items" ADD COLUMN "tenant_id" uuid NOT NULL DEFAULT tenancy.tenant_uid();
ALTER TABLE "notes" ADD COLUMN "tenant_id" uuid NOT NULL DEFAULT tenancy.tenant_uid();
ALTER TABLE "events" ADD COLUMN "tenant_id" uuid NOT NULL DEFAULT tenancy.tenant_uid();

-- Indexes begin with the tenant; what was unique is unique in its tenant.

ALTER TABLE "items" ADD CONSTRAINT "items_pkey" PRIMARY KEY ("tenant_id", item_id);
ALTER TABLE "notes" ADD CONSTRAINT "notes_pkey" PRIMARY KEY ("tenant_id", note_id);
ALTER TABLE "items" ADD CONSTRAINT "items_code_key" UNIQUE ("tenant_id", code);
CREATE INDEX notes_item_id_idx ON notes USING btree ("tenant_id", item_id);

-- What a row refers to is its tenant's.

ALTER TABLE "notes" ADD CONSTRAINT "notes_item_id_fkey" FOREIGN KEY ("tenant_id", "item_id") REFERENCES "items" ("tenant_id", "item_id") ON DELETE CASCADE;

-- Each tenant sees its own rows, whoever asks; without a tenant there are none.

ALTER TABLE "items" ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
ALTER TABLE "notes" ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
ALTER TABLE "events" ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
CREATE POLICY "tenant" ON "items" USING ("tenant_id" = (SELECT tenancy.tenant_uid())) WITH CHECK ("tenant_id" = (SELECT tenancy.tenant_uid()));
CREATE POLICY "tenant" ON "notes" USING ("tenant_id" = (SELECT tenancy.tenant_uid())) WITH CHECK ("tenant_id" = (SELECT tenancy.tenant_uid()));
CREATE POLICY "tenant" ON "events" USING ("tenant_id" = (SELECT tenancy.tenant_uid())) WITH CHECK ("tenant_id" = (SELECT tenancy.tenant_uid()));

-- Nobody reads a partition but through its table.

ALTER TABLE "events_now" ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;

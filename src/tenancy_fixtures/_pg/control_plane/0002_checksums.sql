-- What a tenant's tables held when they were last looked at, so that rows that went, changed or came since are found.

CREATE TABLE tenancy.checksums (
    uid uuid NOT NULL,
    target text NOT NULL,
    columns text[] NOT NULL,
    key text[] NOT NULL,
    buckets integer NOT NULL CHECK (buckets > 0),
    rows bigint NOT NULL,
    run_id uuid NOT NULL,
    recorded_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (uid, target)
);
CREATE INDEX checksums_of_target ON tenancy.checksums (target);
COMMENT ON TABLE tenancy.checksums IS 'Which tables of a tenant have their rows recorded: the columns that count (name and type), the key, and how the digests are spread.';

CREATE TABLE tenancy.row_digests (
    uid uuid NOT NULL,
    target text NOT NULL,
    bucket integer NOT NULL,
    rows bigint NOT NULL,
    checksum numeric NOT NULL,
    keys bigint[] NOT NULL,
    contents bigint[] NOT NULL,
    PRIMARY KEY (uid, target, bucket),
    FOREIGN KEY (uid, target) REFERENCES tenancy.checksums ON DELETE CASCADE
);
-- Digests look random: to compress them is work for nothing.
ALTER TABLE tenancy.row_digests ALTER COLUMN keys SET STORAGE EXTERNAL, ALTER COLUMN contents SET STORAGE EXTERNAL;
COMMENT ON TABLE tenancy.row_digests IS 'Digests of keys and of rows, some hundred of them together, with their sum: only where the sum is another one are they compared one by one.';

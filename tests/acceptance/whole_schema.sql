-- A schema with all kinds of objects, in ways that make them hard to write down again.
CREATE COLLATION "Deutsch" (provider = libc, lc_collate = 'POSIX', lc_ctype = 'C');
CREATE TYPE mood AS ENUM ('calm', 'it''s loud', 'Ünruhig');
CREATE TYPE empty_enum AS ENUM ();
CREATE TYPE "Odd Type" AS ("First Part" text COLLATE "C", second mood[], third integer);
CREATE DOMAIN code AS varchar(6) DEFAULT 'AB0001' NOT NULL CONSTRAINT code_form CHECK (VALUE ~ '^[A-Z]{2}[0-9]{4}$');
CREATE DOMAIN codes AS code[] CHECK (cardinality(VALUE) < 4);
CREATE TYPE spell AS RANGE (subtype = time, multirange_type_name = spell_multirange);
CREATE TYPE named AS RANGE (subtype = text, collation = "C", multirange_type_name = names);
CREATE SEQUENCE "Counter" AS smallint START 5 INCREMENT -2 MINVALUE -100 MAXVALUE 50 CACHE 3 CYCLE;
CREATE FUNCTION next_code() RETURNS text LANGUAGE plpgsql AS $$ BEGIN RETURN 'AB' || lpad((SELECT count(*) FROM people)::text, 4, '0'); END $$;
CREATE FUNCTION twice(x integer) RETURNS integer LANGUAGE sql IMMUTABLE STRICT AS 'SELECT x * 2';
CREATE FUNCTION is_calm(m mood, VARIADIC more mood[] DEFAULT '{}') RETURNS boolean LANGUAGE sql IMMUTABLE RETURN m = 'calm'::mood;
CREATE FUNCTION add_up(state integer, x integer) RETURNS integer LANGUAGE sql IMMUTABLE AS 'SELECT coalesce(state, 0) + coalesce(x, 0)';
CREATE AGGREGATE total(integer) (SFUNC = add_up, STYPE = integer, COMBINEFUNC = add_up, INITCOND = '0', PARALLEL = SAFE);

CREATE TABLE people (
    id integer GENERATED ALWAYS AS IDENTITY (START 100 INCREMENT 5) PRIMARY KEY,
    old_one text,
    "Full Name" text COLLATE "Deutsch" NOT NULL DEFAULT 'nobody''s' || E'\n\\',
    code code DEFAULT next_code(),
    mood mood DEFAULT 'calm' CHECK (is_calm(mood) OR mood IS NOT NULL),
    born date,
    ages integer GENERATED ALWAYS AS (twice(10)) STORED,
    boss integer CONSTRAINT "people boss" REFERENCES people ON DELETE SET NULL DEFERRABLE INITIALLY DEFERRED,
    number smallint DEFAULT nextval('"Counter"'),
    part "Odd Type",
    during spell,
    long text,
    spells spell_multirange,
    CONSTRAINT adult CHECK (born < '2010-01-01') NO INHERIT,
    EXCLUDE USING gist (during WITH &&)
) WITH (fillfactor = 70, autovacuum_enabled = false, toast.autovacuum_enabled = false);
ALTER TABLE people DROP COLUMN old_one;
ALTER TABLE people ALTER COLUMN long SET STORAGE EXTERNAL, ALTER COLUMN long SET STATISTICS 500, ALTER COLUMN born SET (n_distinct = -0.5);
ALTER TABLE people ADD CONSTRAINT late CHECK (id > 0) NOT VALID;
CREATE UNIQUE INDEX "people name" ON people (lower("Full Name") DESC NULLS LAST) INCLUDE (id) WHERE born IS NOT NULL;
CREATE INDEX people_twice ON people (twice(id), (boss + 1));
ALTER INDEX people_twice ALTER COLUMN 1 SET STATISTICS 200;
ALTER TABLE people CLUSTER ON people_twice;
ALTER TABLE people REPLICA IDENTITY USING INDEX people_pkey;
CREATE STATISTICS people_stats (dependencies, ndistinct) ON born, boss FROM people;
CREATE UNLOGGED TABLE scratch (LIKE people INCLUDING DEFAULTS);
CREATE TABLE serials (id serial PRIMARY KEY, big bigserial UNIQUE NULLS NOT DISTINCT);
ALTER SEQUENCE "Counter" OWNED BY people.number;

CREATE TABLE base (a integer NOT NULL DEFAULT 1, b text CHECK (b <> ''), CONSTRAINT base_a CHECK (a > 0));
CREATE TABLE other_base (z numeric(5, -2));
CREATE TABLE child (c integer PRIMARY KEY, b text DEFAULT 'child') INHERITS (base, other_base);
ALTER TABLE child ALTER COLUMN a SET DEFAULT 7;

CREATE TABLE events (id bigint NOT NULL, at timestamptz NOT NULL, kind text NOT NULL, body jsonb, note text DEFAULT 'n', CONSTRAINT kind_there CHECK (kind <> ''), PRIMARY KEY (kind, at, id)) PARTITION BY LIST (kind);
CREATE TABLE events_click PARTITION OF events (note DEFAULT 'click') FOR VALUES IN ('click', 'tap');
CREATE TABLE events_time (at timestamptz NOT NULL, kind text NOT NULL, note text, id bigint NOT NULL, body jsonb, CONSTRAINT kind_there CHECK (kind <> '')) PARTITION BY RANGE (at);
ALTER TABLE events ATTACH PARTITION events_time FOR VALUES IN ('time');
CREATE TABLE events_2024 PARTITION OF events_time FOR VALUES FROM ('2024-01-01 00:00+00') TO ('2025-01-01 00:00+00');
CREATE TABLE events_rest PARTITION OF events_time DEFAULT;
CREATE TABLE events_hash PARTITION OF events DEFAULT PARTITION BY HASH (id);
CREATE TABLE events_h0 PARTITION OF events_hash FOR VALUES WITH (modulus 2, remainder 0);
CREATE TABLE events_h1 PARTITION OF events_hash FOR VALUES WITH (modulus 2, remainder 1);
CREATE INDEX events_body ON events USING gin (body);
CREATE INDEX events_own ON events_click (note);
CREATE TABLE marks (kind text, at timestamptz, id bigint, person integer REFERENCES people, FOREIGN KEY (kind, at, id) REFERENCES events ON DELETE CASCADE);

CREATE VIEW calm AS SELECT p.id, p."Full Name", (p.part).third, count(*) OVER () AS n FROM people p WHERE is_calm(p.mood);
CREATE VIEW by_id WITH (security_barrier = true, security_invoker = true) AS SELECT p.*, total(p.id) AS t FROM people p GROUP BY p.id;
CREATE VIEW editable AS SELECT id, long FROM people WHERE id > 3 WITH LOCAL CHECK OPTION;
ALTER VIEW editable ALTER COLUMN long SET DEFAULT 'from the view';
CREATE MATERIALIZED VIEW aaa WITH (fillfactor = 90) AS SELECT id, n FROM calm WITH NO DATA;
CREATE MATERIALIZED VIEW zzz AS SELECT 1 AS one;
CREATE VIEW above AS SELECT one FROM zzz UNION SELECT id FROM aaa;
CREATE UNIQUE INDEX aaa_id ON aaa (id);
CREATE FUNCTION of_row(p people) RETURNS SETOF calm LANGUAGE sql STABLE AS 'SELECT * FROM calm WHERE id = p.id';
CREATE FUNCTION atomic(p people) RETURNS bigint LANGUAGE sql STABLE BEGIN ATOMIC SELECT count(*) FROM calm WHERE calm.id = (p).id; END;
CREATE PROCEDURE refill(INOUT n integer) LANGUAGE plpgsql SET work_mem = '8MB' AS $body$ BEGIN n := n + 1; END $body$;

CREATE FUNCTION stamp() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN NEW.long := 'stamped'; RETURN NEW; END $$;
CREATE FUNCTION watch() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RETURN NULL; END $$;
CREATE TRIGGER "b4 update" BEFORE UPDATE OF long ON people FOR EACH ROW WHEN (OLD.long IS DISTINCT FROM NEW.long) EXECUTE FUNCTION stamp();
CREATE TRIGGER seen AFTER INSERT ON events REFERENCING NEW TABLE AS fresh FOR EACH STATEMENT EXECUTE FUNCTION watch();
CREATE TRIGGER each AFTER DELETE ON events FOR EACH ROW EXECUTE FUNCTION watch('x', 'it''s');
CREATE CONSTRAINT TRIGGER checked AFTER INSERT ON people DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION watch();
CREATE TRIGGER off BEFORE INSERT ON marks FOR EACH ROW EXECUTE FUNCTION watch();
ALTER TABLE marks DISABLE TRIGGER off;
CREATE TRIGGER instead INSTEAD OF DELETE ON calm FOR EACH ROW EXECUTE FUNCTION watch();
CREATE RULE no_delete AS ON DELETE TO scratch DO INSTEAD NOTHING;
CREATE RULE quiet AS ON UPDATE TO scratch WHERE old.id = 0 DO ALSO INSERT INTO serials DEFAULT VALUES;
ALTER TABLE scratch DISABLE RULE quiet;
ALTER TABLE people ENABLE ROW LEVEL SECURITY;
ALTER TABLE marks ENABLE ROW LEVEL SECURITY;
ALTER TABLE marks FORCE ROW LEVEL SECURITY;
CREATE POLICY mine ON people FOR UPDATE USING (boss = 1) WITH CHECK (boss = (SELECT max(id) FROM serials));
CREATE POLICY narrow ON marks AS RESTRICTIVE TO PUBLIC USING (EXISTS (SELECT FROM people WHERE id = person));

COMMENT ON TABLE people IS 'It''s a comment';
COMMENT ON COLUMN people."Full Name" IS E'two\nlines';
COMMENT ON COLUMN "Odd Type"."First Part" IS 'a part';
COMMENT ON TYPE "Odd Type" IS 'odd';
COMMENT ON DOMAIN code IS 'a domain';
COMMENT ON CONSTRAINT code_form ON DOMAIN code IS 'its form';
COMMENT ON CONSTRAINT adult ON people IS 'grown';
COMMENT ON INDEX "people name" IS 'an index';
COMMENT ON SEQUENCE "Counter" IS 'counts';
COMMENT ON VIEW calm IS 'a view';
COMMENT ON COLUMN calm.n IS 'of a view';
COMMENT ON MATERIALIZED VIEW aaa IS 'kept';
COMMENT ON FUNCTION is_calm(mood, mood[]) IS 'of a function';
COMMENT ON PROCEDURE refill(integer) IS 'of a procedure';
COMMENT ON AGGREGATE total(integer) IS 'of an aggregate';
COMMENT ON TRIGGER "b4 update" ON people IS 'of a trigger';
COMMENT ON POLICY mine ON people IS 'of a policy';
COMMENT ON INDEX events_click_pkey IS 'of a partition';

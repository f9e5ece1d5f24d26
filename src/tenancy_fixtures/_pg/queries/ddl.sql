-- What it takes to make one object of a schema again; definitions are PostgreSQL's own words.

-- name: make
{definition}

-- name: add_constraint
ALTER TABLE {table} ADD CONSTRAINT {name} {definition}

-- name: replace_constraint
ALTER TABLE {table} DROP CONSTRAINT {name};
ALTER TABLE {table} ADD CONSTRAINT {name} {definition}

-- name: validate_constraint
ALTER TABLE {table} VALIDATE CONSTRAINT {name}

-- name: replace_index
DROP INDEX {index};
{definition}

-- name: rebuild_index
REINDEX INDEX {index}

-- name: replace_trigger
DROP TRIGGER {name} ON {table};
{definition}

-- name: enable_trigger
ALTER TABLE {table} ENABLE TRIGGER {name}

-- name: enable_rule
ALTER TABLE {table} ENABLE RULE {name}

-- name: alter_table
ALTER TABLE {table} {clauses}

-- name: set_default
ALTER TABLE {table} ALTER COLUMN {name} SET DEFAULT {definition}

-- name: drop_default
ALTER TABLE {table} ALTER COLUMN {name} DROP DEFAULT

-- name: set_not_null
ALTER TABLE {table} ALTER COLUMN {name} SET NOT NULL

-- name: drop_not_null
ALTER TABLE {table} ALTER COLUMN {name} DROP NOT NULL

-- name: lock
SELECT pg_catalog.pg_advisory_lock(8377142102)

-- name: unlock
SELECT pg_catalog.pg_advisory_unlock(8377142102)

-- name: database_exists
SELECT EXISTS (SELECT FROM pg_catalog.pg_database WHERE datname = %(name)s) AS found

-- name: create_database
CREATE DATABASE {database}

-- name: may_create_roles
SELECT rolsuper OR rolcreaterole AS may FROM pg_catalog.pg_roles WHERE rolname = current_user

"""Databases that tests make: dropped together with the roles of the tenants that they held."""

from __future__ import annotations

import psycopg
from psycopg import sql

# Roles belong to the server: those that have rights in a database are found by its number, from any other one.
_ROLES_OF = """
SELECT DISTINCT r.rolname::text
FROM pg_shdepend AS d JOIN pg_roles AS r ON d.refclassid = 'pg_authid'::regclass AND d.refobjid = r.oid
WHERE d.dbid = (SELECT oid FROM pg_database WHERE datname = %s) AND r.rolname ~ '^tenancy_t_[0-9a-f]{32}$'
"""
_UNUSED = """
SELECT r.rolname::text FROM pg_roles AS r
WHERE r.rolname = ANY (%s) AND NOT EXISTS (SELECT FROM pg_shdepend AS d WHERE d.refclassid = 'pg_authid'::regclass AND d.refobjid = r.oid)
"""


def drop_database(admin_url: str, *names: str) -> None:
    """Drop databases that are there, and tenants' roles that nothing is left of."""
    with psycopg.connect(admin_url, autocommit=True) as connection:
        for name in names:
            roles = [row[0] for row in connection.execute(_ROLES_OF, [name])]
            if connection.execute("SELECT 1 FROM pg_database WHERE datname = %s AND datistemplate", [name]).fetchone():
                connection.execute(sql.SQL("ALTER DATABASE {} IS_TEMPLATE false").format(sql.Identifier(name)))
            connection.execute(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(name)))
            drop_roles(connection, roles)


def drop_roles(connection: psycopg.Connection[tuple[object, ...]], roles: list[str]) -> None:
    """Drop those of these roles that no database has anything of."""
    for (role,) in connection.execute(_UNUSED, [roles]).fetchall():
        connection.execute(sql.SQL("DROP ROLE IF EXISTS {}").format(sql.Identifier(str(role))))

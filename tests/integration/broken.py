"""Installations that are broken on purpose, and applications that handle their sessions badly: what an attack has to see."""

from __future__ import annotations

from typing import Any

import psycopg
from psycopg import sql
from sqlalchemy import event
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession

from tenancy_fixtures._attack._tenants import Ground
from tenancy_fixtures._sessions import OPTION, TenantSessions
from tests.conftest import ROLES

GRANTED = """
GRANT ALL ON SCHEMA {own}, {victim} TO PUBLIC;
GRANT ALL ON ALL TABLES IN SCHEMA {own}, {victim} TO PUBLIC;
GRANT ALL ON ALL SEQUENCES IN SCHEMA {own}, {victim} TO PUBLIC;
GRANT EXECUTE ON ALL FUNCTIONS IN SCHEMA {own}, {victim} TO PUBLIC
"""
VIEW = "CREATE OR REPLACE VIEW {own}.item_list AS SELECT item_id, code, secret FROM {own}.items UNION ALL SELECT item_id, code, secret FROM {victim}.items"
COPY = """
DROP MATERIALIZED VIEW {own}.item_copy;
CREATE MATERIALIZED VIEW {own}.item_copy AS SELECT item_id, code, secret FROM {victim}.items;
GRANT SELECT ON {own}.item_copy TO PUBLIC;
ALTER MATERIALIZED VIEW {own}.item_copy OWNER TO {migrator}
"""
DEFINER = """
CREATE OR REPLACE FUNCTION {own}.item_secrets_of_owner() RETURNS SETOF text LANGUAGE sql STABLE SECURITY DEFINER
BEGIN ATOMIC SELECT secret FROM {victim}.items; END;
ALTER FUNCTION {own}.item_secrets_of_owner() OWNER TO {migrator}
"""
KEY = """
ALTER TABLE {own}.notes DROP CONSTRAINT notes_item_id_fkey;
ALTER TABLE {own}.notes ADD CONSTRAINT notes_item_id_fkey FOREIGN KEY (item_id) REFERENCES {victim}.items NOT VALID
"""
UNIQUE = """
CREATE FUNCTION {own}.taken() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER AS $$
BEGIN
    IF EXISTS (SELECT FROM {victim}.items AS v WHERE v.code = NEW.code) THEN
        RAISE unique_violation;
    END IF;
    RETURN NEW;
END
$$;
CREATE TRIGGER taken BEFORE INSERT ON {own}.items FOR EACH ROW EXECUTE FUNCTION {own}.taken()
"""
CASCADE = """
CREATE FUNCTION {own}.gone() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER AS $$
BEGIN
    DELETE FROM {victim}.notes AS v WHERE v.item_id = OLD.item_id;
    RETURN OLD;
END
$$;
CREATE TRIGGER gone AFTER DELETE ON {own}.items FOR EACH ROW EXECUTE FUNCTION {own}.gone()
"""
POWERFUL = """
ALTER TABLE {victim}.items OWNER TO {attackers};
GRANT SELECT ON tenancy.tenants, tenancy.config TO PUBLIC;
GRANT SELECT, INSERT, UPDATE ON tenancy.locks TO PUBLIC;
DO $$ BEGIN EXECUTE pg_catalog.format('ALTER DATABASE %I SET lo_compat_privileges = on', current_database()); END $$
"""
GROUP = """
GRANT USAGE ON SCHEMA {victim} TO {tenants};
GRANT SELECT ON ALL TABLES IN SCHEMA {victim} TO {tenants}
"""
MEMBER = "GRANT {victims} TO {attackers}"
# Whatever is made is given to everybody, whoever has made it and whatever it is called.
EVERYWHERE = """
CREATE FUNCTION public.give_away() RETURNS event_trigger LANGUAGE plpgsql SECURITY DEFINER AS $$
DECLARE
    made name;
BEGIN
    FOR made IN
        SELECT n.nspname FROM pg_catalog.pg_namespace AS n JOIN pg_catalog.pg_proc AS p ON p.pronamespace = n.oid
        WHERE n.nspname LIKE 't\\_doctor%' AND p.proname = 'item_secrets_of_owner'
    LOOP
        EXECUTE pg_catalog.format('GRANT ALL ON SCHEMA %I TO PUBLIC', made);
        EXECUTE pg_catalog.format('GRANT ALL ON ALL TABLES IN SCHEMA %I TO PUBLIC', made);
        EXECUTE pg_catalog.format('GRANT ALL ON ALL SEQUENCES IN SCHEMA %I TO PUBLIC', made);
    END LOOP;
END
$$;
CREATE EVENT TRIGGER give_away ON ddl_command_end WHEN TAG IN ('CREATE FUNCTION') EXECUTE FUNCTION public.give_away()
"""


def apply(ground: Ground, admin_url: str, statements: str) -> None:
    """Break what an administrator can break."""
    own, victim = ground.attacker, ground.victim
    parts = {"own": own.tenant.namespace, "victim": victim.tenant.namespace, "attackers": own.role, "victims": victim.role}
    parts.update(migrator=str(ROLES.migrator), tenants=str(ROLES.tenants))
    with psycopg.connect(admin_url) as connection:
        connection.execute(sql.SQL(statements).format(**{name: sql.Identifier(value) for name, value in parts.items()}))


class AlwaysOf:
    """An application that gives everybody, and nobody too, the sessions of one tenant."""

    def __init__(self, sessions: TenantSessions, tenant_id: str) -> None:
        self._sessions, self._tenant_id = sessions, tenant_id

    def async_session(self, tenant_id: str | None = None, **options: Any) -> AsyncSession:
        return self._sessions.async_session(self._tenant_id, **options)


class Sticky:
    """An application that says once for each connection, and not once for each transaction, whose it is."""

    def __init__(self, engine: AsyncEngine, ground: Ground) -> None:
        self._engine = engine
        self._namespaces = {side.tenant.tenant_id: side.tenant.namespace for side in (ground.attacker, ground.victim)}
        event.listen(engine.sync_engine, "begin", self._begin)

    def async_session(self, tenant_id: str | None = None, **options: Any) -> AsyncSession:
        return AsyncSession(self._engine.execution_options(**{OPTION: tenant_id}), **options)

    def _begin(self, connection: Any) -> None:
        def ask(statement: str) -> Any:
            return connection.exec_driver_sql(statement).scalar()

        ask(f"SELECT set_config('role', '{ROLES.app}', false)")
        said = ask("SELECT current_setting('tenancy.tenant_id', true)")
        if said or ask("SHOW search_path") == '"$user", public':
            ask(f"SELECT set_config('search_path', '{self._namespaces[said or connection.get_execution_options()[OPTION]]}', false)")


def careless(engine: AsyncEngine) -> None:
    """Let the driver write values between quotes, as they are."""

    def write(_: Any, __: Any, statement: str, parameters: Any, *___: Any) -> tuple[str, Any]:
        value = parameters.get("value") if isinstance(parameters, dict) else None
        return (statement if value is None else statement.replace("%(value)s", f"'{value}'")), parameters

    event.listen(engine.sync_engine, "before_cursor_execute", write, retval=True)

"""Class B: any SQL at all in the session. What crosses is a path that is open to whoever can send SQL of his own."""

from __future__ import annotations

from typing import Final

from ._probes import BESIDE, DONE, EVERY_ISOLATION, NAMED, OWN_SCHEMA, VICTIM, Probe, Step, attacker


def _probe(name: str, about: str, steps: tuple[Step, ...], sign: str | None = None, isolations: tuple[str, ...] = EVERY_ISOLATION) -> Probe:
    return Probe(name, "b", about, steps, sign, isolations=isolations)


_ROLES: Final = (
    _probe("reset_role", "go back to the login by RESET ROLE, and read", attacker("reset_role", "read")),
    _probe("set_role_app", "take the application's role by SET ROLE, and read", attacker("set_role", "read", role="app")),
    _probe("set_local_role_app", "take the application's role by SET LOCAL ROLE, and read", attacker("set_local_role", "read", role="app")),
    _probe("set_config_role_app", "take the application's role by set_config, and read", attacker("config_role", "read", role="app")),
    _probe("set_role_neighbour", "take the victim's role by SET ROLE, and read", attacker("set_role", "read", role="victim")),
    _probe("set_local_role_neighbour", "take the victim's role by SET LOCAL ROLE, and read", attacker("set_local_role", "read", role="victim")),
    _probe("set_config_role_neighbour", "take the victim's role by set_config, and read", attacker("config_role", "read", role="victim")),
    _probe("set_role_migrator", "take the role that owns all tenants' tables by SET ROLE, and read", attacker("set_role", "read", role="migrator")),
    _probe("set_role_loader", "take the role that loads by SET ROLE, and read", attacker("set_role", "read", role="loader")),
    _probe(
        "authorization_neighbour",
        "become the victim's role by SET SESSION AUTHORIZATION, and read",
        attacker("set_authorization", "read", role="victim"),
    ),
    _probe(
        "authorization_migrator",
        "become the tables' owner by SET SESSION AUTHORIZATION, and read",
        attacker("set_authorization", "read", role="migrator"),
    ),
)

_SETTINGS: Final = (
    _probe("set_config_tenant_id", "set tenancy.tenant_id to the victim, and read", attacker("config_tenant_id", "read")),
    _probe("set_config_tenant_uid", "set tenancy.tenant_uid to the victim, and read", attacker("config_tenant_uid", "read")),
    _probe("set_config_search_path", "set search_path to the victim's schema, and read", attacker("config_path", "read_own")),
    _probe("row_security_off", "switch row_security off, and read", attacker("security_off", "read")),
    _probe(
        "setting_left", "read a setting that the victim has left in the connection", (Step(VICTIM, ("leave_setting",)), *attacker("read_setting"))
    ),
    _probe("cursor_left", "fetch from a cursor WITH HOLD that the victim has left in the connection", (Step(VICTIM, ("hold",)), *attacker("fetch"))),
)

_OBJECTS: Final = (
    _probe("lock", "lock the victim's table", attacker("lock", kept=False), DONE, OWN_SCHEMA),
    _probe("truncate", "truncate the victim's table", attacker("truncate", kept=False), DONE),
    _probe("sequence_next", "take a number of the victim's sequence", attacker("next_number"), None, OWN_SCHEMA),
    _probe("sequence_set", "set the victim's sequence", attacker("set_number"), None, OWN_SCHEMA),
    _probe("sequence_read", "read the victim's sequence", attacker("read_number", kept=False), DONE, OWN_SCHEMA),
    _probe("create_function", "create a function in the victim's schema", attacker("create_function", kept=False), DONE, OWN_SCHEMA),
    _probe("create_view", "create a view in the victim's schema", attacker("create_view", kept=False), DONE, OWN_SCHEMA),
    _probe("create_trigger", "create a trigger on the victim's table", attacker("create_trigger", kept=False), DONE),
    _probe("create_reference", "create a table that refers to the victim's", attacker("create_reference", kept=False), DONE, OWN_SCHEMA),
    _probe("alter_table", "alter the victim's table", attacker("alter_table", kept=False), DONE),
    _probe("drop_table", "drop the victim's table", attacker("drop_table", kept=False), DONE),
    _probe(
        "large_object",
        "read a large object that the victim has made",
        (Step(VICTIM, ("make_large_object",)), *attacker("read_large_object"), Step(VICTIM, ("remove_large_object",), last=True)),
    ),
    _probe("operations_lock", "take the lock that operations on the victim wait for", attacker("hold_operations", kept=False), DONE),
)

_CATALOGUE: Final = (
    _probe("catalogue", "read the names of schemas in pg_namespace", attacker("schemas"), NAMED, OWN_SCHEMA),
    _probe("databases", "read the names of databases in pg_database", attacker("databases"), NAMED, ("database",)),
    _probe("statistics", "read the planner's statistics of the victim's columns in pg_stats", attacker("statistics")),
    _probe("activity", "read what the victim asks at this moment in pg_stat_activity", (Step(BESIDE, ("say",)), *attacker("reset_role", "activity"))),
    _probe("tenants", "list the tenants in the registry", attacker("tenants"), NAMED),
    _probe("config", "read the configuration of the tenants", attacker("config")),
    _probe("tenants_app", "take the application's role, and list the tenants in the registry", attacker("set_role", "tenants", role="app"), NAMED),
    _probe("config_app", "take the application's role, and read the configuration of the tenants", attacker("set_role", "config", role="app")),
)

CLASS_B: Final[tuple[Probe, ...]] = (*_ROLES, *_SETTINGS, *_OBJECTS, *_CATALOGUE)

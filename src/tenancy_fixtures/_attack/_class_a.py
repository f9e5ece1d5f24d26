"""Class A: ordinary statements, hostile values and qualified names. None of them may cross."""

from __future__ import annotations

from typing import Final

from ._probes import ATTACKER, COPY_IN, COPY_OUT, EVERY_ISOLATION, NOBODY, REVEALED, SHARED, UNSHARED, VICTIM, Probe, Step, attacker


def _probe(
    name: str, about: str, steps: tuple[Step, ...], sign: str | None = None, value: str = "", isolations: tuple[str, ...] = EVERY_ISOLATION
) -> Probe:
    return Probe(name, "a", about, steps, sign, value, isolations)


def _called(tenant_id: str) -> tuple[Step, ...]:
    return (Step(ATTACKER, ("read_own",), tenant_id=tenant_id),)


_OWN: Final = (
    _probe("select_own", "read the tenant's own table", attacker("read_own")),
    _probe("view_own", "read the tenant's own view", attacker("read_own_view")),
    _probe("materialized_view_own", "read the tenant's own materialised view", attacker("read_own_copy"), isolations=UNSHARED),
    _probe("partition_own", "read the tenant's own partitioned table", attacker("read_own_events")),
    _probe("function_invoker_own", "call the tenant's own function", attacker("call_own_invoker")),
    _probe("function_definer_own", "call the tenant's own function that runs as its owner", attacker("call_own_definer")),
    _probe("foreign_key", "refer to a key that only the victim has", attacker("refer", kept=False), REVEALED),
    _probe("unique", "take a unique value that only the victim has", attacker("insert_code", kept=False), REVEALED),
    _probe("cascade", "delete a row whose key the victim's rows refer to as well", attacker("delete_own")),
    _probe("error_message_own", "let a statement on the tenant's own rows fail", attacker("fail_own_cast")),
    _probe("error_row_own", "break a constraint on the tenant's own rows", attacker("fail_own_row")),
)

_QUALIFIED: Final = (
    _probe("select", "read the victim's table by its full name", attacker("read")),
    _probe("select_join", "join the victim's table to the own", attacker("read_joined")),
    _probe("insert", "insert into the victim's table", attacker("insert"), isolations=UNSHARED),
    _probe("insert_select", "copy the victim's rows into the own table", attacker("insert_from", "read_own_notes")),
    _probe("update", "update the victim's rows", attacker("update")),
    _probe("delete", "delete the victim's rows", attacker("delete")),
    _probe("merge", "merge into the victim's table", attacker("merge")),
    _probe("merge_from", "merge the victim's rows into the own table", attacker("merge_from", "read_own_notes")),
    _probe("copy_to", "COPY the victim's table out", attacker("copy_out", way=COPY_OUT)),
    _probe("copy_query_to", "COPY a query of the victim's table out", attacker("copy_query_out", way=COPY_OUT)),
    _probe("copy_from", "COPY rows into the victim's table", attacker("copy_in", way=COPY_IN), isolations=UNSHARED),
    _probe("view", "read the victim's view", attacker("read_view")),
    _probe("view_update", "update through the victim's view", attacker("write_view")),
    _probe("materialized_view", "read the victim's materialised view", attacker("read_copy"), isolations=UNSHARED),
    _probe("function_invoker", "call the victim's function", attacker("call_invoker")),
    _probe("function_definer", "call the victim's function that runs as its owner", attacker("call_definer")),
    _probe("partitioned", "read the victim's partitioned table", attacker("read_events")),
    _probe("partition", "read a partition of the victim's directly", attacker("read_partition")),
    _probe("partition_insert", "insert into a partition of the victim's directly", attacker("write_partition"), isolations=UNSHARED),
    _probe("error_message", "let a cast of the victim's values fail, and read the error", attacker("fail_cast")),
    _probe("error_row", "break a constraint on the victim's rows, and read the error", attacker("fail_row")),
)

# Steps of two tenants on one connection, one after the other, as a pool hands it out.
_LEFT: Final = (
    _probe(
        "prepared",
        "run a statement that the victim has prepared on the connection",
        (Step(VICTIM, ("prepare", "execute")), *attacker("execute")),
    ),
    _probe(
        "prepared_qualified",
        "run a prepared statement of the victim's that names its schema",
        (Step(VICTIM, ("prepare_qualified", "execute")), *attacker("execute")),
    ),
    _probe(
        "temporary_table",
        "read a temporary table that the victim has left in the connection",
        (Step(VICTIM, ("make_draft",)), *attacker("read_draft")),
    ),
    _probe(
        "shadow_table",
        "leave a temporary table of the name of the victim's",
        (*attacker("shadow_table", "leave_path_to_temporary"), Step(VICTIM, ("read_own",))),
    ),
    _probe(
        "shadow_view",
        "leave a temporary view of the name of the victim's",
        (*attacker("shadow_view", "leave_path_to_temporary"), Step(VICTIM, ("read_own_view",))),
    ),
    _probe("search_path", "leave a search path in the connection", (*attacker("leave_path"), Step(VICTIM, ("read_own",)))),
    _probe("tenant_setting", "leave the own tenant's settings in the connection", (*attacker("leave_tenant"), Step(VICTIM, ("read_own",)))),
)

_HOSTILE: Final = (
    _probe("value_quote", "send a value that ends a quote", attacker("read_by_value"), value="' UNION ALL SELECT secret FROM {victim}.items --"),
    _probe(
        "value_write",
        "write a value that ends a quote",
        attacker("write_by_value", "read_own"),
        value="attacked', secret = (SELECT secret FROM {victim}.items LIMIT 1) WHERE item_id = 1 --",
    ),
    _probe(
        "tenant_id_quote", "ask for a tenant by an id with a quote and a statement in it", _called("{attacker}'; SET search_path = '{victim}'; --")
    ),
    _probe("tenant_id_identifier", "ask for a tenant by an id with a double quote in it", _called('{attacker}", "{victim}')),
    _probe("tenant_id_nul", "ask for a tenant by an id with a NUL in it", _called("{victim}\x00{attacker}")),
    _probe("tenant_id_path", "ask for a tenant by an id that is a path", _called("{attacker}/../{victim}")),
    _probe("tenant_id_case", "ask for the victim by its id in capitals", _called("{VICTIM}")),
    _probe("no_tenant", "read the victim's table in a transaction of nobody", (Step(NOBODY, ("read",)),)),
    _probe("no_tenant_own", "read a table in a transaction of nobody", (Step(NOBODY, ("read_own",)),)),
)

# Rows of tables that tenants share, which say themselves whose they are.
_SHARED: Final = (
    _probe("select_tenant", "read the rows that say they are the victim's", attacker("read_victims"), isolations=SHARED),
    _probe("insert_tenant", "insert a row that says it is the victim's", attacker("insert_as_victim"), isolations=SHARED),
    _probe("update_tenant", "say of an own row that it is the victim's", attacker("give_to_victim"), isolations=SHARED),
    _probe("foreign_key_tenant", "refer to a key of the victim's in its name", attacker("refer_as_victim", kept=False), REVEALED, isolations=SHARED),
)

CLASS_A: Final[tuple[Probe, ...]] = (*_OWN, *_QUALIFIED, *_SHARED, *_LEFT, *_HOSTILE)

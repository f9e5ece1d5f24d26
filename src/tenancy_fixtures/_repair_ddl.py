"""What it takes to make a tenant's schema again what its pack makes: one statement for each object, in PostgreSQL's own words."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Dict, NamedTuple, Optional, Tuple, Union

from ._integrity.made import plain
from ._pg.catalog import PLACE
from ._pg.ddl import ddl, quoted

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from ._integrity.look import Look
    from ._shapes import Finding

# What the fingerprint says of an index beside its definition.
_BESIDE = re.compile(r"( clustered| replica identity| invalid| in \S+| statistics [\d ,]+)*$")
_COLUMN = re.compile(r"^(?P<type>.*?)(?P<null> not null)?(?: default (?P<default>.*))?$", re.DOTALL)


_Names = Dict[str, Union[str, Tuple[str, str]]]


class Change(NamedTuple):
    """Statements for one object. Those of ``first`` are what rows are told apart by, and come before any row is written.

    ``aim`` is what the object must be afterwards, by its kind and name: where PostgreSQL makes something else of the statements,
    nothing is gained by them.
    """

    action: str
    kind: str
    object: str
    statements: str
    first: bool = False
    aim: Optional[Tuple[Tuple[str, str], str]] = None


def changes_of(look: Look) -> list[Change]:
    """What can be done for the findings of a look, in an order in which it can be done."""
    ddl = _Ddl(look)
    found = [change for finding in look.findings for change in ddl.changes(finding)]
    return sorted(found, key=lambda change: _ORDER.index(change.kind))


_ORDER = ("table", "column", "key", "index", "constraint", "trigger", "rule")
# Rules of findings about what a schema is, and not about its rows.
STRUCTURE = frozenset({*_ORDER, "policy", "view", "sequence", "function", "procedure", "type", "isolation"})


class _Ddl:
    def __init__(self, look: Look) -> None:
        self._namespace = look.tenant.namespace
        self._raw: Mapping[str, str] = look.structure
        self._there = plain(look.structure)
        self._made = plain(look.made.structure) if look.made else {}
        self._tables = sorted([*look.tables, *look.unreadable], key=len, reverse=True)

    def changes(self, finding: Finding) -> Iterator[Change]:
        make = {
            "table": self._table,
            "column": self._column,
            "constraint": self._constraint,
            "index": self._index,
            "trigger": self._trigger,
            "rule": self._rule,
        }.get(finding.rule)
        if make is not None:
            yield from make(finding.object)

    def _constraint(self, place: str) -> Iterator[Change]:
        table, name = self._split(place)
        made, there = self._made.get(("constraint", place)), self._there.get(("constraint", place))
        definition = made or there
        if table is None or definition is None:
            return
        first = not definition.startswith(("FOREIGN KEY", "CHECK"))
        kind = "key" if first else "constraint"
        names: _Names = {"table": (self._namespace, table), "name": name}
        aim = ("constraint", place), definition
        if there is None:
            yield Change("put back", kind, place, ddl("ddl.add_constraint", self._local(definition), **names), first)
        elif there != definition:
            yield Change("make again", kind, place, ddl("ddl.replace_constraint", self._local(definition), **names), first, aim)
        elif self._raw[f"constraint {place}"].endswith(" NOT VALID"):
            yield Change("validate", kind, place, ddl("ddl.validate_constraint", **names), first)
        elif definition.startswith("FOREIGN KEY"):
            # Its triggers are off. Only a superuser may switch them on by themselves; a constraint that is made again has new ones.
            yield Change("make again", kind, place, ddl("ddl.replace_constraint", self._local(definition), **names), first, aim)

    def _index(self, name: str) -> Iterator[Change]:
        made, there = self._made.get(("index", name)), self._there.get(("index", name))
        definition = self._local(_BESIDE.sub("", made or ""))
        if made is not None and there is None:
            yield Change("put back", "index", name, ddl("ddl.make", definition), first=True)
        elif made is not None and made != there:
            statements = ddl("ddl.replace_index", definition, index=(self._namespace, name))
            yield Change("make again", "index", name, statements, first=True, aim=(("index", name), made))
        elif there is not None:
            yield Change("rebuild", "index", name, ddl("ddl.rebuild_index", index=(self._namespace, name)), first=True)

    def _trigger(self, place: str) -> Iterator[Change]:
        table, name = self._split(place)
        made, there = self._made.get(("trigger", place)), self._there.get(("trigger", place))
        if table is None:
            return
        names: _Names = {"table": (self._namespace, table), "name": name}
        if made is not None and there is None:
            yield Change("put back", "trigger", place, ddl("ddl.make", self._local(made)))
        elif made is not None and made != there:
            yield Change("make again", "trigger", place, ddl("ddl.replace_trigger", self._local(made), **names), aim=(("trigger", place), made))
        else:
            yield Change("switch on", "trigger", place, ddl("ddl.enable_trigger", **names))

    def _rule(self, place: str) -> Iterator[Change]:
        table, name = self._split(place)
        made, there = self._made.get(("rule", place)), self._there.get(("rule", place))
        # One that does something else is not made the pack's by being switched on.
        if table is not None and there is not None and made in (None, there):
            yield Change("switch on", "rule", place, ddl("ddl.enable_rule", table=(self._namespace, table), name=name))

    def _table(self, name: str) -> Iterator[Change]:
        made, there = self._made.get(("table", name)), self._there.get(("table", name))
        if made is None or there is None:
            return
        wanted = {"row security": "ENABLE ROW LEVEL SECURITY", "forced": "FORCE ROW LEVEL SECURITY"}
        clauses = [clause for word, clause in wanted.items() if word in made and word not in there]
        if "unlogged" in there and "unlogged" not in made:
            clauses.append("SET LOGGED")
        open_again = self._unpoliced(name, made, there)
        if clauses or open_again:
            # Rows that are hidden from their owner cannot be put back, and look as if they were gone: that comes first.
            statements = ddl("ddl.alter_table", ", ".join([*clauses, *open_again]), table=(self._namespace, name))
            yield Change("make again", "table", name, statements, first=bool(open_again))

    def _unpoliced(self, name: str, made: str, there: str) -> list[str]:
        """Row security that somebody has switched on, and left without a policy: it shows nobody a row. With one it may be meant."""
        if "row security" in made or any(kind == "policy" and place.startswith(f"{name}.") for kind, place in self._there):
            return []
        unwanted = {"row security": "DISABLE ROW LEVEL SECURITY", "forced": "NO FORCE ROW LEVEL SECURITY"}
        return [clause for word, clause in unwanted.items() if word in there and word not in made]

    def _column(self, place: str) -> Iterator[Change]:
        """Only whether a value must be there, and which is there by itself: another type is another column."""
        table, name = self._split(place)
        made, there = (_COLUMN.match(found.get(("column", place), "")) for found in (self._made, self._there))
        if table is None or ("column", place) not in self._there or not made or not there or made["type"] != there["type"] or "generated" in made[0]:
            return
        names: _Names = {"table": (self._namespace, table), "name": name}
        statements = []
        if made["default"] != there["default"]:
            default = self._local(made["default"] or "")
            statements.append(ddl("ddl.set_default", default, **names) if default else ddl("ddl.drop_default", **names))
        if bool(made["null"]) != bool(there["null"]):
            statements.append(ddl("ddl.set_not_null" if made["null"] else "ddl.drop_not_null", **names))
        yield Change("make again", "column", place, ";\n".join(statements), aim=(("column", place), made[0]))

    def _split(self, place: str) -> tuple[str | None, str]:
        """Table and name of ``table.name``: both may have dots in them."""
        table = next((name for name in self._tables if place.startswith(f"{name}.")), None)
        return table, place[len(table) + 1 :] if table else place

    def _local(self, definition: str) -> str:
        return definition.replace(f"{PLACE}.", f"{quoted(self._namespace)}.")

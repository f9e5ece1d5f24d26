"""What policies keep apart: whether each way to a row asks whose it is."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

_STRINGS = re.compile(r"'(?:[^']|'')*'")
_SETTING = re.compile(r"\bcurrent_setting\('((?:[^']|'')+)'")
# Any function may be one that knows whose turn it is, and so do the names of the role.
_ASKS = re.compile(r"[\w\"]\(|\b(?:CURRENT_USER|SESSION_USER|CURRENT_ROLE|USER)\b")
_OR = re.compile(r"\bOR\b")
_SIDES = {"r": ("using",), "d": ("using",), "a": ("check",), "w": ("using", "check")}


class Policies:
    """The policies of one table, which tell its rows by a column, or by the tables that its rows lead to."""

    def __init__(self, policies: Sequence[Mapping[str, Any]], column: str, parents: Iterable[str] = ()) -> None:
        self._policies, self._parents = policies, tuple(parents)
        table = re.escape(policies[0]["table"]) if policies else ""
        # The table's own column, and no other's in a subquery; as PostgreSQL prints a comparison, with brackets and casts on either side.
        own = rf"(?:(?<![\w$.\"])|(?<![\w$.])\"?{table}\"?\.)\"?{re.escape(column)}(?![\w$])\"?"
        compared = (rf"{own}\)*(?:::[\w \".]+(?:\([\d,]+\))?\)*)* (?:=|IN) ", rf"= \(*{own}")
        self._tests = re.compile("|".join([*compared, *(rf"(?<![\w$]){re.escape(parent)}(?![\w$])" for parent in self._parents)]))

    def faults(self) -> Iterator[tuple[str, Mapping[str, Any], str]]:
        """What is missing: its name, the policy, and what in words."""
        seen = set()
        for command, sides in _SIDES.items():
            for side in sides:
                for name, policy, what in self._faults_of(command, side):
                    if (name, policy["name"]) not in seen:
                        seen.add((name, policy["name"]))
                        yield name, policy, what

    def hold(self) -> bool:
        """True where there are some, and nothing is missing."""
        return any(policy["permissive"] for policy in self._policies) and not any(True for _ in self.faults())

    def _faults_of(self, command: str, side: str) -> Iterator[tuple[str, Mapping[str, Any], str]]:
        asked = [policy for policy in self._policies if policy["command"] in (command, "*")]
        # One that restricts everybody holds whatever the others let through.
        relied = [policy for policy in asked if not policy["permissive"] and policy["everybody"] and self._is_tested(policy, side)]
        if not relied:
            permissive = [policy for policy in asked if policy["permissive"]]
            relied = [policy for policy in permissive if self._is_tested(policy, side)]
            for policy in permissive:
                if policy not in relied:
                    yield f"policy_{side}", policy, f"a test of the tenant in {'USING' if side == 'using' else 'WITH CHECK'}"
        for policy in relied:
            text = _bare(policy, side)
            # What is followed to another table is asked there.
            if not self._parents and not _ASKS.search(text):
                yield "policy_unbound", policy, "a setting that says whose turn it is"
            if _OR.search(text):
                yield "policy_alternative", policy, "a test that holds without an OR"

    def _is_tested(self, policy: Mapping[str, Any], side: str) -> bool:
        return bool(self._tests.search(_bare(policy, side)))


def settings_in(policies: Iterable[Mapping[str, Any]]) -> list[str]:
    """The settings that policies read, as often as they do."""
    return [name for policy in policies for text in (policy["using"], policy["check"]) for name in _SETTING.findall(text or "")]


def _bare(policy: Mapping[str, Any], side: str) -> str:
    """The test without its texts: the name of a column in one is none. Without WITH CHECK that is what USING says."""
    text = policy["using"] if side == "using" or (policy["check"] is None and policy["command"] != "a") else policy["check"]
    return _STRINGS.sub("''", text or "")

"""What a CHECK constraint asks of single columns, as far as its text, in PostgreSQL's own spelling, says so plainly.

What is not understood is no harm: every value is shown to the database as well, which applies the constraint itself.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

# What a sign means where the literal stands on the left.
_TURNED = {"<": ">", ">": "<", "<=": ">=", ">=": "<=", "=": "=", "<>": "<>"}
_LENGTHS = {"char_length", "character_length", "length"}
_TYPE = r'(?:double precision|character varying|bit varying|(?:timestamp|time)(?:\(\d\))? with(?:out)? time zone|"[^"]+"(?:\."[^"]+")?|[\w.]+)(?:\(\d+(?:,\d+)?\))?(?:\[\])*'
_TOKEN = re.compile(
    rf"""\s*(?:::(?P<cast>{_TYPE})|(?P<text>E?'(?:[^']|'')*')|(?P<number>-?\d+(?:\.\d+)?)|(?P<name>"(?:[^"]|"")+"|[A-Za-z_][\w.$]*)|(?P<sign>[<>=!~*%+\-/|&]+|[(),\[\]]))"""
)


@dataclass(frozen=True)
class Atom:
    """One condition: ``column`` stands in relation ``sign`` to ``values``.

    ``sign`` is a comparison, ``in``, ``~`` (a regular expression), ``length <`` and the like, or ``column <`` where the value
    names another column.
    """

    column: str
    sign: str
    values: tuple[str, ...]


def atoms(expression: str) -> list[Atom]:
    """The conditions that must all hold; those that are not understood are left out."""
    return list(_conjuncts(_simplified(list(_tokens(expression)))))


def _tokens(expression: str) -> Iterator[tuple[str, str]]:
    position = 0
    while position < len(expression.rstrip()):
        match = _TOKEN.match(expression, position)
        if match is None:
            yield "sign", "?"
            return
        position = match.end()
        kind = str(match.lastgroup)
        if kind != "cast":
            yield kind, _plain(kind, match[kind])


def _plain(kind: str, text: str) -> str:
    if kind == "text":
        body = text[text.index("'") + 1 : -1].replace("''", "'")
        return body.replace("\\\\", "\\") if text.startswith("E") else body
    return text[1:-1].replace('""', '"') if text.startswith('"') else text


def _simplified(tokens: list[tuple[str, str]]) -> list[tuple[str, str]]:
    """Without the parentheses that PostgreSQL puts around single values and lists of them."""
    changed = True
    while changed:
        changed = False
        for place, token in enumerate(tokens):
            if token != ("sign", "(") or (place and tokens[place - 1][0] == "name" and tokens[place - 1][1] not in ("AND", "OR", "NOT")):
                continue
            end = _closing(tokens, place)
            inner = tokens[place + 1 : end]
            twice = inner[:1] == [("sign", "(")] and _closing(tokens, place + 1) == end - 1
            if len(inner) == 1 or twice or inner[:1] == [("name", "ARRAY")]:
                tokens = [*tokens[:place], *inner, *tokens[end + 1 :]]
                changed = True
                break
    return tokens


def _closing(tokens: Sequence[tuple[str, str]], place: int) -> int:
    depth = 0
    for position in range(place, len(tokens)):
        depth += {"(": 1, ")": -1}.get(tokens[position][1], 0) if tokens[position][0] == "sign" else 0
        if depth == 0:
            return position
    return len(tokens)


def _split(tokens: list[tuple[str, str]], word: str) -> list[list[tuple[str, str]]]:
    parts: list[list[tuple[str, str]]] = [[]]
    depth = 0
    for token in tokens:
        depth += {"(": 1, ")": -1}.get(token[1], 0) if token[0] == "sign" else 0
        if depth == 0 and token == ("name", word):
            parts.append([])
        else:
            parts[-1].append(token)
    return parts


def _conjuncts(tokens: list[tuple[str, str]]) -> Iterator[Atom]:
    while tokens[:1] == [("sign", "(")] and _closing(tokens, 0) == len(tokens) - 1:
        tokens = tokens[1:-1]
    choices = [part for part in _split(tokens, "OR") if not _is_null(part)]
    if len(choices) != 1:
        return
    parts = _split(choices[0], "AND")
    if len(parts) > 1 or choices[0] != tokens:
        for part in parts:
            yield from _conjuncts(part)
        return
    atom = _atom(tokens)
    if atom is not None:
        yield atom


def _is_null(tokens: list[tuple[str, str]]) -> bool:
    words = [text for _, text in tokens if text not in "()"]
    return len(words) == 3 and words[1:] == ["IS", "NULL"]  # noqa: PLR2004 - column IS NULL


def _atom(tokens: list[tuple[str, str]]) -> Atom | None:
    kinds, words = [kind for kind, _ in tokens], [text for _, text in tokens]
    if len(tokens) == 3 and kinds[1] == "sign":  # noqa: PLR2004 - left sign right
        return _comparison(tokens)
    if words[1:4] == ["=", "ANY", "("] and words[4:6] == ["ARRAY", "["] and kinds[0] == "name":
        return Atom(words[0], "in", tuple(text for kind, text in tokens[6:] if kind in ("text", "number")))
    if len(tokens) == 6 and words[0].rpartition(".")[2] in _LENGTHS and words[1] == "(" and words[3] == ")":  # noqa: PLR2004 - f ( c ) < n
        return Atom(words[2], f"length {words[4]}", (words[5],))
    return None


def _comparison(tokens: list[tuple[str, str]]) -> Atom | None:
    (left_kind, left), (_, sign), (right_kind, right) = tokens
    if left_kind == right_kind == "name":
        return Atom(left, f"column {sign}", (right,)) if sign in _TURNED else None
    if left_kind != "name":
        return Atom(right, _TURNED[sign], (left,)) if right_kind == "name" and sign in _TURNED else None
    if sign == "=":
        return Atom(left, "in", (right,))
    return Atom(left, sign, (right,)) if sign in (*_TURNED, "~") else None

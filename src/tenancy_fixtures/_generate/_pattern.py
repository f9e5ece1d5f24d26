"""Texts that a regular expression matches: it is taken apart by Python's own parser, and read from left to right.

Each place of the text becomes a list of the pieces that may stand there. Expressions that look around or back are refused.
"""

from __future__ import annotations

import re
import string
import sys
from importlib import import_module
from math import prod
from random import Random
from typing import Any, List, Optional, Set, Tuple

# Where Python keeps its parser; since 3.11 the old names warn.
_HOME = ("re._constants", "re._parser") if sys.version_info >= (3, 11) else ("sre_constants", "sre_parse")
codes, parser = (import_module(name) for name in _HOME)

Slots = List[Tuple[str, ...]]  # for each place the pieces that may stand there

# Characters that a text may have, in the order of preference where a class allows nearly all.
_DIGITS, _WORD = string.digits, string.ascii_lowercase + string.ascii_uppercase + string.digits
_PLAIN = _WORD + "_- .,:;!?@#%&*+/=()[]{}<>|~^$'\"`\\"
_CATEGORIES = {"DIGIT": _DIGITS, "WORD": _WORD + "_", "SPACE": " "}
_MOST_REPEATS = 12  # of a piece without a limit
_MOST_SLOTS = 2_000


class PatternUnsupported(Exception):
    """The expression has something that no text can be made from piece by piece."""


def templates(pattern: str, number: int, seed: int, *, longest: Optional[int] = None) -> List[Slots]:
    """Up to ``number`` ways in which texts can match, the first of them with the shortest repetitions; different ones only.

    Where the expression has a group that keeps a part (:func:`re.match`'s group 1), only its places vary in what follows it.

    :raises PatternUnsupported: no text can be made.
    """
    try:
        tree = parser.parse(pattern)
    except (re.error, RecursionError, OverflowError) as error:
        raise PatternUnsupported(str(error)) from error
    random = Random(seed)  # noqa: S311 - it secures nothing
    found: List[Slots] = []
    for turn in range(number):
        slots: Slots = []
        _read(tree, slots, None if turn == 0 else random, min(longest or _MOST_REPEATS, 64))
        if slots not in found:
            found.append(slots)
    return found


def capacity(slots: Slots) -> int:
    """How many different texts there are, if no two ways of putting pieces together give the same."""
    return prod(len(set(pieces)) for pieces in slots)


def only_group_varies(pattern: str, seed: int) -> List[Slots]:
    """Like :func:`templates`, for an expression whose first group is what is kept: what is outside it is always the same."""
    tree = parser.parse(pattern)
    found: List[Slots] = []
    random = Random(seed)  # noqa: S311 - likewise
    for turn in range(8):
        slots: Slots = []
        for code, argument in tree:
            before = len(slots)
            _read([(code, argument)], slots, None if turn == 0 else random, _MOST_REPEATS)
            if not (code is codes.SUBPATTERN and argument[0] == 1):
                slots[before:] = [pieces[:1] for pieces in slots[before:]]
        if slots not in found:
            found.append(slots)
    return found


def _read(tree: Any, slots: Slots, random: Optional[Random], longest: int) -> None:
    for code, argument in tree:
        _item(code, argument, slots, random, longest)
        if len(slots) > _MOST_SLOTS:
            raise PatternUnsupported("it asks for very long texts")


def _item(code: Any, argument: Any, slots: Slots, random: Optional[Random], longest: int) -> None:
    if code is codes.LITERAL:
        slots.append((chr(argument),))
    elif code is codes.NOT_LITERAL:
        slots.append(_pieces(_WORD.replace(chr(argument), "")))
    elif code is codes.ANY:
        slots.append(_pieces(_WORD))
    elif code is codes.IN:
        slots.append(_pieces(_class(argument)))
    elif code is codes.SUBPATTERN:
        _read(argument[-1], slots, random, longest)
    elif code is codes.BRANCH:
        branches = argument[1]
        _read(branches[0] if random is None else random.choice(branches), slots, random, longest)
    elif code in _REPEATS:
        _repeat(argument, slots, random, longest)
    elif code is not codes.AT:  # where a text begins and ends; what \b says is seen afterwards
        raise PatternUnsupported(f"it has {str(code).lower().replace('_', ' ')}")


_REPEATS = {codes.MAX_REPEAT, codes.MIN_REPEAT, *([codes.POSSESSIVE_REPEAT] if hasattr(codes, "POSSESSIVE_REPEAT") else [])}


def _repeat(argument: Any, slots: Slots, random: Optional[Random], longest: int) -> None:
    low, high, item = argument
    most = min(high, max(low, longest))
    for _ in range(low if random is None else random.randint(low, most)):
        _read(item, slots, random, longest)


def _class(items: Any) -> str:
    negated = items[0][0] is codes.NEGATE
    members = set().union(*(_members(code, argument) for code, argument in items if code is not codes.NEGATE))
    if negated:
        kept = "".join(sign for sign in _WORD if sign not in members)
        return kept or "".join(sign for sign in _PLAIN if sign not in members)
    usual = "".join(sign for sign in _PLAIN if sign in members)
    return usual or "".join(sorted(members))


def _members(code: Any, argument: Any) -> Set[str]:
    if code is codes.LITERAL:
        return {chr(argument)}
    if code is codes.RANGE:
        low, high = argument
        return {chr(number) for number in range(low, min(high, low + 512) + 1)}
    if code is codes.CATEGORY:
        name = str(argument).replace("CATEGORY_", "").replace("UNI_", "")
        signs = set(_CATEGORIES[name.replace("NOT_", "")])
        return set(_PLAIN) - signs if name.startswith("NOT_") else signs
    raise PatternUnsupported(f"it has {str(code).lower()}")


def _pieces(signs: str) -> Tuple[str, ...]:
    if not signs:
        raise PatternUnsupported("a class of it matches nothing")
    return tuple(dict.fromkeys(signs))

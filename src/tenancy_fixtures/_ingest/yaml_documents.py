"""Documents of YAML, and of the front matter of a text in Markdown: plain values only, of a size and a depth that are bounded.

Values mean what YAML 1.2 says: ``no`` is a text, ``010`` is ten, a day is a text. Numbers keep every digit.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, BinaryIO, ClassVar, Final

from ..constants import MAX_JSON_DEPTH, MAX_YAML_BYTES, MAX_YAML_NODES
from ..exceptions import MissingExtra, SourceMalformed
from ._json_values import Number

try:
    import yaml
    from yaml.events import AliasEvent
    from yaml.nodes import CollectionNode, MappingNode, ScalarNode
except ModuleNotFoundError as error:
    raise MissingExtra("reading YAML needs PyYAML", extra="load", hint="Install tenancy-fixtures[load].") from error

if TYPE_CHECKING:
    from collections.abc import Iterator

    from yaml.nodes import Node

_FENCE: Final = re.compile(rb"---[ \t]*\r?\n")
_END: Final = re.compile(rb"^(?:---|\.\.\.)[ \t]*\r?$", re.MULTILINE)
_DECIMAL: Final = re.compile(r"-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][-+]?[0-9]+)?")
_MARK: Final = b"\xef\xbb\xbf"


def documents(file: BinaryIO) -> Iterator[Any]:
    """The documents of a YAML file.

    :raises SourceMalformed: it is no YAML, or holds objects of Python, an alias to itself, or more than the limits allow; says in which line.
    """
    yield from _load(_read(file))


def front_matter(file: BinaryIO) -> Iterator[Any]:
    """The block between ``---`` and ``---`` at the start of a Markdown file; what comes after it is not read.

    :raises SourceMalformed: there is no such block, or it is no YAML: as :func:`documents`.
    """
    data = _read(file, whole=False).removeprefix(_MARK)
    start = _FENCE.match(data)
    end = _END.search(data, start.end()) if start else None
    if start is None or end is None:
        raise SourceMalformed(
            "expected a block of YAML between --- and --- at the start", hint="Nothing was loaded. Write it as model cards have it."
        )
    yield from _load(data[start.end() : end.start()], above=1)


def _read(file: BinaryIO, *, whole: bool = True) -> bytes:
    data = file.read(MAX_YAML_BYTES + 1)
    if whole and len(data) > MAX_YAML_BYTES:
        raise SourceMalformed(f"YAML of more than {MAX_YAML_BYTES >> 20} MB is not read", hint="Write it as JSON, or in several files.")
    return data


def _load(data: bytes, above: int = 0) -> Iterator[Any]:
    """``above`` lines stand before the text."""
    try:
        yield from yaml.load_all(data, Loader=_PlainLoader)
    except yaml.MarkedYAMLError as error:
        # Its own text would quote the file.
        mark = error.problem_mark or error.context_mark
        place = f", line {mark.line + 1 + above}, column {mark.column + 1}" if mark else ""
        reason = error.problem if isinstance(error, _Refused) else "the text is no YAML of plain values"
        raise SourceMalformed(f"{reason}{place}", line=mark.line + 1 + above if mark else None) from None
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        raise SourceMalformed(f"the text is no YAML of plain values ({type(error).__name__})") from None


class _Refused(yaml.composer.ComposerError):  # type: ignore[misc]
    """YAML that would take more than it is worth."""


class _PlainLoader(yaml.SafeLoader):  # type: ignore[misc]
    """Plain values. An alias counts as often as it is used: a few lines can stand for billions of values."""

    yaml_implicit_resolvers: ClassVar[dict[str, Any]] = {}

    def __init__(self, stream: bytes) -> None:
        super().__init__(stream)
        self._level = 0
        self._weights: dict[int, tuple[int, int]] = {}

    def compose_node(self, parent: Node | None, index: Any) -> Node:
        """One node, with what it weighs: how many values it stands for, and how deep they are nested."""
        mark = self.peek_event().start_mark
        if self.check_event(AliasEvent):
            node = super().compose_node(parent, index)
            if id(node) not in self._weights:
                raise _Refused(None, None, "an alias stands inside what it stands for", mark)
            self._refuse_heavy(node, mark)
            return node
        self._level += 1
        if self._level > MAX_JSON_DEPTH:
            raise _Refused(None, None, f"nested too deep: more than {MAX_JSON_DEPTH} levels", mark)
        node = super().compose_node(parent, index)
        self._level -= 1
        inside = [self._weights[id(child)] for child in _children(node)]
        self._weights[id(node)] = 1 + sum(weight for weight, _ in inside), 1 + max((depth for _, depth in inside), default=0)
        self._refuse_heavy(node, mark)
        return node

    def _refuse_heavy(self, node: Node, mark: Any) -> None:
        weight, depth = self._weights[id(node)]
        if weight > MAX_YAML_NODES:
            raise _Refused(None, None, f"more than {MAX_YAML_NODES} values", mark)
        if self._level + depth > 2 * MAX_JSON_DEPTH:
            raise _Refused(None, None, f"nested too deep: more than {MAX_JSON_DEPTH} levels", mark)

    def number(self, node: ScalarNode) -> Number:
        """A number as it is written, where JSON has it too."""
        text = self.construct_scalar(node)
        if _DECIMAL.fullmatch(text):
            return Number(text)
        if text.startswith(("0x", "0o")):
            return Number(str(int(text, 0)))
        # +1, .5, 1. and 010 are numbers here; .inf and .nan are none of JSON's, which whoever reads them says.
        sign, digits = ("-", text[1:]) if text[0] == "-" else ("", text.lstrip("+"))
        if not digits.lstrip(".")[:1].isdigit():
            return Number(text)
        whole, dot, rest = digits.partition(".")
        return Number(f"{sign}{whole.lstrip('0') or '0'}{dot if rest[:1].isdigit() else ''}{rest}")


def _children(node: Node) -> list[Node]:
    if isinstance(node, MappingNode):
        return [child for pair in node.value for child in pair]
    return list(node.value) if isinstance(node, CollectionNode) else []


for _tag, _pattern, _first in (
    ("bool", r"true|True|TRUE|false|False|FALSE", "tTfF"),
    ("null", r"~|null|Null|NULL|", ["~", "n", "N", ""]),
    ("int", r"[-+]?[0-9]+|0o[0-7]+|0x[0-9a-fA-F]+", "-+0123456789"),
    ("float", r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?|[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN)", "-+.0123456789"),
    ("merge", r"<<", "<"),
):
    _PlainLoader.add_implicit_resolver(f"tag:yaml.org,2002:{_tag}", re.compile(f"(?:{_pattern})$"), list(_first))
for _tag in ("int", "float"):
    _PlainLoader.add_constructor(f"tag:yaml.org,2002:{_tag}", _PlainLoader.number)

"""What a file is, and why: its sample against what each shape says that it is known by."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from fnmatch import fnmatch
from pathlib import PurePosixPath
from typing import TYPE_CHECKING

from .._shapes import Shape
from ._sample import take_sample

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from .._ingest import FileSource
    from .._shape_models import Recognise
    from ._sample import Sample
    from ._shape import KnownShape


_LISTED = 4  # names for one thing that a message lists


@dataclass(frozen=True)
class Detection(Shape):
    """What a file is. ``shape``, ``domain`` and ``description`` are ``None`` where it is of no kind that is known.

    ``why`` says in words what it is known by, or what was seen instead; ``rejected`` has, for each shape that it is not, why.
    ``nearest`` are, where it is of no kind, the shapes that it has something of, that of which it has most first.
    ``empty`` is a document of JSON without a single value. For several files at once ``parts`` has one for each, and the rest is said where they agree.
    """

    source: str
    shape: str | None = None
    domain: str | None = None
    description: str | None = None
    why: tuple[str, ...] = ()
    rejected: Mapping[str, str] = field(default_factory=dict, repr=False)
    nearest: tuple[str, ...] = ()
    empty: bool = False
    parts: tuple[Detection, ...] = ()

    @property
    def known(self) -> bool:
        """Whether it is, or all parts are, of a kind that is known."""
        return all(part.known for part in self.parts) if self.parts else self.shape is not None


@dataclass(frozen=True)
class _Match:
    """How well a sample fits a shape: ``weight`` counts what was found, ``missing`` says what was not.

    ``found`` are the names that are there, whether it fits or not.
    """

    shape: KnownShape
    why: tuple[str, ...] = ()
    missing: str | None = None
    weight: int = 0
    hinted: bool = False
    found: int = 0


def detect_source(source: FileSource, shapes: Sequence[KnownShape]) -> Detection:
    """Say what one source is.

    Of several shapes that fit, the one that asks for most is it; between equals the file's name decides.

    :raises SourceMissing: it has gone, or may not be read.
    """
    wanted = {name for shape in shapes for name in shape.declared.columns}
    sample = take_sample(source, wanted, {name for shape in shapes for name in shape.columns})
    matches = [_match(shape, sample) for shape in shapes]
    fitting = sorted((match for match in matches if match.missing is None), key=lambda match: (-match.weight, not match.hinted, match.shape.name))
    rejected = {match.shape.name: match.missing for match in matches if match.missing is not None}
    if not fitting:
        near = sorted((match for match in matches if match.found), key=lambda match: -match.found)
        return Detection(
            source.name, why=(f"it is {sample.seen}",), rejected=rejected, nearest=tuple(match.shape.name for match in near), empty=sample.empty
        )
    best, *others = fitting
    for other in others:
        rejected[other.shape.name] = "it fits too, and asks for less" if other.weight < best.weight else _tie(best)
    declared = best.shape.declared
    return Detection(source.name, declared.name, declared.domain, declared.description, best.why, rejected)


def together(name: str, parts: Sequence[Detection]) -> Detection:
    """What several files are, in one."""
    if len(parts) == 1:
        return parts[0]
    shapes, domains = {part.shape for part in parts}, {part.domain for part in parts}
    counts = {shape: sum(part.shape == shape for part in parts) for shape in sorted(shapes, key=str)}
    why = tuple(f"{count} of {len(parts)} files: {shape or 'of no kind that is known'}" for shape, count in counts.items())
    same = parts[0] if len(shapes) == 1 else Detection(name)
    domain = parts[0].domain if len(domains) == 1 else None
    return Detection(name, same.shape, domain, same.description, why, parts=tuple(parts))


def _in_words(names: Sequence[str], *, listed: int = _LISTED) -> str:
    words = [f"{name[3:]} somewhere in it" if name.startswith("**.") else name for name in names]
    return " or ".join(words if len(words) <= listed else [*words[: listed - 1], f"{len(words) - listed + 1} more names"])


def _tie(best: _Match) -> str:
    return f"it fits as well, but the file is called like {best.shape.name}" if best.hinted else f"it fits as well; {best.shape.name} comes first"


def _match(shape: KnownShape, sample: Sample) -> _Match:
    """The best of what the shape may be known by; where none fits, the reason of the one that comes nearest."""
    matches = [_match_one(shape, known, sample) for known in shape.declared.known_by]
    return max(
        (match for match in matches if match.missing is None),
        key=lambda match: (match.weight, match.hinted),
        default=max(matches, key=lambda match: match.found),
    )


def _match_one(shape: KnownShape, known: Recognise, sample: Sample) -> _Match:
    name = PurePosixPath(sample.source.replace("\\", "/")).name
    hinted = any(fnmatch(name.lower(), pattern.lower()) for pattern in known.files)
    if known.formats and sample.format not in known.formats:
        return _Match(shape, missing=f"it is {sample.format}, not {' or '.join(known.formats)}")
    if not known.tells and not hinted:
        return _Match(shape, missing="it is not called like one")
    (found, absent), why = _needed(known, sample), []
    unlike = _unlike(known, sample)
    problem = absent or _lacking(known, sample) or next(iter(unlike), None) or _text(known, sample)
    if problem:
        return _Match(shape, missing=problem, found=len(found) + len(known.values) - len(unlike))
    if found:
        why.append(f"{'each' if sample.format not in ('json', 'ndjson') else 'a'} record has {', '.join(_in_words([name]) for name in found)}")
    why += [f"{_in_words(path.split('|'))} is like {pattern}" for path, pattern in known.values.items()]
    why += [f"its text has {pattern}" for pattern in known.text]
    if hinted:
        why.append("it is called like one")
    return _Match(shape, tuple(why), weight=len(known.needs) + len(known.values) + len(known.text) + len(known.lacks), hinted=hinted)


def _needed(known: Recognise, sample: Sample) -> tuple[list[str], str | None]:
    """The names that were found, one for each that is needed; and the first thing that is not there, by all of its names."""
    found, absent = [], []
    for item in known.needs:
        names = [item] if isinstance(item, str) else item
        there = next((name for name in names if sample.find(name) is not None), None)
        if there is None:
            absent.append(names)
        else:
            found.append(there)
    return found, f"it has no {_in_words(absent[0], listed=len(absent[0]))}" if absent else None


def _lacking(known: Recognise, sample: Sample) -> str | None:
    there = next((name for name in known.lacks if sample.find(name) is not None), None)
    return None if there is None else f"it has {_in_words([there])}"


def _unlike(known: Recognise, sample: Sample) -> list[str]:
    """For each name whose values are not as they should be, that they are not."""
    if sample.headed:
        return []
    problems = []
    for path, pattern in known.values.items():
        names = path.split("|")
        if not any(re.search(pattern, value) for name in names for value in sample.find(name) or ()):
            problems.append(f"no {_in_words(names, listed=len(names))} is like {pattern}")
    return problems


def _text(known: Recognise, sample: Sample) -> str | None:
    missing = next((pattern for pattern in known.text if not re.search(pattern, sample.text, re.MULTILINE)), None)
    return None if missing is None else f"its text has no {missing}"

"""A validation as a page of its own: no script, nothing from the network, readable by screen readers, and no value of a row."""

from __future__ import annotations

from datetime import datetime, timezone
from html import escape
from typing import TYPE_CHECKING, Any, Final

from ._output import counted, legible

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from .._shapes import Finding, ValidationReport

_SEVERITIES: Final = {"error": "Errors", "warning": "Warnings", "info": "For information"}

# Colours keep a contrast of 4.5 to 1 on both grounds; a severity is always told in words as well.
_STYLE: Final = """
:root { color-scheme: light dark; --ink: #1b1b1f; --ground: #ffffff; --line: #c9c9d1; --soft: #f3f3f7; --error: #a11212; --warning: #7a4a00; --info: #1d4f91; --well: #17652f }
@media (prefers-color-scheme: dark) {
  :root { --ink: #ececf1; --ground: #16161a; --line: #45454f; --soft: #22222a; --error: #ff9c93; --warning: #ffc46b; --info: #9cc4ff; --well: #8fdca4 }
}
body { margin: 0 auto; max-width: 70rem; padding: 1.5rem; font: 1rem/1.5 system-ui, sans-serif; color: var(--ink); background: var(--ground) }
section.subject { border-top: 2px solid var(--line); margin-top: 2rem }
.score { font-size: 1.25rem; font-weight: 600 }
.error { color: var(--error) } .warning { color: var(--warning) } .info { color: var(--info) } .well { color: var(--well) }
meter { width: 16rem; height: 1rem }
.scroll { overflow-x: auto }
table { border-collapse: collapse; width: 100%; margin: .5rem 0 1.5rem }
caption { text-align: left; font-weight: 600; padding: .25rem 0 }
th, td { text-align: left; vertical-align: top; padding: .35rem .6rem; border-bottom: 1px solid var(--line); overflow-wrap: anywhere }
thead th { background: var(--soft) }
td.number, th.number { text-align: right; font-variant-numeric: tabular-nums }
@media print { body { max-width: none } .scroll { overflow: visible } }
""".strip()


def page(reports: Sequence[ValidationReport], at: datetime | None = None) -> str:
    """The whole page: an overview where there are several subjects, then each of them."""
    at = at or datetime.now(timezone.utc)
    parts = [_section(number, report) for number, report in enumerate(reports, start=1)]
    overview = _overview(reports) if len(reports) > 1 else ""
    title = f"Validation of {_text(reports[0].subject)}" if len(reports) == 1 else f"Validation of {counted(len(reports), 'subject')}"
    return (
        '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'\">\n"
        f"<title>{title}</title>\n<style>\n{_STYLE}\n</style>\n</head>\n<body>\n<main>\n<h1>{title}</h1>\n"
        f'<p>Made <time datetime="{at.isoformat()}">{at:%Y-%m-%d %H:%M:%S} UTC</time> by Tenancy Fixtures.</p>\n'
        f"{overview}{''.join(parts)}</main>\n</body>\n</html>\n"
    )


def _overview(reports: Sequence[ValidationReport]) -> str:
    rows = [
        (f'<a href="#subject-{number}">{_text(report.subject)}</a>', report.score, *(len(report.of(severity)) for severity in _SEVERITIES))
        for number, report in enumerate(reports, start=1)
    ]
    return _table("Overview", ("Subject", "Health", *_SEVERITIES.values()), rows)


def _section(number: int, report: ValidationReport) -> str:
    place = f"subject-{number}"
    said = ", ".join(f"{len(report.of(name))} {words.lower()}" for name, words in _SEVERITIES.items())
    state = '<strong class="well">In order</strong>' if report.ok else '<strong class="error">Not in order</strong>'
    name = _text(report.subject)
    meter = f'<meter min="0" max="100" low="50" high="90" optimum="100" value="{report.score}" aria-label="Health of {name}">{report.score} of 100</meter>'
    parts = [
        f'<section class="subject" id="{place}" aria-labelledby="{place}-title">\n<h2 id="{place}-title">{_text(report.subject)}</h2>\n',
        f'<p class="score">{state}: health {report.score} of 100 {meter}</p>\n',
        f"<p>{counted(report.checks, 'check')} in {report.seconds:.2f} s: {said}.</p>\n",
    ]
    parts += [_findings(severity, report.of(severity)) for severity in _SEVERITIES if report.of(severity)]
    if report.rows:
        rows = sorted(report.rows.items())
        parts.append(_table("Rows of each table", ("Table", "Rows"), [(_text(name), rows_) for name, rows_ in rows]))
    return "".join([*parts, "</section>\n"])


def _findings(severity: str, findings: Sequence[Finding]) -> str:
    rows = [(_text(item.rule), _text(item.object), _text(item.message), item.count) for item in findings]
    return f'<h3 class="{severity}">{_SEVERITIES[severity]}</h3>\n' + _table(
        f"{_SEVERITIES[severity]}: {len(rows)}", ("Rule", "Where", "What", "Count"), rows
    )


def _table(caption: str, columns: Sequence[str], rows: Iterable[Sequence[Any]]) -> str:
    """A table; text cells are HTML already, numbers are written with separators."""
    cells = [list(row) for row in rows]
    numeric = [all(isinstance(row[place], int) for row in cells) for place in range(len(columns))]
    head = "".join(f'<th scope="col"{_NUMBER if numeric[place] else ""}>{name}</th>' for place, name in enumerate(columns))
    body = "".join(f"<tr>{''.join(_cell(place, value) for place, value in enumerate(row))}</tr>\n" for row in cells)
    return f'<div class="scroll" tabindex="0" role="region" aria-label="{caption}">\n<table>\n<caption>{caption}</caption>\n<thead><tr>{head}</tr></thead>\n<tbody>\n{body}</tbody>\n</table>\n</div>\n'


_NUMBER: Final = ' class="number"'


def _cell(place: int, value: Any) -> str:
    if place == 0:
        return f'<th scope="row">{value}</th>'
    return f"<td{_NUMBER}>{value:,}</td>" if isinstance(value, int) else f"<td>{value}</td>"


def _text(value: str) -> str:
    """A name out of the database, as text: it must be neither markup nor control characters."""
    return escape(legible(value))

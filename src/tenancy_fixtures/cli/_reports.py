"""Reports of runs and validations as people read them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from . import _output

if TYPE_CHECKING:
    from .._shapes import DatasetReport, RunReport, ValidationReport

_SUMS = ("read", "stored", "duplicates", "rejects", "lost", "written")


def sums(report: RunReport) -> dict[str, int]:
    """What became of the records, over all datasets of a run; and the rows, of which a record may make several."""
    rows = {
        name: sum(getattr(table, name) for item in report.datasets if not item.skipped for table in item.tables) for name in ("inserted", "updated")
    }
    return {**{name: sum(getattr(item, name) for item in report.datasets) for name in _SUMS}, **rows}


def show_steps(report: RunReport) -> None:
    """Say what a dry run would do."""
    if not report.steps:
        _output.say(f"{report.tenant_id}: nothing to do.")
        return
    _output.say(f"{report.tenant_id}: would")
    for step in report.steps:
        detail = ", ".join(f"{name} {_words(value)}" for name, value in step.detail.items())
        _output.say(f"  {step.action} {step.object}{f' ({detail})' if detail else ''}")


def show_load(report: RunReport) -> None:
    """Say what a load did: each dataset, each phase, the sum."""
    _output.table(
        ("Dataset", "Read", "Stored", "Duplicates", "Rejects", "Inserted", "Updated"),
        [_dataset_row(item) for item in report.datasets],
    )
    same = [item.dataset for item in report.datasets if item.skipped]
    if same:
        _output.say(f"Same content as before, no work: {', '.join(same)}.")
    _output.show_rejects([item for dataset in report.datasets for item in dataset.listed_rejects], sum(item.rejects for item in report.datasets))
    phases = [(item.name, item.seconds, item.records or None, item.bytes / 1e6 if item.bytes else None, item.rate or None) for item in report.phases]
    _output.table(("Phase", "Seconds", "Records", "MB", "Records/s"), phases)
    _output.say(f"{report.tenant_id}: {report.written:,} rows written in {report.seconds:.2f} s.")


def show_validation(report: ValidationReport) -> None:
    """Say what a validation saw."""
    errors = sum(item.severity == "error" for item in report.findings)
    others = len(report.findings) - errors
    found = "all well" if not report.findings else f"{errors} errors, {others} other findings"
    _output.say(f"{report.subject}: {report.checks:,} checks, {found}, {report.seconds:.2f} s")
    _output.table(
        ("Severity", "Rule", "Where", "What", "Count"),
        [(item.severity, item.rule, item.object, item.message, item.count) for item in report.findings],
    )


def _dataset_row(item: DatasetReport) -> tuple[Any, ...]:
    inserted, updated = (None if item.skipped else sum(getattr(table, name) for table in item.tables) for name in ("inserted", "updated"))
    return item.dataset, item.read, item.stored, item.duplicates, item.rejects, inserted, updated


def _words(value: Any) -> str:
    return ", ".join(map(str, value)) if isinstance(value, (list, tuple)) else str(value)

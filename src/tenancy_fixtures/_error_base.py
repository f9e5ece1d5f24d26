"""What every error has: a message, to whom it happened, where, what to do about it, and facts. The errors are in :mod:`.exceptions`."""

from __future__ import annotations

from typing import Any

# What an error may tell beside its message.
FACTS = frozenset(
    {
        *("file", "files", "line", "column", "pointer", "revision", "dataset", "findings"),
        *("source", "record", "columns", "offset", "rule", "count", "rejects", "limit"),
        *("objects", "sqlstate", "schema", "table", "column_name", "constraint", "driver_error"),
        *("status", "retry_after"),
        *("shape", "domain", "run_id", "extra", "log", "port", "data_dir", "data_version", "server_version"),
    }
)


class Transient:
    """Mark of an error after which the same call may succeed."""


class Terminal:
    """Mark of an error that the same call will meet again."""


class TenancyError(Exception):
    """Base of all; catch it to handle whatever the library reports.

    ``tenant``, ``step`` and ``hint`` say to whom it happened, where, and what to do about it. Further facts are
    attributes of the subclasses; :meth:`to_dict` gives them all.
    """

    def __init__(self, message: str, *, tenant: str | None = None, step: str | None = None, hint: str | None = None, **facts: Any) -> None:
        super().__init__(message)
        self.message = message
        self.tenant = tenant
        self.step = step
        self.hint = hint
        self.facts = {name: value for name, value in facts.items() if value is not None}

    def __getattr__(self, name: str) -> Any:
        # Only reached for names that are not set. A fact that this error does not know is None; any other name is no
        # attribute: who asks whether there is an `add_note` or an `exceptions` must hear the truth.
        facts = self.__dict__.get("facts", {})
        if name in facts or name in FACTS:
            return facts.get(name)
        raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}")

    def __reduce__(self) -> tuple[Any, ...]:
        return _rebuild, (type(self), self.message, self.tenant, self.step, self.hint, self.facts)

    def __str__(self) -> str:
        parts = [self.message]
        if self.tenant is not None and repr(self.tenant) not in self.message:
            parts.append(f"tenant: {self.tenant}")
        if self.hint:
            parts.append(self.hint)
        return "\n".join(parts)

    def locate(self, *, tenant: str | None = None, step: str | None = None) -> TenancyError:
        """Fill in the tenant and the step where a deeper room did not know them, and return the error."""
        self.tenant = self.tenant or tenant
        self.step = self.step or step
        return self

    def to_dict(self) -> dict[str, Any]:
        """The error as plain JSON-ready values."""
        known = {"error": type(self).__name__, "message": self.message, "tenant": self.tenant, "step": self.step, "hint": self.hint}
        return {**{name: value for name, value in known.items() if value is not None}, **self.facts}


def _rebuild(kind: type[TenancyError], message: str, tenant: str | None, step: str | None, hint: str | None, facts: dict[str, Any]) -> TenancyError:
    error = kind.__new__(kind)
    TenancyError.__init__(error, message, tenant=tenant, step=step, hint=hint, **facts)
    return error

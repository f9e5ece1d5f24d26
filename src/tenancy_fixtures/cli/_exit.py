"""Exit codes: one for each thing that a script would do differently."""

from __future__ import annotations

import signal
from enum import IntEnum
from typing import Final

from .. import exceptions as errors


class ExitCode(IntEnum):
    """What the process says when it ends; ``meaning`` is what the help says of it."""

    DONE = 0
    FAILED = 1
    USAGE = 2
    CONFIGURATION = 3
    NOT_FOUND = 4
    CONFLICT = 5
    BAD_INPUT = 6
    TRY_AGAIN = 7
    ANSWER_LOST = 8
    OUT_OF_DATE = 9
    INTERRUPTED = 130
    TERMINATED = 143

    @property
    def meaning(self) -> str:
        """One line for people."""
        return _MEANINGS[self]


_MEANINGS: Final = {
    ExitCode.DONE: "done",
    ExitCode.FAILED: "the work failed, or a validation found errors",
    ExitCode.USAGE: "the command was not understood: an option, a value, a tenant id",
    ExitCode.CONFIGURATION: "settings, rights or the database's set-up are wrong",
    ExitCode.NOT_FOUND: "no such tenant or dataset",
    ExitCode.CONFLICT: "it exists already, or stands in the way",
    ExitCode.BAD_INPUT: "data or pack cannot be used as they are",
    ExitCode.TRY_AGAIN: "the database or a web API is unavailable or busy: the same command may succeed later",
    ExitCode.ANSWER_LOST: "the work is done, but standard output could not be written",
    ExitCode.OUT_OF_DATE: "tenants are behind their pack, or not as it makes them (`tenancy migrate --check`)",
    ExitCode.INTERRUPTED: "interrupted; what was not committed is rolled back",
    ExitCode.TERMINATED: "terminated; what was not committed is rolled back",
}

# The first that fits counts, so what is special comes before what is general.
_KINDS: Final[tuple[tuple[tuple[type, ...], ExitCode], ...]] = (
    ((errors.InvalidTenantId,), ExitCode.USAGE),
    ((errors.TenantNotFound, errors.DatasetNotFound), ExitCode.NOT_FOUND),
    (
        (
            errors.TenantExists,
            errors.TenantInUse,
            errors.IdempotencyConflict,
            errors.AliasConflict,
            errors.CannotEject,
            errors.OutputExists,
            errors.RowsInUse,
            errors.RowsLeft,
        ),
        ExitCode.CONFLICT,
    ),
    ((errors.PackError, errors.SourceError, errors.DataRejected, errors.ResourceGone, errors.WebApiMalformed), ExitCode.BAD_INPUT),
    ((errors.Transient,), ExitCode.TRY_AGAIN),
    (
        (
            errors.ConfigurationError,
            errors.PermissionDenied,
            errors.ServerError,
            errors.CredentialsRefused,
            errors.AccessForbidden,
            errors.TenantNotOpened,
        ),
        ExitCode.CONFIGURATION,
    ),
)


class Interrupted(Exception):
    """Somebody sent SIGINT or SIGTERM; ``code`` is what to exit with."""

    def __init__(self, number: int) -> None:
        super().__init__(signal.Signals(number).name)
        self.code = ExitCode(128 + number)


def exit_code_of(error: BaseException) -> ExitCode:
    """The code that an error ends the process with."""
    return next((code for kinds, code in _KINDS if isinstance(error, kinds)), ExitCode.FAILED)


def exit_codes_help() -> str:
    """The codes and their meanings, for ``--help``."""
    return "\n".join(["\b", "Exit codes:", *(f"  {code.value:>3}  {code.meaning}" for code in ExitCode)])

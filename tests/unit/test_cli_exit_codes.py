"""Every error that the library raises ends the process with a code that a script can act on."""

from __future__ import annotations

import pytest

from tenancy_fixtures import exceptions
from tenancy_fixtures.cli._exit import ExitCode, exit_code_of, exit_codes_help

EXPECTED = {
    "AccessForbidden": 3,
    "AliasConflict": 5,
    "CannotEject": 5,
    "CannotGenerate": 6,
    "CannotCopy": 6,
    "CannotShare": 6,
    "ColumnMissing": 6,
    "ConfigurationError": 3,
    "ControlPlaneMismatch": 3,
    "CredentialsRefused": 3,
    "DataRejected": 6,
    "DatabaseError": 1,
    "DatabaseNotConfigured": 3,
    "DatabaseUnavailable": 7,
    "DatasetNotFound": 4,
    "IdempotencyConflict": 5,
    "InvalidTenantId": 2,
    "LockTimeout": 7,
    "MissingExtra": 3,
    "NotInitialised": 3,
    "NoTenant": 1,
    "OutputExists": 5,
    "OutOfResources": 7,
    "PackError": 6,
    "PackInvalid": 6,
    "PackMismatch": 6,
    "PermissionDenied": 3,
    "QuotaExceeded": 7,
    "ResourceGone": 6,
    "RevisionChanged": 6,
    "RowsInUse": 5,
    "RowsLost": 1,
    "RunError": 1,
    "RunFenced": 7,
    "RunInProgress": 7,
    "ScriptEscaped": 6,
    "ScriptFailed": 6,
    "SerializationConflict": 7,
    "ServerDataDirectory": 3,
    "ServerError": 3,
    "ServerPortInUse": 3,
    "ServerUnavailable": 7,
    "ServerVersionMismatch": 3,
    "SourceEmpty": 6,
    "SourceError": 6,
    "SourceMalformed": 6,
    "SourceTooLarge": 6,
    "SourceMissing": 6,
    "SourceUndecodable": 6,
    "StatementRefused": 1,
    "TenancyError": 1,
    "TenantError": 1,
    "RowsLeft": 5,
    "TenantExists": 5,
    "TenantInUse": 5,
    "TenantNotFound": 4,
    "TenantNotOpened": 3,
    "TenantSuspended": 1,
    "UnknownShape": 6,
    "NoDatabases": 3,
    "PoliciesBypassed": 3,
    "UnsafeRole": 3,
    "ValidationFailed": 1,
    "ValidationTimeout": 1,
    "WrongDomain": 6,
    "WrongTenant": 1,
    "WebApiError": 1,
    "WebApiMalformed": 6,
    "WebApiUnavailable": 7,
}


def kinds(kind=exceptions.TenancyError):
    yield kind
    for child in kind.__subclasses__():
        if child.__module__ == exceptions.__name__:
            yield from kinds(child)


def test_every_error_has_its_code():
    assert {kind.__name__: int(exit_code_of(kind("x"))) for kind in kinds()} == EXPECTED


@pytest.mark.parametrize("kind", [kind for kind in kinds() if issubclass(kind, exceptions.Transient)])
def test_what_may_succeed_later_says_so(kind):
    assert exit_code_of(kind("x")) is ExitCode.TRY_AGAIN


def test_an_error_that_is_not_ours_is_a_failure():
    assert exit_code_of(ValueError("x")) is ExitCode.FAILED


def test_help_explains_every_code():
    lines = exit_codes_help().splitlines()
    assert [line.split()[0] for line in lines[2:]] == [str(code.value) for code in ExitCode]
    assert all(len(line.split()) > 1 for line in lines[2:])

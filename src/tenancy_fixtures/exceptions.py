"""Every error that the library raises on purpose.

::

    TenancyError
    ├── ConfigurationError              the set-up is wrong; nothing was tried
    │   ├── DatabaseNotConfigured       no database is named and none may be started
    │   ├── MissingExtra                an optional dependency is not installed
    │   ├── NotInitialised              the database has no control plane yet
    │   ├── ControlPlaneMismatch        the control plane is of a version that this library cannot serve
    │   ├── UnsafeRole                  the login may do more than production mode allows
    │   │   └── PoliciesBypassed        tenants share tables, and policies do not bind the login
    │   ├── NoDatabases                 the installation is not prepared for tenants with databases of their own
    │   ├── CannotEject                 the library cannot be taken out of the database
    │   ├── AliasConflict               files of others stand where the alias would go
    │   └── OutputExists                files stand where others would be written
    ├── TenantError
    │   ├── InvalidTenantId             the name cannot be a tenant's
    │   ├── TenantExists                the name is taken
    │   ├── TenantNotFound              nobody has the name
    │   ├── TenantInUse                 what is not the tenant's stands on its schema
    │   ├── RowsLeft                    rows of a tenant that is to go stay in tables that it shares
    │   ├── TenantSuspended             the tenant may not be used now
    │   ├── TenantNotOpened             the tenant was adopted, and its schema is not open to anybody yet
    │   ├── NoTenant                    nobody said whose a transaction is
    │   └── WrongTenant                 a transaction of one tenant, used in the context of another
    ├── PackError
    │   ├── PackInvalid                 a template is missing, is not JSON or breaks its schema
    │   ├── ScriptFailed                PostgreSQL refused a schema script
    │   ├── ScriptEscaped               a script tried to leave its transaction or its schema
    │   ├── RevisionChanged             a revision that was applied has other text now
    │   ├── PackMismatch                the tenant was made from another pack, or a newer release
    │   ├── DatasetNotFound             the pack has no such dataset
    │   ├── CannotGenerate              no records can be made that would fit the pack's schema and rules
    │   ├── CannotShare                 the schema holds what several tenants cannot share
    │   └── CannotCopy                  no pack can be written that would make the same schema, or load the same rows
    ├── SourceError                     data could not be read
    │   ├── SourceMissing               no such file, or no right to read it
    │   ├── SourceEmpty                 no header, no record
    │   ├── SourceUndecodable           bytes that are not text in the stated encoding
    │   ├── SourceMalformed             text that is not in the stated format
    │   ├── SourceTooLarge              more bytes, files or packing than the limits allow
    │   ├── ColumnMissing               a column that the dataset needs is not there
    │   ├── UnknownShape                a file of no kind that is known
    │   └── WrongDomain                 a file of a kind that another loader is for
    ├── WebApiError                     a web API did not give what was asked for
    │   ├── CredentialsRefused          it does not know the client id, or its secret
    │   ├── AccessForbidden             it knows who asks, and does not allow it
    │   ├── ResourceGone                nothing of what was asked for is there
    │   ├── QuotaExceeded               it asks to wait for longer than the settings allow
    │   ├── WebApiUnavailable           it did not answer, or only with faults, as often as it was asked
    │   └── WebApiMalformed             its answers are not what they should be, or lead elsewhere
    ├── DataRejected                    records broke the rules; nothing was loaded
    ├── ValidationFailed                a check before or after the work found errors
    │   └── ValidationTimeout           it took longer than allowed
    ├── RowsLost                        rows sent and rows counted differ; nothing was loaded
    ├── RunError
    │   ├── IdempotencyConflict         the key was used for other arguments
    │   ├── RunInProgress               the key belongs to a run that has not ended
    │   └── RunFenced                   the run was declared dead while it waited; it wrote nothing
    ├── DatabaseError                   the server said no; carries its SQLSTATE
    │   ├── DatabaseUnavailable         no connection, or it was lost
    │   ├── SerializationConflict       deadlock or serialisation failure
    │   ├── LockTimeout                 somebody else holds the lock
    │   ├── PermissionDenied            the role lacks a right
    │   ├── OutOfResources              disk, memory, locks or connections are used up
    │   └── StatementRefused            anything else that the server refuses
    └── ServerError                     the embedded PostgreSQL
        ├── ServerUnavailable           it did not start, or does not answer
        ├── ServerPortInUse             something else has its port
        ├── ServerDataDirectory         the data directory cannot be used (rights, disk, owner)
        └── ServerVersionMismatch       the data directory belongs to another major version

:class:`Transient` marks the errors after which the same call may succeed; :class:`Terminal` marks those where it cannot.
No message holds the value of a row.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ._error_base import FACTS as FACTS  # noqa: PLC0414 - names never move
from ._error_base import TenancyError as TenancyError  # noqa: PLC0414
from ._error_base import Terminal as Terminal  # noqa: PLC0414
from ._error_base import Transient as Transient  # noqa: PLC0414

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ._shapes import Reject


class ConfigurationError(TenancyError, Terminal):
    """Settings or set-up are wrong; nothing was tried."""


class DatabaseNotConfigured(ConfigurationError):
    """No database is named and the embedded one may not start here."""


class MissingExtra(ConfigurationError):
    """A feature needs an optional dependency; ``extra`` names what to install."""


class NotInitialised(ConfigurationError):
    """The database has no control plane yet: run ``tenancy init``."""


class ControlPlaneMismatch(ConfigurationError):
    """The control plane is of a version that this library cannot serve."""


class UnsafeRole(ConfigurationError):
    """The login is a superuser or bypasses row-level security, in production mode."""


class NoDatabases(ConfigurationError):
    """The installation is not prepared for tenants with databases of their own."""


class PoliciesBypassed(UnsafeRole):
    """The tenant shares tables with others, and the login, or a role that it acts as, is one that policies do not bind."""


class CannotEject(ConfigurationError):
    """The library cannot be taken out of the database: something would not work without it; ``objects`` names what."""


class AliasConflict(ConfigurationError):
    """The alias cannot be written into a host's package; ``files`` names what stands in the way."""


class OutputExists(ConfigurationError):
    """Files stand where others would be written; ``files`` names them."""


class TenantError(TenancyError):
    """Something about one tenant."""


class InvalidTenantId(TenantError, Terminal):
    """The name cannot be a tenant's."""


class TenantExists(TenantError, Terminal):
    """The name is taken."""


class TenantNotFound(TenantError, Terminal):
    """Nobody has the name."""


class TenantInUse(TenantError, Terminal):
    """Objects outside the tenant's schema stand on it, and would go with it; ``objects`` names them all."""


class RowsLeft(TenantError, Terminal):
    """Rows of a tenant that should be gone are still in tables that it shares with others, or may be; ``objects`` names the tables."""


class TenantSuspended(TenantError, Terminal):
    """The tenant exists, and may not be used now."""


class TenantNotOpened(TenantError, Terminal):
    """The tenant was adopted, and its schema is not open to the installation's roles yet: its first migration does that."""

    @classmethod
    def of(cls, tenant_id: str) -> TenantNotOpened:
        """The error about that tenant."""
        hint = f"Run `tenancy migrate {tenant_id}`: it makes the tenant's role and gives it its rights, as the schema's owner."
        return cls(f"tenant {tenant_id!r} was adopted, and nobody was given rights on its schema yet", tenant=tenant_id, hint=hint)


class NoTenant(TenantError, Terminal):
    """A transaction of an engine that is bound to the tenants begins, and nobody said whose it is."""


class WrongTenant(TenantError, Terminal):
    """A transaction of one tenant is used in the context of another."""


class PackError(TenancyError, Terminal):
    """The pack is at fault; ``file`` says where."""


class PackInvalid(PackError):
    """A template is missing, is not JSON or breaks its schema; ``file``, ``line``, ``column`` or ``pointer`` say where."""


class ScriptFailed(PackError):
    """PostgreSQL refused a script; ``file``, ``line``, ``column`` and ``sqlstate`` say where and why."""


class ScriptEscaped(PackError):
    """A script tried to end its transaction, change its role or touch another schema."""


class RevisionChanged(PackError):
    """A revision that a tenant has applied has other text now; ``revision`` names it."""


class PackMismatch(PackError):
    """The tenant was made from another pack than the one in use, or brought to a newer release of it; ``pack`` names it."""


class DatasetNotFound(PackError):
    """The pack declares no dataset of that name."""


class CannotGenerate(PackError):
    """No records can be made that would fit the pack's schema and rules; ``dataset``, ``table`` and ``column_name`` say where."""


class CannotShare(PackError):
    """The schema holds ``objects`` that tenants with row isolation cannot share; ``file`` makes them."""


class CannotCopy(PackError):
    """No pack can be written that would make the same schema, or load the same rows; ``objects`` names what stands in the way."""


class SourceError(TenancyError, Terminal):
    """Data could not be read; ``source`` names the file, ``record`` and ``column`` the place where known."""


class SourceMissing(SourceError):
    """No such file, or no right to read it."""


class SourceEmpty(SourceError):
    """The source holds no header or no record."""


class SourceUndecodable(SourceError):
    """Bytes that are not text in the stated encoding; ``offset`` counts bytes from 0."""


class SourceMalformed(SourceError):
    """Text that is not in the stated format."""


class SourceTooLarge(SourceError):
    """More bytes, more files, or packed more tightly than the limits allow; ``limit`` names the setting that says so."""


class ColumnMissing(SourceError):
    """A column that the dataset needs is not in the source."""


class UnknownShape(SourceError):
    """The file is of no kind that is known; the message says what was seen in it."""


class WrongDomain(SourceError):
    """The file is of a kind that another loader is for; ``shape`` and ``domain`` name it."""


class WebApiError(TenancyError):
    """A web API did not give what was asked for; ``status`` is its last answer's, ``source`` the path that was asked for."""


class CredentialsRefused(WebApiError, Terminal):
    """It does not know the client id or the secret, or takes none of the tokens that it gave for them."""


class AccessForbidden(WebApiError, Terminal):
    """It knows who asks, and does not allow it."""


class ResourceGone(WebApiError, Terminal):
    """Nothing of what was asked for is there."""


class QuotaExceeded(WebApiError, Transient):
    """It asks to wait for longer than ``web_api_wait`` allows; ``retry_after`` says how many seconds."""


class WebApiUnavailable(WebApiError, Transient):
    """It did not answer, or only with faults, as often as it was asked."""


class WebApiMalformed(WebApiError, Terminal):
    """Its answers are not what they should be: no JSON, too large, or leading to another host."""


class DataRejected(TenancyError, Terminal):
    """Records broke the rules and nothing was loaded; ``rejects`` lists them, ``count`` counts them.

    ``ordinals`` are the places (from 1) in the stream of records of those that the database refused: a load leaves them out
    of its next attempt.
    """

    ordinals: tuple[int, ...] = ()

    def __init__(self, message: str, *, rejects: Sequence[Reject] = (), **facts: Any) -> None:
        super().__init__(message, **facts)
        self.rejects = tuple(rejects)

    def __reduce__(self) -> tuple[Any, ...]:
        return (*super().__reduce__(), {"rejects": self.rejects})

    def to_dict(self) -> dict[str, Any]:
        """The error and its listed rejects as plain JSON-ready values."""
        return {**super().to_dict(), "rejects": [reject.to_dict() for reject in self.rejects]}


class ValidationFailed(TenancyError, Terminal):
    """A check before or after the work found errors; ``findings`` lists them."""


class ValidationTimeout(ValidationFailed):
    """A validation took longer than ``validation_timeout`` seconds and was cancelled."""


class RowsLost(TenancyError, Terminal):
    """Rows sent and rows counted differ at a hand-over; nothing was loaded."""


class RunError(TenancyError):
    """Something about the run itself."""


class IdempotencyConflict(RunError, Terminal):
    """The idempotency key was used for other arguments."""


class RunInProgress(RunError, Transient):
    """The idempotency key belongs to a run that has not ended."""


class RunFenced(RunError, Transient):
    """The run was declared dead while it waited; it wrote nothing."""


class DatabaseError(TenancyError):
    """The server said no; ``sqlstate``, ``schema``, ``table``, ``column_name`` and ``constraint`` as it told them."""


class DatabaseUnavailable(DatabaseError, Transient):
    """No connection could be had, or it was lost."""


class SerializationConflict(DatabaseError, Transient):
    """Deadlock or serialisation failure: the transaction was rolled back and may be run again."""


class LockTimeout(DatabaseError, Transient):
    """Somebody else held the lock for longer than ``lock_timeout``."""


class PermissionDenied(DatabaseError, Terminal):
    """The role lacks a right."""


class OutOfResources(DatabaseError, Transient):
    """Disk, memory, locks or connections of the server are used up."""


class StatementRefused(DatabaseError, Terminal):
    """The server refused a statement for a reason that trying again does not change."""


class RowsInUse(StatementRefused):
    """Rows cannot be removed, since rows of others refer to them."""


class ServerError(TenancyError):
    """The embedded PostgreSQL cannot be used."""


class ServerUnavailable(ServerError, Transient):
    """The embedded server did not start or does not answer; ``log`` names its log file."""


class ServerPortInUse(ServerError, Terminal):
    """Something else listens on the port that was asked for."""


class ServerDataDirectory(ServerError, Terminal):
    """The data directory cannot be used: rights, disk, or owner."""


class ServerVersionMismatch(ServerError, Terminal):
    """The data directory belongs to another major version of PostgreSQL."""

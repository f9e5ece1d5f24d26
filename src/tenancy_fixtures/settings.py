"""Settings: one frozen object, one environment name for each, secrets masked."""

from __future__ import annotations

import difflib
import os
import re
from pathlib import Path
from typing import Any, Literal, Optional

from pydantic import Field, SecretStr, ValidationError, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from . import constants
from .exceptions import ConfigurationError

ENV_PREFIX = "TENANCY_"
DEBUG = "TENANCY_DEBUG"  # not a setting of the library: the command line shows tracebacks with it

# Seconds that PostgreSQL can count in milliseconds: 0 of them would mean no limit at all.
_LEAST, _MOST = 0.001, 2_147_483


class Settings(BaseSettings):
    """What the library needs to know of its surroundings.

    Each field is read from ``TENANCY_`` + its name in capitals. An object never changes after it was made; make
    another with :meth:`with_changes`.
    """

    model_config = SettingsConfigDict(env_prefix=ENV_PREFIX, frozen=True, extra="forbid", env_ignore_empty=True, hide_input_in_errors=True)

    database_url: Optional[SecretStr] = Field(
        None, description="PostgreSQL to work on, as a libpq URL. Unset: an embedded server, where one may start."
    )
    redis_url: Optional[SecretStr] = Field(None, description="Redis for the shared level of the cache. Unset: memory only.")
    mode: Literal["development", "production"] = Field(
        "development", description="In production a superuser's login is refused and no server is embedded."
    )
    pack: Optional[str] = Field(None, description="The pack to use: a folder, or module:attribute. Unset: the default pack.")
    batch_size: int = Field(constants.DEFAULT_BATCH_SIZE, ge=1, le=1_000_000, description="Records written at once.")
    max_concurrency: int = Field(constants.DEFAULT_MAX_CONCURRENCY, ge=1, le=1000, description="Operations at once in one process.")
    cache_ttl: int = Field(constants.DEFAULT_CACHE_TTL, ge=0, description="Seconds that a cached value is served.")
    validation_timeout: float = Field(constants.DEFAULT_VALIDATION_TIMEOUT, gt=0, description="Seconds that one validation may take.")
    lock_timeout: float = Field(constants.DEFAULT_LOCK_TIMEOUT, ge=_LEAST, le=_MOST, description="Seconds to wait for a lock in the database.")
    statement_timeout: float = Field(constants.DEFAULT_STATEMENT_TIMEOUT, ge=_LEAST, le=_MOST, description="Seconds that one statement may take.")
    max_source_bytes: int = Field(constants.MAX_SOURCE_BYTES, gt=0, description="Bytes that one source may hold, after decompression.")
    max_total_bytes: int = Field(constants.MAX_TOTAL_BYTES, gt=0, description="Bytes that all sources of a load may hold.")
    max_compression_ratio: int = Field(constants.MAX_COMPRESSION_RATIO, gt=0, description="How many times its packed size a source may unpack to.")
    max_sources: int = Field(constants.MAX_SOURCES, gt=0, description="Files that a dataset may have; every entry of an archive counts.")
    plain_http: bool = Field(False, description="Read sources over http:// from other machines too, not only from this one.")
    spotify_client_id: Optional[str] = Field(None, description="Client id of an application at Spotify: what --from-web-api logs in with.")
    spotify_client_secret: Optional[SecretStr] = Field(None, description="The secret of that application.")
    spotify_api_url: str = Field(constants.SPOTIFY_API_URL, description="Where Spotify's Web API is.")
    spotify_accounts_url: str = Field(constants.SPOTIFY_ACCOUNTS_URL, description="Where Spotify gives out tokens.")
    web_api_concurrency: int = Field(constants.WEB_API_CONCURRENCY, ge=1, le=100, description="Requests to a web API at once.")
    web_api_wait: float = Field(constants.WEB_API_WAIT, ge=0, description="Seconds that one request to a web API may be told to wait, in all.")
    pooler: bool = Field(False, description="The URL leads to a pooler in transaction mode: no prepared statements.")
    data_dir: Optional[Path] = Field(None, description="Where the embedded server keeps its data. Unset: the user's data folder.")
    postgres_bin: Optional[Path] = Field(None, description="Folder with initdb and postgres to use for the embedded server.")
    postgres_port: int = Field(0, ge=0, le=65535, description="Loopback port of the embedded server. 0: a free one.")
    embedded_idle: float = Field(constants.EMBEDDED_IDLE_SECONDS, gt=0, description="Seconds that the embedded server outlives its last user.")
    performance_monitoring: bool = Field(True, description="Measure phases and keep the measurements in each run's report.")
    data_validation: bool = Field(True, description="Check records against the pack's rules before they are written.")
    audit_logging: bool = Field(True, description="Write every operation to the audit log.")
    cache_optimization: bool = Field(True, description="Cache registry rows, configuration and features.")

    @field_validator("database_url")
    @classmethod
    def _without_driver(cls, url: Optional[SecretStr]) -> Optional[SecretStr]:
        """SQLAlchemy's form of a URL names a driver; what is after it is libpq's."""
        return url and SecretStr(re.sub(r"^postgres(ql)?\+\w+://", "postgresql://", url.get_secret_value()))

    @field_validator("spotify_api_url", "spotify_accounts_url")
    @classmethod
    def _safe(cls, url: str) -> str:
        """A secret goes there: only with TLS, or to this very machine."""
        if not re.match(r"https://[^/@?#]+(/[^?#]*)?$|http://(localhost|127(\.\d+){3}|\[::1\])(:\d+)?(/[^?#]*)?$", url):
            raise ValueError("it must begin with https://, and hold no user, query or fragment")
        return url.rstrip("/")

    @classmethod
    def from_env(cls, **changes: Any) -> Settings:
        """Read the environment; ``changes`` win over it.

        :raises ConfigurationError: a value is not of its setting's kind, or no such setting exists.
        """
        try:
            return cls(**changes)
        except ValidationError as error:
            raise _explain(error) from None

    def with_changes(self, **changes: Any) -> Settings:
        """A copy in which ``changes`` are made; checked like any other."""
        return self.from_env(**{**{name: getattr(self, name) for name in type(self).model_fields}, **changes})

    @classmethod
    def environment_names(cls) -> dict[str, str]:
        """Setting by environment name: the reference is made from it."""
        return {ENV_PREFIX + name.upper(): field.description or "" for name, field in cls.model_fields.items()}

    @property
    def production(self) -> bool:
        """True in production mode."""
        return self.mode == "production"


def _explain(error: ValidationError) -> ConfigurationError:
    # The value may be a secret: pydantic's own text would print it.
    problems = [
        f"{ENV_PREFIX}{'_'.join(str(part) for part in item['loc']).upper()}: {item['msg']}"
        for item in error.errors(include_input=False, include_url=False)
    ]
    return ConfigurationError("; ".join(problems), hint="Correct the setting, or unset it to use the default.")


def misspelt() -> list[tuple[str, str]]:
    """Names in the environment that are nearly those of settings, each with the setting that may be meant.

    A host may have ``TENANCY_…`` names of its own: those that resemble none of ours are none of our business.
    """
    known = [f"{ENV_PREFIX}{name.upper()}" for name in Settings.model_fields]
    strange = [name for name in os.environ if name.startswith(ENV_PREFIX) and name not in known and name != DEBUG]
    close = {name: difflib.get_close_matches(name, known, 1, 0.9) for name in sorted(strange)}
    return [(name, found[0]) for name, found in close.items() if found]

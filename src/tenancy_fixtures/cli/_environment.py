"""The environment names that ``--help`` lists; a test keeps them equal to the settings, which take longer to load than the help."""

from __future__ import annotations

from typing import Final

NAMES: Final = (
    "TENANCY_DATABASE_URL",
    "TENANCY_REDIS_URL",
    "TENANCY_MODE",
    "TENANCY_PACK",
    "TENANCY_BATCH_SIZE",
    "TENANCY_MAX_CONCURRENCY",
    "TENANCY_CACHE_TTL",
    "TENANCY_VALIDATION_TIMEOUT",
    "TENANCY_LOCK_TIMEOUT",
    "TENANCY_STATEMENT_TIMEOUT",
    "TENANCY_MAX_SOURCE_BYTES",
    "TENANCY_MAX_TOTAL_BYTES",
    "TENANCY_MAX_COMPRESSION_RATIO",
    "TENANCY_MAX_SOURCES",
    "TENANCY_PLAIN_HTTP",
    "TENANCY_SPOTIFY_CLIENT_ID",
    "TENANCY_SPOTIFY_CLIENT_SECRET",
    "TENANCY_SPOTIFY_API_URL",
    "TENANCY_SPOTIFY_ACCOUNTS_URL",
    "TENANCY_WEB_API_CONCURRENCY",
    "TENANCY_WEB_API_WAIT",
    "TENANCY_POOLER",
    "TENANCY_DATA_DIR",
    "TENANCY_POSTGRES_BIN",
    "TENANCY_POSTGRES_PORT",
    "TENANCY_EMBEDDED_IDLE",
    "TENANCY_PERFORMANCE_MONITORING",
    "TENANCY_DATA_VALIDATION",
    "TENANCY_AUDIT_LOGGING",
    "TENANCY_CACHE_OPTIMIZATION",
)


def environment_help() -> str:
    """The names, for ``--help``."""
    return "\n".join(["\b", "Settings, each from the environment:", *(f"  {name}" for name in NAMES)])

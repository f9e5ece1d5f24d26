"""Says whether a URL leads to a server that the floor lane can use: PostgreSQL 15 with a superuser's login, or Redis 7.

    python tools/serves.py postgres|redis URL

Prints the server's version; exits 1 with the reason where it is another one or does not answer.
"""

from __future__ import annotations

import sys

POSTGRES, REDIS = 15, 7


def main(kind: str, url: str) -> None:
    """Ask the server what it is."""
    try:
        version = {"postgres": postgres, "redis": redis}[kind](url)
    except Exception as error:  # noqa: BLE001 - whatever keeps it from serving is the answer
        sys.exit(f"{kind}: {type(error).__name__}: {str(error).strip()}")
    print(f"{kind} {version}")


def postgres(url: str) -> str:
    """The version of a PostgreSQL on which the suite can make roles and databases."""
    import psycopg

    with psycopg.connect(url, connect_timeout=5) as connection:
        row = connection.execute("SELECT current_setting('server_version'), rolsuper FROM pg_roles WHERE rolname = current_user").fetchone()
    version, superuser = row or ("", False)
    if int(version.split(".", maxsplit=1)[0]) != POSTGRES:
        sys.exit(f"postgres: found {version}, not {POSTGRES}")
    if not superuser:
        sys.exit("postgres: the login is not a superuser, and the suite makes roles and databases")
    return str(version)


def redis(url: str) -> str:
    """The version of a Redis."""
    from redis import Redis

    with Redis.from_url(url, socket_connect_timeout=5, socket_timeout=5) as client:
        version = str(client.info("server")["redis_version"])
    if int(version.split(".", maxsplit=1)[0]) != REDIS:
        sys.exit(f"redis: found {version}, not {REDIS}")
    return version


if __name__ == "__main__":
    main(*sys.argv[1:])

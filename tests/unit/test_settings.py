"""Settings: read once, never changed, and telling no secret."""

from __future__ import annotations

import json
import pickle
from pathlib import Path

import pytest
from pydantic import ValidationError

from tenancy_fixtures import Settings, constants
from tenancy_fixtures.exceptions import ConfigurationError
from tenancy_fixtures.settings import misspelt

URL = "postgresql://me:hush-hush@127.0.0.1/there"
# A value for each setting that differs from its default, as text, and what it becomes.
OTHERS = {
    "database_url": (URL, None),
    "redis_url": ("redis://:hush-hush@127.0.0.1/0", None),
    "mode": ("production", "production"),
    "pack": ("packs/mine", "packs/mine"),
    "batch_size": ("7", 7),
    "max_concurrency": ("3", 3),
    "cache_ttl": ("0", 0),
    "validation_timeout": ("0.5", 0.5),
    "lock_timeout": ("2.5", 2.5),
    "statement_timeout": ("9", 9.0),
    "max_source_bytes": ("1000", 1000),
    "max_total_bytes": ("2000", 2000),
    "max_compression_ratio": ("30", 30),
    "max_sources": ("40", 40),
    "plain_http": ("true", True),
    "spotify_client_id": ("c1", "c1"),
    "spotify_client_secret": ("hush-hush", None),
    "spotify_api_url": ("https://api.example.org/v1/", "https://api.example.org/v1"),
    "spotify_accounts_url": ("http://127.0.0.1:8080", "http://127.0.0.1:8080"),
    "web_api_concurrency": ("2", 2),
    "web_api_wait": ("1.5", 1.5),
    "pooler": ("true", True),
    "data_dir": ("/srv/data", Path("/srv/data")),
    "postgres_bin": ("/opt/pg/bin", Path("/opt/pg/bin")),
    "postgres_port": ("5433", 5433),
    "embedded_idle": ("1", 1.0),
    "performance_monitoring": ("off", False),
    "data_validation": ("0", False),
    "audit_logging": ("no", False),
    "cache_optimization": ("false", False),
}


@pytest.fixture(autouse=True)
def no_environment(monkeypatch):
    for name in Settings.environment_names():
        monkeypatch.delenv(name, raising=False)


def test_the_promised_defaults_hold():
    settings = Settings.from_env()
    assert (settings.batch_size, settings.max_concurrency, settings.cache_ttl, settings.validation_timeout) == (1000, 10, 3600, 300)
    assert (constants.DEFAULT_BATCH_SIZE, constants.DEFAULT_MAX_CONCURRENCY) == (1000, 10)
    assert (constants.DEFAULT_CACHE_TTL, constants.DEFAULT_VALIDATION_TIMEOUT) == (3600, 300)
    assert all((settings.performance_monitoring, settings.data_validation, settings.audit_logging, settings.cache_optimization))
    assert (settings.database_url, settings.production, settings.pooler) == (None, False, False)


def test_every_setting_has_one_environment_name_and_a_description():
    names = Settings.environment_names()
    assert list(names) == [f"TENANCY_{name.upper()}" for name in Settings.model_fields]
    assert all(text.endswith(".") for text in names.values())
    assert OTHERS.keys() == Settings.model_fields.keys(), "a setting that this test does not know"


@pytest.mark.parametrize("name", OTHERS)
def test_a_setting_is_read_from_its_name(monkeypatch, name):
    text, value = OTHERS[name]
    default = getattr(Settings.from_env(), name)
    monkeypatch.setenv(f"TENANCY_{name.upper()}", text)
    found = getattr(Settings.from_env(), name)
    assert found != default
    assert (found.get_secret_value() if value is None else found) == (text if value is None else value)


@pytest.mark.parametrize("name", OTHERS)
def test_an_empty_variable_is_an_unset_one(monkeypatch, name):
    monkeypatch.setenv(f"TENANCY_{name.upper()}", "")
    assert getattr(Settings.from_env(), name) == Settings.model_fields[name].default


def test_a_change_wins_over_the_environment(monkeypatch):
    monkeypatch.setenv("TENANCY_BATCH_SIZE", "5")
    assert Settings.from_env(batch_size=6).batch_size == 6


def test_settings_never_change():
    settings = Settings.from_env()
    with pytest.raises(ValidationError):
        settings.batch_size = 5  # type: ignore[misc]
    assert settings.batch_size == 1000


def test_a_copy_with_changes_keeps_the_rest_and_is_checked(monkeypatch):
    settings = Settings.from_env(database_url=URL, batch_size=5)
    monkeypatch.setenv("TENANCY_LOCK_TIMEOUT", "1")
    changed = settings.with_changes(max_concurrency=2)
    assert (changed.max_concurrency, changed.batch_size, changed.lock_timeout) == (2, 5, settings.lock_timeout)
    assert changed.database_url is not None
    assert changed.database_url.get_secret_value() == URL
    assert settings.max_concurrency == 10
    assert settings.with_changes() == settings
    assert hash(settings.with_changes()) == hash(settings)
    with pytest.raises(ConfigurationError, match="TENANCY_MAX_CONCURRENCY"):
        settings.with_changes(max_concurrency=0)


def test_secrets_are_masked_wherever_settings_are_shown():
    settings = Settings.from_env(database_url=URL, redis_url="redis://:hush-hush@127.0.0.1/0")
    shown = (repr(settings), str(settings), settings.model_dump_json(), str(settings.model_dump()), f"{settings!s}", str(vars(settings)))
    assert not [text for text in shown if "hush" in text]
    assert json.loads(settings.model_dump_json())["database_url"] == "**********"
    assert pickle.loads(pickle.dumps(settings)) == settings


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("batch_size", "hush-hush"),
        ("batch_size", "0"),
        ("max_concurrency", "1001"),
        ("cache_ttl", "-1"),
        ("validation_timeout", "0"),
        ("lock_timeout", "hush-hush"),
        ("mode", "hush-hush"),
        ("pooler", "hush-hush"),
        ("postgres_port", "65536"),
        ("audit_logging", "hush-hush"),
    ],
)
def test_a_bad_value_is_an_error_that_names_its_setting_and_not_the_value(monkeypatch, name, value):
    monkeypatch.setenv(f"TENANCY_{name.upper()}", value)
    with pytest.raises(ConfigurationError) as caught:
        Settings.from_env()
    assert f"TENANCY_{name.upper()}: " in caught.value.message
    assert "hush" not in f"{caught.value!r} {caught.value} {caught.value.to_dict()}"
    assert caught.value.__suppress_context__


def test_all_bad_values_are_told_at_once(monkeypatch):
    monkeypatch.setenv("TENANCY_BATCH_SIZE", "x")
    monkeypatch.setenv("TENANCY_MODE", "y")
    with pytest.raises(ConfigurationError, match=r"TENANCY_MODE.*TENANCY_BATCH_SIZE"):
        Settings.from_env()


def test_no_such_setting():
    with pytest.raises(ConfigurationError, match="TENANCY_BATCH_SISE"):
        Settings.from_env(batch_sise=5)


def test_not_even_pydantics_own_error_shows_a_value():
    with pytest.raises(ValidationError) as caught:
        Settings(database_url=["hush-hush"], batch_size="hush-hush")  # type: ignore[arg-type]
    assert "hush" not in str(caught.value)


@pytest.mark.parametrize("scheme", ["postgresql", "postgres", "postgresql+asyncpg", "postgresql+psycopg", "postgres+psycopg2"])
def test_a_url_in_sqlalchemys_form_is_taken(scheme):
    url = Settings.from_env(database_url=f"{scheme}://me:hush@127.0.0.1/x").database_url
    assert url is not None
    assert url.get_secret_value() in ("postgresql://me:hush@127.0.0.1/x", "postgres://me:hush@127.0.0.1/x")


def test_names_that_are_nearly_settings(monkeypatch):
    for name in ("TENANCY_DATABSE_URL", "TENANCY_PAK", "TENANCY_DEBUG", "TENANCY_OF_THE_HOST", "TENANCY_BATCH_SIZE"):
        monkeypatch.setenv(name, "1")
    assert misspelt() == [("TENANCY_DATABSE_URL", "TENANCY_DATABASE_URL"), ("TENANCY_PAK", "TENANCY_PACK")]


@pytest.mark.parametrize("name", ["lock_timeout", "statement_timeout"])
@pytest.mark.parametrize("value", ["0", "0.0004", "inf", "nan", "1e300", "2147484", "-1"])
def test_a_timeout_that_postgresql_cannot_count(name, value):
    """0 ms would mean no limit, and too many are refused in the middle of a run."""
    with pytest.raises(ConfigurationError, match=f"TENANCY_{name.upper()}"):
        Settings.from_env(**{name: value})

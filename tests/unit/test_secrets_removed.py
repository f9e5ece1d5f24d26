"""Documents without their secrets: what is removed, and that all else stays as it is."""

from __future__ import annotations

import pytest

from tenancy_fixtures._secrets import without_secrets

VALUE = "Zq8Lr2Vw9Kp4Xt6N"
GITHUB = "ghp_" + VALUE * 2 + "Bn3M"
PEM = f"-----BEGIN {'RSA PRIVATE'} KEY-----\nMII{VALUE * 3}\n-----END {'RSA PRIVATE'} KEY-----\n"


def test_of_a_text_only_its_secrets_are_removed():
    document = {
        "a": f"see {GITHUB}, or https://me:{VALUE}@api.example.org/x.",
        "b": f"before {PEM}after",
        "c": f"curl -H 'X-Api-Key: {VALUE}' -u me:{VALUE} https://api.example.org",
        "d": ["mysql", f"-p{VALUE}", "registry"],
    }
    assert without_secrets(document) == {
        "a": "see [removed], or https://me:[removed]@api.example.org/x.",
        "b": "before [removed]\nafter",
        "c": "curl -H 'X-Api-Key: [removed]' -u me:[removed] https://api.example.org",
        "d": ["mysql", "-p[removed]", "registry"],
    }


def test_what_is_called_a_secret_is_removed_with_all_that_is_in_it():
    document = {
        "secrets": ["t0psecret", {"name": "one"}],
        "token": {"value": "t0psecret", "parts": ["t0psecret"], "expired": False},
        "private_key": ["t0psecret", "t0psecret"],
        "password": 12345678,
        GITHUB: "x",
    }
    assert without_secrets(document) == {
        "secrets": ["[removed]", {"name": "[removed]"}],
        "token": {"value": "[removed]", "parts": ["[removed]"], "expired": False},
        "private_key": ["[removed]", "[removed]"],
        "password": "[removed]",
        "[removed]": "x",
    }
    kept = {
        "permissions": {"secrets": "read", "id_token": "write"},
        "secret": None,
        "token": "",
        "api_keys": 3,
        "tokens": 4096,
        "secret_type": "t0psecret",
    }
    assert without_secrets(kept) == kept


@pytest.mark.timeout(120)
def test_blocks_without_end_are_removed():
    """Many minutes where the end of each is looked for."""
    begin = PEM.partition("-----END")[0]
    assert without_secrets([begin * 20_000, begin * 20_000 + PEM]) == ["[removed]", "[removed]\n"]

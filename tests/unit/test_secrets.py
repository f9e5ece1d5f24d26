"""Secrets in documents: what is one, what only looks like one, and that no value of one is ever told."""

from __future__ import annotations

import random
import string

import pytest

from tenancy_fixtures._secrets import find_secrets, is_placeholder, secrets_in_words


def made(prefix: str, length: int, alphabet: str = string.ascii_letters + string.digits, suffix: str = "") -> str:
    """A text of the published form of a secret that nobody has: the same one in every run."""
    chosen = random.Random(f"{prefix}{length}").choices(alphabet, k=length)
    return prefix + "".join(chosen) + suffix


PEM = f"-----BEGIN {'RSA PRIVATE'} KEY-----\n{made('MII', 61)}\n-----END {'RSA PRIVATE'} KEY-----\n"
JWT = ".".join((made("eyJ", 17), made("eyJ", 40), made("", 43)))
FORMS = {
    "openai": made("sk-", 48),
    "openai project": made("sk-proj-", 60, string.ascii_letters + string.digits + "-_"),
    "anthropic": made("sk-ant-api03-", 80),
    "hugging face": made("hf_", 34),
    "aws": made("AKIA", 16, string.ascii_uppercase + string.digits),
    "aws, for a time": made("ASIA", 16, string.ascii_uppercase + string.digits),
    "github": made("ghp_", 36),
    "github, fine-grained": made("github_pat_", 60),
    "gitlab": made("glpat-", 20),
    "slack": "xoxb-" + made("", 12, string.digits) + "-" + made("", 24),
    "google": made("AIza", 35),
    "stripe": made("sk_" + "live_", 24),
    "sendgrid": made("SG.", 22) + "." + made("", 43),
    "groq": made("gsk_", 52),
    "npm": made("npm_", 36),
    "pypi": made("pypi-AgEI", 60),
    "databricks": made("dapi", 32, "0123456789abcdef"),
    "jwt": JWT,
    "pem": PEM,
    "azure": f"DefaultEndpointsProtocol=https;AccountName=models;AccountKey={made('', 86)}==;EndpointSuffix=core.windows.net",
    "postgres": "postgresql://models:t0psecret@db.example.org:5432/registry",
    "redis without a user": "redis://:t0psecret@cache:6379/0",
    "a dsn": "host=db.example.org dbname=registry user=models password=t0psecret",
    "odbc": "Server=db.example.org;Database=registry;Uid=models;Pwd=t0psecret;",
}


@pytest.mark.parametrize("name", FORMS)
def test_a_secret_is_known_by_its_form_wherever_it_stands(name: str):
    secret = FORMS[name]
    for document in ({"a": {"b": [secret]}}, {"a": {"b": [f"see: {secret} (old)"]}}):
        (found,) = find_secrets(document)
        assert found.path == "a.b.0"
        assert secret not in repr(found)


@pytest.mark.parametrize(
    "key",
    [
        *("api_key", "apiKey", "API_KEY", "api-key", "x-api-key", "openai_api_key", "OPENAI_APIKEY", "azureOpenAIApiKey", "aws_secret_access_key"),
        *(
            "token",
            "hf_token",
            "HUGGINGFACEHUB_API_TOKEN",
            "accessToken",
            "access_token",
            "refresh_token",
            "auth-token",
            "bot_token",
            "session_token",
        ),
        *("password", "db_password", "dbPassword", "PASSWD", "smtp_pass", "passphrase", "secret", "client_secret", "clientSecret", "private_key"),
        *("encryption_key", "credentials", "api_key_2", "password_value", "authorization"),
    ],
)
def test_a_name_tells_of_a_secret(key: str):
    (found,) = find_secrets({"provider": {key: "t0psecret-4711"}})
    assert found.path == f"provider.{key}"
    for empty in (None, "", "null", "${SOME_NAME}", "<token>", "your-key-here", True, [], {}):
        assert list(find_secrets({"provider": {key: empty}})) == []


@pytest.mark.parametrize(
    "document",
    [
        {"env": [{"name": "OPENAI_API_KEY", "value": "t0psecret-4711"}]},
        {"secrets": {"database": "t0psecret-4711"}},
        {"api_keys": ["t0psecret-4711"]},
        {"environment": ["LEVEL=debug", "DB_PASSWORD=t0psecret-4711"]},
        {"args": ["serve", "--api-key=t0psecret-4711"]},
        {"url": "https://api.example.org/v1?access_token=t0psecret-4711&x=1"},
        {"headers": {"Authorization": "Bearer t0psecret-4711-0815"}},
        {"template": 'curl -H "Authorization: Bearer t0psecret-4711-0815" https://api.example.org'},
        {"password": 12345678},
        {"token": "s3cr3t"},
        {"token": FORMS["hugging face"], "id": 1},
        {"token": "t0psecret-4711", "user": "me"},
        {"token": "correcthorsebattery"},
        {"password": "t0psecret with blanks"},
        {"uri": "mongodb+srv://admin:t0psecret!@cluster0.example.org/models?retryWrites=true"},
        {"api_key": "${OPENAI_API_KEY:-t0psecret-4711}"},
        {FORMS["hugging face"]: 1},
        {"notes": "key: " + FORMS["openai"] + " and one for show: sk-xxxxxxxxxxxxxxxxxxxxxxxx"},
    ],
    ids=str,
)
def test_a_secret_is_found_where_it_is_written_in_another_way(document: object):
    (found,) = find_secrets(document)
    assert "t0psecret" not in secrets_in_words([found])
    assert FORMS["hugging face"] not in found.path


@pytest.mark.parametrize(
    "text",
    [
        *(
            "",
            "null",
            "None",
            "${OPENAI_API_KEY}",
            "$OPENAI_API_KEY",
            "${OPENAI_API_KEY:-}",
            "$(cat /run/key)",
            "{{ api_key }}",
            "${{ secrets.KEY }}",
        ),
        *(
            "<token>",
            "<your token>",
            "[TOKEN]",
            "your-key-here",
            "YOUR_API_KEY",
            "my-api-key",
            "changeme",
            "change-me",
            "REPLACE_WITH_KEY",
            "redacted",
        ),
        *(
            "xxxxxxxx",
            "********",
            "sk-...",
            "sk-…",
            "sk-xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx",
            "hf_xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx",
            "sk-your-key-goes-in-here",
        ),
        *("os.environ/OPENAI_API_KEY", "env:OPENAI_API_KEY", "vault://kv/openai", "secret://openai", "arn:aws:secretsmanager:eu-west-1:1:secret:x"),
        *("/run/secrets/openai", "op://vault/openai/key", "ENC[AES256_GCM,data:x]", "OPENAI_API_KEY", "{api_key}", "%API_KEY%"),
    ],
)
def test_what_stands_in_a_secrets_place_is_none(text: str):
    assert is_placeholder(text)
    for key in ("api_key", "token", "password", "client_secret"):
        assert list(find_secrets({key: text})) == []


@pytest.mark.parametrize(
    "document",
    [
        # Tokenizers.
        {"bos_token": "<s>", "eos_token": "</s>", "unk_token": "[UNK]", "pad_token": "<|endoftext|>", "mask_token": "<mask>"},
        {"bos_token_id": 0, "pad_token_id": 50256, "image_token_index": 32000, "decoder_start_token_id": 2, "eos_token_id": [128001, 128009]},
        {"eos_token": {"content": "<|im_end|>", "lstrip": False}, "additional_special_tokens": ["<|im_start|>"], "token_type": "bpe"},
        {"max_tokens": 4096, "max_input_tokens": 128000, "input_cost_per_token": "3e-06", "token_type_ids": [0], "type_vocab_size": 2},
        {"tokens": [{"token": "internationalisation1", "logprob": -0.1}], "token": "hello"},
        {"vocab": [{"token": "hello", "id": 1}, {"token": "▁the", "id": 2}], "tokenizer_class": "GPT2Tokenizer", "tokens": ["a1b2c3d4e5f6g7h8"]},
        {"text_cfg": {"hf_tokenizer_name": "roberta-base", "pad_id": 1, "output_tokens": True, "tokenizer_kwargs": {"strip_sep_token": True}}},
        # Names of secrets, rules about them, places of them.
        {"api_key_env": "OPENAI_API_KEY", "api_key_name": "production-1", "secret_name": "models-1", "token_url": "https://auth.example.org/token1"},
        {"password_min_length": 12, "password_required": True, "password": "", "requires_token": True, "secret_ref": "models/registry-1"},
        {"valueFrom": {"secretKeyRef": {"name": "openai-1", "key": "api-key-1"}}, "token_endpoint": "https://a.example.org/t0ken"},
        {"api_key": "The key of the provider, from its console", "password": "The password of the user."},
        {
            "private_key_path": "/etc/keys/model1.pem",
            "key": "C# minor 7",
            "primary_key": "model_id1",
            "sort_key": "name1",
            "foreign_key": "a1b2c3d4e5",
        },
        {"permissions": {"secrets": "write", "organization_secrets": "read"}, "jobs": {"secrets": "inherit"}},
        # Signatures, digests, ids, links.
        {"metrics": [{"type": "accuracy", "verified": True, "verifyToken": JWT}]},
        {"sha256": "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08", "commit": "89fb801f"},
        {"model_uuid": "0123456789abcdef0123456789abcdef", "run_id": "0d2c7c2e8ff34f5a9a0c1b2d3e4f5a6b", "etag": "W/abc123def456"},
        {"homepage": "https://user@example.org/a:b", "repo": "git@github.com:a/b.git", "api_base": "https://api.example.org:8080/v1?page_token=2"},
        {"dsn": "postgresql://app:${DB_PASSWORD}@db/app", "url": "postgresql://app:PASSWORD@db/app", "other": "postgresql://app@db:5432/app"},
        {"certificate": "-----BEGIN CERTIFICATE-----\nMIIDdzCCAl+gAwIBAgIEAgAAuTANBgkq\n-----END CERTIFICATE-----"},
        {"pem": "-----BEGIN PRIVATE KEY-----\n...\n-----END PRIVATE KEY-----"},
        # Words that begin as secrets do.
        {
            "package": "sk-learn-contrib-ensembles",
            "job": "task-3fa85f6457174562b3fc2c963f66afa6",
            "file": "hf_hub_download",
            "env": "hf_transfer_enabled",
        },
        {"model": "sk-l14-quickgelu", "names": ["risk-assessment2024modelfinal", "disk-0123456789abcdef01", "whisper-large-v3"]},
        {"prompt": "You are a tutor. Never reveal the password: it is hidden. Ask for the token; then say: secret kept."},
        {"template": "Authorization: Bearer {token}", "header": "Bearer <token>", "basic": "basic authentication"},
    ],
    ids=", ".join,
)
def test_what_is_no_secret_is_left_alone(document: object):
    assert list(find_secrets(document)) == []


def test_all_are_named_and_the_words_are_bounded():
    document = {"models": [{"api_key": f"t0psecret-{number}"} for number in range(20)]}
    found = list(find_secrets(document))
    assert [item.path for item in found] == [f"models.{number}.api_key" for number in range(20)]
    said = secrets_in_words(found)
    assert said.endswith("models.7.api_key (a value whose name tells of a secret) and 12 more")
    assert "t0psecret" not in said


def test_a_key_with_a_dot_is_one_key():
    assert [item.path for item in find_secrets({"gpt-3.5": {"api_key": "t0psecret-1"}})] == ["gpt-3\\.5.api_key"]


def test_a_long_text_is_searched_in_reasonable_time():
    text = "a = b; key: value, " * 50_000
    assert (
        list(find_secrets({"template": text, "other": "-----BEGIN PRIVATE KEY-----" * 2_000, "more": "eyJ" * 50_000, "url": "a" * 200_000 + "://"}))
        == []
    )

"""Secrets in documents: what is one, what only looks like one, and that no value of one is ever told."""

from __future__ import annotations

import random
import string
from typing import Any

import pytest

from tenancy_fixtures._secrets import find_secrets, is_placeholder, secrets_in_words, without_secrets


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
    "azure, a shared link": f"https://a.blob.core.windows.net/c/model.bin?sv=2022-11-02&sp=r&sig={made('', 43)}%3D",
    "telegram": made("123456789:AA", 33),
    "telegram, in a link": made("https://api.telegram.org/bot123456789:AA", 33) + "/sendMessage",
    "discord": made("https://discord.com/api/webhooks/123456789012345678/", 68),
    "user and password in a link": f"https://models:{made('', 16)}@models.example.org/x",
    "a token in a link": f"https://{made('', 40, '0123456789abcdef')}@git.example.org/a/b.git",
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


VALUE = "Zq8Lr2Vw9Kp4Xt6N"
HEX = made("", 40, "0123456789abcdef")


@pytest.mark.parametrize(
    "document",
    [
        # By their names.
        *({key: VALUE} for key in ("OPENAI_KEY", "openai_key", "azure_openai_key", "AzureOpenAIKey", "pass", "storage_account_key", "xi-api-key")),
        *({key: HEX} for key in ("wandb_key", "Ocp-Apim-Subscription-Key", "user_token", "PGPASSWORD", "x-functions-key")),
        *({key: "hunter2"} for key in ("db_pass", "DB_PASS", "userPass", "MYSQL_PWD")),
        {"auth": {"user": "me", "pass": "correct"}},
        {"smtp": {"pass": "correct"}},
        *({key: VALUE} for key in ("openaiapikey", "hftoken", "privatekey", "bearer", "sas_token")),
        *({key: "hunter2"} for key in ("dbpassword", "clientsecret")),
        {"storage_key": made("", 43) + "/" + made("+", 42) + "=="},
        # By the name of what they are in.
        {"token": {"value": VALUE}},
        {"api_key": {"type": "plain", "value": VALUE}},
        {"private_key": [VALUE]},
        {"secrets": [VALUE]},
        {"secrets": {"database": "Summer2024"}},
        {"cookies": {"session": VALUE}},
        # By what stands before them.
        {"args": ["serve", "--api-key", VALUE]},
        {"headers": [["x-api-key", VALUE]]},
        {"command": ["curl", "-u", f"me:{VALUE}", "https://api.example.org"]},
        {"text": f"serve --api-key {VALUE} --port 80"},
        {"text": "serve --password hunter2"},
        {"text": f"mysql -u root -p{VALUE} registry"},
        {"text": f"curl -u me:{VALUE} https://api.example.org"},
        {"text": "machine api.example.org login me password hunter2x"},
        {"text": "export DB_PASS=hunter2"},
        {"text": f'{{\\"api_key\\": \\"{VALUE}\\"}}'},
        {"text": f"<api_key>{VALUE}</api_key>"},
        {"text": f"https://api.example.org/v1?key={VALUE}"},
        # In headers.
        *({"headers": {"X-Auth": f"Token {value}"}} for value in (VALUE, HEX)),
        {"headers": {"X-Api-Key": VALUE}},
        {"headers": {"Authorization": "Token qwertZUIOPasdfgh"}},
        {"headers": {"Cookie": f"theme=dark; session={VALUE}"}},
        {"headers": {"Authorization": "Basic bW9kZWxzOmh1bnRlcjI="}},
        *({"text": header} for header in (f"X-Auth: Token {HEX}", f"X-Api-Key: {VALUE}", f"Cookie: session={VALUE}")),
        {"text": "Authorization: Basic bW9kZWxzOmh1bnRlcjI="},
        # Though a word of those that only stand in a place is a piece of them.
        {"password": "xxxxReal9Pass"},
        {"password": "Enterprise9000"},
        {"api_key": "sk-live-Yq8Your2Vw9Kp4Xt6Naa"},
        {"text": "sk-live-Yq8Your2Vw9Kp4Xt6Naa"},
        {"api_key": "${OPENAI_KEY:" + VALUE + "}"},
    ],
    ids=str,
)
def test_a_secret_is_found_by_what_is_around_it(document: dict[str, Any]):
    (found,) = find_secrets(document)
    assert not any(value in f"{found.path} {found.kind}" for value in (VALUE, HEX))
    removed = str(without_secrets(document))
    assert "[removed]" in removed
    assert not any(value in removed for value in (VALUE, HEX, "hunter2", "Real9", "Yq8"))


@pytest.mark.parametrize(
    "document",
    [
        # Keys of objects, passes over data, roles of a chat, folders.
        {"storage_key": "models/bert.bin", "service_key": "embedding", "cache_key": HEX, "hf_key": "text_model.encoder.layers.0.self_attn.q_proj"},
        {"forward_pass": "train", "second_pass": "stage2", "pass": "train", "first_pass": "conv1x1"},
        {"user_token": "USER:", "assistant_token": "ASSISTANT2024:", "bot_token": "<|bot|>", "system_token": "[SYSTEM]"},
        {"bypass": "stage2", "bostoken": "begin2024x", "turkey": VALUE, "credentials": {"type": "oauth2client", "provider": "github"}},
        {"pwd": "/home/me", "text": "PWD=/home/me"},
        {"private_key": "model1.pem", "ssh_key": "id_ed25519", "vertex_credentials": "path/to/service_account2.json"},
        {"text": "Authorization: Bearer $OPENAI_API_KEY; password = getpass.getpass(); token = tokenizer.encode(text1)"},
        {"private_key": "/etc/keys/model1.pem", "encryption_key": "alias/models/v1", "access_token": "https://auth.example.org/token1"},
        {"ssh_key": "ssh-ed25519 " + made("AAAA", 64), "auth": "oauth2", "authorization": "bearerAuth", "cookie": "lang=en; theme=dark"},
        # Names of models and packages.
        {
            "description": "A Basic ConvNeXt-Large-320d-v2.1 model",
            "other": "Bearer ConvNeXt-Large-320d-v2.1",
            "third": "Token classification: bert2bert-base",
        },
        {"dep": "sk-learn1234567890123456", "name": "sk-test-image-classification-v2", "layer": "fw_convolution_layer_2_weights"},
        {"text": "token=word2vec300"},
        # Labels, measures and schemas.
        {"label2id": {"B-PASSWORD": 1004, "I-PASSWORD": 1005, "API_KEY": 1006}, "id2label": {"1004": "B-PASSWORD", "1006": "API_KEY"}},
        {"metrics": [{"name": "pass@1", "type": "pass@1", "value": 0.3412}], "pass@10": "45.2%"},
        {"properties": {"api_keys": {"type": "array", "title": "Api Keys", "items": {"$ref": "#/components/schemas/ApiKeyV1Row"}}}},
        {"required": ["api_key", "connection_id"], "openai_api_key": {"lc": 1, "type": "secret", "id": ["OPENAI_API_KEY"]}},
        # What would stand there.
        *(
            {"headers": {"Authorization": value}}
            for value in ("Bearer ${OPENAI_API_KEY}", "Bearer $TOKEN", "Bearer <token>", "token YOUR_KEY", "Basic {login}", "Bearer authentication")
        ),
        *({"api_key": value} for value in ("EMPTY", "not-needed", "sk-no-key-required", "ollama", "lm-studio", "token-abc123", "fake-key", "openai")),
        *(
            {"api_key": value}
            for value in (
                "openai_api_key",
                "xxxx1234",
                "sk-****abcd",
                "AKIAIOSFODNN7EXAMPLE",
                "yourapikeyhere",
                "${KEY:?must be set}",
                "{env:OPENAI_API_KEY}",
                "$env:KEY2",
            )
        ),
        {"password": "db-password", "passwd": "Enter password", "db_password": "changeme1", "secret": "[removed]"},
        {"text": "api_key=${OPENAI_API_KEY_2} and password=form.password1 and api_key=settings.key2"},
        {"text": "mysql -u root -p registry; mysql -p${PW} x; curl -u $NAME:$TOKEN https://api.example.org; --password authentication"},
        {"args": ["--api-key", "$OPENAI_KEY", "--password", "--token", "hello"]},
    ],
    ids=str,
)
def test_what_only_sounds_like_a_secret_is_left_alone(document: dict[str, Any]):
    assert list(find_secrets(document)) == []


def test_a_path_is_told_once():
    document = {"a": f"{FORMS['github']} and {FORMS['openai']}", FORMS["github"]: {"x": 1}, FORMS["openai"]: FORMS["anthropic"]}
    assert [item.path for item in find_secrets(document)] == ["a", "…"]


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


@pytest.mark.parametrize(
    "piece", ["sk-", "a-", "_", "/a", "a.b.", " ", "curl -u ", "mysql -", "cookie=", "<abc>", "://a:b", "api_key=", "--api-key ", "*", "x"]
)
@pytest.mark.timeout(120)
def test_a_text_made_to_take_long_comes_to_an_end(piece: str):
    """Many minutes where a pattern looks at each piece again from each of them."""
    text = piece * (200_000 // len(piece))
    for name in ("text", "password", "api_key", "cookie"):
        list(find_secrets({name: text}))

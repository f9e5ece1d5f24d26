"""Registries of models in the forms that nobody gave us files of: as they are published, and as somebody would send them who means no good."""

from __future__ import annotations

import contextlib
import json
from pathlib import Path
from typing import Any

import pytest

from tenancy_fixtures import FixtureManager
from tenancy_fixtures.data_loaders import AIModelLoader, DomainLoader
from tenancy_fixtures.exceptions import DataRejected, SourceError, SourceMalformed, UnknownShape, WrongDomain
from tests.acceptance.model_files import CACHED, CARD, COMMIT, CONFIG, MLMODEL, PROMPT, price_list, write
from tests.acceptance.support import State, failing

pytestmark = pytest.mark.anyio
SHARED_TOO = "all"

FILES: dict[str, tuple[str, Any]] = {
    f"{CACHED}/config.json": ("hub-config", CONFIG),
    f"{CACHED}/README.md": ("model-card", CARD),
    "models/churn/MLmodel": ("mlflow-model", MLMODEL),
    "model_prices.json": ("price-list", price_list()),
    "songs.json": ("prompts", PROMPT),
    "songs.yaml": ("prompt-yaml", "_type: prompt\ninput_variables: [genre]\ntemplate: |\n  Suggest a {genre} song.\n"),
    "clip/open_clip_config.json": ("open-clip-config", {"model_cfg": {"embed_dim": 512, "vision_cfg": {}, "text_cfg": {}}, "preprocess_cfg": {}}),
    "results.csv": ("results", "model,checkpoint,accuracy,f1\na,one,0.5,\nb,two,0.75,1\n"),
    "prices.csv": ("price-list", "model,provider,input_cost_per_token,context_window\na,x,0.000003,8192\n"),
    "prompts.csv": ("prompts", "name,version,template\ngreet,1,Hello {name}\n"),
    "tokenizer_config.json": ("side-files", {"bos_token": "<s>", "model_max_length": 512, "tokenizer_class": "BertTokenizer"}),
    "tokenizer.json": ("side-files", {"version": "1.0", "added_tokens": [], "model": {"type": "BPE", "vocab": {"a": 0}, "merges": []}}),
    "special_tokens_map.json": ("side-files", {"unk_token": "[UNK]", "sep_token": "[SEP]", "pad_token": "[PAD]", "cls_token": "[CLS]"}),
    "generation_config.json": ("side-files", {"_from_model_config": True, "eos_token_id": 2, "transformers_version": "4.41.2"}),
    "preprocessor_config.json": ("side-files", {"image_processor_type": "CLIPImageProcessor", "do_resize": True}),
    "1_Pooling/config.json": ("side-files", {"word_embedding_dimension": 384, "pooling_mode_cls_token": False}),
    "modules.json": ("side-files", [{"idx": 0, "name": "0", "path": "", "type": "sentence_transformers.models.Transformer"}]),
    "requirements.txt": ("side-files", "mlflow==2.1.1\nscikit-learn\n"),
    "python_env.yaml": ("side-files", "python: 3.9.0\ndependencies: [pip]\n"),
    "model.safetensors.index.json": ("side-files", {"metadata": {"total_size": 12}, "weight_map": {"a.weight": "model-1.safetensors"}}),
}
OTHERS: dict[str, Any] = {
    "a data set's card": ("README.md", "---\nlicense: mit\ntask_categories:\n- text-classification\n---\n# Data\n"),
    "a demo's card": ("README.md", "---\ntitle: Demo\nemoji: x\nsdk: gradio\nlicense: mit\n---\n"),
    "a page of a blog": ("post.md", "---\nlayout: post\ntags: [a]\nlanguage: en\n---\nText\n"),
    "a readme": ("README.md", "# Title\n\nlicense: mit\n\n---\n\npipeline_tag: x\n"),
    "a package": ("package.json", {"name": "left-pad", "version": "1.0.0", "license": "MIT", "dependencies": {}}),
    "a compose file": ("compose.yaml", "services:\n  db:\n    image: postgres\n"),
    "a list of packages": ("packages.csv", "name,version\nleft-pad,1.0\n"),
    "a shop's order": ("order.json", {"items": [{"name": "shoe", "price": 10, "mode": "post", "provider": "x"}]}),
    "a shop's prices": ("shop.csv", "name,price,colour\nshoe,10,red\n"),
}


@pytest.mark.parametrize("name", FILES)
def test_what_it_is_is_seen(name: str, tmp_path: Path):
    shape, content = FILES[name]
    found = DomainLoader.detect(write(tmp_path, name, content))
    assert (found.shape, found.domain) == (f"ai-{shape}", "ai_models"), found.rejected


@pytest.mark.parametrize("name", OTHERS)
def test_what_it_is_not_is_seen(name: str, tmp_path: Path):
    found = DomainLoader.detect(write(tmp_path, *OTHERS[name]))
    assert not found.known, found


async def load(manager: FixtureManager, *paths: Path, **options: Any) -> dict[str, Any]:
    report = await manager.apply(AIModelLoader(paths, **options), tenant_id="acme", operation="load")
    assert not any(item.lost for item in report.datasets)
    return {item.dataset: item for item in report.datasets}


def rows_of(state: State, table: str, columns: str = "*") -> list[dict[str, Any]]:
    return state.rows(f"SELECT {columns} FROM t_acme.{table} AS t JOIN t_acme.ai_models AS m USING (model_id) ORDER BY 1, 2")


# --- as it is published -------------------------------------------------------------------------------------------------


async def test_configuration_and_card_meet_in_one_row(acme: FixtureManager, state: State, tmp_path: Path):
    await load(acme, write(tmp_path, f"{CACHED}/config.json", CONFIG), write(tmp_path, f"{CACHED}/README.md", CARD))
    (model,) = state.rows("SELECT * FROM t_acme.ai_models")
    facts = ("name", "architecture", "task", "purpose", "library", "license", "base_model", "max_input_tokens")
    assert [model[fact] for fact in facts] == [
        *("acme/tiny-bert", "BertForSequenceClassification", "text-classification", "classification", "transformers", "apache-2.0"),
        *("google/bert_uncased_L-2_H-128_A-2", 512),
    ]
    values = {row["name"]: row["value"] for row in state.rows("SELECT name, value FROM t_acme.ai_model_parameters")}
    assert values == CONFIG
    assert state.rows("SELECT version, parameters FROM t_acme.ai_model_versions") == [
        {"version": COMMIT, "parameters": {"transformers_version": "4.41.2", "torch_dtype": "float32"}}
    ]
    capabilities = {(row["kind"], row["name"]) for row in state.rows("SELECT kind, name FROM t_acme.ai_model_capabilities")}
    assert capabilities >= {("language", "en"), ("language", "no"), ("tag", "text-classification"), ("dataset", "imdb"), ("metric", "accuracy")}
    results = state.rows("SELECT benchmark, metric, value FROM t_acme.ai_evaluations ORDER BY metric")
    assert [tuple(row.values()) for row in results] == [("imdb, plain_text, test", "accuracy", 0.8731), ("imdb, plain_text, test", "f1", 0.8702)]


async def test_a_folder_of_a_model_is_loaded_as_it_is(acme: FixtureManager, state: State, tmp_path: Path):
    for name, (shape, content) in FILES.items():
        if shape == "side-files":
            write(tmp_path, f"tiny-bert/{name}", content)
    write(tmp_path, "tiny-bert/config.json", CONFIG)
    await load(acme, tmp_path / "tiny-bert")
    assert [row["name"] for row in state.rows("SELECT name FROM t_acme.ai_models")] == ["tiny-bert"]


async def test_a_package_is_a_version(acme: FixtureManager, state: State, tmp_path: Path):
    await load(acme, write(tmp_path, "models/churn/MLmodel", MLMODEL))
    (row,) = rows_of(state, "ai_model_versions", "m.name, m.library, t.version, t.artifact_uri, t.size_bytes, t.released_at, t.parameters, t.status")
    assert (row["name"], row["library"], row["version"], row["size_bytes"], row["status"]) == (
        *("churn", "sklearn", "5d3c1f0a9b8e4c7d8a6b5c4d3e2f1a0b", 1452, "candidate"),
    )
    assert row["released_at"].isoformat().startswith("2024-06-08T18:45:40.526311")
    assert row["parameters"]["flavors"]["sklearn"]["sklearn_version"] == "1.4.2"
    assert json.loads(row["parameters"]["signature"]["inputs"])[0]["name"] == "months"


async def test_every_price_is_kept_to_the_last_digit(acme: FixtureManager, state: State, tmp_path: Path):
    listed = price_list()
    del listed["sample_spec"]
    found = await load(acme, write(tmp_path, "prices.json", price_list()))
    assert (found["ai-price-list.models"].read, found["ai-price-list.models"].rejects) == (len(listed), 0)
    flat = sum(key.endswith(("_token", "_pixel")) for entry in listed.values() for key in entry)
    nested = sum(3 * ("search_context_cost_per_query" in entry) + 2 * ("tiered_pricing" in entry) for entry in listed.values())
    assert found["ai-price-list.prices"].stored == flat + nested
    for row in rows_of(state, "ai_model_prices", "m.name AS model, t.name, t.amount"):
        if "." not in row["name"]:
            assert float(row["amount"]) == float(listed[row["model"]][row["name"]])
    models = {row["name"]: row for row in state.rows("SELECT * FROM t_acme.ai_models")}
    for name, entry in listed.items():
        expected = entry.get("max_input_tokens", entry.get("max_tokens"))
        assert models[name]["max_input_tokens"] == (None if expected is None else int(expected))
        assert (models[name]["provider"], models[name]["task"]) == (entry["litellm_provider"], entry["mode"])
        assert models[name]["purpose"] == {"chat": "generation", "image_generation": "generation", "embedding": "embedding"}.get(entry["mode"])
    features = state.value("SELECT count(*) FROM t_acme.ai_model_capabilities WHERE kind = 'feature' AND name = 'vision'")
    assert features == sum(entry.get("supports_vision", False) for entry in listed.values())
    assert state.value("SELECT count(*) FROM t_acme.ai_model_parameters WHERE name = 'metadata.notes'") == sum(
        "rpm" in entry for entry in listed.values()
    )


ENTRY = {"input_cost_per_token": 0.5, "max_tokens": 8}


@pytest.mark.parametrize(
    "around",
    [
        {"models": [{"model": "a", "provider": "x", **ENTRY}, {"model": "b", "provider": "y", **ENTRY}]},
        {"models": {"a": {"provider": "x", **ENTRY}, "b": {"provider": "y", **ENTRY}}},
        {"x": {"a": ENTRY}, "y": {"models": {"b": ENTRY}}},
        {"x": [{"name": "a", "provider": "x", **ENTRY}], "data": {"b": {"provider": "y", **ENTRY}}},
    ],
)
async def test_what_stands_around_entries_is_no_model(acme: FixtureManager, state: State, tmp_path: Path, around: Any):
    found = await load(acme, write(tmp_path, "prices.json", around))
    assert found["ai-price-list.models"].read == 2
    rows = state.rows("SELECT name, provider, max_input_tokens FROM t_acme.ai_models ORDER BY name")
    assert [tuple(row.values()) for row in rows] == [("a", "x", 8), ("b", "y", 8)]
    assert [row["name"] for row in rows_of(state, "ai_model_prices", "t.name, amount")] == ["input_cost_per_token"] * 2


async def test_a_row_without_a_name_is_one_bad_record(acme: FixtureManager, tmp_path: Path):
    found = await load(
        acme, write(tmp_path, "prices.csv", "model,provider,input_cost_per_token,max_tokens\na,x,1,2\n,y,1,2\n"), on_error="reject", max_share=1.0
    )
    assert [(found[f"ai-price-list.{name}"].read, found[f"ai-price-list.{name}"].rejects) for name in ("models", "prices")] == [(2, 1), (2, 1)]


async def test_no_number_is_no_result(acme: FixtureManager, state: State, tmp_path: Path):
    await load(acme, write(tmp_path, "results.csv", "model,checkpoint,accuracy,f1\na,one,0.5,NaN\n"))
    assert [row["benchmark"] for row in state.rows("SELECT benchmark FROM t_acme.ai_evaluations")] == ["accuracy"]


async def test_an_entry_that_is_wrong_is_named_and_the_others_are_loaded(acme: FixtureManager, state: State, tmp_path: Path):
    good = {"mode": "chat", "litellm_provider": "x", "input_cost_per_token": 1e-06}
    bad = {"b": {**good, "max_tokens": "unlimited"}, "c": {**good, "input_cost_per_token": "free"}, "d": {**good, "input_cost_per_token": -1}}
    path = write(tmp_path, "prices.json", {"a": good, **bad, "e": "see the other list", "f": {**good, "deprecation_date": "soon"}})
    found = await load(acme, path, on_error="reject")
    rejects = {
        name.partition(".")[2]: [(item.record, item.column, item.rule) for item in report.listed_rejects]
        for name, report in found.items()
        if report.rejects
    }
    assert rejects == {
        "models": [(2, "max_input_tokens", "type"), (5, None, "record"), (6, "deprecation_date", "type")],
        "prices": [(3, "amount", "type"), (4, "amount", "range")],
    }
    assert state.value("SELECT count(*) FROM t_acme.ai_model_prices") == 3


async def test_prompts_of_all_forms(acme: FixtureManager, state: State, tmp_path: Path):
    paths = [write(tmp_path, name, FILES[name][1]) for name in ("songs.json", "prompts.csv")]
    await load(acme, *paths, write(tmp_path, "evening.yaml", FILES["songs.yaml"][1]))
    rows = {row["name"]: (row["version"], row["variables"]) for row in state.rows("SELECT * FROM t_acme.prompts")}
    assert rows == {"songs": (1, ["genre", "mood"]), "greet": (1, ["name"]), "evening": (1, ["genre"])}


async def test_the_same_content_under_two_names_is_two_models(acme: FixtureManager, state: State, tmp_path: Path):
    config = {"embed_dim": 8, "vision_cfg": {"layers": 1}, "text_cfg": {"width": 8}}
    for name in ("one", "two", "two"):
        await load(acme, write(tmp_path, f"{name}.json", config))
    await load(acme, tmp_path / "one.json", model="three")
    assert [row["name"] for row in state.rows("SELECT name FROM t_acme.ai_models ORDER BY 1")] == ["one", "three", "two"]


async def test_a_file_that_says_nowhere_which_model_it_is(acme: FixtureManager, state: State, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    write(tmp_path, "config.json", CONFIG)
    monkeypatch.chdir(tmp_path)
    with failing(state, DataRejected) as caught:
        await load(acme, Path("config.json"))
    assert "a folder that is called like the model" in str(caught[0])
    await load(acme, Path("config.json"), model="mine", version="3")
    assert rows_of(state, "ai_model_versions", "m.name, t.version") == [{"name": "mine", "version": "3"}]


# --- secrets ------------------------------------------------------------------------------------------------------------

KEY = "sk-proj-" + "Zq7c4n4ryV4lue0123456789"
SECRETS = {
    "hub-config": (f"{CACHED}/config.json", {**CONFIG, "task_specific_params": {"remote": {"api_key": KEY}}}, "task_specific_params.remote.api_key"),
    "model-card": (f"{CACHED}/README.md", CARD.replace("widget:", f"hub_token: {KEY}\nwidget:"), "hub_token"),
    "mlflow-model": ("churn/MLmodel", MLMODEL + f"metadata:\n  tracking_uri: https://me:{KEY}@mlflow.example.org\n", "metadata.tracking_uri"),
    "price-list": ("p.json", {**price_list(3), "own": {"mode": "chat", "max_tokens": 1, "input_cost_per_token": 0, "api_key": KEY}}, "own.api_key"),
    "open-clip-config": ("c.json", {"embed_dim": 8, "vision_cfg": {}, "text_cfg": {"hf_tokenizer_name": KEY}}, "text_cfg.hf_tokenizer_name"),
    "prompts": ("songs.json", {**PROMPT, "template": f"Call it with Authorization: Bearer {KEY}"}, "template"),
    "prompt-yaml": ("songs.yaml", f"_type: prompt\ntemplate: x\npartial_variables:\n  key: {KEY}\n", "partial_variables.key"),
    "results": ("r.csv", f"model,checkpoint,accuracy,note\na,b,1,{KEY}\n", "note"),
    "prices.csv": ("p.csv", f"model,provider,input_cost_per_token,api_key\na,x,0,{KEY}\n", "api_key"),
}


@pytest.mark.parametrize("kind", SECRETS)
async def test_a_secret_is_refused_and_never_told(kind: str, kept: FixtureManager, state: State, tmp_path: Path, caplog: pytest.LogCaptureFixture):
    name, content, place = SECRETS[kind]
    path = write(tmp_path, name, content)
    with failing(state, DataRejected, log=caplog, secrets=(KEY, "c4n4ry")) as caught:
        await load(kept, path)
    (first, *_) = caught[0].rejects
    assert (first.source, first.record, first.rule) == (path.name, 1, "secret")
    assert f"found {place} (" in first.message


async def test_with_reject_the_file_with_the_secret_is_left_out_and_the_others_are_loaded(acme: FixtureManager, state: State, tmp_path: Path):
    spoilt = write(tmp_path, "a/b.json", SECRETS["open-clip-config"][1])
    sound = write(tmp_path, "a/c.json", {"embed_dim": 8, "vision_cfg": {}, "text_cfg": {"width": 8}})
    found = await load(acme, spoilt, sound, on_error="reject", rejects_to=tmp_path / "rejects.ndjson")
    assert [(report.read, report.rejects) for report in found.values()] == [(2, 1), (3, 1), (4, 1)]
    assert [row["name"] for row in state.rows("SELECT name FROM t_acme.ai_models")] == ["c"]
    assert KEY not in (tmp_path / "rejects.ndjson").read_text()


async def test_a_place_for_a_secret_is_none(acme: FixtureManager, state: State, tmp_path: Path):
    config = {**CONFIG, "api_key": "${OPENAI_API_KEY}", "token": "<token>", "auth_token": None, "hub_token": "your-key-here", "token_type": "bpe"}
    found = await load(acme, write(tmp_path, "a/config.json", config))
    assert not any(report.rejects for report in found.values())


# --- as somebody would send it who means no good --------------------------------------------------------------------------

BOMB = "a0: &a0 [x]\n" + "".join(f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]\n" for n in range(1, 15))
MERGES = "a0: &a0 {k: v}\n" + "".join(f"a{n}: &a{n} {{<<: [{', '.join([f'*a{n - 1}'] * 10)}]}}\n" for n in range(1, 15))
HOSTILE = {
    "aliases that stand for billions": (BOMB, "more than 200000 values, line 6"),
    "merges that stand for billions": (MERGES, "more than 200000 values, line 6"),
    "an alias to itself": ("a: &a [*a]\n", "an alias stands inside what it stands for"),
    "a chain of aliases": ("a0: &a0 [x]\n" + "".join(f"a{n}: &a{n} [*a{n - 1}]\n" for n in range(1, 2000)), "nested too deep"),
    "brackets without end": (f"a: {'[' * 50_000}\n", "nested too deep: more than 128 levels"),
    "an object of Python": ("a: !!python/object/apply:os.system ['echo hi']\n", "the text is no YAML of plain values, line"),
    "an object of Python's, by name": ("a: !!python/name:os.system\n", "the text is no YAML of plain values, line"),
    "a fault": ("a: [1, 2\nb: Zq7-canary-value\n", "the text is no YAML of plain values, line"),
    "a control character": ("a: \x01\n", "the text is no YAML of plain values"),
    "too much of it": ("a: 1\n" * 500_000, "more than 2 MB"),
}


@pytest.mark.parametrize("name", HOSTILE)
async def test_hostile_yaml_is_refused(name: str, kept: FixtureManager, state: State, tmp_path: Path):
    text, message = HOSTILE[name]
    package = write(tmp_path, "churn/MLmodel", MLMODEL + text)
    with failing(state, SourceMalformed) as caught:
        await load(kept, package)
    assert message.replace("line 6", "") in str(caught[0])
    assert str(caught[0]).startswith("MLmodel: ")


async def test_a_card_that_does_not_end_its_block(acme: FixtureManager, state: State, tmp_path: Path):
    with failing(state, SourceMalformed) as caught:
        await load(acme, write(tmp_path, "a/README.md", "---\nlicense: mit\npipeline_tag: fill-mask\n"))
    assert "between --- and ---" in str(caught[0])


async def test_structures_of_another_kind_are_rejects_and_no_traceback(acme: FixtureManager, state: State, tmp_path: Path):
    """Where a list or a text stands in an object's place."""
    paths = [
        write(tmp_path, "a/config.json", {**CONFIG, "architectures": {"x": 1}, "text_config": "none", "id2label": [1]}),
        write(tmp_path, "b/MLmodel", "flavors:\n- sklearn\nrun_id: [1, 2]\nmodel_size_bytes: large\n"),
        write(
            tmp_path,
            "c/README.md",
            "---\nlicense: {a: b}\ntags: 3\nmodel-index: [x, {results: {}}, {name: c, results: [{metrics: [{value: high}]}]}]\n---\n",
        ),
        write(tmp_path, "d.json", {"embed_dim": "x" * 5000, "vision_cfg": [], "text_cfg": None}),
        write(tmp_path, "e.json", {**PROMPT, "template": {"a": 1}, "input_variables": 5}),
    ]
    found = await load(acme, *paths, on_error="reject")
    assert {name: report.rejects for name, report in found.items() if report.rejects} == {
        "ai-mlflow-model.versions": 1,
        "ai-model-card.evaluations": 1,
        "ai-prompts.prompts": 1,
    }


async def test_files_of_other_domains_are_named(acme: FixtureManager, state: State, tmp_path: Path):
    devices = write(tmp_path, "devices.json", {"devices": [{"is_active": True, "volume_percent": 5}]})
    with failing(state, WrongDomain):
        await load(acme, devices)
    with failing(state, UnknownShape):
        await load(acme, write(tmp_path, *OTHERS["a readme"]))


@pytest.mark.parametrize("name", [name for name, (shape, _) in FILES.items() if shape != "side-files"])
async def test_a_file_that_is_cut_anywhere_is_an_error_or_loads_what_is_there(name: str, acme: FixtureManager, state: State, tmp_path: Path):
    """Never a traceback of another kind."""
    whole = write(tmp_path, name, FILES[name][1]).read_text(encoding="utf-8")
    for part in range(1, 6):
        path = write(tmp_path, f"{part}/{name}", whole[: len(whole) * part // 6])
        with contextlib.suppress(SourceError):
            await load(acme, path, on_error="reject")

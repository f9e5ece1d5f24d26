"""Files of registries of models as their publishers write them: each made here, from a seed, in the field names that are published."""

from __future__ import annotations

import json
import random
from pathlib import Path
from typing import Any

COMMIT = "0123456789abcdef0123456789abcdef01234567"
CACHED = f"models--acme--tiny-bert/snapshots/{COMMIT}"

CONFIG = {
    "_name_or_path": "bert-base-uncased",
    "architectures": ["BertForSequenceClassification"],
    "attention_probs_dropout_prob": 0.1,
    "bos_token_id": 0,
    "classifier_dropout": None,
    "gradient_checkpointing": False,
    "hidden_act": "gelu",
    "hidden_size": 128,
    "id2label": {"0": "NEGATIVE", "1": "POSITIVE"},
    "initializer_range": 0.02,
    "label2id": {"NEGATIVE": 0, "POSITIVE": 1},
    "layer_norm_eps": 1e-12,
    "max_position_embeddings": 512,
    "model_type": "bert",
    "num_hidden_layers": 2,
    "pad_token_id": 0,
    "torch_dtype": "float32",
    "transformers_version": "4.41.2",
    "use_cache": True,
    "vocab_size": 30522,
}

CARD = """\
---
language:
- en
- no
license: apache-2.0
library_name: transformers
tags:
- text-classification
- generated_from_trainer
datasets:
- imdb
metrics:
- accuracy
base_model: google/bert_uncased_L-2_H-128_A-2
pipeline_tag: text-classification
widget:
- text: 'A film: quiet, and long'
model-index:
- name: tiny-bert
  results:
  - task:
      type: text-classification
      name: Text Classification
    dataset:
      name: imdb
      type: imdb
      config: plain_text
      split: test
      args: plain_text
    metrics:
    - type: accuracy
      value: 0.8731
      name: Accuracy
      verified: true
      verifyToken: eyJhbGciOiJFZERTQSIsInR5cCI6IkpXVCJ9.eyJoYXNoIjoiMDEyMzQ1Njc4OWFiY2RlZiIsInZlcnNpb24iOjF9.c2lnbmF0dXJlX29mX25vdGhpbmc
    - type: f1
      value: 0.8702
---

# tiny-bert

Load it with `token="hf_xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"`.

---

That was all.
"""

MLMODEL = """\
artifact_path: churn
databricks_runtime: 14.3.x-scala2.12
flavors:
  python_function:
    env:
      conda: conda.yaml
      virtualenv: python_env.yaml
    loader_module: mlflow.sklearn
    model_path: model.pkl
    predict_fn: predict
    python_version: 3.11.7
  sklearn:
    code: null
    pickled_model: model.pkl
    serialization_format: cloudpickle
    sklearn_version: 1.4.2
mlflow_version: 2.14.1
model_size_bytes: 1452
model_uuid: 5d3c1f0a9b8e4c7d8a6b5c4d3e2f1a0b
run_id: 0a1b2c3d4e5f60718293a4b5c6d7e8f9
saved_input_example_info:
  artifact_path: input_example.json
  pandas_orient: split
  type: dataframe
signature:
  inputs: '[{"type": "long", "name": "months", "required": true}, {"type": "string", "name": "plan", "required": true}]'
  outputs: '[{"type": "tensor", "tensor-spec": {"dtype": "int64", "shape": [-1]}}]'
  params: null
utc_time_created: '2024-06-08 18:45:40.526311'
"""

SAMPLE = {
    "deprecation_date": "date when the model becomes deprecated in the format YYYY-MM-DD",
    "input_cost_per_token": 0.0,
    "litellm_provider": "one of https://docs.litellm.ai/docs/providers",
    "max_input_tokens": "max input tokens, if the provider specifies it. if not default to max_tokens",
    "max_output_tokens": "max output tokens, if the provider specifies it. if not default to max_tokens",
    "max_tokens": "LEGACY parameter. set to max_output_tokens if provider specifies it. IF not set to max_input_tokens, if provider specifies it.",
    "mode": "one of: chat, embedding, completion, image_generation, audio_transcription, audio_speech, moderation, rerank, search",
    "output_cost_per_token": 0.0,
    "supported_regions": ["global", "us-west-2"],
    "supports_function_calling": True,
}

PROMPT = {
    "_type": "prompt",
    "input_variables": ["genre", "mood"],
    "name": None,
    "output_parser": None,
    "partial_variables": {},
    "template": "Suggest five {genre} songs for a {mood} evening.",
    "template_format": "f-string",
    "validate_template": False,
}


def price_list(entries: int = 300, seed: int = 7) -> dict[str, Any]:
    """A list as litellm publishes one: an entry under each model's name, no two alike, numbers as numbers and as texts."""
    chance = random.Random(seed)
    made: dict[str, Any] = {"sample_spec": SAMPLE}
    for number in range(entries):
        mode = chance.choice(["chat", "chat", "embedding", "image_generation", "rerank", "audio_transcription"])
        entry: dict[str, Any] = {"litellm_provider": chance.choice(["openai", "anthropic", "vertex_ai-language-models"]), "mode": mode}
        limit = chance.choice([4096, 8192.0, "128000", 1_000_000])
        entry.update({key: limit for key in ("max_tokens", "max_input_tokens") if chance.random() < 0.8})
        if mode == "image_generation":
            entry["input_cost_per_pixel"] = 1.9e-08
        else:
            entry["input_cost_per_token"] = chance.choice([3e-06, 0, "0.0000025"])
            entry["output_cost_per_token"] = chance.choice([1.5e-05, 0.0])
        if mode == "chat":
            entry["supports_function_calling"] = True
            entry["supports_vision"] = chance.choice([True, False])
            entry["search_context_cost_per_query"] = {f"search_context_size_{size}": 0.03 for size in ("low", "medium", "high")}
            entry["supported_endpoints"] = ["/v1/chat/completions", "/v1/batch"]
            entry["supported_modalities"] = ["text", "image"]
        if chance.random() < 0.2:
            entry["deprecation_date"] = "2026-09-30"
        if chance.random() < 0.2:
            entry["tiered_pricing"] = [
                {"range": [0, 256_000], "input_cost_per_token": 4e-07},
                {"range": [256_000, 1_000_000], "input_cost_per_token": 1e-06},
            ]
        if chance.random() < 0.3:
            entry.update(rpm=500, source="https://example.org/prices", metadata={"notes": "rounded"})
        made[f"{entry['litellm_provider']}/model-{number}.{chance.randrange(9)}"] = entry
    return made


def write(folder: Path, name: str, content: Any) -> Path:
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(content if isinstance(content, str) else json.dumps(content), encoding="utf-8")
    return path

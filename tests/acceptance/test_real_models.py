"""Real configurations of AI models, and tables of their results: every file is what it is said to be, every record accounted for.

What is expected was counted from the files by other means than this library's readers, before anything was loaded.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from tenancy_fixtures import FixtureManager
from tenancy_fixtures._secrets import find_secrets
from tenancy_fixtures.data_loaders import AIModelLoader
from tests.acceptance.support import State

pytestmark = pytest.mark.anyio


@dataclass(frozen=True)
class Expected:
    """A file's shape, and by dataset how many records are read. None is a duplicate, none is rejected."""

    shape: str
    read: dict[str, int] = field(default_factory=dict)


FOLDER = "ai_open_clip/src/open_clip/model_configs"
DOCS = "ai_open_clip/docs"

# By model, how many values its configuration holds that are no objects of values.
# fmt: off
PARAMETERS = {
    "CLAP-HTSAT-base-Roberta-base": 15, "CLAP-HTSAT-base": 17, "CLAP-HTSAT-large": 17, "CLAP-HTSAT-tiny-Roberta-base-fused": 18,
    "CLAP-HTSAT-tiny-Roberta-base": 17, "CLAP-HTSAT-tiny": 17, "CLAP-Whisper-base-Roberta-base": 16, "CLAP-Whisper-small-Roberta-base": 16,
    "CLAP-Whisper-tiny-Roberta-base": 16, "EVA01-g-14-plus": 12, "EVA01-g-14": 12, "EVA02-B-16": 12, "EVA02-E-14-plus": 12, "EVA02-E-14": 12,
    "EVA02-L-14-336": 12, "EVA02-L-14": 12, "MobileCLIP-B": 15, "MobileCLIP-S1": 15, "MobileCLIP-S2": 15, "MobileCLIP2-B": 15,
    "MobileCLIP2-L-14": 15, "MobileCLIP2-S0": 15, "MobileCLIP2-S2": 15, "MobileCLIP2-S3": 15, "MobileCLIP2-S4": 15, "PE-Core-B-16": 12,
    "PE-Core-L-14-336": 12, "PE-Core-S-16-384": 12, "PE-Core-T-16-384": 12, "PE-Core-bigG-14-448": 12, "RN101-quickgelu": 11, "RN101": 10,
    "RN50-quickgelu": 11, "RN50": 10, "RN50x16-quickgelu": 11, "RN50x16": 10, "RN50x4-quickgelu": 11, "RN50x4": 10, "RN50x64-quickgelu": 11,
    "RN50x64": 10, "ViT-B-16-SigLIP-256": 19, "ViT-B-16-SigLIP-384": 19, "ViT-B-16-SigLIP-512": 19, "ViT-B-16-SigLIP-i18n-256": 19,
    "ViT-B-16-SigLIP": 19, "ViT-B-16-SigLIP2-256": 20, "ViT-B-16-SigLIP2-384": 20, "ViT-B-16-SigLIP2-512": 20, "ViT-B-16-SigLIP2-naflex": 21,
    "ViT-B-16-SigLIP2": 20, "ViT-B-16-plus-240": 10, "ViT-B-16-plus": 10, "ViT-B-16-quickgelu": 11, "ViT-B-16": 10, "ViT-B-32-256": 10,
    "ViT-B-32-SigLIP2-256": 20, "ViT-B-32-plus-256": 10, "ViT-B-32-quickgelu": 11, "ViT-B-32": 10, "ViT-H-14-378-quickgelu": 12, "ViT-H-14-378": 11,
    "ViT-H-14-CLIPA-336": 18, "ViT-H-14-CLIPA": 18, "ViT-H-14-quickgelu": 12, "ViT-H-14-worldwide-378": 14, "ViT-H-14-worldwide-quickgelu": 15,
    "ViT-H-14-worldwide": 14, "ViT-H-14": 11, "ViT-H-16": 11, "ViT-L-14-280": 10, "ViT-L-14-336-quickgelu": 11, "ViT-L-14-336": 10,
    "ViT-L-14-CLIPA-336": 17, "ViT-L-14-CLIPA": 17, "ViT-L-14-quickgelu": 11, "ViT-L-14-worldwide-quickgelu": 15, "ViT-L-14-worldwide": 14,
    "ViT-L-14": 10, "ViT-L-16-320": 10, "ViT-L-16-SigLIP-256": 19, "ViT-L-16-SigLIP-384": 19, "ViT-L-16-SigLIP2-256": 20,
    "ViT-L-16-SigLIP2-384": 20, "ViT-L-16-SigLIP2-512": 20, "ViT-L-16": 10, "ViT-M-16-alt": 11, "ViT-M-16": 10, "ViT-M-32-alt": 10, "ViT-M-32": 10,
    "ViT-S-16-alt": 10, "ViT-S-16": 10, "ViT-S-32-alt": 10, "ViT-S-32": 10, "ViT-SO400M-14-SigLIP-378": 20, "ViT-SO400M-14-SigLIP-384": 20,
    "ViT-SO400M-14-SigLIP": 20, "ViT-SO400M-14-SigLIP2-378": 21, "ViT-SO400M-14-SigLIP2": 21, "ViT-SO400M-16-SigLIP-i18n-256": 20,
    "ViT-SO400M-16-SigLIP2-256": 21, "ViT-SO400M-16-SigLIP2-384": 21, "ViT-SO400M-16-SigLIP2-512": 21, "ViT-SO400M-16-SigLIP2-naflex": 22,
    "ViT-bigG-14-CLIPA-336": 19, "ViT-bigG-14-CLIPA": 19, "ViT-bigG-14-quickgelu": 13, "ViT-bigG-14-worldwide-378": 15, "ViT-bigG-14-worldwide": 15,
    "ViT-bigG-14": 12, "ViT-e-14": 12, "ViT-g-14": 12, "ViT-gopt-16-SigLIP2-256": 21, "ViT-gopt-16-SigLIP2-384": 21, "ViTamin-B-LTT": 14,
    "ViTamin-B": 14, "ViTamin-L-256": 14, "ViTamin-L-336": 14, "ViTamin-L-384": 14, "ViTamin-L": 14, "ViTamin-L2-256": 14, "ViTamin-L2-336": 14,
    "ViTamin-L2-384": 14, "ViTamin-L2": 14, "ViTamin-S-LTT": 14, "ViTamin-S": 14, "ViTamin-XL-256": 14, "ViTamin-XL-336": 14, "ViTamin-XL-384": 14,
    "coca_ViT-B-32": 22, "coca_ViT-L-14": 22, "coca_base": 23, "coca_roberta-ViT-B-32": 16, "convnext_base": 13, "convnext_base_w": 13,
    "convnext_base_w_320": 13, "convnext_large": 13, "convnext_large_d": 13, "convnext_large_d_320": 13, "convnext_small": 13, "convnext_tiny": 13,
    "convnext_xlarge": 13, "convnext_xxlarge": 13, "convnext_xxlarge_320": 13, "gte-modernbert-base-ViT-B-32-256": 13,
    "moderntext-ViT-B-32-256": 26, "moderntext-naflex_ViT-B-16": 31, "moderntext-naflex_ViT-B-32": 33, "moderntext-naflex_ViT-B-deep-16": 34,
    "moderntext-naflex_ViT-SO150M2-16": 28, "mt5-base-ViT-B-32": 8, "mt5-xl-ViT-H-14": 9, "naflex_ViT-B-16": 10, "naflex_ViT-B-32": 12,
    "naflexclap_base_pf4_pt20_moderntextp": 40, "naflexclap_base_pf8_pt16_moderntext": 42, "naflexclap_base_pf8_pt16_moderntextp": 40,
    "naflexclap_base_pf8_pt20_moderntextp": 43, "naflexclap_little": 24, "naflexclap_little_roberta": 23, "naflexclap_mediumd": 23,
    "naflexclap_mediumd_pf4_pt20_moderntextp": 41, "naflexclap_mediumd_roberta": 24, "naflexclap_test": 22, "naflexgenlap_betwixt": 29,
    "naflexgenlap_so150m2": 29, "naflexgenlap_test_1d": 28, "naflexgenlap_test_2d": 28, "naflexgenlip_b16": 26, "naflexgenlip_so150m2": 27,
    "naflexgenlip_so16": 26, "naflexgenlip_test": 26, "nllb-clip-base-siglip": 12, "nllb-clip-base": 9, "nllb-clip-large-siglip": 12,
    "nllb-clip-large": 10, "roberta-ViT-B-32": 9, "swin_base_patch4_window7_224": 11, "vit_medium_patch16_gap_256": 11,
    "vit_relpos_medium_patch16_cls_224": 11, "xlm-roberta-base-ViT-B-32": 8, "xlm-roberta-large-ViT-H-14": 9,
}
# fmt: on


def config(parameters: int) -> Expected:
    """Each of them takes two kinds of input: texts, and images or sounds."""
    return Expected("ai-open-clip-config", {"models": 1, "parameters": parameters, "capabilities": 2})


def results(versions: int, benchmarks: int) -> Expected:
    """No cell of these tables is empty. Of the columns, some name the version and its size; each of the others is a benchmark."""
    return Expected("ai-results", {"versions": versions, "evaluations": versions * benchmarks})


FILES = {
    **{f"{FOLDER}/{name}.json": config(count) for name, count in PARAMETERS.items()},
    f"{DOCS}/model_profile.csv": Expected("ai-profile", {"models": 85, "parameters": 850}),
    f"{DOCS}/openclip_results.csv": results(121, 43 - 4),
    f"{DOCS}/openclip_classification_results.csv": results(121, 40 - 4),
    f"{DOCS}/openclip_retrieval_results.csv": results(121, 24 - 4),
    f"{DOCS}/openclip_multilingual_retrieval_results.csv": results(123, 297 - 2),
}


@pytest.mark.parametrize("path", FILES)
def test_every_file_is_recognised(path: str, real_data: Path):
    found = AIModelLoader.detect(real_data / path)
    assert (found.shape, found.domain) == (FILES[path].shape, "ai_models"), found
    assert found.why


async def test_every_configuration_is_accounted_for(real_data: Path, kept: FixtureManager, state: State):
    report = await kept.apply(AIModelLoader(real_data / FOLDER), tenant_id="acme", operation="load")
    total = {"models": len(PARAMETERS), "parameters": sum(PARAMETERS.values()), "capabilities": 2 * len(PARAMETERS)}
    assert {item.dataset.split(".")[1]: item.read for item in report.datasets} == total
    assert all(item.stored == item.read and not item.lost for item in report.datasets)
    for table, expected in (("parameters", PARAMETERS), ("capabilities", dict.fromkeys(PARAMETERS, 2))):
        rows = state.rows(f"SELECT m.name, count(*) FROM t_acme.ai_model_{table} AS t JOIN t_acme.ai_models AS m USING (model_id) GROUP BY 1")
        assert {row["name"]: row["count"] for row in rows} == expected


@pytest.mark.parametrize("path", [path for path in FILES if path.startswith(DOCS)])
async def test_every_row_of_a_table_is_accounted_for(path: str, real_data: Path, kept: FixtureManager, state: State):
    report = await kept.apply(AIModelLoader(real_data / path), tenant_id="acme", operation="load")
    assert {item.dataset.split(".")[1]: item.read for item in report.datasets} == FILES[path].read
    assert all(item.stored == item.read and not item.lost for item in report.datasets)


async def test_what_several_files_say_of_a_model_meets_in_one_row(real_data: Path, acme: FixtureManager, state: State):
    """Files of three kinds, in one transaction."""
    await acme.apply(AIModelLoader([real_data / FOLDER, real_data / DOCS]), tenant_id="acme", operation="load")
    (model,) = state.rows("SELECT * FROM t_acme.ai_models WHERE name = 'ViT-B-32'")
    assert (model["purpose"], model["parameter_count"], model["max_input_tokens"], model["is_enabled"]) == ("embedding", 151_280_000, 77, False)
    of_model = "FROM t_acme.ai_models AS m JOIN {} USING (model_id) WHERE m.name = 'ViT-B-32' AND {}"
    assert state.value("SELECT p.value " + of_model.format("t_acme.ai_model_parameters AS p", "p.name = 'vision_cfg.patch_size'")) == 32
    results = "t_acme.ai_model_versions AS v USING (model_id) JOIN t_acme.ai_evaluations AS e USING (version_id)"
    value = state.value(
        f"SELECT e.value FROM t_acme.ai_models AS m JOIN {results} WHERE m.name = 'ViT-B-32' AND v.version = 'laion2b_s34b_b79k' AND benchmark = 'ImageNet 1k'"
    )
    assert value == 0.6656


def test_no_file_is_left_out(real_data: Path):
    there = {path.relative_to(real_data).as_posix() for path in (real_data / "ai_open_clip").rglob("*.*") if path.is_file()}
    assert there == set(FILES)


def test_nothing_in_public_data_is_taken_for_a_secret(real_data: Path):
    """Answers of APIs, webhooks, configurations, tables: none of their publishers left a key in them."""
    found = []
    for path in sorted(real_data.rglob("*")):
        if path.suffix == ".json":
            found += [(path.name, secret.path) for secret in find_secrets(json.loads(path.read_bytes()))]
        elif path.suffix in (".csv", ".tsv", ".txt", ".yml"):
            text = path.read_text(encoding="utf-8", errors="replace")
            found += [(path.name, secret.path) for number, line in enumerate(text.splitlines()) for secret in find_secrets({str(number): line})]
    assert found == []

"""Real payloads of GitHub's webhooks through the collaboration loader: what each tells is known by what is in it.

What is expected was counted from the files by other means than this library's readers, before anything was loaded. The folder that a
payload lies in is the name of its event; nothing in the file says it.
"""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from tenancy_fixtures import FixtureManager
from tenancy_fixtures.data_loaders import CollaborationLoader
from tests.acceptance.support import State

pytestmark = pytest.mark.anyio

FOLDER = "webhooks_octokit/api.github.com"
EVENTS = {
    "branch_protection_rule": 4, "check_run": 8, "check_suite": 8, "code_scanning_alert": 5, "commit_comment": 4, "create": 4, "delete": 3,
    "dependabot_alert": 2, "deploy_key": 1, "deployment": 3, "deployment_review": 1, "deployment_status": 3, "discussion": 14,
    "discussion_comment": 3, "fork": 2, "github_app_authorization": 1, "gollum": 2, "installation": 6, "installation_repositories": 2,
    "issue_comment": 8, "issues": 28, "label": 5, "marketplace_purchase": 3, "member": 3, "membership": 4, "merge_group": 1, "meta": 1,
    "milestone": 4, "org_block": 3, "organization": 4, "package": 1, "page_build": 2, "ping": 3, "project": 2, "project_card": 8,
    "project_column": 3, "projects_v2_item": 6, "public": 2, "pull_request": 28, "pull_request_review": 3, "pull_request_review_comment": 4,
    "pull_request_review_thread": 2, "push": 6, "registry_package": 1, "release": 12, "repository": 12, "repository_dispatch": 1,
    "repository_import": 1, "repository_vulnerability_alert": 3, "secret_scanning_alert": 1, "security_advisory": 3, "sponsorship": 2,
    "star": 2, "status": 3, "team": 5, "team_add": 2, "watch": 2, "workflow_dispatch": 1, "workflow_job": 7, "workflow_run": 4,
}  # fmt: skip
# Each file is one document, and no two are the same.
FILES = 272


def payloads(real_data: Path) -> list[tuple[str, dict[str, Any]]]:
    """The event and the document of each file."""
    paths = sorted((real_data / FOLDER).rglob("*.json"))
    return [(path.parent.name, json.loads(path.read_text(encoding="utf-8"))) for path in paths]


def test_the_files_hold_what_is_expected(real_data: Path):
    found = payloads(real_data)
    assert len(found) == len({json.dumps(document, sort_keys=True) for _, document in found}) == sum(EVENTS.values()) == FILES
    assert Counter(event for event, _ in found) == EVENTS
    assert {path.suffix for path in (real_data / "webhooks_octokit").rglob("*") if path.is_file()} == {".json"}


def test_every_file_is_recognised(real_data: Path):
    found = CollaborationLoader.detect(real_data / FOLDER / "*" / "*.json")
    assert (found.shape, found.domain, len(found.parts)) == ("collaboration-webhooks", "collaboration", FILES)
    assert all(part.why for part in found.parts)


async def test_every_payload_becomes_the_activity_that_it_tells(real_data: Path, acme: FixtureManager, state: State):
    report = await acme.apply(CollaborationLoader(real_data / FOLDER / "*" / "*.json"), tenant_id="acme", operation="load")
    (found,) = report.datasets
    assert (found.read, found.stored, found.duplicates, found.rejects, found.lost) == (FILES, FILES, 0, 0, 0)
    expected = Counter((event, document.get("action"), login(document.get("sender"))) for event, document in payloads(real_data))
    rows = state.rows("SELECT event, action, actor, target, payload FROM t_acme.activities")
    assert Counter((row["event"], row["action"], row["actor"]) for row in rows) == expected
    # But for what is called a secret, the payload is what it was; GitHub has masked these two itself.
    masked = sum(json.dumps(document).count('"secret": "********"') for _, document in payloads(real_data))
    text = [json.dumps(row["payload"], sort_keys=True) for row in rows]
    assert masked == sum(payload.count('"secret": "[removed]"') for payload in text) == 2
    assert sorted(payload.replace("[removed]", "********") for payload in text) == sorted(
        json.dumps(item, sort_keys=True) for _, item in payloads(real_data)
    )
    assert {row["target"] for row in rows if "repository" in row["payload"]} == {
        document["repository"]["full_name"] for _, document in payloads(real_data) if "repository" in document
    }


def login(sender: dict[str, Any] | None) -> str | None:
    return None if sender is None else sender["login"]

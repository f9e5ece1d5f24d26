"""Workspaces and what belongs to them: an export, tables, edits that are replayed, payloads without their secrets."""

from __future__ import annotations

import json
import random
from pathlib import Path
from typing import Any

import pytest

from tenancy_fixtures import FixtureManager
from tenancy_fixtures.data_loaders import CollaborationLoader, DomainLoader
from tenancy_fixtures.exceptions import DataRejected
from tests.acceptance.support import State

pytestmark = pytest.mark.anyio
SHARED_TOO = "all"

EXPORT: dict[str, Any] = {
    "workspaces": [{"slug": "mixes", "name": "Mixes", "owner": "ann", "created_at": "2024-01-01T00:00:00Z"}],
    "roles": [{"name": "editor", "permissions": ["read", "write"]}, {"name": "reader", "permissions": ["read"]}],
    "members": [
        {"workspace": "mixes", "user": "ann", "role": "editor", "joined_at": "2024-01-01T00:00:00Z"},
        {"workspace": "mixes", "user": "bob", "role": "reader"},
    ],
    "invitations": [
        {
            "workspace": "mixes",
            "email": "Cy@example.com",
            "role": "reader",
            "invited_by": "ann",
            "token": "open-sesame",
            "created_at": "2024-01-02T00:00:00Z",
            "expires_at": "2024-02-02T00:00:00Z",
        }
    ],
    "documents": [{"workspace": "mixes", "id": "d1", "title": "Plan", "body": "First", "author": "ann"}],
    "comments": [
        {"workspace": "mixes", "id": "c1", "author": "bob", "text": "Good", "document": "d1"},
        {"workspace": "mixes", "id": "c2", "author": "ann", "text": "Thanks", "parent": "c1"},
    ],
    "workflows": [
        {
            "workspace": "mixes",
            "name": "weekly",
            "status": "active",
            "schedule": "0 6 * * 1",
            "created_by": "ann",
            "steps": [{"kind": "select", "settings": {"top": 10}}, {"kind": "publish", "timeout": "10 minutes"}],
        }
    ],
}
TABLES = {
    "workspaces.csv": "slug,name,owner\nmixes,Mixes,ann\n",
    "roles.csv": "role,permissions\neditor,read|write\nreader,read\n",
    "members.csv": "team,username,role,joined_at\nmixes,ann,editor,2024-01-01\nmixes,bob,reader,\n",
    "invitations.csv": "workspace,email,role,invited_by,created_at,expires_at\nmixes,cy@example.com,reader,ann,2024-01-02,2024-02-02\n",
    "documents.csv": "workspace,id,title,body,author\nmixes,d1,Plan,First,ann\n",
    "comments.csv": "workspace,comment_id,author,text,document,parent\nmixes,c1,bob,Good,d1,\nmixes,c2,ann,Thanks,,c1\n",
    "workflows.csv": "workspace,name,status,cron,created_by\nmixes,weekly,active,0 6 * * 1,ann\n",
}
COUNTS = {"workspaces": 1, "roles": 2, "members": 2, "invitations": 1, "documents": 1, "comments": 2, "workflows": 1}


def write(path: Path, content: Any) -> Path:
    lines = content if isinstance(content, list) else [content]
    path.write_text("\n".join(json.dumps(line) for line in lines) + "\n", encoding="utf-8")
    return path


async def load(manager: FixtureManager, *paths: Path, loader: type[DomainLoader] = CollaborationLoader, **options: Any) -> Any:
    return await manager.apply(loader(paths, **options), tenant_id="acme", operation="load")


def counts(state: State) -> dict[str, int]:
    return {name: state.value(f"SELECT count(*) FROM t_acme.{name}") for name in COUNTS}


async def test_what_is_at_fault_in_a_list_takes_nothing_else_with_it(acme: FixtureManager, state: State, tmp_path: Path):
    spaces = [{"slug": f"w{number}", "name": f"W{number}", "owner": "ann"} for number in range(3)]
    steps = [{"kind": "select"}, None, {"kind": "publish"}]
    export = {
        "workspaces": [spaces[0], None, spaces[1], 5, spaces[2]],
        "workflows": [{"workspace": "w0", "name": "f", "steps": steps}],
        "members": [],
    }
    (tmp_path / "export.json").write_text(json.dumps(export))
    report = await acme.apply(CollaborationLoader(tmp_path / "export.json", on_error="reject"), tenant_id="acme", operation="load")
    found = {item.dataset.partition(".")[2]: (item.read, item.stored, item.rejects) for item in report.datasets if item.rejects}
    assert found == {"workspaces": (5, 3, 2), "workflow-steps": (3, 2, 1)}
    assert {reject.rule for item in report.datasets for reject in item.listed_rejects} == {"document"}


async def test_other_ways_to_write_names(acme: FixtureManager, state: State, tmp_path: Path):
    """Names in camel case, and an object where a name should be, which is a reject."""
    spaces = [
        {"slug": "w1", "name": "W", "ownerId": "ann", "createdAt": "2024-01-02T03:04:05Z"},
        {"slug": "w2", "name": "W", "ownerId": {"login": "x"}},
    ]
    (tmp_path / "spaces.json").write_text(json.dumps(spaces))
    (tmp_path / "spaces.csv").write_text("slug,name,ownerId,createdAt\nw3,W,ann,2024-01-02 03:04:05 UTC\n")
    for name in ("spaces.json", "spaces.csv"):
        await acme.apply(CollaborationLoader(tmp_path / name, on_error="reject"), tenant_id="acme", operation="load")
    rows = state.rows(
        "SELECT slug, w.created_at::text AS at, handle FROM t_acme.workspaces AS w JOIN t_acme.users ON user_id = owner_id ORDER BY slug"
    )
    assert [(row["slug"], row["at"][:19], row["handle"]) for row in rows] == [
        ("w1", "2024-01-02 03:04:05", "ann"),
        ("w3", "2024-01-02 03:04:05", "ann"),
    ]


async def test_an_export_and_tables_of_it_meet_in_the_same_rows(acme: FixtureManager, state: State, tmp_path: Path):
    path = write(tmp_path / "export.json", EXPORT)
    assert CollaborationLoader.detect(path).shape == "collaboration-export"
    await load(acme, path)
    assert counts(state) == COUNTS
    assert state.rows("SELECT position, kind, settings FROM t_acme.workflow_steps ORDER BY position") == [
        {"position": 1, "kind": "select", "settings": {"top": 10}},
        {"position": 2, "kind": "publish", "settings": {}},
    ]
    for name, text in TABLES.items():
        (tmp_path / name).write_text(text, encoding="utf-8")
        assert CollaborationLoader.detect(tmp_path / name).shape == f"collaboration-{name[:-4]}"
    await load(acme, *(tmp_path / name for name in TABLES))
    assert counts(state) == COUNTS
    granted = state.rows(
        "SELECT handle, permissions FROM t_acme.members JOIN t_acme.users USING (user_id) JOIN t_acme.roles USING (role_id) ORDER BY 1"
    )
    assert [(row["handle"], row["permissions"]) for row in granted] == [("ann", ["read", "write"]), ("bob", ["read"])]
    threads = state.rows(
        "SELECT c.body, p.body AS parent FROM t_acme.comments c LEFT JOIN t_acme.comments p ON p.comment_id = c.parent_id ORDER BY 1"
    )
    assert [(row["body"], row["parent"]) for row in threads] == [("Good", None), ("Thanks", "Good")]
    assert "open-sesame" not in json.dumps(state.rows("SELECT i::text FROM t_acme.invitations i"))


async def test_a_part_of_an_export_may_be_left_out_and_a_reference_must_lead_somewhere(acme: FixtureManager, state: State, tmp_path: Path):
    await load(acme, write(tmp_path / "1.json", {"workspaces": EXPORT["workspaces"], "roles": EXPORT["roles"]}))
    wrong = [{"workspace": "mixes", "user": "ann", "role": "editor"}, {"workspace": "elsewhere", "user": "ann", "role": "editor"}]
    with pytest.raises(DataRejected) as caught:
        await load(acme, write(tmp_path / "2.json", {"members": wrong}))
    assert [(item.record, item.rule) for item in caught.value.rejects] == [(2, "reference")]


# --- edits ----------------------------------------------------------------------------------------------------------------


def edit(number: int, operation: str, key: str, text: str | None = None, **more: Any) -> dict[str, Any]:
    at = f"2024-03-01T00:{number // 60:02}:{number % 60:02}Z"
    return {"stream": "s", "workspace": "mixes", "number": number, "op": operation, "id": key, "text": text, "author": "ann", "at": at, **more}


@pytest.fixture
async def mixes(acme: FixtureManager, tmp_path: Path) -> FixtureManager:
    await load(acme, write(tmp_path / "workspaces.json", {"workspaces": EXPORT["workspaces"]}))
    return acme


def bodies(state: State, table: str = "comments") -> list[str]:
    return [row["body"] for row in state.rows(f"SELECT body FROM t_acme.{table} ORDER BY body")]


STREAM = [
    edit(1, "insert", "a", "one"),
    edit(2, "insert", "b", "two"),
    edit(3, "replace", "a", "ONE"),
    edit(4, "delete", "b"),
    edit(5, "insert", "d", "draft", kind="document"),
    edit(6, "replace", "d", "final", kind="document"),
    edit(7, "insert", "c", "three"),
]


async def test_edits_are_applied_in_order_and_replayed_without_a_change(mixes: FixtureManager, state: State, tmp_path: Path):
    assert CollaborationLoader.detect(write(tmp_path / "1.ndjson", STREAM[:5])).shape == "collaboration-edits"
    await load(mixes, tmp_path / "1.ndjson")
    assert (bodies(state), bodies(state, "documents")) == (["ONE"], ["draft"])
    # The whole stream, which overlaps what is there, as one document, by the loader of all domains.
    whole = {
        "stream": "s",
        "workspace": "mixes",
        "edits": [{key: item for key, item in one.items() if key not in ("stream", "workspace")} for one in STREAM],
    }
    await load(mixes, write(tmp_path / "2.json", whole), loader=DomainLoader)
    assert (bodies(state), bodies(state, "documents")) == (["ONE", "three"], ["final"])
    assert (await mixes.validate("acme")).findings == ()
    # What somebody has changed here since stays: there is nothing new to apply.
    state.run("UPDATE t_acme.comments SET body = 'ours' WHERE body = 'three'")
    before = state.rows("SELECT * FROM t_acme.comments ORDER BY 1"), state.rows("SELECT * FROM t_acme.edits ORDER BY 1, 2")
    report = await load(mixes, write(tmp_path / "3.ndjson", [*STREAM, *STREAM[2:4]]))
    assert (state.rows("SELECT * FROM t_acme.comments ORDER BY 1"), state.rows("SELECT * FROM t_acme.edits ORDER BY 1, 2")) == before
    assert report.datasets[0].written == 0


@pytest.mark.parametrize(
    ("numbers", "record", "rule"),
    [
        ([1, 2, 4], 3, "sequence"),
        ([1, 3, 2], 2, "sequence"),
        ([2, 3], 1, "reference"),
        ([0, 1], 1, "range"),
    ],
    ids=["gap", "out of order", "begins too late", "below one"],
)
async def test_a_number_that_is_left_out_is_named(mixes: FixtureManager, state: State, tmp_path: Path, numbers: list[int], record: int, rule: str):
    path = write(tmp_path / "edits.ndjson", [edit(number, "insert", f"k{number}", "x") for number in numbers])
    with pytest.raises(DataRejected) as caught:
        await load(mixes, path)
    assert (caught.value.rejects[0].record, caught.value.rejects[0].rule) == (record, rule)
    assert bodies(state) == []


async def test_with_reject_what_comes_before_the_gap_is_applied(mixes: FixtureManager, state: State, tmp_path: Path):
    path = write(tmp_path / "edits.ndjson", [edit(number, "insert", f"k{number}", f"t{number}") for number in (1, 2, 4, 5, 6)])
    report = await load(mixes, path, on_error="reject")
    assert [(item.record, item.rule) for item in report.datasets[0].listed_rejects] == [(3, "sequence"), (4, "sequence"), (5, "sequence")]
    assert bodies(state) == ["t1", "t2"]
    # When the missing one has come, the same stream goes on.
    await load(mixes, write(tmp_path / "more.ndjson", [edit(number, "insert", f"k{number}", f"t{number}") for number in (3, 4, 5, 6)]))
    assert bodies(state) == ["t1", "t2", "t3", "t4", "t5", "t6"]


async def test_any_way_of_cutting_a_stream_comes_to_the_same(mixes: FixtureManager, state: State, tmp_path: Path):
    rng, keys, texts = random.Random(7), "abcdef", {}
    stream = []
    for number in range(1, 121):
        key = rng.choice(keys)
        operation = rng.choice(["replace", "replace", "delete"]) if key in texts else "insert"
        texts[key] = None if operation == "delete" else f"{key}{number}"
        if operation == "delete":
            del texts[key]
        stream.append(edit(number, operation, key, texts.get(key)))
    done = 0
    while done < len(stream):
        start, done = max(0, done - rng.randrange(10)), done + rng.randrange(1, 40)
        await load(mixes, write(tmp_path / f"{done}.ndjson", stream[start:done]))
    assert bodies(state) == sorted(texts.values())


# --- payloads without secrets -----------------------------------------------------------------------------------------------


async def test_a_payload_loses_what_is_secret_and_nothing_else(acme: FixtureManager, state: State, tmp_path: Path):
    secrets = {
        "token": "t0ps3cret",
        "client_secret": "t0ps3cret",
        "api_key": "t0ps3cret",
        "note": "use ghp_0123456789012345678901234567890123456789 please",
        "X-Api-Key": "t0ps3cret",
        "db_pass": "t0ps3cret",
        "secrets": ["t0ps3cret"],
        "private_key": ["t0ps3cret", "t0ps3cret"],
        "auth_token": {"value": "t0ps3cret"},
        "links": ["https://me:t0ps3cret@example.com/x"],
    }
    kept = {"secret_type": "adafruit_io_key", "token_count": 3, "keys_url": "https://example.com/keys", "secrets": "read", "password": None}
    payload = {"action": "opened", "issue": {"title": "Hi", "number": 7, **secrets, "deep": [{**kept}]}, "sender": {"login": "ann"}}
    path = write(tmp_path / "hook.json", {**payload, "repository": {"full_name": "o/r"}})
    await load(acme, path)
    row = state.rows("SELECT event, actor, object, target, payload FROM t_acme.activities")[0]
    assert (row["event"], row["actor"], row["object"], row["target"]) == ("issues", "ann", "Hi", "o/r")
    text = json.dumps(row["payload"])
    assert "t0ps3cret" not in text
    assert "ghp_0" not in text
    assert row["payload"]["issue"]["note"] == "use [removed] please"
    assert row["payload"]["issue"]["links"] == ["https://me:[removed]@example.com/x"]
    assert row["payload"]["issue"]["deep"] == [kept]

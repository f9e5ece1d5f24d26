"""What a webhook's payload tells: its event, who did what to which object where and when; and the payload without secrets.

A payload does not name its event: that is in a header of the request. It is known by the members that only this event has.
"""

from __future__ import annotations

import hashlib
import json
import re
from typing import TYPE_CHECKING, Any

from .._secrets import without_secrets

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

# Members, of which a payload of the event has all; what has more of its own stands before what it is a part of. `a.b` is b in a.
_EVENTS: tuple[tuple[str, tuple[str, ...]], ...] = (
    ("ping", ("zen", "hook")),
    ("meta", ("hook", "hook_id")),
    ("pull_request_review_thread", ("thread", "pull_request")),
    ("pull_request_review", ("review", "pull_request")),
    ("pull_request_review_comment", ("comment", "pull_request")),
    ("issue_comment", ("comment", "issue")),
    ("discussion_comment", ("comment", "discussion")),
    ("commit_comment", ("comment",)),
    ("deployment_status", ("deployment_status",)),
    ("deployment_review", ("workflow_run", "since")),
    ("workflow_job", ("workflow_job",)),
    ("deployment", ("deployment",)),
    ("repository_dispatch", ("client_payload",)),
    ("workflow_dispatch", ("workflow", "inputs")),
    ("workflow_run", ("workflow_run",)),
    ("check_run", ("check_run",)),
    ("check_suite", ("check_suite",)),
    ("branch_protection_rule", ("rule",)),
    ("code_scanning_alert", ("alert", "commit_oid")),
    ("secret_scanning_alert", ("alert.secret_type",)),
    ("dependabot_alert", ("alert.dependency",)),
    ("repository_vulnerability_alert", ("alert",)),
    ("deploy_key", ("key",)),
    ("fork", ("forkee",)),
    ("gollum", ("pages",)),
    ("installation_repositories", ("repositories_added",)),
    ("issues", ("issue",)),
    ("pull_request", ("pull_request",)),
    ("discussion", ("discussion",)),
    ("marketplace_purchase", ("marketplace_purchase",)),
    ("membership", ("member", "team")),
    ("member", ("member",)),
    ("merge_group", ("merge_group",)),
    ("label", ("label",)),
    ("milestone", ("milestone",)),
    ("org_block", ("blocked_user",)),
    ("registry_package", ("registry_package",)),
    ("package", ("package",)),
    ("page_build", ("build",)),
    ("project_card", ("project_card",)),
    ("project_column", ("project_column",)),
    ("projects_v2_item", ("projects_v2_item",)),
    ("project", ("project",)),
    ("release", ("release",)),
    ("security_advisory", ("security_advisory",)),
    ("sponsorship", ("sponsorship",)),
    ("push", ("pusher", "commits")),
    ("create", ("ref_type", "master_branch")),
    ("delete", ("ref_type",)),
    ("status", ("sha", "state", "context")),
    ("team", ("team", "action")),
    ("team_add", ("team",)),
    ("star", ("starred_at",)),
    ("organization", ("membership",)),
    ("organization", ("invitation",)),
)
# What a payload has beside what it is about.
_AROUND = frozenset(("action", "sender", "repository", "organization", "installation", "enterprise", "changes", "requester", "repositories"))
_TIMES = (
    "updated_at",
    "submitted_at",
    "published_at",
    "completed_at",
    "started_at",
    "created_at",
    "timestamp",
    "starred_at",
    "effective_date",
    "since",
)
_NAMES = ("title", "full_name", "name", "tag_name", "login", "number", "head_branch", "ref", "id")
_MOMENT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?(?:Z|[+-]\d\d:?\d\d)")


def activities(payload: Any, given: Mapping[str, str]) -> Iterator[dict[str, Any]]:  # noqa: ARG001 - every rewriter gets what is given
    """The activity that a payload tells."""
    event = event_of(payload)
    about = _about(payload, event)
    yield {
        "digest": hashlib.sha256(json.dumps(payload, sort_keys=True).encode()).hexdigest(),
        "event": event,
        "action": payload.get("action"),
        "actor": _member(payload.get("sender"), "login"),
        "object": next((about[name] for name in _NAMES if isinstance(about.get(name), str) and about[name]), None),
        "target": _target(payload),
        "occurred_at": _time(about, payload),
        "payload": without_secrets(payload),
    }


def event_of(payload: Mapping[str, Any]) -> str:
    """The event's name; of one that is not known, the first member that is about something."""
    for event, needs in _EVENTS:
        if all(_has(payload, name) for name in needs):
            return event
    own = [name for name, value in payload.items() if name not in _AROUND and isinstance(value, dict)]
    return own[0] if own else _bare(payload)


def _bare(payload: Mapping[str, Any]) -> str:
    """The event of a payload that has nothing but what is around others: it is about one of those."""
    action = payload.get("action")
    if "repository" in payload:
        if action is None:
            return "repository_import" if "status" in payload else "public"
        return "watch" if action == "started" else "repository"
    if "installation" in payload and "organization" not in payload:
        return "installation"
    return "organization" if "organization" in payload else "github_app_authorization"


def _has(payload: Mapping[str, Any], name: str) -> bool:
    first, _, second = name.partition(".")
    if not second:
        return first in payload
    inner = payload.get(first)
    return isinstance(inner, dict) and second in inner


def _about(payload: Mapping[str, Any], event: str) -> Mapping[str, Any]:
    """The object that the event is about: the member that is called like it, or else the only one, or what stands around."""
    names = (event, event.rstrip("s"), event.rpartition("_")[2], "head_commit", "hook", "forkee", "alert", "member", "team", "build", "rule", "key")
    found = next((payload[name] for name in names if isinstance(payload.get(name), dict)), None)
    return payload if found is None else found


def _time(about: Mapping[str, Any], payload: Mapping[str, Any]) -> str | None:
    values = [item.get(name) for item in (about, payload) for name in _TIMES]
    return next((value for value in values if isinstance(value, str) and _MOMENT.fullmatch(value)), None)


def _target(payload: Mapping[str, Any]) -> Any:
    account = _member(payload.get("installation"), "account")
    return _member(payload.get("repository"), "full_name") or _member(payload.get("organization"), "login") or _member(account, "login")


def _member(value: Any, name: str) -> Any:
    return value.get(name) if isinstance(value, dict) else None

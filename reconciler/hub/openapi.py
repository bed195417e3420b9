"""The description of the API as an OpenAPI 3.1 document, made from the table of its routes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from reconciler import __version__
from reconciler.hub.views import OVERVIEW_FIELDS
from reconciler.model.site_state import SiteState

__all__ = ["Operation", "describe"]

_TEXT = {"type": "string"}
_TIME = {"type": ["string", "null"], "format": "date-time"}
_COUNT = {"type": "integer", "minimum": 0}
_STATE = {"type": "string", "enum": [state.value for state in SiteState]}
_LABELS = {"type": "object", "additionalProperties": _TEXT}


def _object(**properties: Any) -> dict[str, Any]:
    return {"type": "object", "properties": properties}


def _page(item: str, **more: Any) -> dict[str, Any]:
    return {
        "type": "object",
        "required": ["items", "next"],
        "properties": {
            "items": {"type": "array", "items": {"$ref": f"#/components/schemas/{item}"}},
            "next": {"type": ["string", "null"], "description": "The cursor of the next page."},
            **more,
        },
    }


_SUMMARY: dict[str, Any] = {
    "name": _TEXT,
    "state": _STATE,
    "reason": _TEXT,
    "message": _TEXT,
    "since": _TIME,
    "lastState": _TEXT,
    "lastSeen": _TIME,
    "offlineAt": {**_TIME, "description": "When it counts as Offline, unless it reports before."},
    "labels": _LABELS,
    "applied": _TEXT,
    "attempted": _TEXT,
    "behind": {"type": ["integer", "null"], "description": "How many newer revisions there are."},
}
_WEBHOOK: dict[str, Any] = {
    "id": _TEXT,
    "url": _TEXT,
    "types": {"type": "array", "items": _TEXT},
    "sent": {**_COUNT, "description": "The number of the last event that was looked at."},
    "trouble": {**_TEXT, "description": "Why the last message was not taken, or nothing."},
}
_FINDINGS = {"type": "array", "items": {"type": "object"}}
_SCHEMAS: dict[str, Any] = {
    "Problem": _object(type=_TEXT, status={"type": "integer"}, code=_TEXT, title=_TEXT, detail=_TEXT),
    "Receipt": {
        **_object(epoch=_TEXT, acknowledged=_COUNT),
        "required": ["epoch", "acknowledged"],
        "description": "Every event of the epoch up to this number is stored.",
    },
    "Fleet": _object(
        sites=_COUNT,
        worst=_STATE,
        states={"type": "object", "additionalProperties": _COUNT},
        newest={"type": ["string", "null"]},
        upToDate=_COUNT,
        asOf=_TIME,
        groups={
            "type": "array",
            "description": "By the label asked for, the worst first; each as bad as its worst site.",
            "items": _object(
                value=_TEXT,
                sites=_COUNT,
                worst=_STATE,
                states={"type": "object", "additionalProperties": _COUNT},
            ),
        },
    ),
    "Overview": {
        **_object(
            fields={"type": "array", "items": {"enum": list(OVERVIEW_FIELDS)}},
            rows={"type": "array", "items": {"type": "array"}, "description": "One a site, as `fields` say."},
            labels={"type": "array", "items": _LABELS, "description": "The rows' `labels` are places here."},
            commits={
                "type": "array",
                "items": _TEXT,
                "description": "The rows' `applied` and `attempted` are places here.",
            },
            revisions={"type": "array", "items": {"$ref": "#/components/schemas/RevisionSummary"}},
            newest={"type": ["string", "null"]},
            asOf={"type": "integer", "description": "Milliseconds since 1970, as all times of the rows."},
        ),
        "required": ["fields", "rows", "labels", "commits", "revisions", "newest", "asOf"],
    },
    "SiteSummary": _object(**_SUMMARY, conflict={"type": "boolean"}),
    "Site": _object(
        **_SUMMARY,
        attempt=_TEXT,
        appliedAt=_TIME,
        subject=_TEXT,
        findings=_FINDINGS,
        resources=_COUNT,
        unhealthy=_LABELS,
        drift={"type": "array", "items": _TEXT},
        faults={"type": "array", "items": _TEXT},
        platform=_TEXT,
        version=_TEXT,
        heartbeatInterval={"type": "number"},
        link={"type": "object", "additionalProperties": _COUNT},
        digests=_LABELS,
        firstSeen=_TIME,
        clockSkew={"type": ["number", "null"], "description": "Seconds that its clock is ahead."},
        lostEvents=_COUNT,
        conflict={"type": ["string", "null"]},
        epoch=_TEXT,
        acknowledged=_COUNT,
        events=_COUNT,
    ),
    "StoredEvent": _object(
        number=_COUNT, received=_TIME, event={"type": "object", "description": "A CloudEvent."}
    ),
    "RevisionSummary": _object(commit=_TEXT, subject=_TEXT, firstSeen=_TIME, applied=_COUNT, refused=_COUNT),
    "Revision": _object(
        commit=_TEXT,
        subject=_TEXT,
        firstSeen=_TIME,
        applied={"type": "array", "items": _object(site=_TEXT, state=_STATE, at=_TEXT)},
        refused={
            "type": "array",
            "items": _object(site=_TEXT, attempt=_TEXT, reason=_TEXT, message=_TEXT, findings=_FINDINGS),
        },
        underWay={"type": "array", "items": _object(site=_TEXT, attempt=_TEXT)},
        waiting={
            "type": "array",
            "description": "Who has an older one, and has not said anything of this one.",
            "items": _object(site=_TEXT, state=_STATE, lastSeen=_TIME),
        },
        beyond={**_COUNT, "description": "How many have a newer one."},
    ),
    "Token": _object(
        id=_TEXT,
        kind={"type": "string", "enum": ["site", "operator"]},
        subject=_TEXT,
        role={"type": "string", "enum": ["report", "read", "write"]},
        created=_TIME,
        expires=_TIME,
    ),
    "NewToken": _object(
        id=_TEXT, kind=_TEXT, subject=_TEXT, role=_TEXT, created=_TIME, expires=_TIME, token=_TEXT
    ),
    "TokenRequest": {
        **_object(
            kind={"type": "string", "enum": ["site", "operator"]},
            subject=_TEXT,
            role={"type": "string", "enum": ["read", "write"]},
            days={"type": "number", "minimum": 0},
        ),
        "required": ["kind", "subject"],
    },
    "Webhook": _object(**_WEBHOOK),
    "NewWebhook": _object(**_WEBHOOK, secret=_TEXT),
    "WebhookRequest": {
        **_object(url=_TEXT, types={"type": "array", "items": _TEXT}),
        "required": ["url"],
    },
    "SiteSummaryPage": _page("SiteSummary", asOf=_TIME),
    **{f"{name}Page": _page(name) for name in ("StoredEvent", "RevisionSummary", "Token", "Webhook")},
}

_PARAMETERS: dict[str, dict[str, Any]] = {
    "selector": {"description": "A label selector, as `kubectl get -l` takes it.", "schema": _TEXT},
    "state": {"description": "States, with commas between them.", "schema": _TEXT},
    "by": {"description": "The key of a label to group by.", "schema": _TEXT},
    "search": {"description": "A part of the name.", "schema": _TEXT},
    "type": {"description": "Types of events, with commas between them.", "schema": _TEXT},
    "order": {"description": "", "schema": {"type": "string", "enum": ["asc", "desc"]}},
    "limit": {"description": "How many at most.", "schema": {"type": "integer", "minimum": 1}},
    "cursor": {"description": "`next` of an earlier answer.", "schema": _TEXT},
}


@dataclass(frozen=True, slots=True)
class Operation:
    """One thing that can be asked for.

    Attributes:
        method: The HTTP method.
        path: The path, with `{names}`.
        summary: What it is for.
        role: Who may: `report`, `read`, `write`, or "" for everybody.
        answer: The schema of a good answer, a media type, or "" for none.
        status: Of a good answer.
        takes: The schema of the body, or "".
        query: Names of query parameters.
    """

    method: str
    path: str
    summary: str
    role: str = "read"
    answer: str = ""
    status: int = 200
    takes: str = ""
    query: tuple[str, ...] = ()


def describe(operations: Sequence[Operation]) -> dict[str, Any]:
    """Return the OpenAPI 3.1 document of some operations."""
    paths: dict[str, dict[str, Any]] = {}
    for operation in operations:
        paths.setdefault(operation.path, {})[operation.method.lower()] = _operation(operation)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Wayside hub",
            "version": __version__,
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "paths": paths,
        "components": {
            "schemas": _SCHEMAS,
            "securitySchemes": {"token": {"type": "http", "scheme": "bearer"}},
        },
    }


def _operation(operation: Operation) -> dict[str, Any]:
    names = [part[1:-1] for part in operation.path.split("/") if part.startswith("{")]
    parameters = [{"name": name, "in": "path", "required": True, "schema": _TEXT} for name in names]
    parameters += [{"name": name, "in": "query", **_PARAMETERS[name]} for name in operation.query]
    good: dict[str, Any] = {"description": operation.summary}
    if "/" in operation.answer:
        good["content"] = {operation.answer: {"schema": _TEXT}}
    elif operation.answer:
        good["content"] = {"application/json": {"schema": _reference(operation.answer)}}
    problem = {"application/problem+json": {"schema": _reference("Problem")}}
    found: dict[str, Any] = {
        "summary": operation.summary,
        "operationId": operation.method.lower()
        + operation.path.removeprefix("/v1").title().translate(_NOTHING),
        "responses": {
            str(operation.status): good,
            "default": {"description": "It was not done; says why.", "content": problem},
        },
    }
    if parameters:
        found["parameters"] = parameters
    if operation.role:
        found["security"] = [{"token": []}]
        found["description"] = f"Needs a token with the role `{operation.role}`."
    if operation.takes == "batch":
        found["requestBody"] = {
            "required": True,
            "description": "Events of one epoch, numbered without gaps, as a batch of CloudEvents 1.0; gzip.",
            "content": {
                "application/cloudevents-batch+json": {
                    "schema": {"type": "array", "items": {"type": "object"}}
                }
            },
        }
    elif operation.takes:
        found["requestBody"] = {
            "required": True,
            "content": {"application/json": {"schema": _reference(operation.takes)}},
        }
    return found


_NOTHING = str.maketrans("", "", "/{}-.")


def _reference(name: str) -> dict[str, str]:
    return {"$ref": f"#/components/schemas/{name}"}

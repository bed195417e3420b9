"""JSON Schemas (draft 2020-12) of every type of event.

They say what must be there and of which kind it is. A reader must put up with more fields than are named, so
that an agent may say more; one that means something else by a field sends another version of the type.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import Any, TypeAlias

from reconciler.documents.schema import Schema
from reconciler.model.event import EventType
from reconciler.model.site_state import SiteState

__all__ = ["BASE", "data_schema", "event_schema", "event_schemas", "file_name"]

#: Where the schemas are named to be; nothing is fetched from there.
BASE = "https://wayside.dev/schemas/v1alpha1/"

_Schema: TypeAlias = dict[str, Any]


def _text(description: str, **more: Any) -> _Schema:
    return {"type": "string", "description": description, **more}


def _count(description: str) -> _Schema:
    return {"type": "integer", "minimum": 0, "description": description}


def _object(description: str, fields: Mapping[str, Any], *required: str) -> _Schema:
    found: _Schema = {"type": "object", "description": description, "properties": dict(fields)}
    return {**found, "required": list(required)} if required else found


def _list(description: str, item: Mapping[str, Any]) -> _Schema:
    return {"type": "array", "description": description, "items": dict(item)}


def _map(description: str, value: Mapping[str, Any]) -> _Schema:
    return {"type": "object", "description": description, "additionalProperties": dict(value)}


_COMMIT = _text("The full commit id.", pattern="^([0-9a-f]{7,64})?$")
_MESSAGE = _text("One sentence.")
_CODE = _text("A stable code.")
_RESOURCE = _text("The object: kind, namespace and name.")
_TIME = _text("RFC 3339 time, by the site's clock.")
_ONE_OF = [state.value for state in SiteState if state is not SiteState.OFFLINE]
_HEALTH = {
    "type": "string",
    "enum": ["Current", "InProgress", "Failed", "Terminating", "NotFound", "Unknown"],
}

#: How the site is; any event may tell it.
_STATE: _Schema = {
    "state": _text("How the site is. A site cannot say that it is offline.", enum=_ONE_OF),
    "reason": _CODE,
    "message": _MESSAGE,
    "since": _text("RFC 3339 time, by the site's clock, since when; or nothing."),
}
_SITE: _Schema = {
    "labels": _map("The site's labels.", {"type": "string"}),
    "platform": _text("The site's kind of cluster."),
}
_UNHEALTHY = _map("Objects that are not as they should be: name to one sentence.", {"type": "string"})
_SNAPSHOT: _Schema = {
    **_STATE,
    **_SITE,
    "applied": _text("The commit that is applied, or nothing."),
    "attempted": _text("The commit that was looked at last, or nothing."),
    "attempt": _text("What became of it."),
    "faults": _list("What does not work for the time being.", {"type": "string"}),
    "unhealthy": _UNHEALTHY,
    "heartbeatInterval": {
        "type": "number",
        "exclusiveMinimum": 0,
        "description": "Seconds between two signs of life; a site that misses three is offline.",
    },
    "link": _object(
        "What reports cost since the agent started.",
        {
            "sent": _count("Bytes sent, with TLS and HTTP where the system tells."),
            "received": _count("Bytes received, likewise."),
            "payload": _count("Bytes of bodies that were sent, compressed."),
            "requests": _count("How often something was sent."),
        },
    ),
    "version": _text("The agent's version."),
}
_DIGESTS = _object(
    "What proves that the verdict here is the one of the pull request.",
    {name: _text(f"Digest of the {name}.") for name in ("inputs", "rules", "verdict")},
)
_COUNTS = _object(
    "How many objects.", {name: _count(f"To {name}.") for name in ("create", "update", "delete")}
)
_FIELD = _object("One field.", {"path": _text("Which."), "before": {}, "after": {}}, "path")
_CHANGE = _object(
    "One object.",
    {
        "resource": _RESOURCE,
        "action": _text("What is done.", enum=["create", "update", "delete"]),
        "fields": _list("What changed in it; values of Secrets are masked.", _FIELD),
        "moreFields": _count("Changed fields that are not listed."),
    },
    "resource",
    "action",
)
_PLAN: _Schema = {
    "commit": _COMMIT,
    "subject": _text("First line of the commit's message."),
    "digests": _DIGESTS,
    "counts": _COUNTS,
    "changes": _list("The first of them.", _CHANGE),
    **_STATE,
}
_FAILURE: _Schema = {
    "commit": _COMMIT,
    "code": _CODE,
    "message": _MESSAGE,
    "failures": _list(
        "Object by object.",
        _object(
            "One failure.",
            {"resource": _RESOURCE, "reason": _CODE, "message": _MESSAGE},
            "resource",
            "message",
        ),
    ),
}
_REASON = _object(
    "One reason.",
    {
        "rule": _text("The rule's id."),
        "message": _MESSAGE,
        "location": _text("`path:line:column`, or nothing."),
        "resource": _text("The object, or nothing."),
        "hint": _text("What to do, or nothing."),
    },
    "message",
)
_HOLD = _object(
    "One reason.",
    {
        "code": _CODE,
        "message": _MESSAGE,
        "hint": _text("What to do, or nothing."),
        "subjects": _list("What it is about.", _RESOURCE),
    },
    "message",
)
_HEALTH_CHANGE = _object(
    "One object.",
    {"resource": _RESOURCE, "from": _HEALTH, "to": _HEALTH, "message": _MESSAGE},
    "resource",
    "from",
    "to",
)

#: Type to what it means, the fields of its data, and which of them must be there.
_TYPES: Mapping[EventType, tuple[str, _Schema, tuple[str, ...]]] = {
    EventType.AGENT_STARTED: (
        "An agent began, and says all that it knows of its site.",
        {
            **_SNAPSHOT,
            "interrupted": _text("The commit whose sync was broken off, or nothing."),
            "stateLoss": _text("Why its state was begun anew, or nothing."),
        },
        ("version",),
    ),
    EventType.AGENT_HEARTBEAT: (
        "What is news since the last heartbeat of the epoch. Where nothing is, there is no heartbeat but an"
        " empty batch.",
        _SNAPSHOT,
        (),
    ),
    EventType.SYNC_PLANNED: ("A sync is about to change something.", _PLAN, ("commit",)),
    EventType.SYNC_APPLIED: (
        "A revision is applied whole.",
        {
            **_PLAN,
            **_SITE,
            "resources": _count("How many objects the site has."),
            "unhealthy": _UNHEALTHY,
        },
        ("commit",),
    ),
    EventType.SYNC_FAILED: (
        "A revision could not be applied. It is tried again.",
        _FAILURE,
        ("commit", "code"),
    ),
    EventType.SYNC_DENIED: (
        "The rules, or what people wrote, forbid a revision. The one before it runs on.",
        {
            "commit": _COMMIT,
            "code": _CODE,
            "count": _count("How many reasons there are in all."),
            "reasons": _list("The worst of them.", _REASON),
        },
        ("commit", "reasons"),
    ),
    EventType.SYNC_HELD: (
        "A revision waits for a person.",
        {"commit": _COMMIT, "code": _CODE, "holds": _list("Why.", _HOLD)},
        ("commit", "code"),
    ),
    EventType.SYNC_ROLLED_BACK: (
        "A revision failed half-way, and the site goes back.",
        {
            **_FAILURE,
            "to": _text("The commit that it goes back to."),
            "lasting": _list(
                "What cannot go back: what Jobs have done, data, objects that may hold data.",
                _text("One sentence."),
            ),
        },
        ("commit", "code"),
    ),
    EventType.SITE_SUSPENDED: (
        "The site is left alone on purpose.",
        {"commit": _COMMIT, "by": _text("`annotation` where people at the cluster asked for it.")},
        (),
    ),
    EventType.HEALTH_CHANGED: (
        "The health of the site, or of objects of it, is another one.",
        {
            "commit": _COMMIT,
            **_STATE,
            "was": _text("How the site was before.", enum=_ONE_OF),
            "changes": _list("Objects whose health changed.", _HEALTH_CHANGE),
            "unhealthy": _UNHEALTHY,
        },
        ("state",),
    ),
    EventType.SOURCE_FAILED: (
        "The repository cannot be read.",
        {"code": _CODE, "message": _MESSAGE, "hint": _text("What to do, or nothing.")},
        ("code",),
    ),
    EventType.SOURCE_RESTORED: ("The repository can be read again.", {}, ()),
    EventType.DRIFT_DETECTED: ("The site differs from its last good revision.", _PLAN, ()),
    EventType.DRIFT_CORRECTED: ("The site is as its last good revision says.", {"commit": _COMMIT}, ()),
    EventType.DRIFT_CONTESTED: (
        "Somebody changes an object again and again; it is left alone for a while.",
        {"resource": _RESOURCE, "by": _text("Who."), "message": _MESSAGE},
        ("resource",),
    ),
    EventType.FACTS_DIFFER: (
        "The cluster is not what `site.yaml` says.",
        {
            "count": _count("How many facts differ."),
            "differences": _list("The first of them.", {"type": "string"}),
        },
        ("differences",),
    ),
    EventType.OUTBOX_COMPACTED: (
        "Events that had to be dropped before anybody saw them.",
        {
            "dropped": _map("How many of which type.", _count("How many.")),
            "from": _TIME,
            "to": _TIME,
            "reason": _text("Why, where it was not for want of room."),
        },
        ("dropped",),
    ),
}


def file_name(type_: EventType) -> str:
    """Return the file name of a type's schema, without its suffix: `event-sync-applied-v1`."""
    return "event-" + type_.value.removeprefix("dev.wayside.").replace(".", "-")


@cache
def event_schema(type_: EventType) -> Mapping[str, Any]:
    """Return the schema of one type of event, in the JSON format of CloudEvents 1.0."""
    meaning, fields, required = _TYPES[type_]
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": f"{BASE}{file_name(type_)}.json",
        "title": type_.value,
        "description": meaning,
        **_object(
            meaning,
            {
                "specversion": {"const": "1.0"},
                "id": _text("Epoch and number.", pattern="^[0-9A-Za-z]{1,64}-[1-9][0-9]{0,17}$"),
                "source": _text(
                    "Whose event it is.", pattern="^/sites/[a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?$"
                ),
                "type": {"const": type_.value},
                "time": _text("RFC 3339 time, by the site's clock.", format="date-time", minLength=20),
                "epoch": _text("The life of the outbox.", pattern="^[0-9A-Za-z]{1,64}$"),
                "sequence": _text(
                    "The number in its epoch, from 1 without gaps.", pattern="^[1-9][0-9]{0,17}$"
                ),
                "data": _object(meaning, fields, *required),
            },
            "specversion",
            "id",
            "source",
            "type",
            "time",
            *(("data",) if required else ()),
        ),
    }


@cache
def data_schema(type_: EventType) -> Schema:
    """Return the schema of the data of one type of event, ready to be asked."""
    meaning, fields, required = _TYPES[type_]
    return Schema(_object(meaning, fields, *required))


def event_schemas() -> dict[str, Mapping[str, Any]]:
    """Return all schemas by name, as `wayside export schemas` writes them to `NAME.json`."""
    return {file_name(type_): event_schema(type_) for type_ in EventType}

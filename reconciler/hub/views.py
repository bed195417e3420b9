"""What the API shows of what is known, as JSON values."""

from __future__ import annotations

import datetime
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from reconciler.hub.fleet import Fleet
from reconciler.model.site_record import SiteRecord
from reconciler.model.site_state import SiteState, worst
from reconciler.ports.hub_store import StoredEvent

__all__ = [
    "OVERVIEW_FIELDS",
    "event_view",
    "fleet_view",
    "group_views",
    "moment",
    "ordered_commits",
    "overview_view",
    "page",
    "places",
    "revision_summaries",
    "revision_view",
    "site_view",
    "summary_view",
]


def moment(seconds: float) -> str | None:
    """Return seconds since 1970 as an RFC 3339 time, or None for never."""
    if not seconds:
        return None
    text = datetime.datetime.fromtimestamp(seconds, tz=datetime.UTC).isoformat(timespec="milliseconds")
    return text.replace("+00:00", "Z")


def ordered_commits(fleet: Fleet) -> list[str]:
    """Return all known commits, the newest first."""
    rows = sorted(fleet.revisions.values(), key=lambda row: row.first_seen, reverse=True)
    return [row.commit for row in rows]


def summary_view(record: SiteRecord, now: float, places: Mapping[str, int]) -> dict[str, Any]:
    """Return a site as the fleet's page shows it.

    Args:
        record: What is known of it.
        now: Seconds since 1970.
        places: For each commit how many newer ones there are.
    """
    state = record.shown_state(now)
    offline = state is SiteState.OFFLINE
    return {
        "name": record.name,
        "state": state.value,
        "reason": "Silent" if offline else record.reason,
        "message": f"no sign of life since {moment(record.last_seen)}" if offline else record.message,
        "since": moment(record.last_seen) if offline else record.since or None,
        "lastState": record.state,
        "lastSeen": moment(record.last_seen),
        "offlineAt": moment(record.offline_at),
        "labels": dict(record.labels),
        "applied": record.applied,
        "attempted": record.attempted,
        "behind": places.get(record.applied),
        "conflict": bool(record.conflict),
    }


def site_view(record: SiteRecord, now: float, places: Mapping[str, int]) -> dict[str, Any]:
    """Return everything that is known of a site."""
    return {
        **summary_view(record, now, places),
        "attempt": record.attempt,
        "appliedAt": record.applied_at or None,
        "subject": record.subject,
        "findings": [dict(finding) for finding in record.findings],
        "resources": record.resources,
        "unhealthy": dict(record.unhealthy),
        "drift": list(record.drift),
        "faults": list(record.faults),
        "platform": record.platform,
        "version": record.version,
        "heartbeatInterval": record.heartbeat,
        "link": dict(record.link),
        "digests": dict(record.digests),
        "firstSeen": moment(record.first_seen),
        "clockSkew": record.skew,
        "lostEvents": record.lost,
        "conflict": record.conflict or None,
        "epoch": record.epoch,
        "acknowledged": record.acknowledged,
        "events": record.events,
    }


def fleet_view(
    fleet: Fleet, now: float, *, matches: Callable[[Mapping[str, str]], bool] = lambda _: True
) -> dict[str, Any]:
    """Return the fleet in numbers: how many sites are in which state, and which revisions there are."""
    states: Counter[SiteState] = Counter()
    applied: Counter[str] = Counter()
    for record in fleet.records.values():
        if matches(record.labels):
            states[record.shown_state(now)] += 1
            applied[record.applied] += 1
    commits = ordered_commits(fleet)
    return {
        "sites": sum(states.values()),
        "worst": worst(states).value,
        "states": {state.value: states[state] for state in SiteState},
        "newest": commits[0] if commits else None,
        "upToDate": applied[commits[0]] if commits else 0,
        "asOf": moment(now),
    }


def group_views(
    fleet: Fleet, now: float, *, by: str, matches: Callable[[Mapping[str, str]], bool]
) -> list[dict[str, Any]]:
    """Return the fleet's groups by a label's value, each as bad as its worst site; the worst group first.

    Args:
        fleet: What is known.
        now: Seconds since 1970.
        by: The label's key; sites without it are the group "".
        matches: Tells by its labels whether a site counts.
    """
    groups: dict[str, Counter[SiteState]] = {}
    for record in fleet.records.values():
        if matches(record.labels):
            groups.setdefault(record.labels.get(by, ""), Counter())[record.shown_state(now)] += 1
    ordered = sorted(groups.items(), key=lambda item: (-worst(item[1]).badness, item[0]))
    return [
        {
            "value": value,
            "sites": states.total(),
            "worst": worst(states).value,
            "states": {state.value: count for state, count in states.items()},
        }
        for value, states in ordered
    ]


#: What the overview tells of a site, in the order of its rows.
OVERVIEW_FIELDS = (
    "name",
    "state",
    "lastState",
    "since",
    "lastSeen",
    "offlineAt",
    "labels",
    "applied",
    "attempted",
    "attempt",
    "behind",
    "message",
    "conflict",
)


def overview_view(fleet: Fleet, now: float) -> dict[str, Any]:
    """Return the whole fleet in one compact answer: a row a site, and tables of what repeats.

    Times are milliseconds since 1970; `labels`, `applied` and `attempted` are places in their tables.
    """
    commits = ordered_commits(fleet)
    places_ = places(commits)
    label_sets: dict[tuple[tuple[str, str], ...], int] = {}
    known: dict[str, int] = {}
    rows = []
    for name, record in fleet.records.items():
        state = record.shown_state(now)
        rows.append(
            (
                name,
                state.value,
                record.state,
                record.since,
                round(record.last_seen * 1000),
                round(record.offline_at * 1000),
                label_sets.setdefault(tuple(sorted(record.labels.items())), len(label_sets)),
                known.setdefault(record.applied, len(known)),
                known.setdefault(record.attempted, len(known)),
                record.attempt,
                places_.get(record.applied),
                "" if state is SiteState.READY else record.message,
                bool(record.conflict),
            )
        )
    return {
        "fields": OVERVIEW_FIELDS,
        "rows": rows,
        "labels": [dict(labels) for labels in label_sets],
        "commits": list(known),
        "revisions": revision_summaries(fleet, commits[:5]),
        "newest": commits[0] if commits else None,
        "asOf": round(now * 1000),
    }


def revision_summaries(fleet: Fleet, commits: Sequence[str]) -> list[dict[str, Any]]:
    """Return for each of some commits how many sites have it, and how many refused it."""
    applied: Counter[str] = Counter()
    refused: Counter[str] = Counter()
    for record in fleet.records.values():
        applied[record.applied] += 1
        if record.attempt in _REFUSED:
            refused[record.attempted] += 1
    return [
        {
            "commit": commit,
            "subject": fleet.revisions[commit].subject,
            "firstSeen": moment(fleet.revisions[commit].first_seen),
            "applied": applied[commit],
            "refused": refused[commit],
        }
        for commit in commits
    ]


_REFUSED = frozenset({"denied", "held", "failed", "rolledback"})


def revision_view(fleet: Fleet, commit: str, now: float) -> dict[str, Any]:
    """Return who has a revision, who refused it and why, and who has not come to it."""
    row = fleet.revisions[commit]
    places_ = places(ordered_commits(fleet))
    has, refused, working, waiting, beyond = [], [], [], [], 0
    for record in sorted(fleet.records.values(), key=lambda record: record.name):
        if record.applied == commit:
            has.append({"site": record.name, "state": record.shown_state(now).value, "at": record.applied_at})
        if record.attempted == commit and record.attempt in _REFUSED:
            refused.append(
                {
                    "site": record.name,
                    "attempt": record.attempt,
                    "reason": record.reason,
                    "message": record.message,
                    "findings": [dict(finding) for finding in record.findings],
                }
            )
        elif record.applied == commit:
            pass
        elif record.attempted == commit:
            working.append({"site": record.name, "attempt": record.attempt})
        elif places_.get(record.applied, len(places_)) < places_[commit]:
            beyond += 1
        else:
            state = record.shown_state(now).value
            waiting.append({"site": record.name, "state": state, "lastSeen": moment(record.last_seen)})
    return {
        "commit": commit,
        "subject": row.subject,
        "firstSeen": moment(row.first_seen),
        "applied": has,
        "refused": refused,
        "underWay": working,
        "waiting": waiting,
        "beyond": beyond,
    }


def event_view(stored: StoredEvent) -> dict[str, Any]:
    """Return a stored event: the CloudEvent, and when the hub got it."""
    return {
        "number": stored.number,
        "received": moment(stored.received),
        "event": stored.event.to_cloudevent(),
    }


def page(items: Sequence[Any], cursor: str | None, **more: Any) -> dict[str, Any]:
    """Return one page of a list; `next` is the cursor of the next one, or None."""
    return {"items": list(items), "next": cursor, **more}


def places(commits: Iterable[str]) -> dict[str, int]:
    """Return for each commit how many newer ones there are."""
    return {commit: number for number, commit in enumerate(commits)}

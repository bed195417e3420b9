"""What the hub knows of one site, and how an event changes it."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from reconciler.model.event import Event, EventType
from reconciler.model.site_state import MISSED_HEARTBEATS, SiteState, is_offline

__all__ = ["HEARTBEAT", "SiteRecord", "fold"]

#: Seconds between heartbeats where an agent has not said.
HEARTBEAT = 300.0
_LONGEST_TEXT = 1000
_LONGEST_LIST = 200
_STATES = {state.value: state for state in SiteState}


@dataclass(frozen=True, slots=True)
class SiteRecord:
    """One site, as its reports tell.

    Attributes:
        name: The site's name.
        epoch: Id of the outbox's life that counts, or "" before the first report.
        acknowledged: Every event of that epoch up to this number is stored.
        state: What the site said last; never Offline, which is a matter of time.
        reason: A stable code for it.
        message: One sentence.
        since: RFC 3339 time, by the site's clock, since when.
        applied: The commit that is applied, or "".
        applied_at: RFC 3339 time.
        attempted: The commit that was looked at last, or "".
        attempt: `applying`, `applied`, `denied`, `held`, `suspended`, `failed` or `rolledback`.
        subject: First line of the message of the commit that is applied.
        findings: Why the commit that was looked at last is refused, held or failed.
        resources: How many objects the site has.
        unhealthy: Objects that are not as they should be: name to one sentence.
        drift: Objects that somebody changed by hand, as last reported.
        faults: What does not work for the time being.
        labels: The site's labels.
        platform: Its kind of cluster.
        version: Its agent's version.
        heartbeat: Seconds between its heartbeats.
        link: Bytes of its reports: `sent` and `received` since its agent started.
        digests: Of the inputs, rules and verdict of the revision that is applied.
        last_seen: Seconds since 1970, by the hub's clock, of its last report; 0 for never.
        first_seen: The same, of its first report.
        skew: Seconds that its clock is ahead of the hub's, as last measured; None where it was not.
        lost: Events that it had to compact away while it was offline.
        conflict: Why its reports cannot all be from one agent, or "".
        events: How many of its events were stored.
        twinned: Epochs in which the site told events again that are stored in another one.
        newest: The latest time that an event of it bears, by its own clock, or "".
    """

    name: str
    epoch: str = ""
    acknowledged: int = 0
    state: str = SiteState.UNKNOWN.value
    reason: str = "NeverSeen"
    message: str = "no report yet"
    since: str = ""
    applied: str = ""
    applied_at: str = ""
    attempted: str = ""
    attempt: str = ""
    subject: str = ""
    findings: tuple[Mapping[str, Any], ...] = ()
    resources: int = 0
    unhealthy: Mapping[str, str] = field(default_factory=dict)
    drift: tuple[str, ...] = ()
    faults: tuple[str, ...] = ()
    labels: Mapping[str, str] = field(default_factory=dict)
    platform: str = ""
    version: str = ""
    heartbeat: float = HEARTBEAT
    link: Mapping[str, int] = field(default_factory=dict)
    digests: Mapping[str, str] = field(default_factory=dict)
    last_seen: float = 0.0
    first_seen: float = 0.0
    skew: float | None = None
    lost: int = 0
    conflict: str = ""
    events: int = 0
    twinned: tuple[str, ...] = ()
    newest: str = ""

    @property
    def offline_at(self) -> float:
        """Seconds since 1970 at which the site counts as Offline, unless it reports before; 0 for never."""
        return self.last_seen + MISSED_HEARTBEATS * self.heartbeat if self.last_seen else 0.0

    def shown_state(self, now: float) -> SiteState:
        """Return the state to show at a time: a stale report never counts as health.

        Args:
            now: Seconds since 1970, by the hub's clock.
        """
        if not self.last_seen:
            return SiteState.UNKNOWN
        if is_offline(silent=now - self.last_seen, heartbeat=self.heartbeat):
            return SiteState.OFFLINE
        return _STATES.get(self.state, SiteState.UNKNOWN)


def fold(record: SiteRecord, event: Event) -> SiteRecord:
    """Return what is known of a site after an event of its own.

    Values of a wrong type are left out; an event of a type that is not known changes nothing.
    """
    data = event.data
    changes: dict[str, Any] = {}
    commit = _text(data, "commit")
    match event.type:
        case EventType.AGENT_STARTED.value:
            _take(changes, data, ("version", "applied", "attempted", "attempt"))
            if record.reason == "NeverSeen":
                _say(
                    changes, record, event, "Unknown", reason="Started", message="the agent has just started"
                )
        case EventType.AGENT_HEARTBEAT.value:
            _take(changes, data, ("applied", "attempted", "attempt", "version"))
        case EventType.SYNC_PLANNED.value:
            changes.update(attempted=commit, attempt="applying", findings=())
        case EventType.SYNC_APPLIED.value:
            changes.update(
                applied=commit,
                applied_at=event.time,
                attempted=commit,
                attempt="applied",
                subject=_text(data, "subject"),
                findings=(),
                drift=(),
                resources=_number(data, "resources"),
                digests=_texts(data.get("digests")),
            )
        case EventType.SYNC_DENIED.value:
            changes.update(attempted=commit, attempt="denied", findings=_mappings(data.get("reasons")))
            _say(changes, record, event, "Held", reason="Denied", message=_first(data.get("reasons")))
        case EventType.SYNC_HELD.value:
            changes.update(attempted=commit, attempt="held", findings=_mappings(data.get("holds")))
            _say(
                changes, record, event, "Held", reason=_text(data, "code"), message=_first(data.get("holds"))
            )
        case EventType.SYNC_FAILED.value:
            changes.update(attempted=commit, attempt="failed", findings=_mappings(data.get("failures")))
            _say(
                changes, record, event, "Degraded", reason=_text(data, "code"), message=_text(data, "message")
            )
        case EventType.SYNC_ROLLED_BACK.value:
            changes.update(attempted=commit, attempt="rolledback", findings=_mappings(data.get("failures")))
            _say(
                changes,
                record,
                event,
                "RolledBack",
                reason=_text(data, "code"),
                message=_text(data, "message"),
            )
        case EventType.SITE_SUSPENDED.value:
            changes.update(attempted=commit, attempt="suspended")
            _say(changes, record, event, "Suspended", reason="Suspended", message="spec.sync.suspend is set")
        case EventType.DRIFT_DETECTED.value:
            found = _mappings(data.get("changes"))
            changes["drift"] = tuple(_text(change, "resource") for change in found)
        case EventType.DRIFT_CORRECTED.value:
            changes["drift"] = ()
        case EventType.SOURCE_FAILED.value:
            changes["faults"] = (*(name for name in record.faults if name != "source"), "source")
        case EventType.SOURCE_RESTORED.value:
            changes["faults"] = tuple(name for name in record.faults if name != "source")
        case EventType.OUTBOX_COMPACTED.value:
            dropped = data.get("dropped")
            if isinstance(dropped, dict):
                changes["lost"] = record.lost + sum(n for n in dropped.values() if type(n) is int and n > 0)
        case _:
            pass
    if "state" in data:
        # What the site says of itself counts more than what the type of an event lets guess.
        _say(
            changes,
            record,
            event,
            _text(data, "state"),
            reason=_text(data, "reason"),
            message=_text(data, "message"),
        )
    _describe(changes, data)
    return dataclasses.replace(record, **changes) if changes else record


def _describe(changes: dict[str, Any], data: Mapping[str, Any]) -> None:
    """Take over what any event may tell of the site besides what happened."""
    if isinstance(data.get("labels"), dict):
        changes["labels"] = _texts(data["labels"])
    if isinstance(data.get("unhealthy"), dict):
        changes["unhealthy"] = _texts(data["unhealthy"])
    _take(changes, data, ("platform",))
    if isinstance(data.get("faults"), list):
        changes["faults"] = tuple(
            str(name)[:_LONGEST_TEXT] for name in data["faults"][:_LONGEST_LIST] if isinstance(name, str)
        )
    if isinstance(data.get("link"), dict):
        changes["link"] = {
            str(name): value
            for name, value in list(data["link"].items())[:8]
            if type(value) is int and value >= 0
        }
    interval = data.get("heartbeatInterval")
    if isinstance(interval, int | float) and 1 <= interval <= 7 * 86400:
        changes["heartbeat"] = float(interval)


def _say(
    changes: dict[str, Any],
    record: SiteRecord,
    event: Event,
    state: str,
    *,
    reason: str,
    message: str,
) -> None:
    if state not in _STATES or state == SiteState.OFFLINE.value:
        return
    since = _text(event.data, "since") or event.time
    if state == record.state and reason == record.reason and record.since:
        since = record.since
    changes.update(state=state, reason=reason, message=message, since=since)


def _take(changes: dict[str, Any], data: Mapping[str, Any], names: tuple[str, ...]) -> None:
    for name in names:
        if isinstance(data.get(name), str):
            changes[name] = _text(data, name)


def _text(data: Mapping[str, Any], name: str) -> str:
    value = data.get(name)
    return value[:_LONGEST_TEXT] if isinstance(value, str) else ""


def _number(data: Mapping[str, Any], name: str) -> int:
    value = data.get(name)
    return value if type(value) is int and 0 <= value < 1 << 31 else 0


def _texts(value: Any) -> dict[str, str]:
    if not isinstance(value, dict):
        return {}
    return {
        str(name)[:_LONGEST_TEXT]: text[:_LONGEST_TEXT]
        for name, text in list(value.items())[:_LONGEST_LIST]
        if isinstance(text, str)
    }


def _mappings(value: Any) -> tuple[Mapping[str, Any], ...]:
    if not isinstance(value, list):
        return ()
    return tuple(_shallow(item) for item in value[:_LONGEST_LIST] if isinstance(item, dict))


def _shallow(item: Mapping[str, Any]) -> dict[str, Any]:
    return {
        str(name)[:_LONGEST_TEXT]: value[:_LONGEST_TEXT] if isinstance(value, str) else value
        for name, value in list(item.items())[:16]
        if isinstance(value, str | int | bool)
    }


def _first(value: Any) -> str:
    found = _mappings(value)
    return _text(found[0], "message") if found else ""

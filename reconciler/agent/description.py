"""What an agent tells of its site besides what happened: who it is, how it is, what its link carried."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from reconciler import __version__
from reconciler.adapters.sqlite_state import Condition, StateStore, Transaction
from reconciler.agent import report
from reconciler.agent.revision import SiteRevision
from reconciler.model.plan import Health, HealthStatus

__all__ = ["Description", "recall_health", "remember_health", "snapshot"]

_SITE, _HEALTH = "site", "health"
_MOST_LABELS = 64


@dataclass(frozen=True, slots=True)
class Description:
    """What a site is, by the revision that is applied.

    Attributes:
        labels: Its labels.
        platform: Its kind of cluster.
        metered: Whether every byte of its link costs.
    """

    labels: Mapping[str, str] = field(default_factory=dict)
    platform: str = ""
    metered: bool = False

    @classmethod
    def of(cls, revision: SiteRevision) -> Description:
        """Return what a revision declares."""
        labels = revision.manifest.get("labels") or {}
        link = (revision.manifest.get("spec") or {}).get("link") or {}
        return cls(
            labels={str(key): str(value) for key, value in sorted(labels.items())[:_MOST_LABELS]},
            platform=revision.platform,
            metered=link.get("metered") is True,
        )

    @classmethod
    def recall(cls, store: StateStore) -> Description:
        """Return what was kept of the revision that is applied; nothing where none is."""
        text = store.note(_SITE)
        return cls(**json.loads(text)) if text else cls()

    def keep(self, tx: Transaction) -> None:
        """Keep it beside the last good revision, which is too large to be read again and again."""
        kept = {"labels": dict(self.labels), "platform": self.platform, "metered": self.metered}
        tx.set_note(_SITE, json.dumps(kept, sort_keys=True))

    def told(self) -> dict[str, Any]:
        """Return it as an event tells it."""
        return {"labels": dict(self.labels), "platform": self.platform}


def remember_health(tx: Transaction, unhealthy: Mapping[str, Health]) -> None:
    """Keep which objects are not healthy, to know later what has changed."""
    kept = {name: [health.status.value, health.message] for name, health in unhealthy.items()}
    tx.set_note(_HEALTH, json.dumps(kept, sort_keys=True))


def recall_health(store: StateStore) -> dict[str, Health]:
    """Return which objects were not healthy when somebody looked last."""
    text = store.note(_HEALTH)
    kept = json.loads(text) if text else {}
    return {name: Health(HealthStatus(status), message) for name, (status, message) in kept.items()}


def snapshot(
    store: StateStore, *, heartbeat: float, link: Mapping[str, int] | None = None, suspended: bool = False
) -> dict[str, Any]:
    """Return everything that is true of a site now; it always has the same fields.

    Args:
        store: The agent's state.
        heartbeat: Seconds between two heartbeats.
        link: What reports cost so far, in bytes.
        suspended: Whether somebody at the cluster asked that the site be left alone.
    """
    found = store.condition() or Condition("Unknown", "NothingSynced", "no sync yet")
    if suspended:
        found = Condition(
            "Suspended", "SuspendedHere", "the annotation wayside.dev/suspend is set", found.since
        )
    attempt = store.attempt()
    return {
        **report.condition(found),
        **Description.recall(store).told(),
        "applied": store.good_commit(),
        "attempted": attempt.commit if attempt else "",
        "attempt": attempt.phase if attempt else "",
        "faults": sorted(store.faults()),
        "unhealthy": report.sentences(recall_health(store)),
        "heartbeatInterval": heartbeat,
        "link": dict(link or {}),
        "version": __version__,
    }

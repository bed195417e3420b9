"""A night in a fleet of 64 sites, told by agents' own outboxes and delivery to a hub."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from reconciler.adapters.hub_sink import HubSink
from reconciler.adapters.sqlite_state import StateStore
from reconciler.agent.delivery import drain
from reconciler.model.event import EventType
from tests.browser.local_hub import LocalHub, Moment

__all__ = ["EVIL", "FIRST", "NEWEST", "SECOND", "Reporter", "tell"]

FIRST: Final = "4be1c07a9d2f4c3388a1f0e6d7b5a29c10e4f7d3"
SECOND: Final = "a83f5d1e07c94b6f92d8e3a1b4c5f60718293a4b"
NEWEST: Final = "e07d2b94c1a84f5e8f3b6a7c9d0e1f2031425364"
_SUBJECTS: Final = {
    FIRST: "Pin the till to 4.2.0",
    SECOND: "Menu board: two replicas at the larger sites",
    NEWEST: "Till 4.3.1: faster receipts, smaller image",
}
#: What must never become more than text.
EVIL: Final = "<img src=x onerror=\"document.title='owned'\"><script>document.title='owned'</script>"
_TOWNS: Final = {
    "north": ("hamburg", "bremen", "kiel", "rostock"),
    "east": ("berlin", "leipzig", "dresden", "potsdam"),
    "south": ("muenchen", "stuttgart", "augsburg", "ulm"),
    "west": ("koeln", "essen", "aachen", "mainz"),
}
_PLACES: Final = ("bahnhof", "hafen", "markt", "messe")
_HOUR: Final = 3600.0


class Reporter:
    """As much of an agent as reports: its state, its outbox and its sink.

    Args:
        folder: Its state folder.
        hub: Where it reports.
        site: Its name.
        labels: The site's labels.
        heartbeat: Seconds between heartbeats, as it tells the hub.
    """

    def __init__(
        self,
        folder: Path,
        hub: LocalHub,
        *,
        site: str,
        labels: Mapping[str, str] | None = None,
        heartbeat: int = 300,
    ) -> None:
        self.site = site
        self.labels = dict(labels or {})
        self.heartbeat = heartbeat
        self.store = StateStore.open(folder, site=site, clock=hub.clock)
        self._sink = HubSink(hub.url, token_file=str(hub.site_token(site)))
        self.emit(EventType.AGENT_STARTED, version="0.1.0", platform="k3s", applied="")

    def emit(self, type_: EventType, **data: Any) -> None:
        """Put an event into the outbox."""
        with self.store.transaction() as tx:
            tx.emit(type_, data)

    def send(self) -> None:
        """Deliver what waits."""
        drain(self.store, self._sink)

    def beat(self, state: str = "Ready", reason: str = "Applied", message: str = "", **more: Any) -> None:
        """Say how the site is."""
        self.emit(
            EventType.AGENT_HEARTBEAT,
            state=state,
            reason=reason,
            message=message,
            labels=self.labels,
            heartbeatInterval=self.heartbeat,
            **more,
        )

    def plan(self, commit: str, **counts: int) -> None:
        """Say what a sync is about to do."""
        self.emit(
            EventType.SYNC_PLANNED,
            commit=commit,
            subject=_SUBJECTS.get(commit, ""),
            counts={"create": 0, "update": 0, "delete": 0, **counts},
            changes=[{"resource": "Deployment/shop/till", "action": "update"}],
        )

    def apply(self, commit: str, *, resources: int = 9, **counts: int) -> None:
        """Say that a revision was planned and applied."""
        self.plan(commit, **counts)
        self.emit(
            EventType.SYNC_APPLIED,
            commit=commit,
            subject=_SUBJECTS.get(commit, ""),
            counts={"create": 0, "update": 0, "delete": 0, **counts},
            changes=[
                {
                    "resource": "Deployment/shop/till",
                    "action": "update",
                    "fields": [
                        {
                            "path": "spec.template.spec.containers[0].image",
                            "before": "registry.example/till:4.2.0",
                            "after": "registry.example/till:4.3.1",
                        }
                    ],
                }
            ],
            digests={"inputs": "sha256:41c0", "rules": "sha256:99ab", "verdict": "sha256:" + commit[:40]},
            resources=resources,
            state="Ready",
            reason="Applied",
            message="",
        )

    def refuse(self, commit: str, *, rule: str, message: str, location: str, hint: str) -> None:
        """Say that the rules forbid a revision."""
        reason = {
            "rule": rule,
            "message": message,
            "location": location,
            "resource": "Deployment/shop/till",
            "hint": hint,
        }
        self.emit(EventType.SYNC_DENIED, commit=commit, code="denied", count=1, reasons=[reason])


def tell(hub: LocalHub, folder: Path) -> dict[str, Reporter]:
    """Tell the night from ten hours ago until now, and return the agents by site."""
    clock: Moment = hub.clock
    clock.offset = -10 * _HOUR
    sites: dict[str, Reporter] = {}
    for region, towns in _TOWNS.items():
        for town in towns:
            for number, place in enumerate(_PLACES):
                name = f"{town}-{place}"
                ring = "canary" if number == 0 and town in {"berlin", "hamburg"} else "stable"
                labels = {"region": region, "ring": ring, "size": "large" if place == "messe" else "small"}
                sites[name] = Reporter(folder / name, hub, site=name, labels=labels)
                sites[name].apply(FIRST, create=9)
                sites[name].beat(link={"sent": 4200, "received": 900})
                sites[name].send()
    clock.offset = -7 * _HOUR
    for name, site in sites.items():
        site.apply(SECOND, update=2)
        if name == "kiel-hafen":
            site.beat()
        site.send()
    clock.offset = -5.2 * _HOUR
    for name in ("kiel-hafen", "aachen-markt"):
        sites[name].beat(link={"sent": 11_400, "received": 2100})
        sites[name].send()
    clock.offset = -4 * _HOUR
    for name in ("rostock-messe", "rostock-hafen", "rostock-markt", "rostock-bahnhof"):
        sites[name].beat(link={"sent": 9800, "received": 1800})
        sites[name].send()
    _morning(clock, sites)
    return sites


def _morning(clock: Moment, sites: Mapping[str, Reporter]) -> None:
    """Roll the newest revision out, with what goes wrong."""
    silent = {"kiel-hafen", "aachen-markt"} | {name for name in sites if name.startswith("rostock")}
    awake = {name: site for name, site in sites.items() if name not in silent}
    clock.offset = -1.5 * _HOUR
    refusing = ("ulm-bahnhof", "ulm-hafen", "ulm-markt")
    for name in refusing:
        awake[name].refuse(
            NEWEST,
            rule="image-platforms",
            message="till:4.3.1 has no linux/arm/v7 image, and this site's node kasse-1 runs nothing else",
            location="bases/pos/kustomization.yaml:14:5",
            hint="publish the image for linux/arm/v7 too, or keep 4.2.0 here by an overlay",
        )
    for name, site in awake.items():
        if name not in {*refusing, "leipzig-messe", "augsburg-markt"} and not name.startswith(
            ("mainz", "essen")
        ):
            site.apply(NEWEST, update=3)
    awake["leipzig-messe"].plan(NEWEST, update=3)
    awake["leipzig-messe"].emit(
        EventType.SYNC_ROLLED_BACK,
        commit=NEWEST,
        to=SECOND,
        code="unhealthy",
        message="Deployment/shop/till did not become healthy within 5m: 1 of 2 pods crash at start",
        failures=[
            {
                "resource": "Deployment/shop/till",
                "reason": "Failed",
                "message": "container till: exit code 78: config key receipts.mode is unknown",
            }
        ],
    )
    clock.offset = -40 * 60
    awake["dresden-markt"].beat(
        "Degraded",
        "Unhealthy",
        "Deployment/shop/menu-board: 0 of 1 pods are ready",
        unhealthy={"Deployment/shop/menu-board": "0 of 1 pods are ready: the node is short of memory"},
        faults=[],
    )
    awake["koeln-messe"].emit(
        EventType.DRIFT_DETECTED,
        commit=NEWEST,
        changes=[{"resource": "ConfigMap/shop/prices", "action": "update"}],
        state="OutOfSync",
        reason="Drifted",
        message="ConfigMap/shop/prices was changed by hand, and drift is only reported here",
    )
    awake["bremen-messe"].emit(EventType.SITE_SUSPENDED, commit=NEWEST)
    awake["augsburg-markt"].emit(
        EventType.SYNC_HELD,
        commit=NEWEST,
        code="prune-guarded",
        holds=[
            {
                "code": "prune-guarded",
                "message": "this would delete PersistentVolumeClaim/shop/receipts",
                "hint": "name it under spec.sync.confirmDeletes if that is meant",
            }
        ],
    )
    clock.offset = -60.0
    for name, site in awake.items():
        if name.startswith("mainz"):
            site.plan(NEWEST, update=3)
            site.emit(
                EventType.AGENT_HEARTBEAT, state="Progressing", reason="Applying", message="2 of 3 changed"
            )
        elif name not in {"dresden-markt", "koeln-messe", "bremen-messe", "augsburg-markt", "leipzig-messe"}:
            if name not in refusing:
                site.beat(link={"sent": 18_900 + len(name) * 137, "received": 3300})
            else:
                site.emit(EventType.AGENT_HEARTBEAT, labels=site.labels, heartbeatInterval=300)
    for site in awake.values():
        site.send()
    clock.offset = 0.0

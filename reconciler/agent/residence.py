"""What an agent keeps up in its cluster besides the site's objects: its lease, status, Events and facts.

Nothing of it may keep a site from syncing but the lease: where it cannot be written, that is said and tried
again.
"""

from __future__ import annotations

import random
import threading
import time
from collections import deque
from collections.abc import Callable, Collection, Mapping
from typing import Any

from reconciler.adapters.sqlite_state import Attempt, Condition, StateStore
from reconciler.agent.description import Description
from reconciler.agent.logs import Log
from reconciler.agent.revision import SiteRevision
from reconciler.agent.site_status import site_status
from reconciler.errors import StateError, TargetError, TargetRefused, TargetUnreachable
from reconciler.model.event import EventType
from reconciler.model.plan import Inventory
from reconciler.model.resource import ResourceId
from reconciler.planning.facts import DeclaredFacts, differences
from reconciler.ports.clock import Clock
from reconciler.ports.presence import MemberWatch, Presence, Wishes

__all__ = ["Residence"]

#: Seconds between two renewals of the lease, and after which one that is not renewed does not count any more:
#: before anybody else may take it.
_RENEWAL, _LEASE_LIFE = 60.0, 150.0
#: Seconds between two looks at the cluster's facts.
_FACTS_INTERVAL = 3600.0
_PATIENCE_AT_THE_END = 0.8
_MOST_EVENTS = 20
_HANDLED, _FACTS, _RETIRED = "handled-request", "facts", "retired-names"

#: What is told as an Event: reason and whether it is a warning.
_TOLD: Mapping[EventType, tuple[str, bool]] = {
    EventType.SYNC_APPLIED: ("Applied", False),
    EventType.SYNC_FAILED: ("Failed", True),
    EventType.SYNC_DENIED: ("Denied", True),
    EventType.SYNC_HELD: ("Held", True),
    EventType.SYNC_ROLLED_BACK: ("RolledBack", True),
    EventType.SITE_SUSPENDED: ("Suspended", False),
    EventType.SOURCE_FAILED: ("SourceFailed", True),
    EventType.SOURCE_RESTORED: ("SourceRestored", False),
    EventType.DRIFT_DETECTED: ("DriftDetected", True),
    EventType.DRIFT_CORRECTED: ("DriftCorrected", False),
    EventType.DRIFT_CONTESTED: ("DriftContested", True),
    EventType.FACTS_DIFFER: ("FactsDiffer", True),
}


class Residence:
    """One agent's life in its cluster.

    Args:
        presence: The cluster.
        holder: Who the agent is, for its lease: the same after a restart on the same state folder.
        clock: The time.
        log: Where it is said.
        nudge: Is called from another thread when people at the cluster ask for something.
        bent: Is called from other threads when somebody may have changed what was applied.
        rng: For spread.
    """

    def __init__(
        self,
        presence: Presence,
        *,
        holder: str,
        clock: Clock,
        log: Log,
        nudge: Callable[[], None],
        bent: Callable[[], None],
        rng: random.Random,
    ) -> None:
        self._presence = presence
        self._holder = holder
        self._clock = clock
        self._log = log
        self._nudge = nudge
        self._bent = bent
        self._rng = rng
        self._stopped = threading.Event()
        self._renewed = -_LEASE_LIFE
        self._other = ""
        self._ends: list[Callable[[], None]] = []
        self._untold: deque[tuple[str, str, bool]] = deque(maxlen=_MOST_EVENTS)
        self._facts_due = 0.0
        self._differences: tuple[str, ...] | None = None
        self._facts_since = ""
        self._unread: tuple[str, ...] = ()
        self._counted: tuple[bytes | None, Inventory] = (None, Inventory())
        self._watch: MemberWatch | None = None
        self._not_retired: set[str] = set()
        self.wishes = Wishes()
        self.good_is_kept = False

    def start(self) -> None:
        """Begin to renew the lease and to watch for wishes, in threads, unless they run already."""
        if self._ends:
            return
        thread = threading.Thread(target=self._keep_lease, name="lease", daemon=True)
        thread.start()
        self._ends.append(self._presence.follow_wishes(self._nudge))
        self._watch = self._presence.watch_members(self._bent, self._watch_refused)
        self._ends.append(self._watch.stop)

    def watch(self, store: StateStore) -> None:
        """Watch what was applied by now."""
        if self._watch is None:
            return
        try:
            self._watch.update(self._inventory(store))
        except TargetError as err:
            self._log.warning("what was applied cannot be watched", code=err.code, reason=err.message)

    def drifted(self, store: StateStore) -> frozenset[ResourceId]:
        """Return the objects that a watch saw changed or deleted by somebody else."""
        return frozenset() if self._watch is None else self._watch.drifted(self._inventory(store))

    def watches_all(self, store: StateStore) -> bool:
        """Tell whether everything that was applied is watched, so that full looks may be rare."""
        return self._watch is not None and self._watch.covers(self._inventory(store))

    def take_lively(self) -> bool:
        """Tell whether the state of a workload has changed since this was last asked."""
        return self._watch is not None and self._watch.take_lively()

    def _watch_refused(self, reason: str) -> None:
        self._log.warning("a kind cannot be watched", reason=reason)

    def _inventory(self, store: StateStore) -> Inventory:
        """Return the inventory; it is parsed again only where it has changed."""
        content = store.inventory()
        if content != self._counted[0]:
            self._counted = (content, Inventory.from_json(content) if content else Inventory())
        return self._counted[1]

    def stop(self) -> None:
        """End, and let the next agent begin at once."""
        self._stopped.set()
        for end in self._ends:
            end()
        if self._other == "" and self._clock.monotonic() - self._renewed < _LEASE_LIFE:
            farewell = threading.Thread(target=self._give_up, name="farewell", daemon=True)
            farewell.start()
            farewell.join(_PATIENCE_AT_THE_END)

    def _give_up(self) -> None:
        try:
            self._presence.give_up(self._holder)
        except TargetError as err:
            self._log.warning("the lease is not released", code=err.code, reason=err.message)

    def claim(self) -> None:
        """Make sure that this agent is the site's only one.

        Raises:
            TargetUnreachable: Another one is, or nobody knows. Nothing at the site may be changed.
        """
        if self._clock.monotonic() - self._renewed >= _RENEWAL:
            self._renew()
        self.check()

    def check(self) -> None:
        """Raise where this agent is not, or not any more, the site's only one; costs no request.

        Raises:
            TargetUnreachable: It is not.
        """
        if self._other:
            raise TargetUnreachable(
                f"another agent holds the lease of this site: {self._other}",
                code="lease-held",
                hint="stop one of the two; one that has died is waited for at most 3 minutes",
            )
        if self._clock.monotonic() - self._renewed >= _LEASE_LIFE:
            raise TargetUnreachable("the lease of this site could not be renewed in time", code="lease-lost")

    def look(self, store: StateStore) -> bool:
        """Read what people ask for, and tell whether a sync is asked for that was not before."""
        try:
            self.wishes = self._presence.wishes()
        except TargetError as err:
            self._log.warning("the site's object cannot be read", code=err.code, reason=err.message)
            return False
        wanted = self.wishes.requested_at
        if not wanted or wanted == store.note(_HANDLED):
            return False
        with store.transaction() as tx:
            tx.set_note(_HANDLED, wanted)
        self._log.info("a sync was asked for", requestedAt=wanted)
        return True

    def hear(self, type_: EventType, data: Mapping[str, Any]) -> None:
        """Take note of an event, to be told in the cluster with the next report."""
        if type_ in _TOLD:
            reason, warning = _TOLD[type_]
            self._untold.append((reason, _sentence(type_, data), warning))

    def compare_facts(self, store: StateStore, revision: SiteRevision | None) -> None:
        """Compare what the site declares with what the cluster is, now and then."""
        if revision is None or self._clock.monotonic() < self._facts_due:
            return
        declared = _declared(revision)
        if declared is None:
            return
        try:
            live = self._presence.facts()
        except TargetError as err:
            self._log.warning("the cluster's facts cannot be read", code=err.code, reason=err.message)
            self._facts_due = self._clock.monotonic() + 300.0
            return
        self._facts_due = self._clock.monotonic() + _FACTS_INTERVAL * self._rng.uniform(0.9, 1.1)
        if live.unread:
            self._log.warning("facts cannot be compared: no right to list them", facts=", ".join(live.unread))
        self._unread = live.unread
        found = differences(declared, live)
        self._differences = found
        told = "; ".join(found)
        since, _, before = store.note(_FACTS).partition(" ")
        if not since or before != told:
            since = self._clock.now().strftime("%Y-%m-%dT%H:%M:%SZ")
            with store.transaction() as tx:
                tx.set_note(_FACTS, f"{since} {told}")
                if found:
                    tx.emit(EventType.FACTS_DIFFER, {"count": len(found), "differences": list(found[:50])})
            for text in found[:10]:
                self._log.warning("the site is not what site.yaml says", difference=text)
        self._facts_since = since

    def recheck_facts(self) -> None:
        """Have the facts compared with the next report: what is declared may have changed."""
        self._facts_due = 0.0

    def keep_good(self, content: bytes) -> None:
        """Store the last good revision at the cluster too; to be called again where that failed."""
        try:
            if not self._presence.keep_good(content):
                self._log.warning("the last good revision is too large for a Secret; only the disk has it")
            self.good_is_kept = True
        except TargetError as err:
            self._log.warning(
                "the last good revision is not kept in a Secret", code=err.code, reason=err.message
            )

    def restore(self, store: StateStore, site: str) -> SiteRevision | None:
        """Take up the last good revision from the cluster, after the state was lost.

        Raises:
            TargetError: It cannot be read.
        """
        content = self._presence.recall_good()
        if content is None:
            return None
        try:
            revision = SiteRevision.from_bytes(content)
        except StateError as err:
            self._log.failure("the revision in the Secret cannot be used", reason=err.message)
            return None
        if revision.site != site:
            return None
        with store.transaction() as tx:
            tx.set_good(revision.commit, content)
            tx.set_attempt(Attempt(revision.commit, "applied"))
            Description.of(revision).keep(tx)
            tx.set_condition(
                Condition("Unknown", "Restored", "the state was lost; restored from the cluster")
            )
        self._log.info("last good revision restored from the cluster", commit=revision.commit)
        return revision

    def retire(self, store: StateStore, former: Collection[str]) -> None:
        """Remove what agents of the site's former names left, once each, when they are gone."""
        done = set(store.note(_RETIRED).split())
        for name in sorted({*former} - done - self._not_retired):
            try:
                if not self._presence.retire(name):
                    self._log.warning("an agent of the site's former name still runs", name=name)
                    continue
            except TargetRefused as err:
                self._not_retired.add(name)
                self._log.warning(
                    "what the site's former name left stays", name=name, reason=err.message, hint=err.hint
                )
            except TargetError as err:
                self._log.warning("what the site's former name left stays", name=name, reason=err.message)
            else:
                done.add(name)
                self._log.info("the site's former name is retired", name=name)
                with store.transaction() as tx:
                    tx.set_note(_RETIRED, " ".join(sorted(done)))

    def report(self, store: StateStore, revision: SiteRevision | None) -> None:
        """Write status and Events, as far as they have changed."""
        if self._other:
            return
        try:
            status = site_status(
                store,
                objects=len(self._inventory(store).entries),
                suspended=self.wishes.suspended,
                handled=store.note(_HANDLED),
                differences=self._differences,
                facts_since=self._facts_since,
                unread=self._unread,
            )
            manifest = {} if revision is None else revision.manifest
            labels = {str(key): str(value) for key, value in (manifest.get("labels") or {}).items()}
            self._presence.publish(manifest.get("spec"), labels, status)
            while self._untold:
                reason, message, warning = self._untold[0]
                self._presence.tell(reason, message, warning=warning)
                self._untold.popleft()
        except (TargetError, StateError, ValueError) as err:
            self._log.warning("the site's status cannot be written", reason=str(err)[:300])

    def _keep_lease(self) -> None:
        while not self._stopped.wait(self._pause()):
            try:
                self._renew()
            except TargetError as err:
                self._log.warning("the lease cannot be renewed", code=err.code, reason=err.message)

    def _pause(self) -> float:
        # A lease that somebody else has is looked at more often: they may give it up.
        return 20.0 if self._other else _RENEWAL

    def _renew(self) -> None:
        began = time.monotonic()
        other = self._presence.claim(self._holder)
        if other != self._other:
            if other:
                self._log.failure("another agent holds the lease of this site", holder=other)
            self._other = other
            self._nudge()
        if not other:
            # What counts is when it was asked for, not when the answer came.
            self._renewed = self._clock.monotonic() - (time.monotonic() - began)


def _declared(revision: SiteRevision) -> DeclaredFacts | None:
    manifest = revision.manifest
    if not manifest.get("spec"):
        return None  # stored by a version that did not keep it
    return DeclaredFacts.of(manifest["spec"])


def _sentence(type_: EventType, data: Mapping[str, Any]) -> str:
    """Return what an event says, for people."""
    commit = str(data.get("commit") or "")[:12]
    match type_:
        case EventType.SYNC_APPLIED:
            counts = ", ".join(f"{number} {action}" for action, number in data["counts"].items() if number)
            return f"applied {commit} ({counts or 'nothing to change'})"
        case EventType.SYNC_DENIED:
            first = (data.get("reasons") or [{}])[0]
            return f"refused {commit}: {first.get('message', '')} ({data.get('count', 1)} reasons)"
        case EventType.SYNC_HELD:
            first = (data.get("holds") or [{}])[0]
            return f"held {commit}: {first.get('message', '')}. {first.get('hint', '')}".rstrip(". ")
        case EventType.SYNC_ROLLED_BACK:
            return f"{commit} failed, back to {str(data.get('to'))[:12]}: {data.get('message', '')}"
        case EventType.DRIFT_DETECTED:
            names = ", ".join(str(row["resource"]) for row in (data.get("changes") or ())[:5])
            return f"changed by somebody else: {names}"
        case EventType.FACTS_DIFFER:
            return "; ".join(data.get("differences") or ())
        case _:
            return str(data.get("message") or commit or type_.value)

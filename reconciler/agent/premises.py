"""The place that an agent looks after, as it has it open: target, lease, and what is shown there."""

from __future__ import annotations

import dataclasses
import random
import secrets
from collections.abc import Callable, Mapping
from typing import Any

from reconciler.adapters.sqlite_state import StateStore
from reconciler.agent.custom_health import CustomHealth
from reconciler.agent.logs import Log
from reconciler.agent.residence import Residence
from reconciler.agent.revision import SiteRevision
from reconciler.agent.settings import AgentSettings
from reconciler.agent.targets import open_presence, open_target_for, set_custom_health
from reconciler.agent.vitals import Vitals
from reconciler.errors import TargetUnreachable
from reconciler.model.event import EventType
from reconciler.model.health_check import HealthCheck
from reconciler.model.resource import ResourceId
from reconciler.model.site import Target as TargetFacts
from reconciler.model.site import TargetType
from reconciler.ports.clock import Clock
from reconciler.ports.target import Target

__all__ = ["Premises"]


class Premises:
    """One site's target, opened when it is first needed, with the agent's residence where it is a cluster.

    Args:
        settings: How the agent was started.
        clock: The time.
        log: Where it is said what happens.
        rng: For jitter.
        vitals: Is told how to count the cluster's answers.
        state: Gives the site's state.
        wished: Is called from another thread when people at the cluster ask for something.
        bent: Is called from other threads when somebody may have changed what was applied.
    """

    def __init__(
        self,
        settings: AgentSettings,
        *,
        clock: Clock,
        log: Log,
        rng: random.Random,
        vitals: Vitals,
        state: Callable[[], StateStore],
        wished: Callable[[], None],
        bent: Callable[[], None],
    ) -> None:
        self._settings = settings
        self._clock = clock
        self._log = log
        self._rng = rng
        self._vitals = vitals
        self._state = state
        self._wished = wished
        self._bent = bent
        self._target: tuple[object, Target] | None = None
        self._residence: Residence | None = None
        self._health_checks: tuple[HealthCheck, ...] = ()
        self._health = CustomHealth(())
        self._shown: tuple[str, SiteRevision | None] = ("", None)

    def close(self) -> None:
        """End what runs, and give up the lease."""
        self.release_health()
        self._leave()

    def _leave(self) -> None:
        if self._residence is not None:
            self._residence.stop()
            self._residence = None

    def open(self, revision: SiteRevision) -> Target:
        """Return the target of a revision, with the lease of its site where it is a cluster.

        Raises:
            TargetUnreachable: Another agent has the lease, or people at the cluster suspended the site.
            UsageError: Neither the agent's start nor the revision says where the target is.
        """
        facts = self._settings.target or revision.target
        target = self._open(facts, revision.platform, revision.former_sites)
        if revision.health != self._health_checks:
            self.release_health()
            self._health_checks = revision.health
            self._health = CustomHealth(revision.health)
        set_custom_health(target, self._health.assess if revision.health else None)
        return target

    def _open(self, facts: TargetFacts, platform: str, former_sites: tuple[str, ...]) -> Target:
        # A cluster is the same whatever its platform is called.
        key = (facts, platform if facts.type is TargetType.DIRECTORY else "", former_sites)
        fresh = self._target is None or self._target[0] != key
        if self._target is None or fresh:
            self._leave()
            target = open_target_for(
                facts, site=self._settings.site, platform=platform, former_sites=former_sites
            )
            self._target = (key, target)
            presence = open_presence(target)
            if presence is not None:
                self._residence = Residence(
                    presence,
                    holder=self._holder(),
                    clock=self._clock,
                    log=self._log,
                    nudge=self._wished,
                    bent=self._bent,
                    rng=self._rng,
                )
                self._vitals.answers = presence.answers
        if self._residence is not None:
            self._residence.claim()
            if fresh:
                self._residence.look(self._state())
            if not self._settings.once:
                self._residence.start()
            if self.is_suspended:
                raise TargetUnreachable(
                    "the site is suspended by the annotation wayside.dev/suspend", code="suspended-here"
                )
        return self._target[1]

    def _holder(self) -> str:
        """Return who this agent is: the same for as long as its state lives, wherever it runs."""
        store = self._state()
        if not store.note("agent"):
            with store.transaction() as tx:
                tx.set_note("agent", secrets.token_hex(8))
        return f"{self._settings.site}-{store.note('agent')}"

    def release_health(self) -> None:
        """Give back the memory of what judges health."""
        self._health.close()

    def attend(self) -> bool:
        """Look for what people at the cluster ask for, and tell whether that is a sync that was not before.

        Before anything is known of a cluster there is nobody who could ask. After the loss of the state,
        the last good revision is taken up from the cluster.

        Raises:
            TargetError: The cluster cannot be asked.
            StateError: The last good revision cannot be used.
            UsageError: Nothing says where the target is.
        """
        store = self._state()
        good = store.good()
        facts = self._settings.target
        if self._residence is None and good is not None:
            self.open(SiteRevision.from_bytes(good.content))
        elif self._residence is None and facts is not None and facts.type is not TargetType.DIRECTORY:
            self._open(facts, "", ())
        if self._residence is None:
            return False
        if good is None:
            self._residence.restore(store, self._settings.site)
        return self._residence.look(store)

    @property
    def is_suspended(self) -> bool:
        """Whether people at the cluster want the site left alone."""
        return self._residence is not None and self._residence.wishes.suspended

    def check(self) -> None:
        """Raise where this agent is not the site's only one any more; costs no request.

        Raises:
            TargetUnreachable: It is not.
        """
        if self._residence is not None:
            self._residence.check()

    @property
    def is_watched(self) -> bool:
        """Whether everything that was applied is watched, so that full looks may be rare."""
        return self._residence is not None and self._residence.watches_all(self._state())

    def drifted(self) -> frozenset[ResourceId]:
        """Return the objects that a watch saw changed or deleted by somebody else."""
        return frozenset() if self._residence is None else self._residence.drifted(self._state())

    def take_lively(self) -> bool:
        """Tell whether the state of a workload has changed since this was last asked."""
        return self._residence is not None and self._residence.take_lively()

    def hear(self, type_: EventType, data: Mapping[str, Any]) -> None:
        """Take note of an event, to be told in the cluster with the next report."""
        if self._residence is not None:
            self._residence.hear(type_, data)

    def report(self) -> None:
        """Say in the cluster how the site is, and watch what was applied by now."""
        if self._residence is None:
            return
        store = self._state()
        if store.good_commit() != self._shown[0]:
            good = store.good()
            # Without its objects, it is all that people at the cluster are shown.
            shown = None if good is None else SiteRevision.from_bytes(good.content)
            self._shown = (
                store.good_commit(),
                None if shown is None else dataclasses.replace(shown, resources=()),
            )
            self._residence.recheck_facts()
            self._residence.good_is_kept = False
        if not self._residence.good_is_kept and (good := store.good()) is not None:
            self._residence.keep_good(good.content)
        self._residence.watch(store)
        self._residence.compare_facts(store, self._shown[1])
        self._residence.report(store, self._shown[1])
        if self._shown[1] is not None and self._shown[1].former_sites:
            self._residence.retire(store, self._shown[1].former_sites)

"""What an agent is to the people at its cluster: status, events, wishes, and the claim to be the only one."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from reconciler.model.facts import LiveFacts
from reconciler.model.plan import Inventory
from reconciler.model.resource import ResourceId

__all__ = ["MemberWatch", "Presence", "Wishes"]


@dataclass(frozen=True, slots=True)
class Wishes:
    """What people at the cluster ask of the agent, by annotations on the site's object.

    Attributes:
        suspended: Whether the site is to be left alone (`wayside.dev/suspend`).
        requested_at: The newest `reconcile.wayside.dev/requestedAt`, any text, or "".
        generation: The generation of the object's spec.
    """

    suspended: bool = False
    requested_at: str = ""
    generation: int = 0


class MemberWatch(Protocol):
    """Watches the objects of an inventory. `update` and `drifted` are called by one thread."""

    def update(self, inventory: Inventory) -> None:
        """Watch the kinds of an inventory, and no others.

        Raises:
            TargetError: It cannot be begun.
        """

    def drifted(self, inventory: Inventory) -> frozenset[ResourceId]:
        """Return the objects that are not what was applied last; costs no request."""

    def covers(self, inventory: Inventory) -> bool:
        """Tell whether every object of an inventory is watched now."""

    def take_lively(self) -> bool:
        """Tell whether the state of a workload has changed since this was last asked."""

    def stop(self) -> None:
        """End all watches."""


class Presence(Protocol):
    """One site's object in its cluster, and what belongs to it. Used by one thread, but for the lease."""

    def wishes(self) -> Wishes:
        """Return what is asked of the agent now.

        Raises:
            TargetError: It cannot be read.
        """

    def publish(
        self, spec: Mapping[str, Any] | None, labels: Mapping[str, str], status: Mapping[str, Any]
    ) -> None:
        """Write the site's facts and status; no request where they are written already.

        Args:
            spec: The site's facts; None leaves them as they are, and makes no object for the status alone.
            labels: The site's labels.
            status: Conditions and all else, without the generation that it is about.

        Raises:
            TargetError: They cannot be written.
        """

    def tell(self, reason: str, message: str, *, warning: bool) -> None:
        """Write an Event about the site.

        Raises:
            TargetError: It cannot be written.
        """

    def retire(self, former: str) -> bool:
        """Remove what an agent left that looked after this site under a former name.

        Its object, its lease and its last good revision are meant, nothing that it applied.

        Returns:
            False while such an agent lives; nothing is removed then.

        Raises:
            TargetError: It cannot be removed.
        """

    def facts(self) -> LiveFacts:
        """Return what the cluster really is.

        Raises:
            TargetError: It cannot be asked.
        """

    def keep_good(self, content: bytes) -> bool:
        """Store the last good revision for the loss of the agent's disk, and tell whether it fits.

        Raises:
            TargetError: It cannot be written.
        """

    def recall_good(self) -> bytes | None:
        """Return the stored revision, or None.

        Raises:
            TargetError: It cannot be read.
        """

    def answers(self) -> Mapping[tuple[str, int], int]:
        """Return how many answers there were from the cluster, by method and HTTP status."""

    def claim(self, holder: str) -> str:
        """Take or renew the lease of the site, and return "" or who else holds it.

        Raises:
            TargetError: It cannot be asked.
        """

    def give_up(self, holder: str) -> None:
        """Release the lease, so that the next agent need not wait."""

    def watch_members(self, changed: Callable[[], None], refused: Callable[[str], None]) -> MemberWatch:
        """Return a watch of what was applied, which follows nothing yet; callbacks come from threads."""

    def follow_wishes(self, changed: Callable[[], None]) -> Callable[[], None]:
        """Call `changed` from another thread whenever the site's object changes; return what ends it."""

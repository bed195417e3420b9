"""The agent among the people of its cluster: the `Site` object, Events, and the Lease."""

from __future__ import annotations

import datetime
import secrets
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from reconciler import __version__
from reconciler.adapters.kube.client import KubeClient
from reconciler.adapters.kube.discovery import ApiKind, Discovery
from reconciler.adapters.kube.following import Collection, Follower
from reconciler.adapters.kube.good_secret import GoodSecret
from reconciler.adapters.kube.lease import SiteLease
from reconciler.adapters.kube.live_facts import read_facts
from reconciler.adapters.kube.member_watch import MemberWatch
from reconciler.adapters.kube.site_crd import SITE_VERSION
from reconciler.adapters.kube.site_object import SiteObject
from reconciler.errors import TargetRefused
from reconciler.model.facts import LiveFacts
from reconciler.planning.applyset import SITE_GROUP, SITE_KIND, applyset_id
from reconciler.ports.presence import Wishes

__all__ = ["KubePresence"]

_SITES = ApiKind(f"{SITE_GROUP}/{SITE_VERSION}", "sites", namespaced=True)
_EVENTS = ApiKind("v1", "events", namespaced=True)
_SUSPEND = "wayside.dev/suspend"
_REQUESTED = "reconcile.wayside.dev/requestedAt"
#: The API server takes no longer message in an Event.
_LONGEST_MESSAGE = 1024


class KubePresence:
    """One site's presence in its cluster.

    Args:
        client: How to ask.
        discovery: Knows the kinds.
        site_object: The site's object, shared with the target, so that nothing is written twice.
        site: The site's name.
        namespace: The agent's namespace.
    """

    def __init__(
        self,
        client: KubeClient,
        discovery: Discovery,
        site_object: SiteObject,
        site: str,
        namespace: str,
    ) -> None:
        self._client = client
        self._discovery = discovery
        self._object = site_object
        self._site = site
        self._namespace = namespace
        self._good = GoodSecret(client, _secret(site), namespace)
        self._lease = SiteLease(client, _lease(site), namespace)
        self._former: dict[str, SiteLease] = {}

    def wishes(self) -> Wishes:
        """Return what the annotations of the `Site` object ask for."""
        live = self._object.read()
        metadata = (live or {}).get("metadata") or {}
        annotations = metadata.get("annotations") or {}
        return Wishes(
            suspended=str(annotations.get(_SUSPEND, "")).lower() in ("true", "enabled"),
            requested_at=str(annotations.get(_REQUESTED, "")),
            generation=int(metadata.get("generation") or 0),
        )

    def publish(
        self, spec: Mapping[str, Any] | None, labels: Mapping[str, str], status: Mapping[str, Any]
    ) -> None:
        """Write facts and status into the `Site` object."""
        if spec is not None:
            self._object.publish(spec, labels)
        elif not self._object.uid:
            return
        generation = self._object.generation
        settled = [
            {**condition, "observedGeneration": generation} for condition in status.get("conditions") or ()
        ]
        self._object.publish_status({**status, "observedGeneration": generation, "conditions": settled})

    def tell(self, reason: str, message: str, *, warning: bool) -> None:
        """Write one Event; the agent reports each thing once, so none is counted up."""
        now = datetime.datetime.now(datetime.UTC)
        moment = now.strftime("%Y-%m-%dT%H:%M:%SZ")
        body = {
            "apiVersion": "v1",
            "kind": "Event",
            "metadata": {"name": f"{self._site}.{secrets.token_hex(8)}", "namespace": self._namespace},
            "involvedObject": {
                "apiVersion": _SITES.api_version,
                "kind": SITE_KIND,
                "name": self._site,
                "namespace": self._namespace,
                "uid": self._object.uid,
            },
            "reason": reason,
            "message": message[:_LONGEST_MESSAGE],
            "type": "Warning" if warning else "Normal",
            "source": {"component": "wayside"},
            "reportingComponent": f"wayside.dev/agent-{__version__}"[:128],
            "reportingInstance": self._site[:128],
            "firstTimestamp": moment,
            "lastTimestamp": moment,
            "count": 1,
        }
        self._client.request("POST", _EVENTS.path(self._namespace), body=body)

    def facts(self) -> LiveFacts:
        """Ask the cluster what it is."""
        return read_facts(self._client)

    def keep_good(self, content: bytes) -> bool:
        """Store the last good revision in a Secret, and tell whether it fits."""
        return self._good.keep(content)

    def recall_good(self) -> bytes | None:
        """Return the revision that the Secret holds."""
        return self._good.recall()

    def answers(self) -> Mapping[tuple[str, int], int]:
        """Return how many answers there were, by method and HTTP status."""
        return dict(self._client.answers)

    def claim(self, holder: str) -> str:
        """Take or renew the site's Lease; makes the agent's namespace where there is none."""
        try:
            return self._lease.claim(holder)
        except TargetRefused as err:
            if err.status != 404:
                raise
        self._object.ensure_installed()
        return self._lease.claim(holder)

    def give_up(self, holder: str) -> None:
        """Release the site's Lease."""
        self._lease.give_up(holder)

    def retire(self, former: str) -> bool:
        """Remove object, lease and last good revision of a former name, unless an agent of it lives."""
        lease = self._former.setdefault(former, SiteLease(self._client, _lease(former), self._namespace))
        if not lease.is_free():
            return False
        GoodSecret(self._client, _secret(former), self._namespace).remove()
        SiteObject(self._client, self._discovery, former, self._namespace).remove()
        lease.remove()
        del self._former[former]
        return True

    def watch_members(self, changed: Callable[[], None], refused: Callable[[str], None]) -> MemberWatch:
        """Return a watch of the members of the site's set."""
        return MemberWatch(
            self._client,
            self._discovery,
            applyset_id(self._site, self._namespace),
            changed=changed,
            refused=refused,
        )

    def follow_wishes(self, changed: Callable[[], None]) -> Callable[[], None]:
        """Watch the `Site` object; its own status is not a wish, so only annotations count."""
        seen: dict[str, str] = {}

        def look(annotations: Mapping[str, str]) -> None:
            wished = {key: annotations.get(key, "") for key in (_SUSPEND, _REQUESTED)}
            if wished != seen:
                seen.clear()
                seen.update(wished)
                changed()

        def of(item: Mapping[str, Any]) -> Mapping[str, str]:
            return (item.get("metadata") or {}).get("annotations") or {}

        def look_at_all(items: Sequence[Mapping[str, Any]]) -> None:
            for item in items:
                look(of(item))

        follower = Follower(
            self._client,
            Collection(
                _SITES.path(self._namespace),
                {"fieldSelector": f"metadata.name={self._site}"},
                metadata_only=True,
            ),
            on_list=look_at_all,
            on_change=lambda kind, item: look({} if kind == "DELETED" else of(item)),
        )
        follower.start()
        return follower.stop


def _lease(site: str) -> str:
    return f"wayside-{site}"


def _secret(site: str) -> str:
    return f"wayside-good-{site}"

"""A Lease in the cluster that keeps two agents of one site apart.

Whether another agent still lives is told by whether its lease changes while we look, and not by the times
in it: clocks at a site may be years off.
"""

from __future__ import annotations

import datetime
import time
from collections.abc import Callable
from typing import Any

from reconciler.adapters.kube.client import KubeClient
from reconciler.adapters.kube.discovery import ApiKind
from reconciler.errors import TargetRefused

__all__ = ["DURATION", "SiteLease"]

#: Seconds for which a lease counts after it was last renewed.
DURATION = 180
_LEASES = ApiKind("coordination.k8s.io/v1", "leases", namespaced=True)


class SiteLease:
    """One site's lease.

    Args:
        client: How to ask.
        name: The name of the Lease object.
        namespace: Where it is.
    """

    def __init__(
        self,
        client: KubeClient,
        name: str,
        namespace: str,
        *,
        monotonic: Callable[[], float] = time.monotonic,
        now: Callable[[], datetime.datetime] = lambda: datetime.datetime.now(datetime.UTC),
    ) -> None:
        self._client = client
        self._name = name
        self._namespace = namespace
        self._monotonic = monotonic
        self._now = now
        self._live: dict[str, Any] | None = None
        self._seen: tuple[str, float] = ("", 0.0)

    def claim(self, holder: str) -> str:
        """Take or renew the lease, in one request where it is ours, and return "" or who else holds it.

        Raises:
            TargetError: It cannot be asked.
        """
        if self._live is not None and _holder(self._live) == holder:
            try:
                self._write(holder, self._live)
            except TargetRefused as err:
                if err.status not in (404, 409):
                    raise
                self._live = None
            else:
                return ""
        return self._take(holder)

    def give_up(self, holder: str) -> None:
        """Release the lease where it is ours.

        Raises:
            TargetError: It cannot be written.
        """
        if self._live is not None and _holder(self._live) == holder:
            self._write("", self._live)
            self._live = None

    def is_free(self) -> bool:
        """Tell whether nobody holds the lease; one that is not renewed is waited for, as `claim` does.

        Raises:
            TargetError: It cannot be asked.
        """
        try:
            live: dict[str, Any] = self._client.request("GET", _LEASES.path(self._namespace, self._name))
        except TargetRefused as err:
            if err.status != 404:
                raise
            return True
        return not _holder(live) or self._is_over(live)

    def remove(self) -> None:
        """Delete the lease; one that is not there is no error.

        Raises:
            TargetError: It cannot be deleted.
        """
        self._client.remove(_LEASES.path(self._namespace, self._name))

    def _take(self, holder: str) -> str:
        path = _LEASES.path(self._namespace, self._name)
        try:
            live: dict[str, Any] = self._client.request("GET", path)
        except TargetRefused as err:
            if err.status != 404:
                raise
            body = {"metadata": {"name": self._name, "namespace": self._namespace}}
            try:
                self._write(holder, body, new=True)
            except TargetRefused as second:
                if second.status != 409:
                    raise
                return "another agent that has just begun"
            return ""
        other = _holder(live)
        if other not in ("", holder) and not self._is_over(live):
            return other
        try:
            self._write(holder, live)
        except TargetRefused as err:
            if err.status != 409:
                raise
            return "another agent that has just begun"
        return ""

    def _is_over(self, live: dict[str, Any]) -> bool:
        """Tell whether a lease of somebody else has not been renewed for as long as it counts."""
        version = str(live["metadata"].get("resourceVersion"))
        if self._seen[0] != version:
            self._seen = (version, self._monotonic())
        duration = int((live.get("spec") or {}).get("leaseDurationSeconds") or DURATION)
        return self._monotonic() - self._seen[1] >= duration

    def _write(self, holder: str, live: dict[str, Any], *, new: bool = False) -> None:
        before = live.get("spec") or {}
        now = self._now().strftime("%Y-%m-%dT%H:%M:%S.%fZ")
        changed = before.get("holderIdentity") != holder
        spec = {
            "holderIdentity": holder,
            "leaseDurationSeconds": DURATION,
            "acquireTime": now if changed else before.get("acquireTime", now),
            "renewTime": now,
            "leaseTransitions": int(before.get("leaseTransitions") or 0) + (1 if changed and before else 0),
        }
        body = {**live, "apiVersion": _LEASES.api_version, "kind": "Lease", "spec": spec}
        path = _LEASES.path(self._namespace, "" if new else self._name)
        self._live = self._client.request("POST" if new else "PUT", path, body=body)


def _holder(live: dict[str, Any]) -> str:
    return str((live.get("spec") or {}).get("holderIdentity") or "")

"""ApplySet membership (KEP-3659): which objects belong to which site.

The parent of a site's set is the `Site` object of its name in the agent's namespace. Every member carries the
parent's id in a label, so `kubectl get -l` finds them and `kubectl apply --prune` keeps its hands off them.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterable

from reconciler.model.resource import Manifest, Resource, ResourceId

__all__ = [
    "AGENT_NAMESPACE",
    "FIELD_MANAGER",
    "PART_OF",
    "SITE_GROUP",
    "SITE_KIND",
    "applyset_id",
    "group_kinds",
    "namespaces",
    "with_label",
]

#: Where the agent and the parents of the sets live.
AGENT_NAMESPACE = "wayside-system"
#: The name under which the API server records what the agent applied.
FIELD_MANAGER = "wayside"
#: The label of a member; its value is the parent's id.
PART_OF = "applyset.kubernetes.io/part-of"
SITE_GROUP = "wayside.dev"
SITE_KIND = "Site"


def applyset_id(site: str, namespace: str = AGENT_NAMESPACE) -> str:
    """Return the id of a site's set, by the formula of KEP-3659."""
    subject = f"{site}.{namespace}.{SITE_KIND}.{SITE_GROUP}"
    digest = base64.urlsafe_b64encode(hashlib.sha256(subject.encode()).digest()).rstrip(b"=")
    return f"applyset-{digest.decode()}-v1"


def with_label(resource: Resource, owner: str) -> Resource:
    """Return the object as a member of the set `owner`."""
    labels = resource.labels
    if labels.get(PART_OF) == owner:
        return resource
    manifest = dict(resource.manifest)
    metadata = dict(manifest.get("metadata") or {})
    metadata["labels"] = {**labels, PART_OF: owner}
    manifest["metadata"] = metadata
    return resource.of(manifest)


def part_of(manifest: Manifest) -> str:
    """Return the set that an object is a member of, or ""."""
    return str(((manifest.get("metadata") or {}).get("labels") or {}).get(PART_OF) or "")


def group_kinds(ids: Iterable[ResourceId]) -> str:
    """Return the value of the annotation `contains-group-kinds`: sorted `Kind.group`, without repeats."""
    return ",".join(sorted({f"{id_.kind}.{id_.group}" if id_.group else id_.kind for id_ in ids}))


def namespaces(ids: Iterable[ResourceId], parent: str = AGENT_NAMESPACE) -> str:
    """Return the value of the annotation `additional-namespaces`: all but the parent's own, sorted."""
    return ",".join(sorted({id_.namespace for id_ in ids} - {"", parent}))

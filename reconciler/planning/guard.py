"""The prune guard: deletions that nobody should make by mistake hold the whole sync."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Sequence

from reconciler.model.plan import Hold
from reconciler.model.resource import ResourceId

__all__ = ["confirmation", "guard", "guarded"]

#: Kinds whose deletion takes data or other objects along.
_GUARDED = frozenset(
    {
        ("", "Namespace"),
        ("", "PersistentVolumeClaim"),
        ("apiextensions.k8s.io", "CustomResourceDefinition"),
    }
)
#: A name as kustomize's generators make it: the suffix is ten characters of a hash.
_HASHED = re.compile(r"^(?P<stem>.+)-[2456789bcdfghkmt]{10}$")
#: Fewer deletions than this are never called a wipe-out, unless they are all there is.
_FEW = 5


def confirmation(id_: ResourceId) -> str:
    """Return what `spec.sync.confirmDeletes` must hold to let an object be deleted."""
    return f"{id_.kind}/{id_.namespace}/{id_.name}" if id_.namespace else f"{id_.kind}/{id_.name}"


def guarded(id_: ResourceId) -> bool:
    """Tell whether the deletion of an object takes data or other objects along."""
    return (id_.group, id_.kind) in _GUARDED


def guard(
    deletions: Sequence[ResourceId],
    *,
    size: int,
    desired: Collection[ResourceId],
    confirmed: Iterable[str],
) -> tuple[Hold, ...]:
    """Return the holds on a set of deletions.

    Args:
        deletions: What would be deleted.
        size: How many objects the site has now.
        desired: What the site is to have.
        confirmed: The entries of `spec.sync.confirmDeletes`.
    """
    allowed = frozenset(confirmed)
    held = [id_ for id_ in deletions if not {confirmation(id_), str(id_)} & allowed]
    holds = []
    precious = tuple(id_ for id_ in held if guarded(id_))
    if precious:
        message = f"this revision would delete {_names(precious)}, and what depends on them"
        holds.append(Hold("prune-guarded", message, _hint(precious), precious))
    replaced = {(id_.group, id_.kind, id_.namespace, stem) for id_ in desired if (stem := _stem(id_.name))}
    counted = [
        id_ for id_ in deletions if (id_.group, id_.kind, id_.namespace, _stem(id_.name)) not in replaced
    ]
    rest = tuple(id_ for id_ in held if id_ in set(counted))
    if not rest:
        return tuple(holds)
    if len(counted) >= _FEW and 2 * len(counted) > size:
        message = f"this revision would delete {len(counted)} of {size} objects, more than half of the site"
        holds.append(Hold("prune-too-much", message, _hint(rest), rest))
    elif not desired:
        message = f"this revision holds nothing for the site: all {size} objects would be deleted"
        hint = f"{_hint(rest)}; to remove the site for good set spec.sync.decommission: true"
        holds.append(Hold("prune-too-much", message, hint, rest))
    return tuple(holds)


def _stem(name: str) -> str:
    match = _HASHED.match(name)
    return match["stem"] if match else ""


def _names(ids: Sequence[ResourceId]) -> str:
    shown = ", ".join(str(id_) for id_ in ids[:5])
    return shown if len(ids) <= 5 else f"{shown} and {len(ids) - 5} more"


def _hint(ids: Sequence[ResourceId]) -> str:
    entries = ", ".join(confirmation(id_) for id_ in ids)
    return f"if that is meant, write spec.sync.confirmDeletes: [{entries}]"

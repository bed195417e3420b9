"""What a change does to the rendered objects of sites, as values."""

from __future__ import annotations

import enum
from dataclasses import dataclass, replace
from typing import Any

from reconciler.model.resource import ResourceId

__all__ = [
    "Action",
    "FieldChange",
    "FleetDifference",
    "Footprint",
    "ResourceChange",
    "Risk",
    "SiteDifference",
    "SiteStatus",
]


class Action(enum.Enum):
    """What happens to an object."""

    CREATE = "create"
    UPDATE = "update"
    DELETE = "delete"


class Risk(enum.Enum):
    """What a change to an object does beside changing it."""

    DELETES_DATA = "deletes data"
    RECREATES = "must be deleted and made anew"
    RESTARTS = "restarts pods"


@dataclass(frozen=True, slots=True)
class FieldChange:
    """One field that differs.

    Attributes:
        path: As text; elements of a list that have a name are named: `spec.containers[pos].image`.
        before: The value, or None where there was none.
        after: The value, or None where there is none any more.
        added: Whether there was no such field.
        removed: Whether there is no such field any more.
    """

    path: str
    before: Any
    after: Any
    added: bool = False
    removed: bool = False


@dataclass(frozen=True, slots=True)
class ResourceChange:
    """What happens to one object. Values of Secrets are masked in it.

    Attributes:
        id: The object, after the change where it is still there.
        action: Created, updated or deleted.
        fields: What differs, for an update; for a new object its images.
        risks: What that means for a site that runs it: the kind of risk, and why.
        renamed_from: Its name before, where only the hash at the name's end differs.
        stem: That name without its hash, or "".
        kept: Whether a deleted object stays at the site, because it says so.
        digest: Tells changes apart that look the same because values are masked or left out.
    """

    id: ResourceId
    action: Action
    fields: tuple[FieldChange, ...] = ()
    risks: tuple[tuple[Risk, str], ...] = ()
    renamed_from: str = ""
    stem: str = ""
    kept: bool = False
    digest: str = ""


class SiteStatus(enum.Enum):
    """What happens to a site."""

    ADDED = "added"
    REMOVED = "removed"
    RENAMED = "renamed"
    CHANGED = "changed"
    BROKEN = "broken"


@dataclass(frozen=True, slots=True)
class Footprint:
    """What a site's objects need.

    Attributes:
        memory: Bytes that all pods request.
        download: Bytes of images that were not there before, compressed; for the state before it is 0.
        unknown: Images of which nobody knows the size.
    """

    memory: int = 0
    download: int = 0
    unknown: int = 0


@dataclass(frozen=True, slots=True)
class SiteDifference:
    """What a change does to one site.

    Attributes:
        name: The site, after the change.
        status: What happens to it.
        changes: Its objects that differ, in a fixed order.
        before: What it needed.
        after: What it needs.
        renamed_from: Its name before, for a renamed site.
        problem: Why it cannot be compared, for a broken one.
    """

    name: str
    status: SiteStatus
    changes: tuple[ResourceChange, ...] = ()
    before: Footprint = Footprint()
    after: Footprint = Footprint()
    renamed_from: str = ""
    problem: str = ""


@dataclass(frozen=True, slots=True)
class FleetDifference:
    """What a change does to a fleet.

    Attributes:
        base: The commit that it is compared with.
        revision: The commit with the change, or "" for the files as they are.
        sites: Sites that differ, by name.
        unchanged: How many sites do not differ.
    """

    base: str
    revision: str
    sites: tuple[SiteDifference, ...]
    unchanged: int = 0

    def groups(self) -> tuple[tuple[tuple[ResourceChange, ...], tuple[SiteDifference, ...]], ...]:
        """Return identical changes with all sites that they happen to, the most sites first."""
        found: dict[tuple[object, ...], list[SiteDifference]] = {}
        for site in self.sites:
            if site.status is not SiteStatus.BROKEN:
                key = (
                    site.status,
                    *((replace(c.id, name=c.stem or c.id.name), c.action, c.digest) for c in site.changes),
                )
                found.setdefault(key, []).append(site)
        ordered = sorted(found.values(), key=lambda sites: (-len(sites), sites[0].name))
        return tuple((sites[0].changes, tuple(sites)) for sites in ordered)

"""An auto-deploy folder of k3s or k0s as a target.

Both read manifests from a folder and apply them by themselves. What they do with what is gone differs:

- k3s makes an Addon of each file, named by the file up to its first dot. Deleting a file deletes nothing. But
  when a file changes, what the Addon had applied and the file does not hold any more is deleted. So a file
  stays for good, and one whose objects are all gone holds a comment only. It skips hidden files.
- k0s makes a stack of each subfolder and reads its `*.yaml`, hidden ones too. Objects that are in no file any
  more are deleted, so empty files are removed. The stack's name is a label, so it has at most 63 characters.

An object that moved from one file to another would be deleted by one Addon while the other makes it. So which
file an object stands in depends on its identity alone: there is one file for each kind in each namespace.

Nobody tells from here whether anything was applied: health is Unknown, and there is no dry-run.
"""

from __future__ import annotations

import enum
import hashlib
import re
import time
from collections.abc import Collection, Iterable, Iterator, Mapping
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path
from types import MappingProxyType
from typing import Any

from reconciler.adapters import manifest_file
from reconciler.errors import TargetRefused, TargetUnreachable, UsageError
from reconciler.model.plan import Health, HealthStatus, Inventory, InventoryEntry, Observed
from reconciler.model.resource import Manifest, Resource, ResourceId
from reconciler.planning.applyset import applyset_id, part_of
from reconciler.planning.ordering import kind_rank
from reconciler.planning.scope import defined_scopes

__all__ = ["DirectoryTarget"]

_HEADING = "Written by Wayside for the site {site}. Changes made here are overwritten."
_UNSAFE = re.compile(r"[^a-z0-9-]+")
#: Longest name of a stack (a label's value) and of an Addon (shorter than it may be, to be readable).
_LONGEST = 63
#: Seconds after which a temporary file is nobody's any more.
_ABANDONED = 60.0


class _Flavor(enum.Enum):
    """Whose folder it is."""

    K3S = "k3s"
    K0S = "k0s"


_FLAVORS = {"k3s": _Flavor.K3S, "rke2": _Flavor.K3S, "k0s": _Flavor.K0S}


class DirectoryTarget:
    """One site's folder of manifests.

    Args:
        directory: For k3s the folder that it watches, such as `/var/lib/rancher/k3s/server/manifests`; for
            k0s the folder of its stacks, such as `/var/lib/k0s/manifests`.
        site: The site's name.
        platform: The site's platform, which says whose rules hold: `k3s`, `rke2` (the same) or `k0s`.
        former_sites: Names that the site had before; it must know them for as long as files carry one.

    Raises:
        UsageError: The platform has no such folder.
    """

    def __init__(
        self, directory: Path | str, site: str, *, platform: str, former_sites: Collection[str] = ()
    ) -> None:
        flavor = _FLAVORS.get(platform)
        if flavor is None:
            raise UsageError(
                f"expected platform k3s, rke2 or k0s for a target of type directory, found {platform!r}",
                code="bad-target",
                hint="set spec.target.type to kubeconfig or in-cluster, or correct spec.platform",
            )
        self._site = site
        self._flavor = flavor
        self._root = Path(directory)
        self._names = (site, *former_sites)
        self._owners = frozenset(applyset_id(name) for name in self._names)

    @property
    def parallel(self) -> int:
        """One file after the other."""
        return 1

    def observe(self, resources: Iterable[Resource], known: Inventory, *, newest: bool = False) -> Observed:
        """Return what stands in the site's files."""
        del known, newest  # the files are what is there
        objects: dict[ResourceId, Manifest] = {}
        with self._reachable():
            stored = self._read_inventory()
            for place in sorted(self._folder.glob(f"{self._prefix}-*.yaml")):
                for manifest in self._load(place):
                    # The name of another site may begin with this one's.
                    if part_of(manifest) in self._owners:
                        objects[Resource(manifest).id] = manifest
        entries = {
            id_: stored.get(id_) or InventoryEntry(id_, str(manifest.get("apiVersion")), digest="")
            for id_, manifest in objects.items()
        }
        return Observed(
            objects=MappingProxyType(objects),
            inventory=Inventory(MappingProxyType(entries)),
            scopes=MappingProxyType(defined_scopes([*resources, *map(Resource, objects.values())])),
        )

    def dry_run(self, resource: Resource, *, force: bool) -> Manifest | None:
        """Return None: nobody can tell what the cluster would say."""
        del resource, force
        return None

    def apply(self, resource: Resource, *, force: bool) -> Manifest:
        """Write one object into its file."""
        del force
        with self._reachable():
            manifests = self._content(resource.id)
            manifests[resource.id] = resource.manifest
            self._write(resource.id, manifests)
        return resource.manifest

    def read(self, id: ResourceId, api_version: str) -> Manifest | None:  # noqa: A002 - the field's word
        """Return one object as it stands in its file."""
        del api_version
        with self._reachable():
            return self._content(id).get(id)

    def delete(self, id: ResourceId, api_version: str, *, uid: str = "") -> None:  # noqa: A002 - the field's word
        """Take one object out of its file; k3s or k0s deletes it then."""
        del api_version, uid
        with self._reachable():
            manifests = self._content(id)
            if manifests.pop(id, None) is not None:
                self._write(id, manifests)

    def assess(self, live: Manifest | None) -> Health:
        """Return Unknown for what stands in a file: whether it was applied cannot be seen from here."""
        if live is None:
            return Health(HealthStatus.NOT_FOUND, "it is in no file")
        return Health(HealthStatus.UNKNOWN, f"{self._flavor.value} applies it and does not say how it went")

    def diagnose(self, live: Manifest) -> str:
        """Return nothing: a folder does not tell."""
        del live
        return ""

    def save_inventory(self, inventory: Inventory) -> None:
        """Write the inventory into a hidden file beside the manifests."""
        with self._reachable():
            self._folder.mkdir(parents=self._flavor is _Flavor.K0S, exist_ok=True)
            old = time.time() - _ABANDONED
            for left in self._folder.glob(f".{self._prefix}*.tmp"):
                if left.stat().st_mtime < old:  # of an agent that was killed while it wrote
                    left.unlink(missing_ok=True)
            manifest_file.write(self._inventory, inventory.to_json().encode() + b"\n")

    def describe(self) -> Mapping[str, Any]:
        """Return type and place of the folder."""
        return {"type": "directory", "place": str(self._root), "version": self._flavor.value}

    def file_of(self, id_: ResourceId) -> Path:
        """Return the file that an object stands in; its name sorts by the order of application."""
        rank = "0" if id_.kind == "CustomResourceDefinition" else "1" if id_.kind == "Namespace" else "2"
        if kind_rank(id_.kind) > 0:
            rank = "3"
        kind = f"{id_.kind}-{id_.group}" if id_.group else id_.kind
        # The namespace stands last, behind its own mark, so that no two pairs make the same name.
        return self._folder / f"{_name(self._prefix, rank, kind, 'in', id_.namespace or 'cluster')}.yaml"

    @cached_property
    def _prefix(self) -> str:
        """What names of the site's files begin with.

        A site that was renamed goes on with the files of its former name: in new ones its objects would be
        others for k3s and k0s, which would delete and make them again.
        """
        names = [_name("wayside", name) for name in self._names]
        known = (name for name in names if self._inventory_of(name).exists())
        return next(known, names[0])

    @property
    def _folder(self) -> Path:
        return self._folder_of(self._prefix)

    @property
    def _inventory(self) -> Path:
        return self._inventory_of(self._prefix)

    def _folder_of(self, prefix: str) -> Path:
        return self._root if self._flavor is _Flavor.K3S else self._root / prefix

    def _inventory_of(self, prefix: str) -> Path:
        return self._folder_of(prefix) / f".{prefix}.inventory"

    def _content(self, id_: ResourceId) -> dict[ResourceId, Manifest]:
        """Return the objects of a file, which must be this site's own."""
        place = self.file_of(id_)
        manifests = self._load(place)
        if any(part_of(manifest) not in self._owners for manifest in manifests):
            raise TargetRefused(
                f"expected objects of the site {self._site} in {place}, found others",
                code="file-changed",
                hint="move the file away; the next sync writes it anew",
            )
        return {Resource(manifest).id: manifest for manifest in manifests}

    def _load(self, place: Path) -> list[dict[str, Any]]:
        try:
            return manifest_file.decode(place.read_bytes(), place)
        except FileNotFoundError:
            return []

    def _write(self, id_: ResourceId, manifests: Mapping[ResourceId, Manifest]) -> None:
        place = self.file_of(id_)
        if not manifests and self._flavor is _Flavor.K0S:
            manifest_file.remove(place)
            return
        self._folder.mkdir(parents=self._flavor is _Flavor.K0S, exist_ok=True)
        ordered = [manifests[key] for key in sorted(manifests)]
        heading = _HEADING.format(site=self._site)
        manifest_file.write(place, manifest_file.encode(ordered, heading=heading))

    def _read_inventory(self) -> Mapping[ResourceId, InventoryEntry]:
        try:
            return Inventory.from_json(self._inventory.read_bytes()).entries
        except FileNotFoundError:
            return {}
        except ValueError:
            # It is a copy: the files themselves say what is there.
            return {}

    @contextmanager
    def _reachable(self) -> Iterator[None]:
        """Turn what the file system says into the words of a target."""
        try:
            if not self._root.is_dir():
                raise TargetUnreachable(
                    f"expected the folder {self._root}, found none",
                    code="target-unreachable",
                    hint="is k3s or k0s installed, and is the folder mounted?",
                )
            yield
        except OSError as err:
            raise TargetUnreachable(
                f"the folder {self._root} cannot be used: {err.strerror}: {err.filename}",
                code="target-unreachable",
                hint="the agent needs to read and write the folder, and room on its disk",
            ) from err


def _name(*parts: str) -> str:
    """Return a name that k3s and k0s take, unique for its parts, at most 63 characters long."""
    exact = "-".join(parts)
    readable = _UNSAFE.sub("-", exact.lower()).strip("-")
    if readable == exact.lower() and len(readable) <= _LONGEST:
        return readable
    digest = hashlib.sha256("\0".join(parts).encode()).hexdigest()[:8]
    return f"{readable[: _LONGEST - 9].rstrip('-')}-{digest}"

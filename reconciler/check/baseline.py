"""What a change is compared with: the merge base, read only as far as the change reaches."""

from __future__ import annotations

import datetime
from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase
from functools import cached_property
from typing import Any, Literal

from reconciler.check.reach import reached_places
from reconciler.documents import yaml
from reconciler.documents.change import TreeChange
from reconciler.documents.tree import FileTree, TreeError
from reconciler.errors import InputError
from reconciler.fleet.loading import FLEET_PATH, Choice, FleetLoad, load_fleet
from reconciler.images.fields import image_fields
from reconciler.model.finding import Finding
from reconciler.model.fleet import Fleet
from reconciler.model.image import ImageReference, ImageReferenceError
from reconciler.model.lock import ImagesLock, LockedImage
from reconciler.model.resource import Resource
from reconciler.model.site import Site
from reconciler.pipeline.desired import Desired, build_desired
from reconciler.pipeline.evaluate import Evaluation, evaluate_site
from reconciler.pipeline.rulebook import Rulebook
from reconciler.pipeline.schemas import SchemaBook
from reconciler.pipeline.weakening import RuleState, allowances, weakenings
from reconciler.render import Renderer

__all__ = ["Base", "Baseline", "choose_sites", "decides_everywhere", "marked"]

_LOCK = "images.lock"
#: Folders whose files decide about every site.
_EVERYWHERE = ("trust", "evidence")


@dataclass(frozen=True, slots=True)
class Base:
    """The revision that a change is compared with.

    Attributes:
        tree: Its files.
        change: What differs between them and the tree that is checked.
    """

    tree: FileTree
    change: TreeChange


def choose_sites(tree: FileTree, change: TreeChange) -> Choice:
    """Return what chooses, from the paths of all site files, those that a change may reach.

    Args:
        tree: The files after the change.
        change: What differs.
    """

    def choose(paths: tuple[str, ...], spec: Mapping[str, Any]) -> Collection[str]:
        if not change.exact or decides_everywhere(change.paths, spec):
            return paths
        reached = reached_places(tree, change)
        chosen = {path for path in paths if path in change.paths or reached(path.rpartition("/")[0])}
        return chosen | _namesakes(tree, change.paths & chosen, paths)

    return choose


def decides_everywhere(changed: Iterable[str], spec: Mapping[str, Any]) -> bool:
    """Tell whether something differs that all sites share beside bases: then every site file is read.

    Args:
        changed: Paths that differ.
        spec: The spec of `fleet.yaml`.
    """
    folders = (*_EVERYWHERE, *spec.get("policies", ("policies",)), *spec.get("schemas", ("schemas",)))
    patterns = spec.get("classes", ["classes/*.yaml"])
    return any(
        path in (FLEET_PATH, _LOCK)
        or _is_below(path, folders)
        or any(fnmatchcase(path, pattern) for pattern in patterns)
        for path in changed
    )


def _is_below(path: str, folders: Iterable[str]) -> bool:
    return any(path == folder or path.startswith(f"{folder}/") for folder in folders)


def _namesakes(tree: FileTree, changed: Collection[str], paths: Sequence[str]) -> set[str]:
    """Return the site files that may have the name of a changed one: a name must be unique in the fleet."""
    names: set[bytes] = set()
    for path in changed:
        try:
            values = [document.value for document in yaml.load(tree.read(path), path)]
        except (TreeError, InputError):
            continue
        metadata = [value.get("metadata") for value in values if isinstance(value, dict)]
        names.update(str(each.get("name")).encode() for each in metadata if isinstance(each, dict))
    if not names:
        return set()
    found = set()
    for path in paths:
        try:
            text = tree.read(path)
        except TreeError:
            continue
        if b"\\" in text or any(name in text for name in names):
            found.add(path)
    return found


class Baseline:
    """The base, as far as it is needed to tell what a change does.

    Args:
        base: The base and what differs.
        load: What was read of the fleet after the change.
        rulebook: Its rules; the base's own are compiled only where they differ.
        schemas: Its schemas.
        engine: The CEL engine.
        at: The time by which waivers expire, the same for both.
    """

    def __init__(
        self,
        base: Base,
        *,
        load: FleetLoad,
        fleet: Fleet,
        rulebook: Rulebook,
        schemas: SchemaBook,
        engine: Literal["native", "pure"],
        at: datetime.datetime,
    ) -> None:
        self.tree = base.tree
        self.change = base.change
        self._engine: Literal["native", "pure"] = engine
        self._at = at
        wanted = {*(site.at.path for site in fleet.sites.values()), *(broken.path for broken in load.broken)}
        # A site file that does not differ says the same in the base, unless defaults or classes differ.
        patterns = (fleet.manifest.get("spec") or {}).get("classes", ["classes/*.yaml"])
        kept: dict[str, Site] = {}
        if base.change.exact and not any(
            path == FLEET_PATH or any(fnmatchcase(path, pattern) for pattern in patterns)
            for path in base.change.paths
        ):
            kept = {name: s for name, s in fleet.sites.items() if s.at.path not in base.change.paths}
        wanted -= {site.at.path for site in kept.values()}
        read = load_fleet(base.tree, choose=lambda paths, _: wanted.intersection(paths))
        if read.fleet is not None and kept:
            read = replace(read, fleet=replace(read.fleet, sites={**kept, **read.fleet.sites}))
        self.load = read
        self._head = fleet
        self._head_rulebook = rulebook
        self._head_schemas = schemas

    @cached_property
    def rules_differ(self) -> bool:
        """Whether the fleet's settings, rules, schemas or trust differ, which decides about every site."""
        before = self.load.fleet
        if before is None or before.manifest != self._head.manifest:
            return True
        folders = (*_EVERYWHERE, *self._head.policy_paths, *self._head.schema_paths)
        return any(_is_below(path, folders) for path in self.change.paths)

    @cached_property
    def _relocked(self) -> frozenset[str]:
        """Names of the images that `images.lock` says something else of."""
        if _LOCK not in self.change.paths:
            return frozenset()
        before, after = _entries(self.rulebook.lock), _entries(self._head_rulebook.lock)
        return frozenset(key[0] for key in before.keys() | after.keys() if before.get(key) != after.get(key))

    @cached_property
    def rulebook(self) -> Rulebook:
        """The rules of the base."""
        fleet = self.load.fleet
        if fleet is None:
            return self._head_rulebook
        versions = {site.kubernetes_version for site in fleet.sites.values()}
        known = {site.kubernetes_version for site in self._head.sites.values()}
        if not self.rules_differ and _LOCK not in self.change.paths and versions <= known:
            return self._head_rulebook
        return Rulebook.compile(fleet=fleet, tree=self.tree, engine=self._engine)

    @cached_property
    def _schemas(self) -> SchemaBook:
        fleet = self.load.fleet
        if fleet is None or not self.rules_differ:
            return self._head_schemas
        return SchemaBook.load(fleet=fleet, tree=self.tree)

    def site(self, site: Site) -> Site | None:
        """Return a site as it is in the base, or None where it is not there, or is broken there."""
        return self.load.fleet.sites.get(site.name) if self.load.fleet is not None else None

    def renderer(self, after: Renderer) -> Renderer:
        """Return a renderer of the base that keeps what is the same after the change."""
        return after.at(self.tree, self.change.paths if self.change.exact else None)

    def is_touched(self, site: Site, *, after: Renderer, before: Renderer) -> bool:
        """Tell whether anything that decides about a site differs.

        Args:
            site: The site after the change.
            after: Renders the tree after the change; the site was built with it.
            before: What `renderer` returned, made after that.
        """
        earlier = self.site(site)
        if self.rules_differ or earlier is None or earlier.manifest != site.manifest:
            return True
        if earlier.directory != site.directory or not before.is_built(site.directory):
            return True
        if not self._relocked:
            return False
        # Images of kinds that the fleet has named itself are not looked for: they count as used.
        own_kinds = "workloads" in (self._head.manifest.get("spec") or {})
        return own_kinds or _uses(after.build(site.directory), self._relocked)

    def evaluate(self, site: Site, before: Renderer) -> Evaluation | None:
        """Judge a site as it is in the base, or return None where it is not there."""
        earlier = self.site(site)
        if earlier is None:
            return None
        return evaluate_site(
            site=earlier,
            tree=self.tree,
            renderer=before,
            rulebook=self.rulebook,
            schemas=self._schemas,
            at=self._at,
        )

    def desired(self, site: Site, before: Renderer) -> Desired | None:
        """Return what is at a site in the base; None where it is not there, or cannot be built."""
        earlier = self.site(site)
        if earlier is None:
            return None
        try:
            return build_desired(site=earlier, renderer=before, pinner=self.rulebook.pinner)
        except (InputError, TreeError):
            return None

    def installed(self, site: Site, before: Renderer) -> frozenset[str]:
        """Return the image layers that a site has in the base: none where it is not there."""
        desired = self.desired(site, before)
        return self.rulebook.layers(desired) if desired is not None else frozenset()

    def weakenings(self, tree: FileTree) -> list[Finding]:
        """List what the change takes from rules and trust; all of it is new.

        Args:
            tree: The files after the change.
        """
        before = self.load.fleet
        if before is None:
            return []  # a base that is no fleet had nothing that could be weakened
        found = allowances(self.tree, before, tree, self._head)
        if self.rules_differ:
            found += weakenings(
                RuleState(self.tree, before, self.rulebook.pack.policies, self.rulebook.documents),
                RuleState(tree, self._head, self._head_rulebook.pack.policies, self._head_rulebook.documents),
            )
        return [replace(finding, new=True) for finding in found]

    def mark(self, findings: Iterable[Finding]) -> list[Finding]:
        """Mark findings about the fleet itself as new or not."""
        findings = list(findings)
        if not findings:
            return []
        return marked(findings, [*self.load.findings, *self.rulebook.findings, *self._schemas.findings])


def marked(findings: Iterable[Finding], earlier: Iterable[Finding]) -> list[Finding]:
    """Mark findings as new where the earlier ones do not have them, each as often as it was there."""
    known = Counter(finding.fingerprint for finding in earlier)
    result = []
    for finding in findings:
        is_known = known[finding.fingerprint] > 0
        known[finding.fingerprint] -= is_known
        result.append(replace(finding, new=not is_known))
    return result


def _entries(lock: ImagesLock | None) -> dict[tuple[str, str], LockedImage]:
    """Return what a lock says, without the lines on which it says so."""
    return {key: replace(image, at=None) for key, image in lock.images.items()} if lock is not None else {}


def _uses(resources: Iterable[Resource], names: Collection[str]) -> bool:
    """Tell whether objects have images of some names."""
    for resource in resources:
        for _, text in image_fields(resource):
            try:
                reference = ImageReference.parse(text)
            except ImageReferenceError:
                continue
            if reference.name in names or reference.normalized_name in names:
                return True
    return False

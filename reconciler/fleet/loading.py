"""Reading a whole fleet: every site that can be read, and every mistake that was made."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

from reconciler.documents.tree import EntryType, FileTree, TreeError
from reconciler.documents.yaml import Positions, load
from reconciler.errors import DocumentError, FleetError
from reconciler.fleet.explain import document_finding, explain, finding, schema_finding
from reconciler.fleet.glob import expand
from reconciler.fleet.images import build_images
from reconciler.fleet.published import compiled
from reconciler.fleet.settings import build_rules
from reconciler.fleet.site import build_site, merge
from reconciler.fleet.trust import build_trust
from reconciler.model.fieldpath import FieldPath
from reconciler.model.finding import Finding
from reconciler.model.fleet import Fleet, RuleSettings
from reconciler.model.health_check import HealthCheck
from reconciler.model.location import Location
from reconciler.model.registry import ImageSettings
from reconciler.model.site import Site, TargetType
from reconciler.model.trust import Trust

__all__ = ["FLEET_PATH", "BrokenSite", "Choice", "FleetLoad", "load_fleet", "parse_site"]

FLEET_PATH = "fleet.yaml"
#: A site file of more bytes is refused: it is read for every site at every check.
MAX_SITE_BYTES = 1024 * 1024

_CONTENT = re.compile(rb"^ *(?!---|\.\.\.)[^\s#]", re.MULTILINE)
_FLEET, _SITE = "fleet-schema", "site-schema"
_REQUIRED = ("platform", "kubernetesVersion", "nodes")


@dataclass(frozen=True, slots=True)
class BrokenSite:
    """A site that is there but cannot be used. It is not a site that was removed.

    Attributes:
        name: Its name, or that of its directory where the name cannot be read.
        path: Its site file.
        directory: Its overlay's directory.
    """

    name: str
    path: str
    directory: str


@dataclass(frozen=True, slots=True)
class FleetLoad:
    """What was read of a fleet.

    Attributes:
        fleet: The fleet with every site that is right; None where `fleet.yaml` itself is wrong or missing.
        findings: Everything that is wrong, in order of place.
        broken: Sites that are there but wrong.
        classes: SiteClass name to the place of its document.
        site_paths: Every site file that there is, read or not.
    """

    fleet: Fleet | None
    findings: tuple[Finding, ...]
    broken: tuple[BrokenSite, ...] = ()
    classes: Mapping[str, Location] = field(default_factory=lambda: MappingProxyType({}))
    site_paths: tuple[str, ...] = ()


#: Given the paths of all site files, and the spec of `fleet.yaml`, returns the site files to read.
Choice = Callable[[tuple[str, ...], Mapping[str, Any]], Collection[str]]


def load_fleet(tree: FileTree, *, choose: Choice | None = None) -> FleetLoad:
    """Read `fleet.yaml`, all classes and all sites of a tree. Never raises for what people wrote.

    Args:
        tree: The fleet's files.
        choose: Says which site files are read; None reads all.
    """
    return _Loader(tree, choose).load()


def parse_site(value: Mapping[str, Any], path: str) -> Site:
    """Return the site of a single Site document, without a class; `apiVersion` and `kind` may be left out.

    Args:
        value: The document: metadata and spec.
        path: Where it comes from, for messages.

    Raises:
        FleetError: It does not fit the schema; says the first thing that is wrong.
    """
    manifest = {"apiVersion": "wayside.dev/v1alpha1", "kind": "Site", **value}
    problems = compiled("site").problems(manifest)
    missing = [name for name in _REQUIRED if name not in (manifest.get("spec") or {})]
    if problems:
        message, hint = explain(problems[0])
        raise FleetError(message, at=Location(path), code=_SITE, hint=hint)
    if missing:
        message = f"expected the field spec.{missing[0]}, found none"
        raise FleetError(message, at=Location(path), code=_SITE)
    return build_site(manifest, at=Location(path), directory=path.rpartition("/")[0])


@dataclass(frozen=True, slots=True)
class _Part:
    """One document that fits its schema."""

    value: dict[str, Any]
    path: str
    index: int
    data: bytes

    @property
    def name(self) -> str:
        return str(self.value["metadata"]["name"])

    @property
    def spec(self) -> dict[str, Any]:
        return self.value.get("spec") or {}

    @property
    def at(self) -> Location:
        if self.index == 0:  # for thousands of sites: the first line that is not blank, a comment or `---`
            first = _CONTENT.search(self.data)
            if first is not None:
                line = self.data.count(b"\n", 0, first.start()) + 1
                return Location(self.path, line, first.end() - first.start())
        return self.locate(())

    def locate(self, path: FieldPath) -> Location:
        return Positions(self.data, self.path).locate(path, index=self.index)


def _name_of(value: Any) -> str:
    metadata = value.get("metadata") if isinstance(value, dict) else None
    name = metadata.get("name") if isinstance(metadata, dict) else None
    return name if isinstance(name, str) else ""


class _Loader:
    def __init__(self, tree: FileTree, choose: Choice | None = None) -> None:
        self._tree = tree
        self._choose = choose
        self._site_paths: tuple[str, ...] = ()
        self._findings: list[Finding] = []
        self._broken: list[BrokenSite] = []
        self._wrong_classes: set[str] = set()

    def load(self) -> FleetLoad:
        settings = self._settings()
        spec = settings.spec if settings is not None else {}
        rules = RuleSettings()
        if settings is not None and "rules" in spec:
            positions = Positions(settings.data, FLEET_PATH)
            rules, found = build_rules(spec["rules"], positions, index=settings.index)
            self._findings += found
            if found:
                settings = None
        images = ImageSettings()
        if settings is not None and "images" in spec:
            positions = Positions(settings.data, FLEET_PATH)
            images, found = build_images(spec["images"], positions, tree=self._tree, index=settings.index)
            self._findings += found
            if found:
                settings = None
        trust = Trust()
        if settings is not None:
            positions = Positions(settings.data, FLEET_PATH)
            trust, found = build_trust(
                spec.get("trust", {}), positions, tree=self._tree, index=settings.index
            )
            self._findings += found
            if found:
                settings = None
        classes = self._classes(spec.get("classes", ["classes/*.yaml"]))
        sites = self._sites(spec, classes)
        fleet = None
        if settings is not None:
            fleet = Fleet(
                name=settings.name,
                at=settings.at,
                sites={name: sites[name] for name in sorted(sites)},
                manifest=settings.value,
                rules=rules,
                requires=(spec.get("requires") or {}).get("wayside", ""),
                health=tuple(
                    HealthCheck(
                        group=check.get("group", ""),
                        kind=check["kind"],
                        current=check["current"],
                        in_progress=check.get("inProgress", ""),
                        failed=check.get("failed", ""),
                    )
                    for check in spec.get("healthChecks", ())
                ),
                policy_paths=tuple(spec.get("policies", ("policies",))),
                schema_paths=tuple(spec.get("schemas", ("schemas",))),
                trust=trust,
                images=images,
            )
        return FleetLoad(
            fleet=fleet,
            findings=tuple(sorted(self._findings, key=lambda each: each.order)),
            broken=tuple(sorted(self._broken, key=lambda each: (each.name, each.path))),
            classes={name: part.at for name, part in classes.items()},
            site_paths=self._site_paths,
        )

    def _settings(self) -> _Part | None:
        try:
            kind = self._tree.entry_type(FLEET_PATH)
        except TreeError as err:
            self._findings.append(document_finding(_FLEET, err, FLEET_PATH))
            return None
        if kind is not EntryType.FILE:
            self._add(
                _FLEET,
                f"expected {FLEET_PATH} at the root of the repository, found none",
                Location(FLEET_PATH),
                "write one: {apiVersion: wayside.dev/v1alpha1, kind: Fleet, metadata: {name: NAME}}",
            )
            return None
        parts = self._parts(FLEET_PATH, "fleet", _FLEET)
        if parts is not None and len(parts) != 1:
            self._add(
                _FLEET,
                f"expected one document in {FLEET_PATH}, found {len(parts)}",
                parts[1].at if parts else Location(FLEET_PATH),
                "keep one Fleet; sites and classes have files of their own",
            )
        return parts[0] if parts and len(parts) == 1 else None

    def _classes(self, patterns: Iterable[str]) -> dict[str, _Part]:
        classes: dict[str, _Part] = {}
        for path in self._expand(patterns):
            parts = self._parts(path, "siteclass", _SITE)
            if parts is None:
                self._wrong_classes |= self._named_in(path)
            for part in parts or ():
                if part.name in classes:
                    self._duplicate("SiteClass", part, classes[part.name].at)
                else:
                    classes[part.name] = part
        return classes

    def _sites(self, spec: Mapping[str, Any], classes: Mapping[str, _Part]) -> dict[str, Site]:
        sites: dict[str, Site] = {}
        defaults = spec.get("defaults") or {}
        paths = self._site_paths = tuple(self._expand(spec.get("sites", ["sites/*/site.yaml"])))
        chosen = frozenset(paths if self._choose is None else self._choose(paths, spec))
        for path in self._site_paths:
            if path not in chosen:
                continue
            directory = path.rpartition("/")[0]
            before = len(self._findings)
            parts = self._parts(path, "site", _SITE, site=directory.rpartition("/")[2])
            if parts is not None and len(parts) != 1:
                at = parts[1].at if parts else Location(path)
                self._add(
                    _SITE, f"expected one Site in the file, found {len(parts)}", at, "one file, one site"
                )
            site = None
            if parts and len(parts) == 1:
                site = self._site(parts[0], directory, classes, defaults)
                if site is not None and site.name in sites:
                    self._duplicate("site", parts[0], sites[site.name].at)
            if len(self._findings) > before or site is None:
                name = site.name if site is not None else self._name(parts, path)
                self._broken.append(BrokenSite(name=name, path=path, directory=directory))
            else:
                sites[site.name] = site
        return sites

    def _site(
        self, part: _Part, directory: str, classes: Mapping[str, _Part], defaults: Mapping[str, Any]
    ) -> Site | None:
        spec = part.spec
        of_class: Mapping[str, Any] = {}
        if "class" in spec:
            known = classes.get(spec["class"])
            if known is None and spec["class"] in self._wrong_classes:
                return None  # what is wrong with the class is said once, where it is written
            if known is None:
                names = ", ".join(classes) or "none"
                self._add(
                    _SITE,
                    f"expected the name of a SiteClass in spec.class, found {spec['class']!r}",
                    part.locate(("spec", "class")),
                    f"known classes: {names}",
                    part.name,
                )
                return None
            of_class = known.spec
        missing = [
            name for name in _REQUIRED if name not in spec and name not in of_class and name not in defaults
        ]
        for field_name in missing:
            self._add(
                _SITE,
                f"expected the field spec.{field_name} in the site or its class, found none",
                part.locate(("spec", "class")),
                "add it to either",
                part.name,
            )
        if missing:
            return None
        manifest = part.value
        if of_class or defaults:
            manifest = {**manifest, "spec": merge(merge(defaults, of_class), spec)}
        site = build_site(manifest, at=part.at, directory=directory)
        if site.target.type is not TargetType.IN_CLUSTER and not site.target.path:
            self._add(
                _SITE,
                f"expected spec.target.path for the target {site.target.type.value!r}, found none",
                part.locate(("spec", "target")),
                "add the path of the kubeconfig or directory",
                part.name,
            )
            return None
        node_names = [node.name for node in site.nodes]
        for number, name in enumerate(node_names):
            if name in node_names[:number]:
                self._add(
                    _SITE,
                    f"expected different names of nodes, found {name!r} again",
                    part.locate(("spec", "nodes", number, "name")),
                    "rename one, or use one entry with `count`",
                    part.name,
                )
                return None
        return site

    def _parts(self, path: str, schema: str, rule: str, *, site: str = "") -> list[_Part] | None:
        """Return the documents of a file, or None where any of them is wrong."""
        sites = (site,) if site else ()
        try:
            data = self._tree.read(path)
            documents = load(data, path, limit=MAX_SITE_BYTES)
        except (DocumentError, TreeError) as err:
            self._findings.append(document_finding(rule, err, path, sites=sites))
            return None
        checked = compiled(schema)
        bad = [document for document in documents if not checked.accepts(document.value)]
        if bad:
            positions = Positions(data, path)
            for document in bad:
                name = _name_of(document.value)
                named = (name,) if name and site else sites
                self._findings += [
                    schema_finding(rule, problem, positions, index=document.index, sites=named)
                    for problem in checked.problems(document.value)
                ]
            return None
        return [_Part(document.value, path, document.index, data) for document in documents]

    def _named_in(self, path: str) -> set[str]:
        """Return the names of the documents of a file in which something is wrong."""
        try:
            return {_name_of(document.value) for document in load(self._tree.read(path), path)}
        except (DocumentError, TreeError):
            return {path.rpartition("/")[2].rpartition(".")[0]}  # classes are mostly named like their files

    def _expand(self, patterns: Iterable[str]) -> list[str]:
        paths: dict[str, None] = {}
        for pattern in patterns:
            found, errors = expand(self._tree, pattern)
            paths.update(dict.fromkeys(found))
            self._findings += [document_finding(_FLEET, err, err.path) for err in errors]
        return list(paths)

    def _name(self, parts: list[_Part] | None, path: str) -> str:
        """Return the name of a site that is wrong: what the findings call it, or its directory's name."""
        if parts:
            return parts[0].name
        named = (each.sites[0] for each in self._findings if each.location.path == path and each.sites)
        return next(named, path.rpartition("/")[0].rpartition("/")[2])

    def _duplicate(self, what: str, part: _Part, first: Location) -> None:
        self._add(
            _SITE,
            f"expected each name of a {what} once, found {part.name!r} again",
            part.locate(("metadata", "name")),
            f"rename one; the first is at {first}",
            part.name if what == "site" else "",
        )

    def _add(self, rule: str, message: str, at: Location, hint: str = "", site: str = "") -> None:
        self._findings.append(finding(rule, message, at, hint=hint, sites=(site,) if site else ()))

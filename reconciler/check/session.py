"""A check that is repeated while files change: what did not change is kept."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Collection

from reconciler.check.baseline import decides_everywhere
from reconciler.check.help import hinted, rule_help
from reconciler.check.runner import CheckSettings
from reconciler.check.version import version_findings
from reconciler.documents.tree import FileTree
from reconciler.fleet.loading import FleetLoad, load_fleet
from reconciler.model.fleet import Fleet
from reconciler.model.site import Site
from reconciler.pipeline.evaluate import Evaluation, evaluate_site
from reconciler.pipeline.rulebook import Rulebook
from reconciler.pipeline.schemas import SchemaBook
from reconciler.render import Renderer
from reconciler.report.document import CheckReport, SiteResult
from reconciler.report.merge import merge_findings, merge_not_checked, waiver_uses

__all__ = ["CheckSession"]


class CheckSession:
    """A fleet that is checked again and again, in this process.

    Args:
        settings: How checks run; `base` is not looked at.
    """

    def __init__(self, settings: CheckSettings) -> None:
        self._settings = settings
        self._renderer: Renderer | None = None
        self._load: FleetLoad | None = None
        self._rulebook: Rulebook | None = None
        self._schemas: SchemaBook | None = None
        self._judged: dict[str, tuple[Site, Evaluation]] = {}

    def check(self, tree: FileTree, changed: Collection[str] | None = None) -> CheckReport:
        """Check the fleet as it is now.

        Args:
            tree: Its files.
            changed: Paths that may differ since the last check; None for the first time.
        """
        started = time.perf_counter()
        settings = self._settings
        load = self._loaded(tree, changed)
        if load.fleet is None:
            self._load = None
            findings = tuple(map(hinted, merge_findings(load.findings)))
            return CheckReport(
                "", "", (), findings, rules=rule_help(()), seconds=time.perf_counter() - started
            )
        if self._rulebook is None or self._schemas is None:
            self._rulebook = Rulebook.compile(fleet=load.fleet, tree=tree, engine=settings.engine)
            self._schemas = SchemaBook.load(fleet=load.fleet, tree=tree)
            self._judged.clear()
        self._renderer = Renderer(tree) if self._renderer is None else self._renderer.at(tree)
        sites = [s for name, s in load.fleet.sites.items() if not settings.sites or name in settings.sites]
        for site in sites:
            self._judge(site, tree, self._renderer, self._rulebook, self._schemas)
        judged = [self._judged[site.name][1] for site in sites]
        return CheckReport(
            revision="",
            base="",
            sites=sorted(
                [
                    *(SiteResult(site.name, None) for site in load.broken),
                    *(
                        SiteResult(
                            each.site.name, each.verdict, len(each.resources or ()), allowed=each.allowed
                        )
                        for each in judged
                    ),
                ],
                key=lambda result: result.name,
            ),
            findings=tuple(
                map(
                    hinted,
                    merge_findings(
                        [
                            *load.findings,
                            *version_findings(load.fleet, tree),
                            *self._rulebook.findings,
                            *self._schemas.findings,
                            *(finding for each in judged for finding in each.findings),
                        ]
                    ),
                )
            ),
            not_checked=merge_not_checked(item for each in judged for item in each.not_checked),
            waived=waiver_uses(
                (each.site.name, item.waiver)
                for each in judged
                if each.verdict is not None
                for item in each.verdict.waived
            ),
            rules=rule_help(self._rulebook.pack.policies.values()),
            seconds=time.perf_counter() - started,
        )

    def _loaded(self, tree: FileTree, changed: Collection[str] | None) -> FleetLoad:
        """Return the fleet; where only site files differ, only these are read."""
        known = self._load
        if known is not None and known.fleet is not None and not known.findings and changed is not None:
            part = self._reloaded(tree, changed, known, known.fleet)
            if part is not None:
                self._load = part
                return part
        self._rulebook = self._schemas = None  # also because they are compiled for the versions of the sites
        self._load = load_fleet(tree)
        return self._load

    def _reloaded(
        self, tree: FileTree, changed: Collection[str], known: FleetLoad, fleet: Fleet
    ) -> FleetLoad | None:
        """Return the fleet with the changed site files read anew, or None where that is not enough."""
        if decides_everywhere(changed, fleet.manifest.get("spec") or {}):
            return None
        chosen = frozenset(changed)
        if any(path.endswith("/site.yaml") or path in known.site_paths for path in chosen):
            return _merged(known, fleet, load_fleet(tree, choose=lambda paths, _: chosen.intersection(paths)))
        return known

    def _judge(
        self, site: Site, tree: FileTree, renderer: Renderer, rulebook: Rulebook, schemas: SchemaBook
    ) -> None:
        known = self._judged.get(site.name)
        if known is not None and known[0] == site and renderer.is_built(site.directory):
            return
        found = evaluate_site(
            site=site,
            tree=tree,
            renderer=renderer,
            rulebook=rulebook,
            schemas=schemas,
            at=self._settings.at,
            installed=frozenset(),
        )
        self._judged[site.name] = (site, found)


def _merged(known: FleetLoad, fleet: Fleet, changed: FleetLoad) -> FleetLoad | None:
    """Return a fleet with some sites read anew, or None where everything must be read."""
    if changed.fleet is None or changed.findings or changed.site_paths != known.site_paths:
        return None
    sites = dict(fleet.sites)
    for name, site in changed.fleet.sites.items():
        before = sites.get(name)
        if before is None or before.at.path != site.at.path:
            return None  # it has another name now
        if before.kubernetes_version != site.kubernetes_version:
            return None
        sites[name] = site
    return dataclasses.replace(known, fleet=dataclasses.replace(fleet, sites=sites))

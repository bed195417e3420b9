"""The check of a fleet: every site, or those that a change touches, over processes where that pays."""

from __future__ import annotations

import datetime
import os
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Literal

from reconciler.check.baseline import Base, Baseline, choose_sites, marked
from reconciler.check.collecting import collected_rarely
from reconciler.check.help import hinted, rule_help
from reconciler.check.spread import spread
from reconciler.check.version import version_findings
from reconciler.documents.tree import FileTree, TreeError
from reconciler.errors import InputError, UsageError
from reconciler.fleet.loading import FleetLoad, load_fleet
from reconciler.model.finding import Finding, NotChecked
from reconciler.model.fleet import Fleet, Waiver
from reconciler.model.site import Site
from reconciler.pipeline.evaluate import evaluate_site
from reconciler.pipeline.rulebook import Rulebook
from reconciler.pipeline.schemas import SchemaBook
from reconciler.render import Renderer
from reconciler.report.document import CheckReport, SiteResult
from reconciler.report.merge import merge_findings, merge_not_checked, waiver_uses
from reconciler.rules.waivers import waiver_findings

__all__ = ["CheckSettings", "Progress", "check_fleet"]

#: Below this many sites, starting processes costs more than it saves.
_WORTH_PROCESSES = 60
#: About so many sites are judged before processes start.
_FIRST = 16

#: Told how many sites are done, of how many.
Progress = Callable[[int, int], None]


@dataclass(frozen=True, slots=True)
class CheckSettings:
    """How a check runs.

    Attributes:
        revision: The commit that the tree holds, or "" for a working tree.
        base: The commit that it is compared with, or "".
        at: The time by which waivers expire: the committer's time, or now for a working tree.
        sites: Names of the sites to check; empty means all.
        engine: CEL engine.
        processes: How many processes may work; 0 means one for each processor.
    """

    revision: str
    at: datetime.datetime
    base: str = ""
    sites: tuple[str, ...] = ()
    engine: Literal["native", "pure"] = "native"
    processes: int = 0


@dataclass(frozen=True, slots=True)
class _Job:
    """What every process needs."""

    tree: FileTree
    renderer: Renderer
    rulebook: Rulebook
    schemas: SchemaBook
    baseline: Baseline | None
    at: datetime.datetime


@dataclass(slots=True)
class _Share:
    """What one process found at its sites. Small and plain, so that it travels well."""

    results: list[SiteResult] = field(default_factory=list)
    findings: list[Finding] = field(default_factory=list)
    not_checked: list[NotChecked] = field(default_factory=list)
    waived: list[tuple[str, Waiver]] = field(default_factory=list)
    untouched: int = 0


@collected_rarely()
def check_fleet(
    tree: FileTree,
    *,
    settings: CheckSettings,
    base: Base | None = None,
    before_fork: Callable[[], None] = lambda: None,
    progress: Progress | None = None,
) -> CheckReport:
    """Check a fleet.

    Args:
        tree: The fleet's files.
        settings: How the check runs.
        base: What the change is compared with: only sites that it touches are checked, findings are marked
            as new or not, and what the change takes from the rules is listed.
        before_fork: Ends what must not be shared between processes, such as a child of `tree`'s.
        progress: Told how far the check is.

    Raises:
        UsageError: There is no fleet, or a named site does not exist.
    """
    started = time.perf_counter()
    load = load_fleet(tree, choose=choose_sites(tree, base.change) if base is not None else None)
    if load.fleet is None:
        return CheckReport(
            settings.revision,
            settings.base,
            (),
            tuple(map(hinted, merge_findings(load.findings))),
            rules=rule_help(()),
            seconds=_since(started),
        )
    rulebook = Rulebook.compile(fleet=load.fleet, tree=tree, engine=settings.engine)
    schemas = SchemaBook.load(fleet=load.fleet, tree=tree)
    findings = [
        *load.findings,
        *version_findings(load.fleet, tree),
        *rulebook.findings,
        *schemas.findings,
    ]
    baseline = None
    if base is not None:
        baseline = Baseline(
            base,
            load=load,
            fleet=load.fleet,
            rulebook=rulebook,
            schemas=schemas,
            engine=settings.engine,
            at=settings.at,
        )
        findings = [*baseline.mark(findings), *baseline.weakenings(tree)]
    broken = {site.name for site in load.broken}
    sites = _chosen(load, load.fleet, broken, settings.sites)
    processes = settings.processes or os.cpu_count() or 1
    if len(sites) < _WORTH_PROCESSES:
        processes = 1

    job = _Job(tree, Renderer(tree), rulebook, schemas, baseline, settings.at)
    first, others = _first(sites) if processes > 1 else ([], sites)

    def work(share: Sequence[Site]) -> _Share:
        # One share is told of; the others run beside it and are as large.
        tell = progress if share and share[0] is others[0] else None
        return _work(share, job, _scaled(tell, len(sites)))

    shares = [_work(first, job, _scaled(None, len(sites)))]
    if processes > 1:
        before_fork()
    shares += spread(work, others, processes)
    missed = [SiteResult(name, None) for name in broken if not settings.sites or name in settings.sites]
    waived = [item for share in shares for item in share.waived]
    # Only a look at all sites can tell that a waiver is needed nowhere.
    unchanged = _unread(load, settings) + sum(share.untouched for share in shares)
    whole = not (settings.sites or missed or unchanged)
    whole = whole and all(r.verdict for share in shares for r in share.results)
    of_waivers = waiver_findings(
        load.fleet.rules.waivers,
        [waiver for _, waiver in waived] if whole else None,
        at=settings.at,
        fleet_at=load.fleet.at,
    )
    # Time alone ends a waiver: that is not new unless the change has to do with waivers.
    findings += (replace(f, new=baseline.rules_differ) if baseline else f for f in of_waivers)
    return CheckReport(
        revision=settings.revision,
        base=settings.base,
        waived=waiver_uses(waived),
        sites=sorted(
            [*missed, *(result for share in shares for result in share.results)],
            key=lambda result: result.name,
        ),
        findings=tuple(
            map(
                hinted,
                merge_findings([*findings, *(finding for share in shares for finding in share.findings)]),
            )
        ),
        not_checked=merge_not_checked(item for share in shares for item in share.not_checked),
        rules=rule_help(rulebook.pack.policies.values()),
        unchanged=unchanged,
        seconds=_since(started),
    )


def _unread(load: FleetLoad, settings: CheckSettings) -> int:
    """Return how many sites were not even read, because the change cannot reach them."""
    if load.fleet is None or settings.sites:
        return 0
    return max(0, len(load.site_paths) - len(load.fleet.sites) - len(load.broken))


def _chosen(load: FleetLoad, fleet: Fleet, broken: set[str], names: tuple[str, ...]) -> list[Site]:
    unknown = [name for name in names if name not in fleet.sites and name not in broken]
    # A site that was not read because nothing touches it is known by its directory.
    unread = {path.rpartition("/")[0].rpartition("/")[2] for path in load.site_paths}
    if unknown and not (len(load.site_paths) > len(fleet.sites) + len(broken) and unread.issuperset(unknown)):
        raise UsageError(
            f"there is no site {unknown[0]!r} in this fleet",
            code="unknown-site",
            hint=f"its sites are {', '.join([*fleet.sites][:8])}" + (" ..." if len(fleet.sites) > 8 else ""),
        )
    return [site for name, site in fleet.sites.items() if not names or name in names]


def _first(sites: Sequence[Site]) -> tuple[list[Site], list[Site]]:
    """Return a few sites from all over the fleet, and the others.

    What many sites share is computed at those few, and processes that are started then know it.
    """
    step = max(1, len(sites) // _FIRST)
    return list(sites[::step]), [site for number, site in enumerate(sites) if number % step]


def _work(sites: Sequence[Site], job: _Job, progress: Progress) -> _Share:
    renderer = job.renderer
    baseline = job.baseline
    share = _Share()
    before = renderer
    if baseline is not None:
        for site in sites:
            _try_build(renderer, site)
        before = baseline.renderer(renderer)
    for done, site in enumerate(sites):
        progress(done, len(sites))
        if baseline is not None and not baseline.is_touched(site, after=renderer, before=before):
            share.untouched += 1
            continue
        found = evaluate_site(
            site=site,
            tree=job.tree,
            renderer=renderer,
            rulebook=job.rulebook,
            schemas=job.schemas,
            at=job.at,
            before=partial(baseline.desired, site, before) if baseline is not None else None,
            installed=frozenset() if baseline is None else baseline.installed(site, before),
        )
        findings: Sequence[Finding] = found.findings
        if baseline is not None and findings:
            earlier = baseline.evaluate(site, before)
            findings = marked(findings, earlier.findings if earlier is not None else ())
        count = len(found.resources or ())
        share.results.append(SiteResult(site.name, found.verdict, count, allowed=found.allowed))
        share.findings.extend(findings)
        share.not_checked.extend(found.not_checked)
        if found.verdict is not None:
            share.waived.extend((site.name, item.waiver) for item in found.verdict.waived)
    return share


def _try_build(renderer: Renderer, site: Site) -> None:
    """Build a site, so that what it reads is known; a failure is met again, and told, when it is judged."""
    try:
        renderer.build(site.directory)
    except (InputError, TreeError):
        return


def _scaled(progress: Progress | None, total: int) -> Progress:
    """Return a progress of one share that tells of all of them."""
    if progress is None:
        return lambda _done, _of: None

    def tell(done: int, of: int) -> None:
        progress(done * total // max(of, 1), total)

    return tell


def _since(started: float) -> float:
    return time.perf_counter() - started

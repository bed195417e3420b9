"""The check of a fleet: every site, over processes where that pays."""

from __future__ import annotations

import datetime
import multiprocessing
import os
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

from reconciler.documents.tree import FileTree
from reconciler.errors import UsageError
from reconciler.fleet.loading import load_fleet
from reconciler.model.finding import Finding, NotChecked
from reconciler.model.fleet import Fleet, Waiver
from reconciler.model.site import Site
from reconciler.pipeline.evaluate import evaluate_site
from reconciler.pipeline.rulebook import Rulebook
from reconciler.pipeline.schemas import SchemaBook
from reconciler.pipeline.weakening import RuleState, weakenings
from reconciler.render import Renderer
from reconciler.report.document import CheckReport, SiteResult
from reconciler.report.merge import merge_findings, merge_not_checked, waiver_uses
from reconciler.rules.waivers import waiver_findings

__all__ = ["CheckSettings", "check_fleet"]

#: Below this many sites, starting processes costs more than it saves.
_WORTH_PROCESSES = 60


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
class _Share:
    """What one process found at its sites. Small and plain, so that it travels well."""

    results: list[SiteResult]
    findings: list[Finding]
    not_checked: list[NotChecked]
    waived: list[tuple[str, Waiver]]


def check_fleet(
    tree: FileTree,
    *,
    settings: CheckSettings,
    base: FileTree | None = None,
    before_fork: Callable[[], None] = lambda: None,
) -> CheckReport:
    """Check a fleet.

    Args:
        tree: The fleet's files.
        settings: How the check runs.
        base: The files that the change is compared with, to tell what it takes from the rules.
        before_fork: Ends what must not be shared between processes, such as a child of `tree`'s.

    Raises:
        UsageError: There is no fleet, or a named site does not exist.
    """
    started = time.perf_counter()
    load = load_fleet(tree)
    findings = list(load.findings)
    if load.fleet is None:
        return CheckReport(
            settings.revision, settings.base, (), merge_findings(findings), seconds=_since(started)
        )
    rulebook = Rulebook.compile(fleet=load.fleet, tree=tree, engine=settings.engine)
    schemas = SchemaBook.load(fleet=load.fleet, tree=tree)
    findings += (*rulebook.findings, *schemas.findings)
    if base is not None:
        findings += _weakenings(base, tree, load.fleet, rulebook, settings)
    broken = {site.name for site in load.broken}
    sites = _chosen(load.fleet, broken, settings.sites)

    def work(share: Sequence[Site]) -> _Share:
        return _work(share, tree=tree, rulebook=rulebook, schemas=schemas, at=settings.at)

    processes = settings.processes or os.cpu_count() or 1
    if len(sites) < _WORTH_PROCESSES:
        processes = 1
    if processes > 1:
        before_fork()
    shares = _spread(work, sites, processes)
    missed = [SiteResult(name, None) for name in broken if not settings.sites or name in settings.sites]
    waived = [item for share in shares for item in share.waived]
    # Only a look at all sites can tell that a waiver is needed nowhere.
    whole = not settings.sites and not missed and all(r.verdict for share in shares for r in share.results)
    findings += waiver_findings(
        load.fleet.rules.waivers,
        [waiver for _, waiver in waived] if whole else None,
        at=settings.at,
        fleet_at=load.fleet.at,
    )
    return CheckReport(
        revision=settings.revision,
        base=settings.base,
        waived=waiver_uses(waived),
        sites=sorted(
            [*missed, *(result for share in shares for result in share.results)],
            key=lambda result: result.name,
        ),
        findings=merge_findings([*findings, *(finding for share in shares for finding in share.findings)]),
        not_checked=merge_not_checked(item for share in shares for item in share.not_checked),
        seconds=_since(started),
    )


def _weakenings(
    base: FileTree, tree: FileTree, fleet: Fleet, rulebook: Rulebook, settings: CheckSettings
) -> tuple[Finding, ...]:
    before = load_fleet(base)
    if before.fleet is None:
        return ()  # the base is no fleet yet, so there was nothing to weaken
    old = Rulebook.compile(fleet=before.fleet, tree=base, engine=settings.engine)
    return weakenings(
        RuleState(base, before.fleet, old.pack.policies, old.documents),
        RuleState(tree, fleet, rulebook.pack.policies, rulebook.documents),
    )


def _chosen(fleet: Fleet, broken: set[str], names: tuple[str, ...]) -> list[Site]:
    unknown = [name for name in names if name not in fleet.sites and name not in broken]
    if unknown:
        raise UsageError(
            f"there is no site {unknown[0]!r} in this fleet",
            code="unknown-site",
            hint=f"its sites are {', '.join([*fleet.sites][:8])}" + (" ..." if len(fleet.sites) > 8 else ""),
        )
    return [site for name, site in fleet.sites.items() if not names or name in names]


def _work(
    sites: Sequence[Site],
    *,
    tree: FileTree,
    rulebook: Rulebook,
    schemas: SchemaBook,
    at: datetime.datetime,
) -> _Share:
    renderer = Renderer(tree)
    share = _Share([], [], [], [])
    for site in sites:
        found = evaluate_site(
            site=site, tree=tree, renderer=renderer, rulebook=rulebook, schemas=schemas, at=at
        )
        count = len(found.resources or ())
        share.results.append(SiteResult(site.name, found.verdict, count, allowed=found.allowed))
        share.findings.extend(found.findings)
        share.not_checked.extend(found.not_checked)
        if found.verdict is not None:
            share.waived.extend((site.name, item.waiver) for item in found.verdict.waived)
    return share


def _spread(work: Callable[[Sequence[Site]], _Share], sites: Sequence[Site], processes: int) -> list[_Share]:
    """Deal the sites out to processes, and do the first share in this one.

    The others are forked after the fleet and its rules are in memory, so that they share both.
    """
    dealt = [sites[number::processes] for number in range(processes)]
    if processes == 1:
        return [work(dealt[0])]
    context = multiprocessing.get_context("fork")
    children = []
    for share in dealt[1:]:
        receiver, sender = context.Pipe(duplex=False)
        process = context.Process(target=_child, args=(work, share, sender))
        process.start()
        sender.close()
        children.append((process, receiver))
    results = [work(dealt[0])]
    for process, receiver in children:
        try:
            results.append(receiver.recv())
        except EOFError:
            process.join()
            raise UsageError(
                f"a process of this check ended with exit code {process.exitcode}",
                code="check-process",
                hint="the machine may be out of memory; try `--processes 1`",
            ) from None
        process.join()
    return results


def _child(work: Callable[[Sequence[Site]], _Share], share: Sequence[Site], sender: object) -> None:
    sender.send(work(share))  # type: ignore[attr-defined] # a Connection, whose type is generic only in stubs


def _since(started: float) -> float:
    return time.perf_counter() - started

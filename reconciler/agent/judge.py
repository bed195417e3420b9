"""From the files of a revision to an assessment of one site, by the same pipeline as in a pull request."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from typing import Any

from reconciler import __version__
from reconciler.agent.assessment import Allowed, Assessment, Held, Reason, Refused, Suspended
from reconciler.agent.revision import Digests, SiteRevision
from reconciler.documents.tree import FileTree
from reconciler.fleet.loading import Choice, load_fleet
from reconciler.fleet.version import satisfies
from reconciler.model.finding import Finding, Severity
from reconciler.model.trust import SignatureDemand
from reconciler.pipeline.evaluate import evaluate_site
from reconciler.pipeline.rulebook import Rulebook
from reconciler.ports.source import Revision
from reconciler.render import Renderer
from reconciler.rules.cel import default_engine

__all__ = ["judge_site"]

_MOST_REASONS = 50


def judge_site(
    tree: FileTree,
    revision: Revision,
    site_name: str,
    *,
    signed_images: bool = False,
    image_keys: Collection[str] = (),
) -> Assessment:
    """Render and judge one site.

    Args:
        tree: The files of the revision.
        revision: The revision.
        site_name: The site.
        signed_images: Whether every image must be signed, whatever the fleet says of it.
        image_keys: Public keys in PEM that came with the installation: one must have signed every image.

    Raises:
        SourceError: A file of the revision cannot be read.
    """
    load = load_fleet(tree, choose=_only(site_name))
    if load.fleet is not None and site_name not in load.fleet.sites:
        # Its file may be in a folder of another name; before it is called removed, all are read.
        load = load_fleet(tree)
    if load.fleet is None:
        return _refused(revision, "invalid", load.findings)
    if not _is_wanted(load.fleet.requires):
        return Held(
            revision.commit,
            "AgentVersion",
            f"the fleet requires wayside {load.fleet.requires}, this agent is {__version__}",
            "upgrade the agent; until then the site stays on its last good revision",
        )
    site = load.fleet.sites.get(site_name)
    if site is None:
        broken = [finding for finding in load.findings if finding.severity is Severity.ERROR]
        if broken:
            # It may be the one that cannot be read; unknown is not removed.
            return _refused(revision, "invalid", broken)
        return Held(
            revision.commit,
            "SiteRemoved",
            f"there is no site {site_name!r} in the fleet any more; nothing at it is touched",
            "set spec.sync.decommission: true before a site is removed, or start its agent with the new name",
        )
    if site.sync.suspend:
        return Suspended(revision.commit)
    elsewhere = {site.path for site in load.broken}
    own = [finding for finding in load.findings if _concerns(finding, site_name, elsewhere)]
    if own:
        return _refused(revision, "invalid", own)
    demand = SignatureDemand(signed_images or bool(image_keys), tuple(image_keys))
    rulebook = Rulebook.compile(fleet=load.fleet, tree=tree, engine=default_engine(), signatures=demand)
    evaluation = evaluate_site(
        site=site,
        tree=tree,
        renderer=Renderer(tree),
        rulebook=rulebook,
        at=revision.committed_at,
    )
    if evaluation.resources is None or evaluation.verdict is None:
        return _refused(revision, "render", evaluation.findings)
    if not evaluation.allowed:
        return _refused(revision, "rules", (*evaluation.findings, *rulebook.findings))
    verdict = evaluation.verdict
    bandwidth = site.link.bandwidth
    pulls = rulebook.pulls(evaluation.desired) if bandwidth and evaluation.desired is not None else {}
    return Allowed(
        SiteRevision(
            commit=revision.commit,
            committed_at=revision.committed_at,
            subject=revision.subject,
            site=site.name,
            platform=site.platform,
            sync=site.sync,
            target=site.target,
            resources=evaluation.resources,
            manifest={
                "labels": dict(site.labels),
                "annotations": dict(site.annotations),
                "spec": site.manifest["spec"],
            },
            former_sites=_former(site.annotations),
            health=load.fleet.health,
            digests=Digests(verdict.inputs_digest, verdict.rules_digest, verdict.verdict_digest),
            wayside=__version__,
            # The bandwidth is in bits.
            pulls={layer: float(size * 8 / bandwidth) for layer, size in pulls.items()} if bandwidth else {},
        )
    )


def _former(annotations: Mapping[str, str]) -> tuple[str, ...]:
    """Return the names that a site had before, by its annotation `wayside.dev/renamed-from`."""
    names = str(annotations.get("wayside.dev/renamed-from") or "").split(",")
    return tuple(name.strip() for name in names if name.strip())


def _only(site: str) -> Choice:
    """Return a choice of the files in the site's own folder: of other sites, nothing is fetched."""

    def choose(paths: tuple[str, ...], spec: Mapping[str, Any]) -> Collection[str]:
        del spec
        return [path for path in paths if path.rpartition("/")[0].rpartition("/")[2] == site] or paths

    return choose


def _is_wanted(specifier: str) -> bool:
    """Tell whether the fleet wants this version; what cannot be read wants nobody."""
    try:
        return satisfies(__version__, specifier)
    except ValueError:
        return False


def _concerns(finding: Finding, site: str, elsewhere: Collection[str]) -> bool:
    """Tell whether it is an error of this site or of the fleet as a whole, and not of another site."""
    if finding.severity is not Severity.ERROR:
        return False
    return site in finding.sites or (not finding.sites and finding.location.path not in elsewhere)


def _refused(revision: Revision, code: str, findings: Iterable[Finding]) -> Refused:
    found = list(findings)
    # Warnings beside an error refused nothing.
    refusing = [finding for finding in found if finding.severity is Severity.ERROR] or found
    ordered = sorted(refusing, key=lambda finding: (finding.severity.rank, finding.order))
    reasons = tuple(
        Reason(
            rule=finding.rule,
            message=finding.message,
            location=str(finding.location),
            hint=finding.hint,
            resource=str(finding.resource or ""),
        )
        for finding in ordered[:_MOST_REASONS]
    )
    fallback = (Reason("unknown", "the revision was refused without a finding"),)
    return Refused(revision.commit, code, reasons or fallback, len(ordered))

"""The one function that decides about a site, in a pull request and at the site itself."""

from __future__ import annotations

import dataclasses
import datetime
from collections.abc import Callable
from dataclasses import dataclass

from reconciler.documents.tree import FileTree, TreeError
from reconciler.errors import InputError
from reconciler.model.finding import Finding, NotChecked
from reconciler.model.location import Location
from reconciler.model.resource import Resource
from reconciler.model.site import Site
from reconciler.model.verdict import Verdict
from reconciler.pipeline.desired import Desired, build_desired
from reconciler.pipeline.findings import error_finding, locate_violations
from reconciler.pipeline.rulebook import Rulebook
from reconciler.pipeline.schemas import SchemaBook
from reconciler.pipeline.transitions import transitions
from reconciler.render import Renderer

__all__ = ["Evaluation", "evaluate_site"]


@dataclass(frozen=True, slots=True)
class Evaluation:
    """What is to be at a site, and whether it may.

    Attributes:
        site: The site.
        resources: The desired set, or None where it could not be built: unknown is not empty.
        verdict: The rules' verdict, or None where there is no desired set.
        findings: Everything that was found, each on its line.
        not_checked: What could not be judged here, of rules and schemas.
        allowed: Whether the desired set may be applied.
        desired: What the rules saw, or None where it could not be built.
    """

    site: Site
    resources: tuple[Resource, ...] | None
    verdict: Verdict | None
    findings: tuple[Finding, ...]
    not_checked: tuple[NotChecked, ...] = ()
    allowed: bool = False
    desired: Desired | None = None


def evaluate_site(
    *,
    site: Site,
    tree: FileTree,
    renderer: Renderer,
    rulebook: Rulebook,
    at: datetime.datetime,
    schemas: SchemaBook | None = None,
    before: Callable[[], Desired | None] | None = None,
    installed: frozenset[str] | None = None,
) -> Evaluation:
    """Build a site's desired set and judge it. Pure: the same files and time give the same digests anywhere.

    Args:
        site: The site.
        tree: The files of the revision.
        renderer: Renders overlays of `tree`; may be shared by many sites.
        rulebook: The fleet's rules, compiled; may be shared by many sites.
        at: The commit's committer time, by which waivers and keys expire.
        schemas: The fleet's schemas, where no API server is asked. They do not touch the verdict.
        before: Gives what was at the site, for rules about changes. Neither do they touch the verdict.
        installed: Digests of image layers that the last applied revision has at the site; None where nobody
            knows.
    """
    if rulebook.blocking:
        found = tuple(dataclasses.replace(finding, sites=(site.name,)) for finding in rulebook.blocking)
        return Evaluation(site, None, None, found)
    try:
        desired = _desired(site, renderer, rulebook)
    except (InputError, TreeError) as err:
        rule = err.code if isinstance(err, InputError) and err.code in _OWN_RULES else "render"
        finding = error_finding(err, rule=rule, site=site.name, fallback=Location(_overlay(site)))
        return Evaluation(site, None, None, (finding,))
    verdict = rulebook.judge(desired, at=at, installed=installed)
    wrong, unknown = schemas.check(site, desired.resources) if schemas is not None else ((), ())
    rules_compare = rulebook.compares or (schemas is not None and schemas.compares(desired.resources))
    earlier = before() if before is not None and rules_compare else None
    if earlier is not None:
        moved, unsure = transitions(
            desired, earlier, rulebook=rulebook, schemas=schemas, known=(*verdict.violations, *wrong), at=at
        )
        wrong, unknown = (*wrong, *moved), (*unknown, *unsure)
    fail_on = rulebook.fleet.rules.fail_on
    return Evaluation(
        site=site,
        resources=desired.resources,
        verdict=verdict,
        findings=locate_violations((*verdict.violations, *wrong), desired=desired, tree=tree),
        not_checked=(*verdict.not_checked, *unknown),
        allowed=verdict.allowed and not any(each.severity.at_least(fail_on) for each in wrong),
        desired=desired,
    )


def _desired(site: Site, renderer: Renderer, rulebook: Rulebook) -> Desired:
    return build_desired(site=site, renderer=renderer, pinner=rulebook.pinner)


#: Failures that are rules of their own in the table of rules; everything else is `render`.
_OWN_RULES = frozenset({"vars"})


def _overlay(site: Site) -> str:
    return f"{site.directory}/kustomization.yaml" if site.directory else "kustomization.yaml"

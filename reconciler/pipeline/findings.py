"""From what a rule says of a site to a finding on the line that set the value."""

from __future__ import annotations

from collections.abc import Iterable

from reconciler.documents import yaml
from reconciler.documents.tree import FileTree, TreeError
from reconciler.errors import InputError, WaysideError
from reconciler.model.finding import Finding, Severity, Violation
from reconciler.model.location import Location
from reconciler.pipeline.desired import Desired

__all__ = ["error_finding", "locate_violations"]


def locate_violations(
    violations: Iterable[Violation], *, desired: Desired, tree: FileTree
) -> tuple[Finding, ...]:
    """Tie each violation of a site to the line of the repository that set the value."""
    return tuple(_locate(violation, desired, tree) for violation in violations)


def error_finding(err: WaysideError, *, rule: str, site: str, fallback: Location) -> Finding:
    """Turn a failure to read or build a site into a finding.

    Args:
        err: The failure.
        rule: The rule id, where the failure has no better one of its own.
        site: The site that it hits.
        fallback: The place, where the failure has none.
    """
    at = err.at if isinstance(err, InputError) and err.at is not None else fallback
    return Finding(rule, Severity.ERROR, err.message, at, err.hint, sites=(site,))


def _locate(violation: Violation, desired: Desired, tree: FileTree) -> Finding:
    location, related = _place(violation, desired, tree)
    return Finding(
        rule=violation.rule,
        severity=violation.severity,
        message=violation.message,
        location=location,
        hint=violation.hint,
        resource=violation.resource,
        field_path=violation.field_path,
        sites=(desired.site.name,),
        related=related,
    )


def _place(violation: Violation, desired: Desired, tree: FileTree) -> tuple[Location, tuple[Location, ...]]:
    if violation.at is not None:
        return violation.at, ()
    if violation.resource is not None:
        found = desired.origin(violation.resource, violation.field_path)
        if found is not None:
            return found
    path = desired.site.at.path
    try:
        return yaml.locate(tree.read(path), path, violation.field_path, key=True), ()
    except (TreeError, InputError):
        return desired.site.at, ()

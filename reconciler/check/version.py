"""What a fleet says about the versions of Wayside that may serve it."""

from __future__ import annotations

from reconciler import __version__
from reconciler.documents import yaml
from reconciler.documents.tree import FileTree
from reconciler.fleet.version import satisfies
from reconciler.model.finding import Finding, Severity
from reconciler.model.fleet import Fleet

__all__ = ["version_findings"]

_FIELD = ("spec", "requires", "wayside")


def version_findings(fleet: Fleet, tree: FileTree, *, version: str = __version__) -> tuple[Finding, ...]:
    """Return a warning where agents of this very version would hold the site.

    Args:
        fleet: The fleet.
        tree: Its files, for the place.
        version: Which version checks.
    """
    if not fleet.requires or satisfies(version, fleet.requires):
        return ()
    path = fleet.at.path
    return (
        Finding(
            rule="wayside-version",
            severity=Severity.WARNING,
            message=f"expected a Wayside of the versions {fleet.requires}, found {version} here",
            location=yaml.locate(tree.read(path), path, _FIELD),
            hint=f"check with a version that agents may have: pip install 'wayside{fleet.requires}'",
        ),
    )

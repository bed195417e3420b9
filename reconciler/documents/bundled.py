"""The files that come with Wayside: the template of a fleet, the built-in rules and the CRDs."""

from __future__ import annotations

from pathlib import Path
from typing import Literal, TypeAlias

from reconciler.documents.tree import WorkingTree
from reconciler.errors import SourceError

__all__ = ["Bundle", "bundled_directory", "bundled_tree"]

#: What there is: rules and template stand at the top of the repository, the CRDs in `deploy/`.
Bundle: TypeAlias = Literal["crds", "policies", "repo-template"]

_PACKAGE = Path(__file__).resolve().parent.parent


def bundled_directory(name: Bundle) -> Path:
    """Return where the files are: in the wheel inside the package, in the source tree beside it.

    Raises:
        SourceError: They are in neither place, so the installation is broken.
    """
    for directory in (_PACKAGE / "_data" / name, _PACKAGE.parent / name, _PACKAGE.parent / "deploy" / name):
        if directory.is_dir():
            return directory
    raise SourceError(
        f"expected the directory {name} in the installation, found none",
        code="installation",
        hint="install wayside again",
    )


def bundled_tree(name: Bundle) -> WorkingTree:
    """Return the files as a tree.

    Raises:
        SourceError: The installation is broken.
    """
    return WorkingTree(bundled_directory(name))

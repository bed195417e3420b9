"""Where a field of a merged Site document was written: in the site, its class, or the fleet's defaults."""

from __future__ import annotations

from reconciler.documents.tree import FileTree
from reconciler.documents.yaml import Positions
from reconciler.fleet.loading import FLEET_PATH, FleetLoad
from reconciler.model.fieldpath import FieldPath
from reconciler.model.location import Location
from reconciler.model.site import Site

__all__ = ["SiteOrigins"]


class SiteOrigins:
    """Finds lines for findings about sites. Files are read when they are asked for, each once.

    Args:
        tree: The tree that the fleet was loaded from.
        load: What was loaded.
    """

    def __init__(self, tree: FileTree, load: FleetLoad) -> None:
        self._tree = tree
        self._load = load
        self._positions: dict[str, Positions] = {}

    def locate(self, site: Site, field: FieldPath, *, key: bool = False) -> Location:
        """Return where a field of `site.manifest` is written.

        A field that is nowhere gives the place of its nearest existing parent in the site's own file.
        """
        own = self._of(site.at.path)
        if own.has(field) or not field or field[0] != "spec":
            return own.locate(field, key=key)
        at = self._load.classes.get(site.class_name)
        if at is not None:
            of_class = self._of(at.path)
            for index in range(len(of_class)):
                if of_class.locate((), index=index) == at and of_class.has(field, index=index):
                    return of_class.locate(field, index=index, key=key)
        defaults = self._of(FLEET_PATH)
        in_defaults = ("spec", "defaults", *field[1:])
        if len(field) > 1 and defaults.has(in_defaults):
            return defaults.locate(in_defaults, key=key)
        return own.locate(field, key=key)

    def _of(self, path: str) -> Positions:
        found = self._positions.get(path)
        if found is None:
            found = self._positions[path] = Positions(self._tree.read(path), path)
        return found

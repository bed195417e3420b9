"""Where a field of a merged Site document was written: in the site, its class, or the fleet's defaults."""

from __future__ import annotations

from reconciler.documents.tree import FileTree
from reconciler.documents.yaml import Positions
from reconciler.fleet.loading import FleetLoad
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
        own, index = self._document(site.at)
        if own.has(field, index=index) or not field or field[0] != "spec":
            return own.locate(field, index=index, key=key)
        others = [(self._load.classes.get(site.class_name), field)]
        if self._load.fleet is not None and len(field) > 1:
            others.append((self._load.fleet.at, ("spec", "defaults", *field[1:])))
        for at, place in others:
            if at is not None:
                positions, number = self._document(at)
                if positions.has(place, index=number):
                    return positions.locate(place, index=number, key=key)
        return own.locate(field, index=index, key=key)

    def _document(self, at: Location) -> tuple[Positions, int]:
        """Return the positions of the file at a place, and the number of the document that begins there."""
        positions = self._positions.get(at.path)
        if positions is None:
            positions = self._positions[at.path] = Positions(self._tree.read(at.path), at.path)
        numbers = range(len(positions))
        return positions, next((each for each in numbers if positions.locate((), index=each) == at), 0)

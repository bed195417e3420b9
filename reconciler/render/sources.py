"""Reading the files of a build: what kustomize may load, parsed once, and every read written down."""

from __future__ import annotations

import json
import posixpath
import re
from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from typing import Any, TypeVar

from reconciler.documents.tree import EntryType, FileTree, TreeError, normalize
from reconciler.documents.yaml import Positions
from reconciler.errors import DocumentError, InputError, RenderError
from reconciler.model.location import Location
from reconciler.render.imageindex import ImageIndex
from reconciler.render.kustomization import Kustomization
from reconciler.render.parsing import parse_kustomization
from reconciler.render.reader import Parsed, decode_text, read_config, read_documents
from reconciler.render.styles import Styles

__all__ = ["KUSTOMIZATION_NAMES", "Sources", "is_remote"]

KUSTOMIZATION_NAMES = ("kustomization.yaml", "kustomization.yml", "Kustomization")

_T = TypeVar("_T")
_REMOTE = re.compile(
    r"(?:https?|ssh|file)://|git::|github\.com[/:]|[a-zA-Z][a-zA-Z0-9-]*@[^/]+[:/]", re.IGNORECASE
)


def is_remote(path: str) -> bool:
    """Return whether kustomize would fetch `path` from elsewhere."""
    return _REMOTE.match(path) is not None


@dataclass(slots=True)
class Reads:
    """What a build, or a part of it, looked at.

    Attributes:
        files: Paths of files that were read.
        probes: Paths that were looked for, with what stood there.
    """

    files: set[str] = field(default_factory=set)
    probes: dict[str, EntryType | None] = field(default_factory=dict)

    def add(self, other: Reads) -> None:
        """Add what another part looked at."""
        self.files |= other.files
        self.probes.update(other.probes)


class Sources:
    """The files of one tree, each parsed at most once.

    Args:
        tree: The tree.
        prefix: What is put before paths in messages.
    """

    def __init__(
        self,
        tree: FileTree,
        *,
        prefix: str = "",
        styles: Styles | None = None,
        images: ImageIndex | None = None,
    ) -> None:
        self._tree = tree
        self._prefix = prefix
        self.styles = styles or Styles()
        self.images = images or ImageIndex()
        self._bytes: dict[str, bytes] = {}
        self._ids: dict[str, str] = {}
        self._types: dict[str, EntryType | None] = {}
        self._probes: dict[str, dict[str, EntryType | None]] = {}
        self._parsed: dict[tuple[str, str], Any] = {}
        self._positions: dict[str, Positions] = {}
        self._stack: list[Reads] = [Reads()]

    def at_tree(
        self, tree: FileTree, changed: Collection[str] | None
    ) -> tuple[Sources, Callable[[Reads], bool]]:
        """Return the files of another tree, with what was parsed of those that are the same in both.

        Args:
            tree: The other tree.
            changed: Every path whose content or existence differs, or None to find out.

        Returns:
            The files, and whether a part of a build would read the same from them.
        """
        other = Sources(tree, prefix=self._prefix, styles=self.styles, images=self.images)
        touched = None
        if changed is not None:
            touched = set(changed)
            for path in changed:
                folder = path
                while folder:
                    folder = posixpath.dirname(folder)
                    touched.add(folder)
        same: dict[str, bool] = {}

        def is_same(path: str) -> bool:
            known = same.get(path)
            if known is None:
                known = same[path] = self._is_same(path, other, touched)
            return known

        for path, data in self._bytes.items():
            if is_same(path):
                other._bytes[path] = data
        for key, value in self._parsed.items():
            if key[0] in other._bytes:
                other._parsed[key] = value
        found: dict[str, EntryType | None] = {}

        def unchanged(reads: Reads) -> bool:
            if not all(map(is_same, reads.files)):
                return False
            for path, kind in reads.probes.items():
                if touched is not None and path not in touched:
                    continue
                if path not in found:
                    found[path] = tree.entry_type(path)
                if found[path] is not kind:
                    return False
            return True

        return other, unchanged

    def _is_same(self, path: str, other: Sources, touched: set[str] | None) -> bool:
        """Return whether a file that was read is the same in another tree."""
        if touched is not None and path not in touched:
            other._ids[path] = self._ids[path]
            return True
        tree = other._tree
        try:
            identifier = tree.content_id(path)
            equal = identifier == self._ids[path] or tree.read(path) == self._bytes[path]
        except TreeError:
            return False
        other._ids[path] = identifier
        return equal

    def shown(self, path: str) -> str:
        """Return a path as messages show it."""
        return self._prefix + path

    def at(
        self, path: str, where: tuple[str | int, ...] = (), *, index: int = 0, key: bool = False
    ) -> Location:
        """Return the place of a field of a file."""
        try:
            return self.positions(path).locate(where, index=index, key=key)
        except (TreeError, InputError):
            return Location(self.shown(path))

    def positions(self, path: str) -> Positions:
        """Return the positions of the values of a file."""
        found = self._positions.get(path)
        if found is None:
            found = self._positions[path] = Positions(self._tree.read(path), self.shown(path))
        return found

    def inside(
        self, file: str, owner: str, where: tuple[str | int, ...], field: tuple[str | int, ...], index: int
    ) -> Location:
        """Return the place of a field of a patch, which has a file of its own or stands in its owner."""
        if file != owner:
            return self.at(file, field, index=index)
        return self._inline(owner, where, field, index)

    def operation(self, owner: str, where: tuple[str | int, ...], field: tuple[str | int, ...]) -> Location:
        """Return the place of a field of a JSON patch."""
        entry: Any = self.config(owner)
        for step in where:
            entry = entry[step]
        if not isinstance(entry, dict):
            return self.at(owner, where)
        path = entry.get("path")
        if path:
            full = posixpath.normpath(posixpath.join(posixpath.dirname(owner), path))
            return self.at(full, field)
        return self._inline(owner, where, field, 0)

    def _inline(
        self, owner: str, where: tuple[str | int, ...], field: tuple[str | int, ...], index: int
    ) -> Location:
        """Return the place of a field of a document that stands as text in a field of another one."""
        entry: Any = self.config(owner)
        for step in where:
            entry = entry[step]
        if isinstance(entry, dict):
            where = (*where, "patch")
            entry = entry.get("patch", "")
        start = self.at(owner, where)
        lines = self._tree.read(owner).decode("utf-8", "replace").splitlines()
        header = lines[start.line - 1][start.column - 1 :] if start.line <= len(lines) else ""
        if not header.startswith(("|", ">")):
            return start
        first = next((line for line in lines[start.line :] if line.strip()), "")
        indent = len(first) - len(first.lstrip(" "))
        try:
            inner = Positions(str(entry).encode(), owner).locate(field, index=index)
        except InputError:
            return start
        return Location(start.path, start.line + inner.line, indent + inner.column)

    def begin(self) -> Reads:
        """Begin to write down what is read from here on, too."""
        reads = Reads()
        self._stack.append(reads)
        return reads

    def end(self) -> None:
        """Stop what the latest `begin` began; what was read counts for the outer part, too."""
        reads = self._stack.pop()
        self._stack[-1].add(reads)

    def note(self, reads: Reads) -> None:
        """Count what a remembered part of a build had read."""
        self._stack[-1].add(reads)

    def entry_type(self, path: str) -> EntryType | None:
        """Return what stands at a path."""
        if path not in self._types:
            self._types[path] = self._tree.entry_type(path)
        found = self._types[path]
        self._stack[-1].probes[path] = found
        return found

    def read(self, path: str) -> bytes:
        """Return the content of a file."""
        data = self._bytes.get(path)
        if data is None:
            self._ids[path] = self._tree.content_id(path)
            data = self._tree.read(path)
            self._bytes[path] = data
        self._stack[-1].files.add(path)
        return data

    def parsed(self, path: str, kind: str, parse: Callable[[str], _T]) -> _T:
        """Return what `parse` makes of a file's text, remembered by path and kind."""
        key = (path, kind)
        if key in self._parsed:
            self._stack[-1].files.add(path)
        else:
            self._parsed[key] = parse(decode_text(self.read(path), self.shown(path)))
        return self._parsed[key]  # type: ignore[no-any-return] # one kind, one type

    def documents(self, path: str) -> list[Parsed]:
        """Return the documents of a resource file."""
        return self.parsed(
            path, "documents", lambda text: read_documents(text, self.shown(path), self.styles)
        )

    def config(self, path: str) -> Any:
        """Return the value of a configuration file."""
        return self.parsed(path, "config", lambda text: read_config(text, self.shown(path)))

    def unique_config(self, path: str) -> Any:
        """Return the value of a configuration file that may not hold a key twice."""
        return self.parsed(path, "unique", lambda text: read_config(text, self.shown(path), unique=True))

    def definitions(self, path: str) -> Any:
        """Return the value of a file of `crds`: JSON if it begins like that, YAML otherwise."""

        def parse(text: str) -> Any:
            if text.startswith("{"):
                try:
                    return json.loads(text)
                except ValueError as err:
                    raise RenderError(
                        f"expected JSON after the leading {{, found {err}",
                        at=Location(self.shown(path), getattr(err, "lineno", 1), getattr(err, "colno", 1)),
                        code="crds",
                        hint="put names and texts in double quotes, or write the file as a YAML block",
                    ) from err
            return read_config(text, self.shown(path), unique=True)

        return self.parsed(path, "definitions", parse)

    def kustomization(self, root: str) -> Kustomization:
        """Return the kustomization of a directory.

        Raises:
            RenderError: There is none, there are several, or a field is wrong.
        """
        probes = self._probes.get(root)
        if probes is None:
            names = (posixpath.join(root, name) for name in KUSTOMIZATION_NAMES)
            probes = self._probes[root] = {path: self.entry_type(path) for path in names}
        self._stack[-1].probes.update(probes)
        paths = [*probes]
        found = [path for path, kind in probes.items() if kind is EntryType.FILE]
        if len(found) != 1:
            what = "none" if not found else " and ".join(posixpath.basename(path) for path in found)
            raise RenderError(
                f"expected one kustomization.yaml in {self.shown(root) or '.'!r}, found {what}",
                at=Location(self.shown(found[0] if found else paths[0])),
                code="kustomization-missing" if not found else "kustomization-twice",
                hint="add one" if not found else "keep one of them",
            )
        path = found[0]

        def parse(text: str) -> Kustomization:
            try:
                return parse_kustomization(read_config(text, self.shown(path)), path)
            except RenderError as err:
                raise self.locate(err, path) from None

        return self.parsed(path, "kustomization", parse)

    def locate(self, err: RenderError, path: str, where: tuple[str | int, ...] | None = None) -> RenderError:
        """Give an error a place in a file, unless it has one."""
        if err.at is None:
            found = where if where is not None else getattr(err, "field", ())
            err.at = self.at(path, found, key=err.code == "unknown-field")
        return err

    def resolve(self, root: str, path: str, owner: str, where: tuple[str | int, ...]) -> str:
        """Return the path that an entry of a kustomization names.

        Raises:
            RenderError: It is remote, or it leaves the tree.
        """
        if is_remote(path):
            raise RenderError(
                f"expected a path in the repository, found the address {path!r}: nothing is fetched here",
                at=self.at(owner, where),
                code="remote-not-supported",
                hint="copy it into the repository, for example with `kustomize localize`, and name the copy",
            )
        try:
            return normalize(root, path)
        except TreeError as err:
            hint = err.hint or "name a file or folder of the repository"
            raise RenderError(err.message, at=self.at(owner, where), code=err.code, hint=hint) from None

    def file(self, root: str, path: str, owner: str, where: tuple[str | int, ...]) -> str:
        """Return the path of a file that a kustomization may load: in or below its own directory.

        Raises:
            RenderError: There is no such file, or it is elsewhere.
        """
        full = self.resolve(root, path, owner, where)
        try:
            found = self.entry_type(full)
            real = self.real(full)
        except TreeError as err:
            raise RenderError(err.message, at=self.at(owner, where), code=err.code, hint=err.hint) from None
        if found is not EntryType.FILE:
            raise RenderError(
                f"expected a file at {path!r}, found {'a directory' if found else 'nothing'}",
                at=self.at(owner, where),
                code="file-missing",
                hint="check the spelling; paths are relative to the kustomization",
            )
        if root and not real.startswith(self.real(root) + "/"):
            raise RenderError(
                f"expected a file in or below {self.shown(root)!r}, found {path!r}",
                at=self.at(owner, where),
                code="path-outside",
                hint="kustomize loads single files only from below; make their folder a base or component",
            )
        return full

    def real(self, path: str) -> str:
        """Return the path that a path leads to when its symlinks are followed."""
        real = getattr(self._tree, "real_path", None)
        return real(path) if real is not None else path

    def load(self, root: str, path: str, owner: str, where: tuple[str | int, ...]) -> tuple[str, bytes]:
        """Return path and content of a file that a kustomization names."""
        full = self.file(root, path, owner, where)
        try:
            return full, self.read(full)
        except TreeError as err:
            raise RenderError(err.message, at=self.at(owner, where), code=err.code, hint=err.hint) from None


__all__ += ["DocumentError", "Reads"]

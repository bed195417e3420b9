"""Which files of a fleet one site needs, so that a partial clone fetches no others.

Everything outside of the other sites' folders and of the evidence; then, level by level, the evidence that
the site's images are named in. What is overlooked here is still fetched when it is read, one by one.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Mapping, Set

__all__ = ["MOST_LEVELS", "first_level", "next_level"]

_EVIDENCE = "evidence/"
_DIGEST = re.compile(rb"sha256:([0-9a-f]{64})")
_SITE_FILES = frozenset({"site.yaml", "site.yml"})
#: A level needs the one before; more than this is a circle of digests.
MOST_LEVELS = 6


def first_level(paths: Iterable[str], site: str) -> set[str]:
    """Return the paths that a site may read, apart from evidence.

    Where no folder with a site file has the site's name, all site files are among them: the site may be in
    any of them.
    """
    every = list(paths)
    folders = {path.rpartition("/")[0] for path in every if path.rpartition("/")[2] in _SITE_FILES}
    own = {folder for folder in folders if folder.rpartition("/")[2] == site}
    found: set[str] = set()
    for path in every:
        if path.startswith(_EVIDENCE):
            continue
        folder = _site_folder(path, folders)
        if folder is None or folder in own or (not own and path.rpartition("/")[2] in _SITE_FILES):
            found.add(path)
    if not own:
        # Whose overlay it will be is known when the site files are read.
        found |= {path for path in every if not path.startswith(_EVIDENCE)}
    return found


def next_level(
    fetched: Iterable[str], paths: Set[str], read: Callable[[str], bytes], *, lock: str = "images.lock"
) -> set[str]:
    """Return the evidence that files which are here now speak of.

    Args:
        fetched: Files that came with the level before.
        paths: All paths of the revision.
        read: Reads a file that is here.
        lock: The path of the image lock; of it, only the images that another file names count.
    """
    wanted: set[str] = set()
    names = list(fetched)
    texts = {name: read(name) for name in names}
    for name, text in texts.items():
        if name == lock:
            others = b"\n".join(other for path, other in texts.items() if path != lock)
            wanted |= _locked(text, others)
        elif name.startswith(_EVIDENCE):
            wanted |= {digest.decode() for digest in _DIGEST.findall(text)}
    return {path for digest in wanted if (path := f"{_EVIDENCE}sha256/{digest}") in paths}


def _site_folder(path: str, folders: Set[str]) -> str | None:
    """Return the site's folder that a path is in, or None."""
    folder = path.rpartition("/")[0]
    while folder:
        if folder in folders:
            return folder
        folder = folder.rpartition("/")[0]
    return None


def _locked(text: bytes, others: bytes) -> set[str]:
    """Return the digests of the lock's images that some file names; all of them where it cannot be read."""
    from reconciler.documents import yaml
    from reconciler.errors import DocumentError

    try:
        document = yaml.load(text, "images.lock")[0].value
        images = document["images"]
    except (DocumentError, IndexError, KeyError, TypeError):
        return {digest.decode() for digest in _DIGEST.findall(text)}
    found: set[str] = set()
    for entry in images if isinstance(images, list) else ():
        if not isinstance(entry, Mapping) or _short(str(entry.get("name") or "")) not in others:
            continue
        content = json.dumps(entry, default=str).encode()
        found |= {digest.decode() for digest in _DIGEST.findall(content)}
    return found


def _short(name: str) -> bytes:
    """Return the last part of an image's name: the registry and the path may come from elsewhere."""
    return name.rpartition("/")[2].encode()

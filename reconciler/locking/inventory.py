"""The images of a fleet, each with what is known of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from reconciler.documents.tree import FileTree
from reconciler.errors import UsageError
from reconciler.images.completeness import read_entry
from reconciler.images.evidence import Evidence
from reconciler.locking.run import LockState
from reconciler.model.lock import LockedImage, normalized

__all__ = ["ImageRow", "inventory"]


@dataclass(frozen=True, slots=True)
class ImageRow:
    """One image of a fleet.

    Attributes:
        image: The reference as written.
        sites: Names of the sites that use it, sorted.
        digest: What it is locked to, or "".
        platforms: Platform and compressed bytes of each build, from the evidence.
        signers: Who signed it: what its signatures say of themselves, not verified here.
        resolved_at: When its tag was resolved, RFC 3339, or "".
        unknown: Why its platforms are not known, or "".
    """

    image: str
    sites: tuple[str, ...]
    digest: str
    platforms: tuple[tuple[str, int], ...]
    signers: tuple[str, ...]
    resolved_at: str
    unknown: str = ""

    def to_document(self) -> Mapping[str, Any]:
        """Return it as JSON values."""
        return {
            "image": self.image,
            "sites": list(self.sites),
            "digest": self.digest,
            "platforms": [{"platform": name, "size": size} for name, size in self.platforms],
            "signers": list(self.signers),
            "resolvedAt": self.resolved_at,
            "unknown": self.unknown,
        }


def inventory(state: LockState, tree: FileTree, *, site: str = "") -> tuple[ImageRow, ...]:
    """Return the images that sites use, in order of their names.

    Args:
        state: The fleet and its lock, read without findings.
        tree: The fleet's files; platforms and sizes are computed from its evidence.
        site: Of this site alone; "" for all.

    Raises:
        UsageError: There is no such site.
    """
    if site and (state.fleet is None or site not in state.fleet.sites):
        raise UsageError(f"there is no site {site!r} in this fleet", code="unknown-site")
    evidence = Evidence(tree)
    entries = {
        (normalized(entry.name), entry.tag or f"@{entry.digest}"): entry
        for entry in (state.lock.images.values() if state.lock is not None else ())
    }
    return tuple(
        _row(str(use.reference), use.sites, entries.get(use.key), evidence)
        for use in state.usage.images
        if not site or site in use.sites
    )


def _row(text: str, sites: tuple[str, ...], entry: LockedImage | None, evidence: Evidence) -> ImageRow:
    if entry is None:
        return ImageRow(text, sites, "", (), (), "", "not locked")
    contents = read_entry(entry, evidence)
    return ImageRow(
        image=text,
        sites=sites,
        digest=entry.digest,
        platforms=tuple((build.platform, build.size) for build in contents.builds if build.platform),
        signers=(f"{len(entry.signatures)} not verified",) if entry.signatures else (),
        resolved_at=entry.resolved_at,
        unknown=contents.problems[0].code if contents.problems else "artifact" if contents.artifact else "",
    )

"""The images of a fleet, each with what is known of it."""

from __future__ import annotations

import datetime
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from reconciler.documents.tree import FileTree
from reconciler.errors import UsageError
from reconciler.images.completeness import read_entry
from reconciler.images.evidence import Evidence
from reconciler.images.trust import TrustBook
from reconciler.locking.run import LockState
from reconciler.locking.usage import ImageUse
from reconciler.model.lock import LockedImage, normalized
from reconciler.model.trust import TrustJudge

__all__ = ["ImageRow", "inventory"]


@dataclass(frozen=True, slots=True)
class ImageRow:
    """One image of a fleet.

    Attributes:
        image: The reference as written.
        sites: Names of the sites that use it, sorted.
        digest: What it is locked to, or "".
        platforms: Platform and compressed bytes of each build, from the evidence.
        signers: Signers of the fleet whose signature is right, at any of the sites.
        signatures: How many documents sign or attest it, whoever made them.
        resolved_at: When its tag was resolved, RFC 3339, or "".
        unknown: Why its platforms are not known, or "".
    """

    image: str
    sites: tuple[str, ...]
    digest: str
    platforms: tuple[tuple[str, int], ...]
    signers: tuple[str, ...]
    signatures: int
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
            "signatures": self.signatures,
            "resolvedAt": self.resolved_at,
            "unknown": self.unknown,
        }


def inventory(
    state: LockState, tree: FileTree, *, at: datetime.datetime, site: str = ""
) -> tuple[ImageRow, ...]:
    """Return the images that sites use, in order of their names.

    Args:
        state: The fleet and its lock, read without findings.
        tree: The fleet's files; platforms, sizes and signers are computed from its evidence.
        at: The time by which keys begin and end to count.
        site: Of this site alone; "" for all.

    Raises:
        UsageError: There is no such site.
    """
    if site and (state.fleet is None or site not in state.fleet.sites):
        raise UsageError(f"there is no site {site!r} in this fleet", code="unknown-site")
    if state.fleet is None:
        return ()
    evidence = Evidence(tree)
    book = TrustBook(state.fleet.trust, evidence)
    judges = {name: book.judge_of(each, at) for name, each in state.fleet.sites.items()}
    entries = {
        (normalized(entry.name), entry.tag or f"@{entry.digest}"): entry
        for entry in (state.lock.images.values() if state.lock is not None else ())
    }
    return tuple(
        _row(use, entries.get(use.key), evidence, [judges[name] for name in use.sites])
        for use in state.usage.images
        if not site or site in use.sites
    )


def _row(
    use: ImageUse, entry: LockedImage | None, evidence: Evidence, judges: Sequence[TrustJudge]
) -> ImageRow:
    text = str(use.reference)
    if entry is None:
        return ImageRow(text, use.sites, "", (), (), 0, "", "not locked")
    contents = read_entry(entry, evidence)
    applied = use.reference if use.reference.digest else use.reference.pinned(entry.digest)
    signers = {name for judge in judges for name in judge.judge(applied, entry).signers}
    return ImageRow(
        image=text,
        sites=use.sites,
        digest=entry.digest,
        platforms=tuple((build.platform, build.size) for build in contents.builds if build.platform),
        signers=tuple(sorted(signers)),
        signatures=len(entry.signatures),
        resolved_at=entry.resolved_at,
        unknown=contents.problems[0].code if contents.problems else "artifact" if contents.artifact else "",
    )

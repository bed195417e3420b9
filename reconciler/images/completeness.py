"""Whether all evidence of a locked image is there: its documents, and those of its signatures."""

from __future__ import annotations

from dataclasses import replace

from reconciler.images.contents import read_contents
from reconciler.images.evidence import Evidence, EvidenceError
from reconciler.images.manifest import Manifest, ManifestError, parse_document
from reconciler.model.contents import EvidenceProblem, ImageContents
from reconciler.model.lock import LockedImage

__all__ = ["read_entry"]


def read_entry(entry: LockedImage, evidence: Evidence) -> ImageContents:
    """Read everything that an entry of `images.lock` leads to.

    Args:
        entry: The entry; of it, only the digests are followed.
        evidence: Where the documents are.

    Returns:
        What the image is made of. `problems` and `evidence` tell of its signatures as well, which are read
        and hashed, and not verified here.
    """
    contents = read_contents(entry.digest, evidence)
    problems = list(contents.problems)
    seen = set(contents.evidence)
    for signature in entry.signatures:
        for digest in _with_payloads(signature, evidence, problems):
            try:
                evidence.read(digest)
                seen.add(digest)
            except EvidenceError as err:
                problems.append(EvidenceProblem(err.code, err.message, err.path))
    return replace(contents, problems=tuple(problems), evidence=tuple(sorted(seen)))


def _with_payloads(signature: str, evidence: Evidence, problems: list[EvidenceProblem]) -> tuple[str, ...]:
    """Return the digests of a signature manifest and of what it holds, as far as it can be read."""
    try:
        document = parse_document(evidence.read(signature))
    except EvidenceError:
        return (signature,)
    except ManifestError as err:
        problems.append(EvidenceProblem(err.code, f"{err.message}, in the signature {signature}"))
        return (signature,)
    if not isinstance(document, Manifest):
        problems.append(EvidenceProblem("manifest", f"the signature {signature} is an index, not a manifest"))
        return (signature,)
    return (signature, *(layer.digest for layer in document.layers))

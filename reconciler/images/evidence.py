"""Content-addressed files in the repository: what registries answered, byte for byte.

`evidence/sha256/<hex>` holds a raw manifest, index, image config, signature payload or bundle. The name is
the digest of the content, so nobody has to be believed: a reader hashes what it reads, every time.

How signatures are laid out there, and from where `images.lock` names them, is written in docs/images.md.
"""

from __future__ import annotations

import hashlib
import re

from reconciler.documents.tree import EntryType, FileTree, TreeError
from reconciler.errors import WaysideError

__all__ = ["EVIDENCE_DIRECTORY", "Evidence", "EvidenceError", "digest_of", "evidence_path"]

EVIDENCE_DIRECTORY = "evidence/sha256"
_DIGEST = re.compile(r"sha256:([0-9a-f]{64})\Z")
_HEX = re.compile(r"[0-9a-f]{64}\Z")


class EvidenceError(WaysideError):
    """A piece of evidence cannot be used: it is missing, or is not what its name says.

    `code` is one of `evidence-missing`, `evidence-altered`, `evidence-unreadable` and `evidence-digest` (the
    digest is none that evidence is kept by). A verifier lets it through: what is not there proves nothing.

    Args:
        message: What is wrong, with what was expected and found.
        digest: The digest that was asked for.
        path: The file's path in the repository, or "" where the digest names none.
    """

    def __init__(self, message: str, *, digest: str, path: str, code: str, hint: str = "") -> None:
        super().__init__(message, code=code, hint=hint)
        self.digest = digest
        self.path = path


def digest_of(content: bytes) -> str:
    """Return the digest of some content, as registries write it: `sha256:<64 hex digits>`."""
    return f"sha256:{hashlib.sha256(content).hexdigest()}"


def evidence_path(digest: str) -> str:
    """Return where the content with a digest is kept, relative to the repository's root.

    Raises:
        EvidenceError: Not `sha256:` and 64 lower-case hex digits (`evidence-digest`).
    """
    match = _DIGEST.match(digest)
    if match is None:
        raise EvidenceError(
            f"expected sha256: and 64 lower-case hex digits, found {digest[:100]!r}",
            digest=digest,
            path="",
            code="evidence-digest",
        )
    return f"{EVIDENCE_DIRECTORY}/{match[1]}"


class Evidence:
    """The evidence of one revision, read through its tree of files.

    It keeps nothing: each `read` reads the file and hashes it, so that callers remember what they computed
    from the bytes (by digest, which names them for ever), not that the bytes were good once.

    Args:
        tree: The files of the revision, or of a working tree.
    """

    def __init__(self, tree: FileTree) -> None:
        self._tree = tree

    def read(self, digest: str) -> bytes:
        """Return the content that has a digest.

        Args:
            digest: `sha256:<64 hex digits>`.

        Returns:
            Bytes whose SHA-256 is `digest`: exactly what the registry answered. They are authentic in no
            other sense, and may be anything: parse them as input from outside.

        Raises:
            EvidenceError: There is no such file (`evidence-missing`), its content has another digest
                (`evidence-altered`), it cannot be read or is too large (`evidence-unreadable`), or the digest
                is malformed (`evidence-digest`).
        """
        path = evidence_path(digest)
        try:
            content = self._tree.read(path)
        except TreeError as err:
            if err.code == "file-missing":
                raise EvidenceError(
                    f"expected the content of {digest} at {path}, found no such file",
                    digest=digest,
                    path=path,
                    code="evidence-missing",
                    hint="run `wayside images lock` and commit what it writes under evidence/",
                ) from None
            raise EvidenceError(
                err.message, digest=digest, path=path, code="evidence-unreadable", hint=err.hint
            ) from err
        found = digest_of(content)
        if found != digest:
            raise EvidenceError(
                f"expected content with the digest {digest} in {path}, found {found}",
                digest=digest,
                path=path,
                code="evidence-altered",
                hint="restore the file from git, or delete it and run `wayside images lock`",
            )
        return content

    def has(self, digest: str) -> bool:
        """Return whether there is a file of that name; only `read` says whether it is what its name says.

        Raises:
            EvidenceError: As `read`, but for what is missing and what is altered.
        """
        path = evidence_path(digest)
        try:
            return self._tree.entry_type(path) is EntryType.FILE
        except TreeError as err:
            raise EvidenceError(
                err.message, digest=digest, path=path, code="evidence-unreadable", hint=err.hint
            ) from err

    def digests(self) -> tuple[str, ...]:
        """Return the digests that files are named by, sorted; other names in the directory are left out.

        Raises:
            TreeError: The directory is there and cannot be read.
        """
        if self._tree.entry_type(EVIDENCE_DIRECTORY) is not EntryType.DIRECTORY:
            return ()
        return tuple(f"sha256:{name}" for name in self._tree.list(EVIDENCE_DIRECTORY) if _HEX.match(name))

"""Checkpoints: a log's signed note of how large it is and which root its tree has.

Formats: github.com/transparency-dev/formats/blob/main/log and golang.org/x/mod/sumdb/note.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from reconciler.images.signatures.protojson import decode_base64
from reconciler.images.signatures.refusal import SignatureRefused
from reconciler.images.signatures.trusted_root import Log, TrustedRoot

__all__ = ["Checkpoint"]

_CODE = "log-invalid"
_SIGNATURE = re.compile("— ([^\\s+]+) ([A-Za-z0-9+/]+={0,2})\\Z")
_SIZE = re.compile(r"(0|[1-9][0-9]{0,18})\Z")
_OLD_ORIGIN = re.compile(r".* - [0-9]+\Z")
_MOST_SIGNATURES = 64


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """What a checkpoint says.

    Attributes:
        origin: The log's name.
        size: Leaves of its tree.
        root: The tree's root hash.
        text: The bytes that are signed.
        signatures: Signer's name, key's hint (4 bytes) and signature of each signature line.
    """

    origin: str
    size: int
    root: bytes
    text: bytes
    signatures: tuple[tuple[str, bytes, bytes], ...]

    @classmethod
    def parse(cls, note: str) -> Checkpoint:
        """Read a signed note.

        Raises:
            SignatureRefused: It is none, or not one of a log.
        """
        text, blank, tail = note.rpartition("\n\n")
        lines = text.split("\n")
        root = decode_base64(lines[2]) if len(lines) >= 3 else None
        if not blank or not lines[0] or root is None or not root or not _SIZE.match(lines[1]):
            raise SignatureRefused("expected a log's checkpoint, found another text", code=_CODE)
        if not tail.endswith("\n"):
            raise SignatureRefused(
                "expected a checkpoint that ends with a line break, found none", code=_CODE
            )
        signatures: list[tuple[str, bytes, bytes]] = []
        for line in tail[:-1].split("\n"):
            match = _SIGNATURE.match(line)
            decoded = decode_base64(match[2]) if match is not None else None
            if match is None or decoded is None or len(decoded) < 5:
                raise SignatureRefused(
                    "expected signatures under a checkpoint, found another line", code=_CODE
                )
            signatures.append((match[1], decoded[:4], decoded[4:]))
        if len(signatures) > _MOST_SIGNATURES:
            raise SignatureRefused(
                f"expected at most {_MOST_SIGNATURES} signatures under a checkpoint, found {len(signatures)}",
                code=_CODE,
            )
        return cls(lines[0], int(lines[1]), root, f"{text}\n".encode(), tuple(signatures))

    @property
    def is_old(self) -> bool:
        """Whether it is of a log of the first generation, whose origin ends in the number of a tree."""
        return _OLD_ORIGIN.match(self.origin) is not None

    def log_of(self, root: TrustedRoot) -> Log | None:
        """Return the log that says it signed this, for entries that do not name their log."""
        found = (log for log in root.logs if log.host == _host(self.origin) and self._signed_by(log))
        return next(found, None)

    def _signed_by(self, log: Log) -> list[tuple[str, bytes]]:
        """Return signer's name and signature of the lines with the hint of a log's key."""
        hints = {each[:4] for each in log.ids} | {log.key.note_id(self.origin)[:4]}
        return [(name, signature) for name, hint, signature in self.signatures if hint in hints]

    def verify(self, log: Log) -> None:
        """Verify that the log signed it. Signatures of others, such as witnesses, are passed over.

        Raises:
            SignatureRefused: It did not, or its key is called by another name.
        """
        named = self._signed_by(log)
        if not self.is_old:
            if log.host and _host(self.origin) != log.host:
                raise SignatureRefused(
                    f"expected a checkpoint of {log.host}, found one of {self.origin[:80]!r}", code=_CODE
                )
            named = [(name, signature) for name, signature in named if name == self.origin]
        if not named:
            raise SignatureRefused(
                "expected the log's signature under its checkpoint, found none", code=_CODE
            )
        if not any(log.key.verifies(signature, self.text) for _, signature in named):
            raise SignatureRefused(
                "expected the log's signature under its checkpoint, found one that is not right", code=_CODE
            )


def _host(origin: str) -> str:
    return origin.partition("/")[0].partition(":")[0]

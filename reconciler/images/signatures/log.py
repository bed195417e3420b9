"""Verifying that an entry is in a transparency log: promise, proof and checkpoint."""

from __future__ import annotations

import datetime
import hashlib
import json
from base64 import b64encode

from reconciler.images.signatures.bundle import InclusionProof, LogEntry
from reconciler.images.signatures.checkpoint import Checkpoint
from reconciler.images.signatures.refusal import SignatureRefused
from reconciler.images.signatures.trusted_root import Log

__all__ = ["root_of", "verify_inclusion", "verify_promise"]

_CODE = "log-invalid"
#: Kinds of logs of the first generation, which promise inclusion and vouch for a time.
_PROMISING = frozenset({("hashedrekord", "0.0.1"), ("dsse", "0.0.1"), ("intoto", "0.0.2")})


def verify_promise(entry: LogEntry, log: Log) -> datetime.datetime:
    """Verify an entry's promise (SET) and return the time that the log vouches for.

    Raises:
        SignatureRefused: The promise is not by the log, or the log's key was not in use at that time.
    """
    if (entry.kind, entry.version) not in _PROMISING:
        raise SignatureRefused(
            f"expected no promise for an entry of the kind {entry.kind[:40]}/{entry.version[:20]}, found one",
            code=_CODE,
        )
    if not entry.integrated_time:
        raise SignatureRefused("expected a time with a log's promise, found none", code=_CODE)
    # RFC 8785 of four ASCII members, in order of their names.
    signed = json.dumps(
        {
            "body": b64encode(entry.body).decode(),
            "integratedTime": entry.integrated_time,
            "logID": entry.log_id.hex(),
            "logIndex": entry.index,
        },
        separators=(",", ":"),
    )
    if not log.key.verifies(entry.promise, signed.encode()):
        raise SignatureRefused(
            "expected the log's promise to include the entry, found one that is not right", code=_CODE
        )
    try:
        at = datetime.datetime.fromtimestamp(entry.integrated_time, tz=datetime.UTC)
    except (OverflowError, ValueError, OSError) as err:
        raise SignatureRefused(
            "expected a time with a log's promise, found another number", code=_CODE
        ) from err
    if not log.window.holds(at):
        raise SignatureRefused(
            f"expected a log whose key was in use at {at:%Y-%m-%d %H:%M:%S}Z, found another", code=_CODE
        )
    return at


def verify_inclusion(entry: LogEntry, proof: InclusionProof, log: Log) -> None:
    """Verify that an entry is in the tree whose root the log signed.

    Raises:
        SignatureRefused: It is not, or the log did not sign that root.
    """
    checkpoint = Checkpoint.parse(proof.checkpoint)
    checkpoint.verify(log)
    if proof.size and proof.size != checkpoint.size:
        raise SignatureRefused(
            f"expected a proof in a tree of {checkpoint.size} entries, found one of {proof.size}", code=_CODE
        )
    if proof.root and proof.root != checkpoint.root:
        raise SignatureRefused("expected the root that the checkpoint signs, found another", code=_CODE)
    if not checkpoint.is_old and entry.index != proof.index:
        raise SignatureRefused(
            f"expected the entry at {entry.index}, found a proof for {proof.index}", code=_CODE
        )
    leaf = hashlib.sha256(b"\x00" + entry.body).digest()
    if root_of(leaf, index=proof.index, size=checkpoint.size, way=proof.hashes) != checkpoint.root:
        raise SignatureRefused(
            "expected a proof that leads to the log's root, found one that does not", code=_CODE
        )


def root_of(leaf: bytes, *, index: int, size: int, way: tuple[bytes, ...]) -> bytes | None:
    """Return the root that an inclusion proof leads to (RFC 9162, 2.1.3.2), or None where it cannot be one.

    Args:
        leaf: The leaf's hash.
        index: Its place, from 0.
        size: Leaves of the tree.
        way: The hashes beside the way up, from the lowest.
    """
    if not 0 <= index < size:
        return None
    place, last, root = index, size - 1, leaf
    for sibling in way:
        if last == 0 or len(sibling) != 32:
            return None
        if place & 1 or place == last:
            root = hashlib.sha256(b"\x01" + sibling + root).digest()
            while not place & 1 and place:
                place, last = place >> 1, last >> 1
        else:
            root = hashlib.sha256(b"\x01" + root + sibling).digest()
        place, last = place >> 1, last >> 1
    return root if last == 0 else None

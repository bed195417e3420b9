"""in-toto statements: what is said, and of which artifacts (github.com/in-toto/attestation)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, NoReturn

from reconciler.images.signatures.artifact import HASHES, Artifact
from reconciler.images.signatures.protojson import parse_json
from reconciler.images.signatures.refusal import SignatureRefused

__all__ = ["STATEMENT_TYPE", "Statement", "Subject"]

STATEMENT_TYPE = "application/vnd.in-toto+json"
_TYPES = frozenset({"https://in-toto.io/Statement/v0.1", "https://in-toto.io/Statement/v1"})
_CODE = "statement-invalid"
_MOST_SUBJECTS = 1024
_MOST_DIGESTS = 32


@dataclass(frozen=True, slots=True)
class Subject:
    """One artifact that a statement is about: its name, and its digests by algorithm."""

    name: str
    digests: Mapping[str, str]

    def is_of(self, artifact: Artifact) -> bool:
        """Return whether the subject is the artifact: some digest is equal, and none contradicts."""
        matched = False
        for algorithm in HASHES:
            said, known = self.digests.get(algorithm), None
            if said is not None:
                known = artifact.digest(algorithm)
            if known is not None:
                if said != known.hex():
                    return False
                matched = True
        return matched


@dataclass(frozen=True, slots=True)
class Statement:
    """A statement.

    Attributes:
        subjects: What it is about.
        predicate_type: The type of what is said; a URI.
        predicate: What is said, as JSON values; for an attestation without any, None.
    """

    subjects: tuple[Subject, ...]
    predicate_type: str
    predicate: Any

    @classmethod
    def parse(cls, payload: bytes, payload_type: str) -> Statement:
        """Read an envelope's payload.

        Raises:
            SignatureRefused: It is no statement.
        """
        if payload_type != STATEMENT_TYPE:
            _refuse(f"the payload type {STATEMENT_TYPE}", repr(payload_type[:80]))
        value = parse_json(payload, what="an in-toto statement", code=_CODE)
        if not isinstance(value, dict) or value.get("_type") not in _TYPES:
            _refuse("an in-toto statement of v0.1 or v1", "another document")
        subjects, kind = value.get("subject"), value.get("predicateType")
        if not isinstance(subjects, list) or not 1 <= len(subjects) <= _MOST_SUBJECTS:
            _refuse(f"1 to {_MOST_SUBJECTS} subjects", "none" if not subjects else "something else")
        if not isinstance(kind, str):
            _refuse("a predicateType", "none")
        return cls(tuple(_subject(each) for each in subjects), kind, value.get("predicate"))

    def subject_of(self, artifact: Artifact) -> Subject:
        """Return the subject that is the artifact.

        Raises:
            SignatureRefused: None is.
        """
        for subject in self.subjects:
            if subject.is_of(artifact):
                return subject
        first = self.subjects[0]
        named = ", ".join(f"{name}:{value[:64]}" for name, value in sorted(first.digests.items())[:3])
        more = f" and {len(self.subjects) - 1} more" if len(self.subjects) > 1 else ""
        raise SignatureRefused(
            f"expected a statement about {artifact}, found one about {named or 'nothing'}{more}",
            code="digest-mismatch",
        )


def _subject(value: Any) -> Subject:
    name = value.get("name") if isinstance(value, dict) else None
    digests = value.get("digest") if isinstance(value, dict) else None
    if not isinstance(digests, dict) or len(digests) > _MOST_DIGESTS:
        _refuse("a subject with its digests", "something else")
    if any(not isinstance(each, str) for each in digests.values()):
        _refuse("digests as strings", "something else")
    return Subject(name if isinstance(name, str) else "", MappingProxyType(digests))


def _refuse(expected: str, found: str) -> NoReturn:
    raise SignatureRefused(f"expected {expected} in a signed envelope, found {found}", code=_CODE)

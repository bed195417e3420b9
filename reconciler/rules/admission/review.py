"""What policies say of a request."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

from reconciler.model.fieldpath import FieldPath
from reconciler.model.finding import NotChecked

__all__ = ["Denial", "Review"]

_CODES = {"Forbidden": 403, "Unauthorized": 401, "RequestEntityTooLarge": 413}


@dataclass(frozen=True, slots=True)
class Denial:
    """A refusal.

    Attributes:
        message: The API server's words, from `ValidatingAdmissionPolicy '...'` on.
        policy: The policy's name.
        binding: The binding's name, or "" where it is about the policy itself.
        detail: The words after `denied request: `.
        reason: The reason of the API server's answer.
        field: What refused, as a path in the policy: `spec.validations[0]` and such.
        error: Whether something could not be evaluated, rather than was found wrong.
    """

    message: str
    policy: str
    binding: str
    detail: str
    reason: str = "Invalid"
    field: FieldPath = ()
    error: bool = False

    @property
    def code(self) -> int:
        """The HTTP status of the API server's answer."""
        return _CODES.get(self.reason, 422)


@dataclass(frozen=True, slots=True)
class Review:
    """What was said of one request.

    Attributes:
        denials: Every refusal. The API server tells the first one only.
        warnings: What the API server would send in `Warning` headers.
        audit_annotations: What it would add to the request's audit event.
        not_checked: What only a cluster can answer: it is neither allowed nor denied here.
    """

    denials: tuple[Denial, ...] = ()
    warnings: tuple[str, ...] = ()
    audit_annotations: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    not_checked: tuple[NotChecked, ...] = ()

    @property
    def allowed(self) -> bool:
        """Whether nothing refused the request. Read it together with `not_checked`."""
        return not self.denials

    @classmethod
    def joined(cls, reviews: Iterable[Review]) -> Review:
        """Return what several policies say together, each annotation as the first of them set it."""
        reviews = tuple(reviews)
        annotations: dict[str, str] = {}
        for review in reviews:
            for key, value in review.audit_annotations.items():
                annotations.setdefault(key, value)
        return cls(
            tuple(denial for review in reviews for denial in review.denials),
            tuple(warning for review in reviews for warning in review.warnings),
            MappingProxyType(annotations),
            tuple(note for review in reviews for note in review.not_checked),
        )

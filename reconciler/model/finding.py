"""What a check found wrong, as values."""

from __future__ import annotations

import enum
import hashlib
import re
from dataclasses import dataclass, field

from reconciler.model.credentials import without_credentials
from reconciler.model.fieldpath import FieldPath, format_field_path
from reconciler.model.location import Location
from reconciler.model.resource import ResourceId

__all__ = ["Finding", "NotChecked", "Severity", "Violation"]

_PLACE = re.compile(r"(?<=\.yaml):\d+(?::\d+)?\b")


class Severity(enum.Enum):
    """How bad a finding is. `ERROR` refuses a revision by default."""

    ERROR = "error"
    WARNING = "warning"
    INFO = "info"

    @property
    def rank(self) -> int:
        """0 for the worst, so that sorting puts errors first."""
        return ("error", "warning", "info").index(self.value)

    def at_least(self, other: Severity) -> bool:
        """Tell whether this is as bad as `other`, or worse."""
        return self.rank <= other.rank


@dataclass(frozen=True, slots=True)
class Violation:
    """A rule's "no" about one site, before it is tied to a line of the repository.

    Attributes:
        rule: The rule's stable id, for example `memory-budget`.
        severity: How bad it is.
        message: One sentence: what is wrong, with the value found and the value wanted.
        hint: One sentence: what to do. Empty where nothing useful can be said.
        resource: The object it is about, or None where it is about the site as a whole.
        field_path: The field that decides it, within the object (or within the Site document).
        at: The place, where the rule knows it itself; otherwise the origin of the field is used.
    """

    rule: str
    severity: Severity
    message: str
    hint: str = ""
    resource: ResourceId | None = None
    field_path: FieldPath = ()
    at: Location | None = None


@dataclass(frozen=True, slots=True)
class NotChecked:
    """Something that could not be judged here. It is always said aloud.

    Attributes:
        rule: The rule or check that was left out.
        reason: Why, and who decides it instead.
        sites: The sites it concerns.
        resource: The object it concerns, or None.
    """

    rule: str
    reason: str
    sites: tuple[str, ...] = ()
    resource: ResourceId | None = None


@dataclass(frozen=True, slots=True)
class Finding:
    """One cause, at one place of the repository, with every site that it hits.

    Attributes:
        rule: The rule's stable id.
        severity: How bad it is.
        message: One sentence: what is wrong. A password of `user:password@host` in it becomes `***`.
        location: The overlay, base or site line that set the value.
        hint: One sentence: what to do.
        resource: The object it is about, or None.
        field_path: The field within the object.
        sites: Names of the sites it hits, sorted; empty where it concerns the fleet itself.
        related: Places that led to the value, base first.
        fingerprint: A stable id that survives line shifts.
        new: Whether the base that a change is compared with does not have it; None where nothing is compared.
    """

    rule: str
    severity: Severity
    message: str
    location: Location
    hint: str = ""
    resource: ResourceId | None = None
    field_path: FieldPath = ()
    sites: tuple[str, ...] = ()
    related: tuple[Location, ...] = ()
    fingerprint: str = field(default="")
    new: bool | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "message", without_credentials(self.message))
        if not self.fingerprint:
            object.__setattr__(self, "fingerprint", self._fingerprint())

    def _fingerprint(self) -> str:
        subject = "" if self.resource is None else str(self.resource)
        message = _PLACE.sub("", self.message)  # a message may name another place, whose line may shift
        text = "\0".join(
            (self.rule, self.location.path, subject, format_field_path(self.field_path), message)
        )
        return hashlib.sha256(text.encode("utf-8", "backslashreplace")).hexdigest()[:32]

    @property
    def order(self) -> tuple[object, ...]:
        """A key that sorts findings the same way in every run."""
        return (
            self.location.path,
            self.location.line,
            self.location.column,
            self.severity.rank,
            self.rule,
            str(self.resource or ""),
            format_field_path(self.field_path),
            self.message,
        )

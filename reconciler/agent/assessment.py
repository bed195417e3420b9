"""What a look at the repository told, as values that travel from the worker to the agent."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias

from reconciler.agent.revision import SiteRevision

__all__ = [
    "Allowed",
    "Assessment",
    "Held",
    "Reason",
    "Refused",
    "Suspended",
    "Unavailable",
    "Unchanged",
    "decode",
    "encode",
]


@dataclass(frozen=True, slots=True)
class Reason:
    """One reason of a refusal, with its place.

    Attributes:
        rule: The rule's id.
        message: One sentence.
        location: `path:line:column`, or "".
        hint: What to do, or "".
        resource: The object, or "".
    """

    rule: str
    message: str
    location: str = ""
    hint: str = ""
    resource: str = ""


@dataclass(frozen=True, slots=True)
class Unchanged:
    """The reference still names the commit that is known already."""

    commit: str


@dataclass(frozen=True, slots=True)
class Allowed:
    """The rules allow this revision at this site."""

    revision: SiteRevision

    @property
    def commit(self) -> str:
        """The full commit id."""
        return self.revision.commit


@dataclass(frozen=True, slots=True)
class Refused:
    """This revision must not be applied: it is invalid, cannot be rendered or breaks a rule.

    Attributes:
        commit: The full commit id.
        code: `invalid`, `render` or `rules`.
        reasons: At least one, the worst first; long lists are cut.
        count: How many there are in all.
    """

    commit: str
    code: str
    reasons: tuple[Reason, ...]
    count: int


@dataclass(frozen=True, slots=True)
class Held:
    """This revision waits for a person: `SiteRemoved` or `Rewound`. Nothing at the site is touched."""

    commit: str
    code: str
    message: str
    hint: str = ""


@dataclass(frozen=True, slots=True)
class Suspended:
    """This revision says that the site is to be left alone."""

    commit: str


@dataclass(frozen=True, slots=True)
class Unavailable:
    """Nothing is known of the repository's newest revision. It is not "empty".

    Attributes:
        code: A stable code.
        message: Why, without credentials.
        hint: What to do, or "".
        commit: The revision that could not be read, or "" where it was not even found.
    """

    code: str
    message: str
    hint: str = ""
    commit: str = ""


Assessment: TypeAlias = Unchanged | Allowed | Refused | Held | Suspended | Unavailable

_TYPES: Mapping[str, type[Unchanged | Held | Suspended | Unavailable]] = {
    "Unchanged": Unchanged,
    "Held": Held,
    "Suspended": Suspended,
    "Unavailable": Unavailable,
}


def encode(assessment: Assessment) -> dict[str, Any]:
    """Return an assessment as JSON values."""
    kind = type(assessment).__name__
    if isinstance(assessment, Allowed):
        return {"kind": kind, "revision": assessment.revision.to_document()}
    return {"kind": kind, **dataclasses.asdict(assessment)}


def decode(document: Mapping[str, Any]) -> Assessment:
    """Read what `encode` wrote.

    Raises:
        ValueError: It is something else.
    """
    fields = dict(document)
    kind = str(fields.pop("kind", ""))
    try:
        if kind == "Allowed":
            return Allowed(SiteRevision.from_document(fields["revision"]))
        if kind == "Refused":
            fields["reasons"] = tuple(Reason(**reason) for reason in fields["reasons"])
            return Refused(**fields)
        return _TYPES[kind](**fields)
    except (KeyError, TypeError) as err:
        raise ValueError(f"expected an assessment, found {kind or 'something else'}: {err}") from err

"""The one verdict on one site, the same in a pull request and in the agent."""

from __future__ import annotations

from dataclasses import dataclass

from reconciler.model.finding import NotChecked, Violation
from reconciler.model.fleet import Waiver

__all__ = ["Verdict", "Waived"]


@dataclass(frozen=True, slots=True)
class Waived:
    """A violation that is not held against a site, and the waiver that says so."""

    violation: Violation
    waiver: Waiver


@dataclass(frozen=True, slots=True)
class Verdict:
    """What the rules say of a site's desired set.

    Attributes:
        site: The site's name.
        allowed: Whether it may be applied, by the fleet's `failOn`.
        violations: In a fixed order; waived ones are not among them.
        not_checked: What could not be judged here.
        inputs_digest: `sha256:...` over the desired set, as rules saw it, and the site's facts.
        rules_digest: `sha256:...` over rules, parameters, waivers, engine and version.
        verdict_digest: `sha256:...` over the two above and the outcome.
        waived: What the fleet accepts, with the waivers; not part of the outcome.
        download: Bytes that a rollout pulls at the site; not part of the outcome.
    """

    site: str
    allowed: bool
    violations: tuple[Violation, ...]
    not_checked: tuple[NotChecked, ...]
    inputs_digest: str
    rules_digest: str
    verdict_digest: str
    waived: tuple[Waived, ...] = ()
    download: int = 0

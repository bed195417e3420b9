"""What a report may say of a rule beside its findings."""

from __future__ import annotations

from dataclasses import dataclass

from reconciler.model.finding import Severity

__all__ = ["RuleHelp"]


@dataclass(frozen=True, slots=True)
class RuleHelp:
    """A rule, in words.

    Attributes:
        name: Its id.
        title: What it demands, in one sentence.
        text: Why it is there, and what is bad and good, as Markdown.
        severity: How bad a violation is, unless a fleet says otherwise.
        link: Where it is documented: an address, or a path of the fleet's repository.
    """

    name: str
    title: str
    text: str = ""
    severity: Severity = Severity.ERROR
    link: str = ""

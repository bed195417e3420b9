"""What reports say of rules beside their findings."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace

from reconciler.model.finding import Finding, Severity
from reconciler.model.rulehelp import RuleHelp
from reconciler.rules.builtin import PREFIX
from reconciler.rules.catalogue import CHECKS
from reconciler.rules.policy import SitePolicy

__all__ = ["DOCUMENTATION", "hinted", "rule_help"]

#: Where the documentation stands.
DOCUMENTATION = "https://wayside.dev/docs"


def rule_help(policies: Iterable[SitePolicy]) -> Mapping[str, RuleHelp]:
    """Return what is known of rules and checks, by id.

    Args:
        policies: Built-in rules and the fleet's own.
    """
    found = {
        name: RuleHelp(name, text.replace("`", ""), text, Severity.ERROR, f"{DOCUMENTATION}/rules/#{name}")
        for name, text in CHECKS.items()
    }
    found |= {policy.name: _of(policy) for policy in policies}
    return found


_KUSTOMIZE = "https://kubectl.docs.kubernetes.io/references/kustomize/kustomization/"
_HINTS = {
    "fleet-schema": "`wayside export schemas` writes the schema, which editors can use",
    "lock-schema": "`wayside images lock` writes this file anew",
    "render": f"{_KUSTOMIZE} says what each field takes",
    "rule-error": "mend the rule; `wayside test` tries it on its examples",
    "site-schema": "`wayside export schemas` writes the schema, which editors can use",
    "yaml": "mend the text around this line",
}


def hinted(finding: Finding) -> Finding:
    """Return a finding with a hint, where its rule gives none."""
    if finding.hint:
        return finding
    if finding.rule == "schema" and finding.resource is not None:
        path = ".".join(step for step in finding.field_path if isinstance(step, str))
        name = f"{finding.resource.kind.lower()}.{path}".rstrip(".")
        return replace(finding, hint=f"write a value that fits; `kubectl explain {name}` says what does")
    return replace(finding, hint=_HINTS.get(finding.rule, ""))


def _of(policy: SitePolicy) -> RuleHelp:
    built_in = policy.path.startswith(PREFIX)
    documentation = policy.documentation
    parts = [f"{policy.title}."]
    if documentation.why.strip():
        parts.append(documentation.why.strip())
    for word, example in (("Bad", documentation.bad), ("Good", documentation.good)):
        if example.strip():
            parts.append(f"{word}:\n\n```yaml\n{example.strip()}\n```")
    hints = dict.fromkeys(validation.hint for validation in policy.validations if validation.hint)
    parts += [f"What to do: {hint}." for hint in hints]
    link = f"{DOCUMENTATION}/rules/{policy.name}/" if built_in else policy.path
    return RuleHelp(policy.name, policy.title, "\n\n".join(parts), policy.severity, link)

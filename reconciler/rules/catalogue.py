"""All ids that a finding may carry: the rules that are files, and the checks that are not."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType

from reconciler.rules.policy import SitePolicy

__all__ = ["CHECKS", "pages"]

#: Checks that are not rule files, with what each of them says. Their findings carry these ids.
CHECKS: Mapping[str, str] = MappingProxyType(
    {
        "admission-policy": "A ValidatingAdmissionPolicy or its binding is not valid.",
        "admission-request": "An object is none that admission policies can be asked about.",
        "facts": "A manifest has an amount or a size that cannot be counted, or that the API server refuses.",
        "fleet-schema": "`fleet.yaml` has a field or value that a Fleet does not have.",
        "image-reference": "An image's name cannot be read (`images lock`).",
        "lock-schema": "`images.lock` has a field or value that it cannot have.",
        "overrides": "An override for a group of nodes (YurtAppSet, EdgeApplication) misses what it is for.",
        "registries": "A file of registry hosts has a field or value that it cannot have.",
        "render": "An overlay cannot be built.",
        "rule-error": "A rule is not valid, or does not compile; nothing passes it.",
        "rule-settings": "`fleet.yaml` names a rule that does not exist.",
        "rule-weakened": "A change takes something from a rule (`check --base`).",
        "schema": "An object has a field or value that its kind does not have.",
        "site-schema": "`site.yaml` has a field or value that a Site does not have.",
        "transition": "An update or a deletion is refused, though its result is not (`check --base`).",
        "trust-changed": "A change touches who is trusted (`check --base`).",
        "vars": "A variable that an object needs is not there.",
        "waiver-added": "A change waives something that was not waived (`check --base`).",
        "waiver-expired": "A waiver's last day has passed; remove it, or renew it with a reason.",
        "waiver-unused": "A waiver fits no violation; remove it.",
        "wayside-version": "`fleet.yaml` requires another version of Wayside than the one that checks.",
        "workloads": "A kind that runs containers is not known, so its objects are not checked.",
        "yaml": "A file is not YAML of the dialect that kustomize reads, or has a duplicate key.",
    }
)

_HEADER = "<!-- Made from the rule files by docs/rules/generate.py; change those. -->\n"


def pages(policies: Sequence[SitePolicy]) -> dict[str, str]:
    """Return the pages of `docs/rules/`: one for every rule, and the table of all ids.

    Args:
        policies: The built-in rules.
    """
    found = {f"{policy.name}.md": _page(policy) for policy in policies}
    found["index.md"] = _index(policies)
    return found


def _index(policies: Sequence[SitePolicy]) -> str:
    lines = [
        _HEADER,
        "# Rules",
        "",
        "Every finding carries one of these ids. `fleet.yaml` switches a rule off, changes its severity or "
        "parameters, or waives single findings by it. How to write your own: "
        "[writing-rules.md](writing-rules.md).",
        "",
        "| id | severity | asked about | what it demands |",
        "|---|---|---|---|",
    ]
    for policy in sorted(policies, key=lambda policy: policy.name):
        scope = {"Site": "a site", "Resource": "an object", "Workload": "a workload", "Image": "an image"}[
            policy.scope.value
        ]
        off = "" if policy.enabled else " Off by default."
        lines.append(
            f"| [`{policy.name}`]({policy.name}.md) | {policy.severity.value} | {scope} "
            f"| {policy.title}.{off} |"
        )
    lines += ["", "## Checks that are not rule files", "", "| id | what it says |", "|---|---|"]
    lines += [f"| `{name}` | {text} |" for name, text in sorted(CHECKS.items())]
    return "\n".join(lines) + "\n"


def _page(policy: SitePolicy) -> str:
    documentation = policy.documentation
    lines = [
        _HEADER,
        f"# `{policy.name}`",
        "",
        f"{policy.title}.",
        "",
        f"Severity: {policy.severity.value}. Scope: {policy.scope.value}. "
        f"{'On' if policy.enabled else 'Off'} by default. "
        f"The rule: [`policies/{policy.name}.yaml`](../../policies/{policy.name}.yaml).",
        "",
        "## Why",
        "",
        documentation.why.strip(),
        "",
        "## Bad",
        "",
        "```yaml",
        documentation.bad.strip(),
        "```",
        "",
        "## Good",
        "",
        "```yaml",
        documentation.good.strip(),
        "```",
        "",
    ]
    if policy.parameters:
        lines += ["## Parameters", "", "| name | type | default | meaning |", "|---|---|---|---|"]
        for parameter in policy.parameters.values():
            choices = (
                f" One of {', '.join(f'`{c}`' for c in parameter.choices)}." if parameter.choices else ""
            )
            lines.append(
                f"| `{parameter.name}` | {parameter.type.value} | `{parameter.default}` | "
                f"{parameter.description}{choices} |"
            )
        lines.append("")
    hints = [validation.hint for validation in policy.validations if validation.hint]
    if hints:
        lines += [
            "## What to do",
            "",
            *(f"- {hint[0].upper()}{hint[1:]}." for hint in dict.fromkeys(hints)),
            "",
        ]
    if policy.exemptions:
        lines += ["## Not checked", "", *(f"- {exemption.reason}." for exemption in policy.exemptions), ""]
    return "\n".join(lines)

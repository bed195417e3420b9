"""What a change takes from the rules: everything that makes them say less than before, listed.

A pull request that loosens a rule to let something pass must say so. What is compared is what holds in
effect: defaults of the built-in rules, the fleet's own policies, its settings, its waivers, its trust roots.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from reconciler.documents import yaml
from reconciler.documents.tree import EntryType, FileTree, walk
from reconciler.documents.yaml import Document
from reconciler.model.fieldpath import FieldPath
from reconciler.model.finding import Finding, Severity
from reconciler.model.fleet import Fleet, RuleSetting, Waiver
from reconciler.model.location import Location
from reconciler.rules.admission.documents import BINDING_KIND, POLICY_KIND
from reconciler.rules.policy import KIND, SitePolicy

__all__ = ["RuleState", "allowances", "weakenings"]

_FLEET = "fleet.yaml"
_TRUST = "trust"
#: Annotations by which a site allows what rules forbid elsewhere.
_ALLOW = "wayside.dev/allow-"
_NO_SETTING = RuleSetting()


@dataclass(frozen=True, slots=True)
class RuleState:
    """What rules of a revision say.

    Attributes:
        tree: The revision's files.
        fleet: Its fleet.
        policies: Every site policy, built-in and own, by id.
        documents: The documents of the fleet's own policy files.
    """

    tree: FileTree
    fleet: Fleet
    policies: Mapping[str, SitePolicy]
    documents: Sequence[Document]


def weakenings(base: RuleState, head: RuleState) -> tuple[Finding, ...]:
    """List every rule weakened, waiver added and trust root changed between two revisions.

    Args:
        base: What held before.
        head: What holds with the change.

    Returns:
        Findings of the rules `rule-weakened`, `waiver-added` and `trust-changed`, each a warning.
    """
    return tuple(
        sorted(
            (
                *_threshold(base, head),
                *_site_policies(base, head),
                *_other_policies(base, head),
                *_waivers(base, head),
                *_trust(base.tree, head.tree),
                *_trust_settings(base, head),
            ),
            key=lambda finding: finding.order,
        )
    )


def allowances(base: FileTree, before: Fleet, head: FileTree, after: Fleet) -> tuple[Finding, ...]:
    """List what sites newly allow by annotations of their own (`wayside.dev/allow-...`).

    Args:
        base: The files before the change.
        before: The fleet there; of its sites, those that the change touches.
        head: The files with the change.
        after: The fleet there.
    """
    found = []
    for name, site in after.sites.items():
        earlier = before.sites.get(name)
        if earlier is None and base.entry_type(site.at.path) is not None:
            continue  # not among the sites that were read of the base
        for key, value in site.annotations.items():
            if key.startswith(_ALLOW) and (earlier is None or earlier.annotations.get(key) != value):
                field: FieldPath = ("metadata", "annotations", key)
                at = yaml.locate(head.read(site.at.path), site.at.path, field, key=True)
                message = f"the site {name} allows {key.removeprefix(_ALLOW)} by itself: {value}"
                found.append(Finding("waiver-added", Severity.WARNING, message, at, sites=(name,)))
    return tuple(found)


def _threshold(base: RuleState, head: RuleState) -> Iterator[Finding]:
    before, after = base.fleet.rules.fail_on, head.fleet.rules.fail_on
    if after.rank < before.rank:
        message = f"the fleet refused from {before.value}, now it refuses only from {after.value}"
        yield _weakened(message, _in_fleet(head.tree, ("spec", "rules", "failOn")))


def _site_policies(base: RuleState, head: RuleState) -> Iterator[Finding]:
    for name, before in base.policies.items():
        after = head.policies.get(name)
        if after is None:
            yield _weakened(f"the rule {name} is gone", Location(_FLEET))
            continue
        was = base.fleet.rules.rules.get(name, _NO_SETTING)
        now = head.fleet.rules.rules.get(name, _NO_SETTING)
        at = _in_fleet(head.tree, ("spec", "rules", "settings", name))
        if _is_on(before, was) and not _is_on(after, now):
            yield _weakened(f"the rule {name} is switched off", at)
            continue
        severity, lowered = was.severity or before.severity, now.severity or after.severity
        if lowered.rank > severity.rank:
            message = f"the rule {name} had severity {severity.value}, now it has {lowered.value}"
            yield _weakened(message, at if now.severity else Location(after.path))
        for parameter, old, new in _parameters(before, was, after, now):
            message = f"the parameter {parameter} of the rule {name} was {old!r}, now it is {new!r}"
            yield _weakened(message, at)
        if before.source.get("spec") != after.source.get("spec"):
            yield _weakened(f"the text of the rule {name} is changed", Location(after.path))


def _is_on(policy: SitePolicy, setting: RuleSetting) -> bool:
    return policy.enabled and setting.enabled


def _parameters(
    before: SitePolicy, was: RuleSetting, after: SitePolicy, now: RuleSetting
) -> Iterator[tuple[str, Any, Any]]:
    """Yield name, old and new value of each parameter that changed."""
    for name, parameter in before.parameters.items():
        if name in after.parameters:  # otherwise the rule's text is changed, which is said
            old = was.parameters.get(name, parameter.default)
            new = now.parameters.get(name, after.parameters[name].default)
            if old != new:
                yield name, old, new


def _other_policies(base: RuleState, head: RuleState) -> Iterator[Finding]:
    """Compare admission policies and whatever else stands in the policy files, by kind and name."""
    before, after = _by_name(base.documents), _by_name(head.documents)
    for key, old in before.items():
        kind, name = key
        new = after.get(key)
        if new is None:
            yield _weakened(f"the {kind} {name} is gone", Location(_FLEET))
        elif _content(old.value) != _content(new.value):
            yield _weakened(
                f"the {kind} {name} is changed{_softened(old.value, new.value)}",
                _in_document(head.tree, new),
            )
    bound = {_policy_name(document) for key, document in before.items() if key[0] == BINDING_KIND}
    for key, document in after.items():
        name = _policy_name(document)
        if key[0] == BINDING_KIND and name not in bound and (POLICY_KIND, name) in before:
            yield _weakened(
                f"the {POLICY_KIND} {name} had no binding, so it denied everywhere; "
                f"now it holds as the binding {key[1]} says",
                _in_document(head.tree, document),
            )
            bound.add(name)


def _content(value: Mapping[str, Any]) -> dict[str, Any]:
    """Return what a document says; labels and such are not looked at."""
    return {key: item for key, item in value.items() if key not in {"metadata", "status"}}


def _policy_name(document: Document) -> str:
    spec = document.value.get("spec")
    return str(spec.get("policyName")) if isinstance(spec, dict) else ""


def _in_document(tree: FileTree, document: Document) -> Location:
    data = tree.read(document.path)
    return yaml.locate(data, document.path, ("metadata", "name"), index=document.index)


def _by_name(documents: Sequence[Document]) -> dict[tuple[str, str], Document]:
    found = {}
    for document in documents:
        value = document.value
        if isinstance(value, dict) and value.get("kind") != KIND:
            metadata = value.get("metadata")
            name = metadata.get("name") if isinstance(metadata, dict) else None
            found[str(value.get("kind")), str(name)] = document
    return found


def _softened(old: Mapping[str, Any], new: Mapping[str, Any]) -> str:
    """Say what plainly got softer in an admission policy or binding, or nothing."""
    before, after = old.get("spec"), new.get("spec")
    if not isinstance(before, dict) or not isinstance(after, dict):
        return ""
    said = []
    if before.get("failurePolicy", "Fail") == "Fail" and after.get("failurePolicy", "Fail") == "Ignore":
        said.append("its failures are ignored")
    actions, left = before.get("validationActions") or (), after.get("validationActions") or ()
    if "Deny" in actions and "Deny" not in left:
        said.append("it does not deny any more")
    if _not_found(before) == "Deny" and _not_found(after) == "Allow":
        said.append("it lets pass where there is no parameter")
    if len(after.get("validations") or ()) < len(before.get("validations") or ()):
        said.append("it has fewer validations")
    return f": {' and '.join(said)}" if said else ""


def _not_found(binding: Mapping[str, Any]) -> Any:
    ref = binding.get("paramRef")
    return ref.get("parameterNotFoundAction") if isinstance(ref, dict) else None


def _waivers(base: RuleState, head: RuleState) -> Iterator[Finding]:
    known = {_scope(waiver): waiver for waiver in base.fleet.rules.waivers}
    for waiver in head.fleet.rules.waivers:
        earlier = known.get(_scope(waiver))
        where = ", ".join((*waiver.sites, *waiver.resources)) or "everything"
        if earlier is None:
            message = f"{waiver.rule} is waived for {where} until {waiver.expires}: {waiver.reason}"
        elif waiver.expires > earlier.expires:
            message = (
                f"the waiver of {waiver.rule} for {where} is extended from {earlier.expires} "
                f"to {waiver.expires}: {waiver.reason}"
            )
        else:
            continue
        yield Finding("waiver-added", Severity.WARNING, message, waiver.at or Location(_FLEET))


def _scope(waiver: Waiver) -> tuple[object, ...]:
    return waiver.rule, waiver.sites, waiver.resources


def _trust(base: FileTree, head: FileTree) -> Iterator[Finding]:
    before, after = _contents(base), _contents(head)
    for path in sorted({*before, *after}):
        if before.get(path) != after.get(path):
            what = "added" if path not in before else "removed" if path not in after else "changed"
            yield Finding(
                "trust-changed",
                Severity.WARNING,
                f"the trust root {path} is {what}; sites judge by it from this change on",
                Location(path if path in after else _FLEET),
            )


def _trust_settings(base: RuleState, head: RuleState) -> Iterator[Finding]:
    """Yield a finding where `spec.trust` of fleet.yaml is not what it was."""
    before, after = ((state.fleet.manifest.get("spec") or {}).get("trust") for state in (base, head))
    if before != after:
        yield Finding(
            "trust-changed",
            Severity.WARNING,
            "spec.trust of fleet.yaml is changed: who signs images, or which images must be signed",
            _in_fleet(head.tree, ("spec", "trust") if after is not None else ("spec",)),
        )


def _contents(tree: FileTree) -> dict[str, bytes]:
    if tree.entry_type(_TRUST) is not EntryType.DIRECTORY:
        return {}
    return {path: tree.read(path) for path in walk(tree, _TRUST)}


def _weakened(message: str, at: Location) -> Finding:
    return Finding("rule-weakened", Severity.WARNING, message, at)


def _in_fleet(tree: FileTree, field: FieldPath) -> Location:
    return yaml.locate(tree.read(_FLEET), _FLEET, field, key=True)

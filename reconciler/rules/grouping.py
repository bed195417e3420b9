"""Rules that are asked together: of one scope, and with the same needs of the site.

What a rule says of a subject depends on the subject and on what the rule reads of the site. Rules that read
the same are answered together, so that one look into the memo answers all of them.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property, partial
from typing import Any

from reconciler.rules.facts.workload import WorkloadFacts
from reconciler.rules.judge import CompiledRule, SiteReads, Subject
from reconciler.rules.matching import SiteMatch
from reconciler.rules.policy import Scope
from reconciler.rules.subjects import SiteSubjects, at, fingerprint

__all__ = ["RuleGroup", "group_rules"]

#: Gives the rules of a group that are asked about one subject, each with its subject.
Questions = Callable[[], list[tuple[CompiledRule, Subject]]]


@dataclass(frozen=True)
class RuleGroup:
    """Rules that are asked together.

    Attributes:
        number: What tells the group from others in keys.
        scope: What they are asked about.
        sites: The sites that all of them are about.
        reads: The site-wide variables that they may read, and at which paths.
        subject_reads: The same of the variables of their scope, of all rules together.
        reads_metadata: Whether some rule looks at labels or annotations.
    """

    number: int
    scope: Scope
    sites: SiteMatch
    reads: SiteReads
    subject_reads: SiteReads
    rules: tuple[CompiledRule, ...]
    reads_metadata: bool = True

    @cached_property
    def kinds(self) -> frozenset[str] | None:
        """The kinds of objects that its rules are about, or None for all."""
        found = [rule.policy.subjects.kinds for rule in self.rules]
        if not all(found):
            return None
        return frozenset(kind.partition(".")[0] for kinds in found for kind in kinds)

    def subjects(self, of: SiteSubjects) -> Iterator[tuple[Questions, Hashable]]:
        """Yield the questions about each subject of a site, with the subject's key."""
        match self.scope:
            case Scope.SITE:
                yield partial(self._about_site, of), None
            case Scope.RESOURCE:
                kinds = self.kinds
                for number, resource in enumerate(of.resources):
                    if kinds is None or resource.kind in kinds:
                        yield partial(self._about_object, of, number), self._look(of, number)
            case Scope.WORKLOAD | Scope.IMAGE:
                for workload in of.workloads:
                    yield partial(self._about_workload, of, workload), self._key(of, workload)

    def _key(self, of: SiteSubjects, workload: WorkloadFacts) -> Hashable:
        """Return what the rules may see of a workload: two that look the same to them get the same answer."""
        if self.reads_metadata:
            return self._seen(workload)
        key: Hashable = of.share(("seen", self.number, workload.key), partial(self._seen, workload))
        return key

    def _seen(self, workload: WorkloadFacts) -> Hashable:
        parts: list[Any] = [
            fingerprint([at(workload.values, path) for path in paths])
            if name == "workload"
            else fingerprint([at(workload.manifest, path) for path in paths])
            for name, paths in self.subject_reads
            if name != "image"
        ]
        if self.scope is Scope.IMAGE:
            parts.append(fingerprint(workload.values["images"]))
        matched = tuple(r.policy.subjects.matches(workload.id, workload.labels) for r in self.rules)
        return (workload.id, workload.pod.path, matched, *parts)

    def _look(self, of: SiteSubjects, number: int) -> Hashable:
        """Return what the rules may see of an object."""
        resource, manifest = of.resources[number], of.manifests[number]
        paths = [path for _, paths in self.subject_reads for path in paths]
        labels = resource.labels
        matched = tuple(r.policy.subjects.matches(resource.id, labels) for r in self.rules)
        return (resource.id, matched, fingerprint([at(manifest, path) for path in paths]))

    def _about_site(self, of: SiteSubjects) -> list[tuple[CompiledRule, Subject]]:
        subject = Subject({}, of.value)
        return [(rule, subject) for rule in self.rules]

    def _about_object(self, of: SiteSubjects, number: int) -> list[tuple[CompiledRule, Subject]]:
        resource, manifest = of.resources[number], of.manifests[number]
        subject = Subject({"object": manifest}, of.value, resource.id)
        labels = resource.labels
        return [(r, subject) for r in self.rules if r.policy.subjects.matches(resource.id, labels)]

    def _about_workload(
        self, of: SiteSubjects, workload: WorkloadFacts
    ) -> list[tuple[CompiledRule, Subject]]:
        rules = [r for r in self.rules if r.policy.subjects.matches(workload.id, workload.labels)]
        values = {"workload": workload.values, "object": workload.manifest}
        if self.scope is Scope.WORKLOAD:
            subject = Subject(values, of.value, workload.id, (), workload.pod.path)
            return [(rule, subject) for rule in rules]
        return [
            (
                rule,
                Subject(
                    {**values, "image": image.facts},
                    of.value,
                    workload.id,
                    image.field_path,
                    workload.pod.path,
                ),
            )
            for rule in rules
            for image in workload.images
        ]


def group_rules(rules: Sequence[CompiledRule]) -> tuple[RuleGroup, ...]:
    """Put rules together that can be answered together."""
    groups: dict[Hashable, list[CompiledRule]] = {}
    for number, rule in enumerate(rules):
        policy = rule.policy
        alone = policy.scope is Scope.SITE
        key = number if alone else (policy.scope, policy.sites, rule.reads, _reads_metadata(rule))
        groups.setdefault(key, []).append(rule)
    return tuple(
        RuleGroup(
            number=number,
            scope=found[0].policy.scope,
            sites=found[0].policy.sites,
            reads=found[0].reads,
            subject_reads=_united(rule.subject_reads for rule in found),
            rules=tuple(found),
            reads_metadata=any(
                _reads_metadata(rule) or bool(rule.policy.subjects.labels.requirements) for rule in found
            ),
        )
        for number, found in enumerate(groups.values())
    )


def _reads_metadata(rule: CompiledRule) -> bool:
    """Tell whether a rule may read labels or annotations, which differ more often than the rest."""
    return any(
        not path or path[0] in {"labels", "annotations", "metadata", "podLabels"}
        for _, paths in rule.subject_reads
        for path in paths
    )


def _united(all_reads: Iterable[SiteReads]) -> SiteReads:
    found: dict[str, set[tuple[str, ...]]] = {}
    for reads in all_reads:
        for name, paths in reads:
            found.setdefault(name, set()).update(paths)
    return tuple((name, tuple(sorted(paths))) for name, paths in sorted(found.items()))

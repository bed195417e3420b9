"""Rules that are asked together: of one scope, and with the same needs of the site.

What a rule says of a subject depends on the subject and on what the rule reads of the site. Rules that read
the same are answered together, so that one look into the memo answers all of them.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import count

from reconciler.rules.facts.workload import WorkloadFacts
from reconciler.rules.judge import CompiledRule, SiteReads, Subject
from reconciler.rules.matching import SiteMatch
from reconciler.rules.policy import Scope
from reconciler.rules.subjects import SiteSubjects

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
    """

    number: int
    scope: Scope
    sites: SiteMatch
    reads: SiteReads
    rules: tuple[CompiledRule, ...]

    def subjects(self, of: SiteSubjects) -> Iterator[tuple[Questions, Hashable]]:
        """Yield the questions about each subject of a site, with the subject's key."""
        match self.scope:
            case Scope.SITE:
                yield partial(self._about_site, of), None
            case Scope.RESOURCE:
                for number, (_, key) in enumerate(of.objects):
                    yield partial(self._about_object, of, number), key
            case Scope.WORKLOAD | Scope.IMAGE:
                for workload in of.workloads:
                    yield partial(self._about_workload, of, workload), id(workload)

    def _about_site(self, of: SiteSubjects) -> list[tuple[CompiledRule, Subject]]:
        subject = Subject({}, of.value)
        return [(rule, subject) for rule in self.rules]

    def _about_object(self, of: SiteSubjects, number: int) -> list[tuple[CompiledRule, Subject]]:
        resource, (manifest, _) = of.resources[number], of.objects[number]
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
    numbers = count()
    for rule in rules:
        alone = rule.policy.scope is Scope.SITE
        key = next(numbers) if alone else (rule.policy.scope, rule.policy.sites, rule.reads)
        groups.setdefault(key, []).append(rule)
    return tuple(
        RuleGroup(number, found[0].policy.scope, found[0].policy.sites, found[0].reads, tuple(found))
        for number, found in enumerate(groups.values())
    )

"""All site rules of a fleet, compiled, and the review of a site by them."""

from __future__ import annotations

import datetime
import difflib
import hashlib
import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

from reconciler.documents.yaml import Document, locate
from reconciler.model.fieldpath import FieldPath
from reconciler.model.finding import Finding, NotChecked, Severity, Violation
from reconciler.model.fleet import Fleet, RuleSetting
from reconciler.model.kinds import workload_kinds
from reconciler.model.location import Location
from reconciler.model.lock import ImagesLock
from reconciler.model.resource import Resource
from reconciler.model.site import Site
from reconciler.model.trust import TrustJudge
from reconciler.model.verdict import Waived
from reconciler.rules.builtin import PREFIX
from reconciler.rules.catalogue import CHECKS
from reconciler.rules.cel import default_engine
from reconciler.rules.compiling import RuleCompiler
from reconciler.rules.expressions import Engine
from reconciler.rules.facts.download import layers_of, pulls_of
from reconciler.rules.facts.plain import as_mapping, dig
from reconciler.rules.grouping import Questions, RuleGroup, group_rules
from reconciler.rules.judge import CompiledRule, Outcome, judge
from reconciler.rules.parsing import parse_policy
from reconciler.rules.policy import KIND, SitePolicy
from reconciler.rules.subjects import SiteSubjects, SubjectMemo, plain
from reconciler.rules.waivers import apply_waivers

__all__ = ["FACTS_RULE", "OVERRIDES_RULE", "WORKLOADS_RULE", "RulePack", "RuleReview"]

#: The id of what is said where a manifest cannot be counted: a wrong quantity, a size without a bound.
FACTS_RULE = "facts"
#: The id of what is said where an override for a group of nodes misses.
OVERRIDES_RULE = "overrides"
#: The id under which kinds are named that run containers and that no rule can look into.
WORKLOADS_RULE = "workloads"
_VERSION = "1"


@dataclass(frozen=True, slots=True)
class RuleReview:
    """What the site rules say of one site.

    Attributes:
        violations: What counts, in a fixed order.
        waived: What the fleet accepts, with the waiver.
        not_checked: What could not be judged here, and why.
        download: Bytes that a rollout pulls.
    """

    violations: tuple[Violation, ...]
    waived: tuple[Waived, ...] = ()
    not_checked: tuple[NotChecked, ...] = ()
    download: int = 0


class RulePack:
    """The site rules of a fleet.

    Attributes:
        policies: Every rule that could be parsed, by id, also those that are off.
        rules: The rules that are asked.
        transitional: Ids of those that look at what a site has already, so that they say something else at
            another time.
        findings: What is wrong with rules and with the fleet's settings for them.
        digest: `sha256:...` over rules, parameters, waivers and engine.
        memo: What sites share; its counters say how much.
    """

    def __init__(
        self,
        *,
        fleet: Fleet,
        policies: Sequence[SitePolicy],
        rules: Sequence[CompiledRule],
        broken: Sequence[Violation],
        findings: Sequence[Finding],
        engine: str,
    ) -> None:
        self.policies = {policy.name: policy for policy in policies}
        self.rules = tuple(rules)
        self.transitional = frozenset(
            rule.policy.name for rule in self.rules if any(name == "download" for name, _ in rule.reads)
        )
        self.findings = tuple(findings)
        self.memo = SubjectMemo()
        self._groups = group_rules(self.rules)
        self._fleet = fleet
        self.kinds = workload_kinds(fleet.manifest)
        self._broken = tuple(broken)
        self.digest = _digest(fleet, policies, broken, engine)

    @classmethod
    def load(
        cls,
        documents: Iterable[Document],
        *,
        fleet: Fleet,
        engine: Engine = None,
        read: Callable[[str], bytes] | None = None,
        known_rules: Iterable[str] = (),
    ) -> RulePack:
        """Load rules, with the fleet's settings for them.

        A rule that cannot be used is a finding where it is written, and fails closed: every site that is
        reviewed gets a violation that says so.

        Args:
            documents: The built-in rules (`builtin.documents()`), then the fleet's own. Documents of other
                kinds are left alone.
            fleet: The fleet, with its rule settings and waivers.
            engine: The CEL engine, `native` or `pure`, or None for the platform's best.
            read: Gives the content of a document's file, for exact places of findings.
            known_rules: Ids of rules of other kinds, which settings and waivers may name too.
        """
        loader = _Loader(fleet, engine, read)
        known = {*known_rules, *CHECKS}
        for document in documents:
            if as_mapping(document.value).get("kind") == KIND:
                loader.add(document)
            elif isinstance(name := dig(document.value, "metadata", "name"), str):
                known.add(name)  # a policy of another kind has settings and waivers by its name too
        loader.check_settings({*known, *loader.seen})
        return cls(
            fleet=fleet,
            policies=loader.policies,
            rules=loader.rules,
            broken=loader.broken,
            findings=loader.findings,
            engine=engine or default_engine(),
        )

    def review(
        self,
        site: Site,
        resources: Sequence[Resource],
        *,
        lock: ImagesLock | None,
        at: datetime.datetime,
        trust: TrustJudge | None = None,
        fleet: Fleet | None = None,
        installed: frozenset[str] | None = None,
    ) -> RuleReview:
        """Review one site.

        Args:
            site: The site.
            resources: Its desired set, with the API server's defaults.
            lock: The fleet's images.lock, or None where there is none.
            at: The commit's time, by which waivers expire.
            trust: Judges signatures of images at the site; without it none is known.
            fleet: The fleet, where it is not the one that the rules were loaded for.
            installed: Digests of layers that the last applied revision has at the site; None where nobody
                knows.
        """
        subjects = SiteSubjects(
            site,
            resources,
            fleet=fleet or self._fleet,
            lock=lock,
            memo=self.memo,
            trust=trust,
            kinds=self.kinds,
            installed=installed,
        )
        violations: list[Violation] = list(self._broken)
        violations += self._fact_problems(subjects)
        violations += self._override_problems(subjects)
        not_checked: list[NotChecked] = [
            NotChecked(
                WORKLOADS_RULE,
                f"{kind} runs containers and is not a known workload, so no rule looked into it; "
                "name it in spec.workloads of fleet.yaml",
                (site.name,),
            )
            for kind in subjects.unknown_workload_kinds
        ]
        for group in self._groups:
            if not group.sites.matches(site.name, site.labels):
                continue
            for outcome in self._ask(group, subjects):
                violations += outcome.violations
                not_checked += (replace(item, sites=(site.name,)) for item in outcome.not_checked)
        not_checked += (
            NotChecked(OVERRIDES_RULE, making.not_checked, (site.name,), origin)
            for origin, making in subjects.makings
            if making.not_checked
        )
        violations = [_at_origin(violation, subjects) for violation in violations]
        not_checked = [_item_at_origin(item, subjects) for item in not_checked]
        counted, waived = apply_waivers(violations, self._fleet.rules.waivers, site=site.name, at=at)
        counted.sort(key=_order)
        return RuleReview(
            tuple(counted), tuple(waived), tuple(dict.fromkeys(not_checked)), subjects.download["added"]
        )

    def layers(self, site: Site, resources: Sequence[Resource], *, lock: ImagesLock | None) -> frozenset[str]:
        """Return the digests of all image layers that a desired set needs at its site.

        Args:
            site: The site.
            resources: Its desired set, with the API server's defaults.
            lock: The fleet's images.lock, or None where there is none.
        """
        return layers_of(self._subjects(site, resources, lock).workloads)

    def pulls(
        self, site: Site, resources: Sequence[Resource], *, lock: ImagesLock | None
    ) -> Mapping[str, int]:
        """Return all image layers that a desired set needs at its site, and the bytes that each costs there.

        Args:
            site: The site.
            resources: Its desired set, with the API server's defaults.
            lock: The fleet's images.lock, or None where there is none.
        """
        return pulls_of(self._subjects(site, resources, lock).workloads)

    def _subjects(self, site: Site, resources: Sequence[Resource], lock: ImagesLock | None) -> SiteSubjects:
        return SiteSubjects(site, resources, fleet=self._fleet, lock=lock, memo=self.memo, kinds=self.kinds)

    def _ask(self, group: RuleGroup, subjects: SiteSubjects) -> Iterator[Outcome]:
        """Ask rules about every subject of a site; equal questions are asked once for all sites."""
        site_key = (group.number, *(subjects.key(name, paths) for name, paths in group.reads))
        for questions, key in group.subjects(subjects):
            yield self.memo.share(("answer", key, site_key), partial(_answer, questions))

    def _override_problems(self, subjects: SiteSubjects) -> list[Violation]:
        setting = self._fleet.rules.rules.get(OVERRIDES_RULE, RuleSetting())
        return [
            Violation(
                rule=OVERRIDES_RULE,
                severity=setting.severity or problem.severity,
                message=problem.message,
                hint=problem.hint,
                resource=origin,
                field_path=problem.field_path,
            )
            for origin, making in subjects.makings
            for problem in making.problems
            if setting.enabled
        ]

    def _fact_problems(self, subjects: SiteSubjects) -> list[Violation]:
        setting = self._fleet.rules.rules.get(FACTS_RULE, RuleSetting())
        return [
            Violation(
                rule=FACTS_RULE,
                severity=setting.severity or Severity.ERROR,
                message=problem.message,
                hint="until this is a value that Kubernetes takes, the site's rules cannot count it",
                resource=resource,
                field_path=problem.field_path,
            )
            for resource, problem in subjects.problems
        ]


def _at_origin(violation: Violation, subjects: SiteSubjects) -> Violation:
    """Point from an object that a controller makes to the object, and the field, that set it so."""
    found = subjects.made.get(violation.resource) if violation.resource is not None else None
    if found is None:
        return violation
    origin, made = found
    shown = f"{made.resource.kind} {made.resource.id.name}"
    of = f"{shown}, for {made.group}" if made.group else shown
    return replace(
        violation,
        message=f"{violation.message} ({of})",
        resource=origin,
        field_path=made.source.origin(violation.field_path),
    )


def _item_at_origin(item: NotChecked, subjects: SiteSubjects) -> NotChecked:
    found = subjects.made.get(item.resource) if item.resource is not None else None
    return item if found is None else replace(item, resource=found[0])


def _answer(questions: Questions) -> Outcome:
    """Ask all rules of a group about one subject."""
    violations: list[Violation] = []
    not_checked: list[NotChecked] = []
    for rule, subject in questions():
        outcome = judge(rule, subject)
        violations += outcome.violations
        not_checked += outcome.not_checked
    return Outcome(tuple(violations), tuple(not_checked))


def _order(violation: Violation) -> tuple[object, ...]:
    path = tuple((isinstance(step, int), str(step).zfill(6)) for step in violation.field_path)
    return (violation.rule, str(violation.resource or ""), path, violation.message)


def _digest(fleet: Fleet, policies: Sequence[SitePolicy], broken: Sequence[Violation], engine: str) -> str:
    settings = fleet.rules
    parts: dict[str, Any] = {
        "version": _VERSION,
        "engine": engine,
        "rules": [plain(policy.source) for policy in policies],
        "broken": [[violation.rule, violation.message] for violation in broken],
        "failOn": settings.fail_on.value,
        "settings": {
            name: [s.enabled, s.severity.value if s.severity else None, plain(s.parameters)]
            for name, s in settings.rules.items()
        },
        "waivers": [
            [w.rule, w.reason, w.expires.isoformat(), list(w.sites), list(w.resources)]
            for w in settings.waivers
        ],
    }
    text = json.dumps(parts, sort_keys=True, separators=(",", ":"), default=str)
    return "sha256:" + hashlib.sha256(text.encode()).hexdigest()


class _Loader:
    """Collects the rules of one load, and everything that is wrong with them."""

    def __init__(self, fleet: Fleet, engine: Engine, read: Callable[[str], bytes] | None) -> None:
        self.policies: list[SitePolicy] = []
        self.rules: list[CompiledRule] = []
        self.broken: list[Violation] = []
        self.findings: list[Finding] = []
        self.seen: dict[str, Document] = {}
        self._fleet = fleet
        self._read = read
        self._compiler = RuleCompiler(engine)

    def add(self, document: Document) -> None:
        """Parse and compile one rule."""
        policy, problems = parse_policy(document.value, path=document.path, index=document.index)
        name = str((document.value.get("metadata") or {}).get("name") or "site-policy")
        if name in self.seen:
            first = self.seen[name]
            self._fail(
                name,
                document,
                f"expected each rule id once, found {name!r} also in {first.path}",
                ("metadata", "name"),
                hint="give the rule a name of its own; a built-in rule is changed by fleet.yaml rules",
            )
            return
        self.seen[name] = document
        if name in CHECKS:
            message = f"expected a rule id that is not taken, found {name!r}, which is a check of Wayside"
            self._fail(name, document, message, ("metadata", "name"))
            return
        for problem in problems:
            self._fail(name, document, problem.message, problem.field, hint=problem.hint, key=problem.key)
        if policy is None:
            return
        self.policies.append(policy)
        setting = self._fleet.rules.rules.get(name, RuleSetting(enabled=policy.enabled))
        if not setting.enabled:
            return
        # The built-in rules compile: tests see to that.
        rule, failures = self._compiler.compile(policy, setting, later=document.path.startswith(PREFIX))
        for failure in failures:
            self._fail(
                name,
                document,
                failure.message,
                failure.field_path,
                hint=failure.hint,
                within=failure.within,
                at=self._setting(name, failure.setting) if failure.setting else None,
            )
        if rule is not None:
            self.rules.append(rule)

    def check_settings(self, known: set[str]) -> None:
        """Report settings and waivers of rules that do not exist."""
        named: list[tuple[str, Location | None]] = [(name, None) for name in self._fleet.rules.rules]
        named += [(waiver.rule, waiver.at) for waiver in self._fleet.rules.waivers]
        for name, at in named:
            if name in known:
                continue
            close = difflib.get_close_matches(name, sorted(known), 1, 0.6)
            self.findings.append(
                Finding(
                    rule="rule-settings",
                    severity=Severity.ERROR,
                    message=f"expected the id of a rule, found {name!r}",
                    location=at or self._setting(name),
                    hint=f"did you mean {close[0]}?" if close else "docs/rules/index.md lists all rules",
                )
            )

    def _setting(self, name: str, field: FieldPath = ()) -> Location:
        """Return where the fleet sets a rule, or a field of its settings."""
        if self._read is None:
            return self._fleet.at
        path = self._fleet.at.path
        return locate(self._read(path), path, ("spec", "rules", "settings", name, *field), key=True)

    def _fail(
        self,
        name: str,
        document: Document,
        message: str,
        field: FieldPath,
        *,
        hint: str = "",
        within: tuple[int, int] | None = None,
        key: bool = False,
        at: Location | None = None,
    ) -> None:
        at = at or self._locate(document, field, within, key=key)
        self.findings.append(
            Finding(rule="rule-error", severity=Severity.ERROR, message=message, location=at, hint=hint)
        )
        self.broken.append(
            Violation(
                rule=name,
                severity=Severity.ERROR,
                message=f"the rule cannot be used, so nothing passes it: {message}",
                hint=hint or f"mend the rule in {document.path}",
                at=at,
            )
        )

    def _locate(
        self, document: Document, field: FieldPath, within: tuple[int, int] | None, *, key: bool
    ) -> Location:
        if self._read is None:
            return Location(document.path)
        data = self._read(document.path)
        at = locate(data, document.path, field, index=document.index, key=key)
        if within is None:
            return at
        line, column = within
        source = data.decode("utf-8", "replace").splitlines()
        text = source[at.line - 1][at.column - 1 :] if at.line <= len(source) else ""
        if text[:1] in {"|", ">"}:
            body = source[at.line + line - 1] if at.line + line - 1 < len(source) else ""
            indent = len(body) - len(body.lstrip()) if line == 1 else _block_indent(source, at.line)
            return Location(at.path, at.line + line, indent + column)
        if line == 1:
            return Location(at.path, at.line, at.column + column - 1 + (text[:1] in {"'", '"'}))
        return at


def _block_indent(source: Sequence[str], line: int) -> int:
    """Return the indentation of a block scalar whose header stands on a line, counted from 1."""
    for text in source[line:]:
        if text.strip():
            return len(text) - len(text.lstrip())
    return 0

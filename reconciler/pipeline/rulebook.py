"""All rules of a fleet, compiled once and asked for every site."""

from __future__ import annotations

import datetime
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Literal

from reconciler.documents import yaml
from reconciler.documents.tree import EntryType, FileTree, walk
from reconciler.documents.yaml import Document
from reconciler.errors import DocumentError
from reconciler.fleet.lock import load_lock
from reconciler.images.evidence import Evidence
from reconciler.images.pin import Pinner
from reconciler.images.trust import TrustBook
from reconciler.model.digest import ObjectTexts, canonical, digest_text, digest_value
from reconciler.model.finding import Finding, NotChecked, Severity, Violation
from reconciler.model.fleet import Fleet, RuleSetting
from reconciler.model.lock import ImagesLock
from reconciler.model.resource import Manifest, Resource
from reconciler.model.trust import SignatureDemand
from reconciler.model.verdict import Verdict
from reconciler.pipeline.desired import Desired
from reconciler.pipeline.images import known_images
from reconciler.rules.admission.documents import is_admission
from reconciler.rules.builtin import PREFIX, builtin_documents, read_builtin
from reconciler.rules.defaults import Defaulter
from reconciler.rules.pack import RulePack
from reconciler.rules.waivers import apply_waivers

if TYPE_CHECKING:
    from reconciler.rules.admission.pack import AdmissionPack

__all__ = ["Rulebook", "policy_documents"]


#: The rule that no setting of a fleet switches off where a site's installation demands signatures.
_SIGNED = "signed-images"

#: Who applies at a site, as admission policies see it.
_AGENT: Mapping[str, Any] = {
    "username": "system:serviceaccount:wayside-system:wayside-agent",
    "groups": ["system:serviceaccounts", "system:serviceaccounts:wayside-system", "system:authenticated"],
}


class Rulebook:
    """The rules of a fleet, compiled, with what the fleet's lock says of images.

    Attributes:
        fleet: The fleet that the rules are for.
        lock: What `images.lock` says, or None where there is none.
        pinner: Pins images by that lock.
        findings: What is wrong with rules, their files and the lock.
        documents: The documents of the fleet's own policy files.
        blocking: Those of the findings that let no site be judged: with a lock that cannot be read, nobody
            knows what would be pulled.
    """

    def __init__(
        self,
        *,
        fleet: Fleet,
        pack: RulePack,
        admission: Mapping[tuple[int, int], AdmissionPack],
        params: tuple[Manifest, ...],
        documents: tuple[Document, ...],
        lock: ImagesLock | None,
        trust: TrustBook,
        findings: tuple[Finding, ...],
        blocking: tuple[Finding, ...],
    ) -> None:
        self.fleet = fleet
        self.lock = lock
        self._trust = trust
        found = [*findings, *pack.findings, *(f for one in admission.values() for f in one.findings)]
        self.findings = tuple(dict.fromkeys(found))
        self.blocking = blocking
        self.pack = pack
        self._admission = admission
        self._params = params
        self._params_digest = digest_value(list(params)) if admission else ""
        self.documents = documents
        self._defaulters: dict[tuple[int, int], Defaulter] = {}
        self._texts = ObjectTexts()
        self.pinner = Pinner(lock, kinds=pack.kinds, keep_tags=fleet.images.keep_tags)

    @classmethod
    def compile(
        cls,
        *,
        fleet: Fleet,
        tree: FileTree,
        engine: Literal["native", "pure"],
        signatures: SignatureDemand | None = None,
    ) -> Rulebook:
        """Compile the built-in rules and those of the fleet, and read its lock.

        Args:
            fleet: The fleet, whose settings the rules follow.
            tree: The fleet's files.
            engine: CEL engine: `native` or `pure`.
            signatures: What the site's installation demands of images, whatever the fleet says.

        A rule that does not compile is a finding, and fails closed for every site.
        """
        findings: list[Finding] = []
        if signatures is not None and signatures.required:
            fleet = _demanding(fleet)
        own = list(policy_documents(tree, fleet.policy_paths, findings))
        lock, blocking = load_lock(tree)
        if fleet.health:
            from reconciler.rules.health_checks import compile_problems

            blocking = (
                *blocking,
                *(
                    Finding(
                        "fleet-schema",
                        Severity.ERROR,
                        f"the health check of {check.kind} does not compile: {problem}",
                        fleet.at,
                        "correct the expression in spec.healthChecks of fleet.yaml",
                    )
                    for check, problem in compile_problems(fleet.health, engine=engine)
                ),
            )
        if lock is not None or fleet.images.keep_tags:
            lock = known_images(lock, fleet.images, Evidence(tree))

        def read(path: str) -> bytes:
            return read_builtin(path) if path.startswith(PREFIX) else tree.read(path)

        pack = RulePack.load([*builtin_documents(), *own], fleet=fleet, engine=engine, read=read)
        policies = [document for document in own if is_admission(document.value)]
        # What else stands beside the policies may be their parameters.
        params = tuple(d.value for d in own if isinstance(d.value, dict) and not is_admission(d.value))
        admission = {}
        if policies:
            from reconciler.rules.admission.pack import AdmissionPack

            definitions = (*params, *_schema_values(tree, fleet))
            for version in sorted({site.kubernetes_version for site in fleet.sites.values()}):
                admission[version] = AdmissionPack.load(
                    policies,
                    kubernetes=f"{version[0]}.{version[1]}",
                    engine=engine,
                    definitions=[one for one in definitions if _is_definition(one)],
                    read=read,
                )
        return cls(
            fleet=fleet,
            pack=pack,
            admission=admission,
            params=params,
            documents=tuple(own),
            lock=lock,
            trust=TrustBook(fleet.trust, Evidence(tree), demand=signatures or SignatureDemand()),
            findings=(*findings, *blocking),
            blocking=blocking,
        )

    def judge(
        self, desired: Desired, *, at: datetime.datetime, installed: frozenset[str] | None = None
    ) -> Verdict:
        """Judge a site's desired set, with the API server's defaults added, as admission sees it.

        Args:
            desired: What is to be applied.
            at: The time by which waivers expire.
            installed: Digests of layers that the last applied revision has at the site; None where nobody
                knows. What rules say of it stays outside the digests.
        """
        site = desired.site
        seen = self._defaulted(desired)
        trust = self._trust.judge_of(site, at)
        review = self.pack.review(
            site, seen, fleet=self.fleet, lock=self.lock, trust=trust, at=at, installed=installed
        )
        # Waivers hold for whatever is found, not only for what the site rules say.
        waivers = self.fleet.rules.waivers
        built, waived = apply_waivers(desired.violations, waivers, site=site.name, at=at)
        violations = [*built, *review.violations]
        waived += review.waived
        not_checked = list(review.not_checked)
        rules_digest = self.pack.digest
        if self._trust.digest:
            rules_digest = digest_value([rules_digest, self._trust.digest])
        admission = self._admission.get(site.kubernetes_version)
        if admission is not None:
            answer = admission.review(seen, params=(*self._params, site.manifest), user_info=_AGENT)
            counted, more = apply_waivers(answer.violations, waivers, site=site.name, at=at)
            violations += counted
            waived += more
            not_checked += answer.not_checked
            rules_digest = digest_value([rules_digest, admission.digest, self._params_digest])
        allowed = not any(violation.severity.at_least(self.fleet.rules.fail_on) for violation in violations)
        objects = ",".join(self._texts.of(resource.manifest) for resource in seen)
        inputs = digest_text(f"[{canonical(site.manifest)},[{objects}]]")
        lasting = [v for v in violations if v.rule not in self.pack.transitional]
        outcome = [
            [v.rule, v.severity.value, v.message, str(v.resource or ""), v.field_path] for v in lasting
        ]
        fine = not any(violation.severity.at_least(self.fleet.rules.fail_on) for violation in lasting)
        return Verdict(
            site=site.name,
            allowed=allowed,
            violations=tuple(violations),
            not_checked=tuple(not_checked),
            inputs_digest=inputs,
            rules_digest=rules_digest,
            verdict_digest=digest_value([inputs, rules_digest, fine, outcome]),
            waived=tuple(waived),
            download=review.download,
        )

    def layers(self, desired: Desired) -> frozenset[str]:
        """Return the digests of all image layers that a desired set needs at its site."""
        return self.pack.layers(desired.site, self._defaulted(desired), lock=self.lock)

    def pulls(self, desired: Desired) -> Mapping[str, int]:
        """Return all image layers that a desired set needs, and the bytes that each costs at its site."""
        return self.pack.pulls(desired.site, self._defaulted(desired), lock=self.lock)

    @property
    def compares(self) -> bool:
        """Whether there are rules that may say something of a change: admission policies."""
        return any(pack.policies for pack in self._admission.values())

    def compare(
        self, desired: Desired, before: Desired, *, at: datetime.datetime
    ) -> tuple[tuple[Violation, ...], tuple[NotChecked, ...]]:
        """Ask the admission policies about what changes at a site: what is updated, and what is deleted.

        Args:
            desired: What is to be applied.
            before: What is there now.
            at: The time by which waivers expire.

        Returns:
            What is refused of a change, and what is not checked of it. It is no part of the verdict.
        """
        admission = self._admission.get(desired.site.kubernetes_version)
        if admission is None or not admission.policies:
            return (), ()
        old = {resource.id: resource.manifest for resource in self._defaulted(before)}
        answer = admission.review_changes(
            self._defaulted(desired), old, params=(*self._params, desired.site.manifest), user_info=_AGENT
        )
        waivers = self.fleet.rules.waivers
        counted, _ = apply_waivers(answer.violations, waivers, site=desired.site.name, at=at)
        return tuple(counted), answer.not_checked

    def _defaulted(self, desired: Desired) -> tuple[Resource, ...]:
        version = desired.site.kubernetes_version
        defaulter = self._defaulters.get(version)
        if defaulter is None:
            defaulter = self._defaulters[version] = Defaulter(version)
        return tuple(defaulter.apply(resource) for resource in desired.resources)


def _is_definition(value: Any) -> bool:
    return isinstance(value, Mapping) and value.get("kind") == "CustomResourceDefinition"


def _schema_values(tree: FileTree, fleet: Fleet) -> Iterator[Any]:
    """Yield the documents of the fleet's schema files; what cannot be read is the schema check's to tell."""
    for path in fleet.schema_paths:
        for file in walk(tree, path) if tree.entry_type(path) is EntryType.DIRECTORY else [path]:
            if file.endswith((".yaml", ".yml")) and tree.entry_type(file) is EntryType.FILE:
                try:
                    yield from (document.value for document in yaml.load(tree.read(file), file))
                except DocumentError:
                    continue


def _demanding(fleet: Fleet) -> Fleet:
    """Return a fleet in which nothing takes the demand of signatures away: no setting, no waiver."""
    rules = fleet.rules
    return replace(
        fleet,
        rules=replace(
            rules,
            rules={**rules.rules, _SIGNED: RuleSetting(severity=Severity.ERROR)},
            waivers=tuple(waiver for waiver in rules.waivers if waiver.rule != _SIGNED),
        ),
    )


def policy_documents(tree: FileTree, paths: tuple[str, ...], findings: list[Finding]) -> Iterator[Document]:
    """Yield the documents of all policy files below some paths, tests (`*.test.yaml`) left out.

    Args:
        tree: Where the files are.
        paths: Files and directories; one that is not there is passed over.
        findings: Takes what is wrong with files that cannot be read.
    """
    for path in paths:
        match tree.entry_type(path):
            case EntryType.DIRECTORY:
                names = (f"{path}/{name}" if path else name for name in tree.list(path))
                yield from policy_documents(tree, tuple(names), findings)
            case EntryType.FILE if path.endswith((".yaml", ".yml")) and not path.endswith(
                (".test.yaml", ".test.yml")
            ):
                try:
                    yield from yaml.load(tree.read(path), path)
                except DocumentError as err:
                    if err.at is None:
                        raise
                    findings.append(Finding("yaml", Severity.ERROR, err.message, err.at, err.hint))
            case _:
                pass

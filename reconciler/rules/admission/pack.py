"""All admission policies of a fleet, compiled once and asked about every object of a site."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from reconciler.documents.scalar import locate_in_scalar
from reconciler.documents.yaml import Document, locate
from reconciler.errors import RuleError
from reconciler.model.fieldpath import FieldPath
from reconciler.model.finding import Finding, NotChecked, Severity, Violation
from reconciler.model.location import Location
from reconciler.model.resource import Manifest, Resource, ResourceId
from reconciler.rules.admission.compiling import Engine
from reconciler.rules.admission.kinds import ApiKinds, builtin_kinds
from reconciler.rules.admission.params import Params
from reconciler.rules.admission.parsing import BINDING_KIND, GROUP, POLICY_KIND
from reconciler.rules.admission.pointing import Pointer
from reconciler.rules.admission.policy import KUBERNETES, AdmissionPolicy
from reconciler.rules.admission.problem import InvalidPolicy, Problem
from reconciler.rules.admission.request import AdmissionRequest
from reconciler.rules.admission.review import Review
from reconciler.rules.cel import default_engine

__all__ = ["RULE_ERROR", "AdmissionPack", "PackReview", "is_admission", "problem_location"]

#: The id of what is said of a policy that cannot be used.
RULE_ERROR = "rule-error"
_KINDS = frozenset({POLICY_KIND, BINDING_KIND, "MutatingAdmissionPolicy", "MutatingAdmissionPolicyBinding"})


@dataclass(frozen=True, slots=True)
class PackReview:
    """What the policies say of a site's objects.

    Attributes:
        violations: Refusals and warnings, in the order of objects and policies.
        not_checked: What only the cluster can answer.
    """

    violations: tuple[Violation, ...]
    not_checked: tuple[NotChecked, ...]


def is_admission(manifest: Any) -> bool:
    """Tell whether a document is an admission policy or a binding, of whatever version."""
    if not isinstance(manifest, Mapping):
        return False
    group, kind = str(manifest.get("apiVersion") or "").partition("/")[0], manifest.get("kind")
    return group == GROUP and isinstance(kind, str) and kind in _KINDS


class AdmissionPack:
    """The admission policies of a fleet.

    Attributes:
        policies: Those that can be used.
        findings: What is wrong with the others.
        broken: What each of the others says of every site: nothing passes it.
        digest: `sha256:...` over policies, bindings, the version of Kubernetes and the engine.
    """

    def __init__(
        self,
        policies: Sequence[AdmissionPolicy],
        *,
        findings: Sequence[Finding],
        broken: Sequence[Violation],
        kinds: ApiKinds,
        digest: str,
    ) -> None:
        self.policies = tuple(policies)
        self._pointers = {policy.spec.name: Pointer(policy.spec) for policy in self.policies}
        self.findings = tuple(findings)
        self.digest = digest
        self.broken = tuple(broken)
        self._kinds = kinds

    @classmethod
    def load(
        cls,
        documents: Iterable[Document],
        *,
        kubernetes: str = KUBERNETES,
        engine: Engine = None,
        definitions: Iterable[Manifest] = (),
        read: Callable[[str], bytes] | None = None,
    ) -> AdmissionPack:
        """Load the policies and bindings among some documents.

        A policy that cannot be used is a finding where it is written, and fails closed: every site that is
        reviewed gets a violation that says so. A policy without a binding is enforced everywhere, as if it
        were bound to deny.

        Args:
            documents: Of any kind; what is no admission policy is passed over.
            kubernetes: The version whose CEL libraries policies may use.
            engine: The CEL engine.
            definitions: CustomResourceDefinitions of the fleet.
            read: Gives the content of a document's file, for exact places of findings.
        """
        loader = _Loader(kubernetes, engine, builtin_kinds().with_definitions(definitions), read)
        chosen = [document for document in documents if is_admission(document.value)]
        loader.load(chosen)
        parts = [kubernetes, engine or default_engine(), [document.value for document in chosen]]
        text = json.dumps(parts, sort_keys=True, separators=(",", ":"), default=str)
        return cls(
            loader.policies,
            findings=loader.findings,
            broken=loader.broken,
            kinds=loader.kinds,
            digest="sha256:" + hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest(),
        )

    def review(
        self,
        resources: Sequence[Resource],
        *,
        params: Iterable[Manifest] = (),
        old: Mapping[ResourceId, Manifest] | None = None,
        user_info: Mapping[str, Any] | None = None,
    ) -> PackReview:
        """Review a site's objects, each as it would be created, or updated where there is an old one.

        Args:
            resources: The desired set, with the API server's defaults.
            params: Further objects that may be parameters, such as the Site; the desired set is among them.
            old: What is there now.
            user_info: Who applies.
        """
        violations: list[Violation] = list(self.broken)
        not_checked: dict[NotChecked, None] = {}
        if not self.policies:
            return PackReview(tuple(violations), ())
        manifests = [resource.manifest for resource in resources]
        candidates = [*params, *manifests]
        asked: list[tuple[AdmissionPolicy, Params]] = []
        for policy in self.policies:
            try:
                asked.append((policy, policy.select_params(candidates)))
            except RuleError as err:
                violations.append(Violation(policy.spec.name, Severity.ERROR, err.message, err.hint))
        kinds = self._kinds.with_definitions(
            resource.manifest for resource in resources if resource.kind == "CustomResourceDefinition"
        )
        namespaces = {
            resource.id.name: resource.manifest
            for resource in resources
            if resource.kind == "Namespace" and resource.api_version == "v1"
        }
        for resource in resources:
            namespace = namespaces.get(resource.id.namespace or "default")
            try:
                request = AdmissionRequest.of(
                    object=resource.manifest,
                    old_object=(old or {}).get(resource.id),
                    namespace_object=namespace,
                    user_info=user_info,
                    kinds=kinds,
                )
            except RuleError as err:
                violations.append(
                    Violation("admission-request", Severity.ERROR, err.message, err.hint, resource.id)
                )
                continue
            for policy, chosen in asked:
                review = policy.judge(request, chosen)
                violations += _violations(policy, review, resource, self._pointers[policy.spec.name])
                for note in review.not_checked:
                    not_checked[NotChecked(note.rule, note.reason, (), resource.id)] = None
        return PackReview(tuple(violations), tuple(not_checked))


def _violations(
    policy: AdmissionPolicy, review: Review, resource: Resource, pointer: Pointer
) -> Iterable[Violation]:
    for denial in review.denials:
        hint = "the policy cannot be evaluated on this object, which refuses it" if denial.error else ""
        field = pointer.field(denial.field, resource.manifest)
        yield Violation(policy.spec.name, Severity.ERROR, denial.message, hint, resource.id, field)
    for warning in review.warnings:
        yield Violation(policy.spec.name, Severity.WARNING, warning, "", resource.id)


def problem_location(problem: Problem, document: Document, data: bytes) -> Location:
    """Return where a problem stands in a document's file: for an expression, the place in its text."""
    text = _value(document.value, problem.field)
    if problem.within is not None and isinstance(text, str):
        line, column = problem.within
        return locate_in_scalar(
            data, document.path, problem.field, text, line=line, column=column, index=document.index
        )
    return locate(data, document.path, problem.field, index=document.index, key=problem.key)


def _value(value: Any, field: FieldPath) -> Any:
    for step in field:
        if isinstance(value, Mapping):
            value = value.get(step)
        elif isinstance(value, list) and isinstance(step, int) and step < len(value):
            value = value[step]
        else:
            return None
    return value


class _Loader:
    """Collects the policies of one load, and everything that is wrong with them."""

    def __init__(
        self, kubernetes: str, engine: Engine, kinds: ApiKinds, read: Callable[[str], bytes] | None
    ) -> None:
        self.policies: list[AdmissionPolicy] = []
        self.findings: list[Finding] = []
        self.broken: list[Violation] = []
        self.kinds = kinds
        self._kubernetes = kubernetes
        self._engine: Engine = engine
        self._read = read

    def load(self, documents: Sequence[Document]) -> None:
        """Load policies with the bindings that name them."""
        bindings: dict[str, list[Document]] = {}
        policies: dict[str, Document] = {}
        for document in documents:
            kind = document.value.get("kind")
            if kind == BINDING_KIND:
                name = str(_value(document.value, ("spec", "policyName")) or "")
                bindings.setdefault(name, []).append(document)
            elif kind == POLICY_KIND:
                name = str(_value(document.value, ("metadata", "name")) or "")
                if name in policies:
                    problem = Problem(
                        ("metadata", "name"),
                        f"expected each policy once, found {name!r} also in {policies[name].path}",
                    )
                    self._fail(name, document, [problem])
                else:
                    policies[name] = document
            else:
                self._parse(document, [])
        for name, document in policies.items():
            self._parse(document, bindings.pop(name, []))
        for name, lonely in bindings.items():
            for document in lonely:
                problem = Problem(
                    ("spec", "policyName"),
                    f"expected the name of a policy of this fleet, found {name!r}",
                    "put the policy beside its binding, so that it is checked before the cluster does",
                )
                self._fail(name, document, [problem])

    def _parse(self, policy: Document, bindings: Sequence[Document]) -> None:
        try:
            parsed = AdmissionPolicy.parse(
                policy.value,
                [binding.value for binding in bindings],
                kubernetes=self._kubernetes,
                engine=self._engine,
                kinds=self.kinds,
            )
        except InvalidPolicy as err:
            name = str(_value(policy.value, ("metadata", "name")) or policy.value.get("kind"))
            by_document: dict[int | None, list[Problem]] = {}
            for problem in err.problems:
                by_document.setdefault(problem.binding, []).append(problem)
            for index, problems in by_document.items():
                self._fail(name, policy if index is None else bindings[index], problems)
            return
        self.policies.append(parsed)

    def _fail(self, name: str, document: Document, problems: Sequence[Problem]) -> None:
        data = self._read(document.path) if self._read is not None else None
        places = [
            Location(document.path) if data is None else problem_location(problem, document, data)
            for problem in problems
        ]
        for problem, at in zip(problems, places, strict=True):
            self.findings.append(
                Finding(RULE_ERROR, Severity.ERROR, str(problem), at, problem.hint, field_path=problem.field)
            )
        self.broken.append(
            Violation(
                rule=name,
                severity=Severity.ERROR,
                message=f"the policy cannot be used, so nothing passes it: {problems[0]}",
                hint=problems[0].hint or f"mend the policy in {document.path}",
                at=places[0],
            )
        )

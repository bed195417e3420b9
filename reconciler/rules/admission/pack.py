"""All admission policies of a fleet, compiled once and asked about every object of a site."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from reconciler.documents.yaml import Document
from reconciler.errors import RuleError
from reconciler.model.digest import digest_value
from reconciler.model.finding import Finding, NotChecked, Severity, Violation
from reconciler.model.resource import Manifest, Resource, ResourceId
from reconciler.rules.admission.compiling import Engine
from reconciler.rules.admission.documents import is_admission
from reconciler.rules.admission.kinds import ApiKinds, builtin_kinds
from reconciler.rules.admission.loading import Loader
from reconciler.rules.admission.params import Params
from reconciler.rules.admission.pointing import Pointer
from reconciler.rules.admission.policy import KUBERNETES, AdmissionPolicy
from reconciler.rules.admission.request import AdmissionRequest
from reconciler.rules.admission.review import Review
from reconciler.rules.admission.sharing import Answer, Answers, Needs, ObjectKey, object_key
from reconciler.rules.admission.values import NotJson
from reconciler.rules.cel import default_engine

__all__ = ["AdmissionPack", "PackReview"]

_DEFINITION = "CustomResourceDefinition"


@dataclass(frozen=True, slots=True)
class PackReview:
    """What the policies say of a site's objects.

    Attributes:
        violations: Refusals and warnings, in the order of objects and policies.
        not_checked: What only the cluster can answer.
    """

    violations: tuple[Violation, ...]
    not_checked: tuple[NotChecked, ...]


@dataclass(frozen=True, slots=True)
class _Asked:
    """A policy of the pack, with its number and the place that its findings point at."""

    number: int
    policy: AdmissionPolicy
    pointer: Pointer


class AdmissionPack:
    """The admission policies of a fleet.

    Attributes:
        policies: Those that can be used.
        findings: What is wrong with the others.
        broken: What each of the others says of every site: nothing passes it.
        digest: `sha256:...` over policies, bindings, definitions, the version of Kubernetes and the engine.
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
        self.findings = tuple(findings)
        self.digest = digest
        self.broken = tuple(broken)
        self._kinds = kinds
        self._answers = Answers()
        groups: dict[tuple[Needs, int], list[_Asked]] = {}
        for number, policy in enumerate(self.policies):
            needs = Needs.of(policy.spec, policy.bindings)
            alone = number if needs.params else -1
            groups.setdefault((needs, alone), []).append(_Asked(number, policy, Pointer(policy.spec)))
        self._groups = tuple((needs, tuple(group)) for (needs, _), group in groups.items())
        self._flags = {needs.labels for needs, _ in self._groups}

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
        definitions = tuple(definitions)
        loader = Loader(kubernetes, engine, builtin_kinds().with_definitions(definitions), read)
        chosen = [document for document in documents if is_admission(document.value)]
        loader.load(chosen)
        values = [document.value for document in chosen]
        return cls(
            loader.policies,
            findings=loader.findings,
            broken=loader.broken,
            kinds=loader.kinds,
            digest=digest_value([kubernetes, engine or default_engine(), values, list(definitions)]),
        )

    def review(
        self,
        resources: Sequence[Resource],
        *,
        params: Iterable[Manifest] = (),
        user_info: Mapping[str, Any] | None = None,
    ) -> PackReview:
        """Review a site's objects, each as it would be created.

        Args:
            resources: The desired set, with the API server's defaults.
            params: Further objects that may be parameters, such as the Site; the desired set is among them.
            user_info: Who applies.
        """
        if not self.policies:
            return PackReview(self.broken, ())
        surroundings = _Surroundings(self._kinds, resources, params, user_info)
        violations: list[Violation] = list(self.broken)
        not_checked: dict[NotChecked, None] = {}
        for resource in resources:
            told = {flag: object_key(resource.manifest, labels=flag) for flag in self._flags}
            found: list[tuple[int, Violation]] = []
            for needs, group in self._groups:
                answer = self._answer(needs, group, resource, told[needs.labels], surroundings)
                if answer.violations:
                    found += answer.violations
                if answer.not_checked:
                    not_checked.update(dict.fromkeys(answer.not_checked))
            found.sort(key=_number)
            for number, violation in found:
                # What is wrong with a request or with parameters is told once, not for every group.
                if number >= 0 or violation not in violations:
                    violations.append(violation)
        return PackReview(tuple(violations), tuple(not_checked))

    def review_changes(
        self,
        resources: Sequence[Resource],
        before: Mapping[ResourceId, Manifest],
        *,
        params: Iterable[Manifest] = (),
        user_info: Mapping[str, Any] | None = None,
    ) -> PackReview:
        """Review what changes at a site: objects that are updated, and objects that are deleted.

        Args:
            resources: The desired set, with the API server's defaults.
            before: What is there now, with defaults. What is the same afterwards is not asked about.
            params: Further objects that may be parameters, such as the Site; the desired set is among them.
            user_info: Who applies.
        """
        surroundings = _Surroundings(self._kinds, resources, params, user_info)
        there = {resource.id: resource for resource in resources}
        violations: list[Violation] = []
        not_checked: dict[NotChecked, None] = {}
        for subject, old in before.items():
            resource = there.get(subject)
            new = resource.manifest if resource is not None else None
            if self.policies and new != old:
                for _, group in self._groups:
                    answer = surroundings.ask(group, subject, new, old)
                    violations += (violation for _, violation in answer.violations)
                    not_checked.update(dict.fromkeys(answer.not_checked))
        return PackReview(tuple(dict.fromkeys(violations)), tuple(not_checked))

    def _answer(
        self,
        needs: Needs,
        group: Sequence[_Asked],
        resource: Resource,
        told: ObjectKey | None,
        surroundings: _Surroundings,
    ) -> Answer:
        ask = partial(surroundings.ask, group, resource.id, resource.manifest)
        if told is None:
            return ask()
        alive: list[object] = [*told[1], *surroundings.alive]
        namespace: object = None
        if needs.namespace:
            namespace = surroundings.namespace(resource.id)
            alive.append(namespace)
        if needs.params:
            chosen = surroundings.candidates_of(group[0])
            alive += chosen
            params: Hashable = tuple(map(id, chosen))
        else:
            params = None
        key = (group[0].number, told[0], id(namespace), params, surroundings.identity)
        return self._answers.share(key, alive, ask)


class _Surroundings:
    """What a site's objects are reviewed in."""

    def __init__(
        self,
        kinds: ApiKinds,
        resources: Sequence[Resource],
        params: Iterable[Manifest],
        user_info: Mapping[str, Any] | None,
    ) -> None:
        self._resources = resources
        self._user_info = user_info
        self._candidates = [*params, *(resource.manifest for resource in resources)]
        self._params: dict[int, Params | RuleError] = {}
        self._chosen: dict[int, list[Manifest]] = {}
        definitions = [resource.manifest for resource in resources if resource.kind == _DEFINITION]
        self._kinds = kinds.with_definitions(definitions)
        self._namespaces = {
            resource.id.name: resource.manifest
            for resource in resources
            if resource.kind == "Namespace" and resource.api_version == "v1"
        }
        #: What every answer hangs on.
        self.alive: list[object] = [user_info, *(one.get("spec") for one in definitions)]
        self.identity = tuple(map(id, self.alive))
        self._last: tuple[Manifest | None, Manifest | None, AdmissionRequest] | None = None

    def namespace(self, subject: ResourceId) -> Manifest | None:
        """Return the Namespace that an object is in, where the site has it."""
        return self._namespaces.get(subject.namespace or "default")

    def candidates_of(self, asked: _Asked) -> list[Manifest]:
        """Return the objects that may be a policy's parameters, as they are written."""
        if asked.number not in self._chosen:
            kind = asked.policy.spec.param_kind
            self._chosen[asked.number] = [
                one for one in self._candidates if kind is not None and one.get("kind") in (kind.kind, None)
            ]
        return self._chosen[asked.number]

    def ask(
        self,
        group: Sequence[_Asked],
        subject: ResourceId,
        new: Manifest | None,
        old: Manifest | None = None,
    ) -> Answer:
        """Ask some policies about one object."""
        try:
            request = self._request(subject, new, old)
        except RuleError as err:
            field = err.field if isinstance(err, NotJson) else ()
            refused = Violation("admission-request", Severity.ERROR, err.message, err.hint, subject, field)
            return Answer(((-1, refused),))
        violations: list[tuple[int, Violation]] = []
        not_checked: dict[NotChecked, None] = {}
        for asked in group:
            policy = asked.policy
            params = self._params_of(asked)
            if isinstance(params, RuleError):
                broken = Violation(policy.spec.name, Severity.ERROR, params.message, params.hint)
                violations.append((-1, broken))
                continue
            review = policy.judge(request, params)
            shown = new if new is not None else old or {}
            found = _violations(policy, review, subject, shown, asked.pointer)
            violations += ((asked.number, violation) for violation in found)
            for note in review.not_checked:
                not_checked[NotChecked(note.rule, note.reason, (), subject)] = None
        return Answer(tuple(violations), tuple(not_checked))

    def _request(self, subject: ResourceId, new: Manifest | None, old: Manifest | None) -> AdmissionRequest:
        if self._last is None or self._last[0] is not new or self._last[1] is not old:
            request = AdmissionRequest.of(
                object=new,
                old_object=old,
                namespace_object=self.namespace(subject),
                user_info=self._user_info,
                kinds=self._kinds,
            )
            self._last = (new, old, request)
        return self._last[2]

    def _params_of(self, asked: _Asked) -> Params | RuleError:
        if asked.number not in self._params:
            try:
                self._params[asked.number] = asked.policy.select_params(self._candidates)
            except RuleError as err:
                self._params[asked.number] = err
        return self._params[asked.number]


def _number(found: tuple[int, Violation]) -> int:
    return found[0]


def _violations(
    policy: AdmissionPolicy, review: Review, subject: ResourceId, manifest: Manifest, pointer: Pointer
) -> Iterable[Violation]:
    for denial in review.denials:
        hint = "the policy cannot be evaluated on this object, which refuses it" if denial.error else ""
        field = pointer.field(denial.field, manifest)
        yield Violation(policy.spec.name, Severity.ERROR, denial.message, hint, subject, field)
    for warning in review.warnings:
        yield Violation(policy.spec.name, Severity.WARNING, warning, "", subject)

"""A policy, its bindings and their parameters against one request: from decisions to a review.

Follows `pkg/admission/plugin/policy/validating/dispatcher.go` of k8s.io/apiserver, in its words.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import replace
from types import MappingProxyType
from typing import Any

from reconciler.model.fieldpath import FieldPath
from reconciler.model.finding import NotChecked
from reconciler.rules.admission.compiling import CompiledPolicy
from reconciler.rules.admission.evaluation import Annotation, Decision, evaluate
from reconciler.rules.admission.labels import LabelSelector
from reconciler.rules.admission.matching import Match, is_excluded, match, needs_namespace_labels
from reconciler.rules.admission.params import Params, ParamsError, resolve
from reconciler.rules.admission.request import AdmissionRequest
from reconciler.rules.admission.review import Denial, Review
from reconciler.rules.admission.spec import (
    BindingSpec,
    FailurePolicy,
    MatchResources,
    PolicySpec,
    ValidationAction,
)
from reconciler.rules.admission.variables import RequestVariables

__all__ = ["judge"]

_FAILURE_KEY = "validation.policy.admission.k8s.io/validation_failure"
_MAX_ANNOTATION = 10 * 1024


def judge(
    request: AdmissionRequest,
    params: Callable[[], Params],
    *,
    spec: PolicySpec,
    bindings: Iterable[BindingSpec],
    compiled: CompiledPolicy,
) -> Review:
    """Say what a policy says of a request.

    Args:
        request: The request.
        params: Gives what may be parameters, asked for where the policy matches.
        spec: The policy.
        bindings: Its bindings.
        compiled: Its expressions.

    Raises:
        RuleError: A parameter is no object.
    """
    if is_excluded(request):
        return Review()
    judgement = _Judgement(request, spec, compiled)
    matched = judgement.match(spec.match, "matchConstraints")
    if matched is not None:
        chosen = params()
        for binding in bindings:
            judgement.ask(binding, matched, chosen)
    return judgement.review()


class _Judgement:
    """Collects what a policy says, binding by binding."""

    def __init__(self, request: AdmissionRequest, spec: PolicySpec, compiled: CompiledPolicy) -> None:
        self._request = request
        self._spec = spec
        self._compiled = compiled
        self._denials: list[Denial] = []
        self._warnings: list[str] = []
        self._failure = ""
        self._annotations: dict[str, list[str]] = {}
        self._notes: dict[str, NotChecked] = {}

    def review(self) -> Review:
        """Return what was said."""
        annotations = {
            f"{self._spec.name}/{key}": ", ".join(values) for key, values in self._annotations.items()
        }
        if self._failure:
            annotations[_FAILURE_KEY] = self._failure
        return Review(
            tuple(self._denials),
            tuple(self._warnings),
            MappingProxyType(annotations),
            tuple(self._notes.values()),
        )

    def match(self, constraints: MatchResources, where: str) -> Match | None:
        """Return how the request matches; say aloud where that hangs on labels that are not known."""
        request = self._request
        if needs_namespace_labels(constraints.namespaces, request):
            anywhere = replace(constraints, namespaces=LabelSelector())
            if match(anywhere, request) is not None:
                self._note(
                    f"spec.{where}.namespaceSelector asks for labels of the namespace {request.namespace}, "
                    "which is not at hand: it is taken to have none but its name"
                )
        return match(constraints, request)

    def ask(self, binding: BindingSpec, matched: Match, params: Params) -> None:
        """Ask with one binding."""
        if binding.match is not None and self.match(binding.match, "matchResources") is None:
            return
        variables = RequestVariables.of(self._request, matched)
        if variables is None:
            self._note(
                f"the policy asks for {matched.kind.kind} as {matched.kind.group or 'core'}/"
                f"{matched.kind.version}; only the API server converts "
                f"{self._request.kind.group or 'core'}/{self._request.kind.version} to that"
            )
            return
        try:
            chosen = tuple(self._params(binding, params))
        except ParamsError as err:
            if self._spec.failure_policy is FailurePolicy.FAIL:
                message = f"failed to configure binding: {err.message}"
                self._deny(binding, message, field=("spec", "paramKind"), error=True)
            return
        for param in chosen:
            outcome = evaluate(
                self._compiled,
                self._spec.failure_policy,
                request=variables.bound(self._compiled.environment),
                conditions=variables.bound(self._compiled.environment, conditions=True),
                params=param,
            )
            for decision in outcome.decisions:
                self._decide(binding, decision)
            for annotation in outcome.annotations:
                self._annotate(binding, annotation)
            for reason in outcome.not_checked:
                self._note(reason)

    def _params(self, binding: BindingSpec, params: Params) -> Iterator[Mapping[str, Any] | None]:
        """Yield each parameter that the policy is evaluated with: none is one too."""
        if self._spec.param_kind is None:
            yield None
        elif binding.param_ref is not None:
            yield from resolve(binding.param_ref, params, namespace=self._request.namespace)
        elif not binding.name and params.objects:
            # The assumed binding hands over whatever was given.
            yield from params.objects
        else:
            yield None

    def _decide(self, binding: BindingSpec, decision: Decision) -> None:
        for action in binding.actions:
            match action:
                case ValidationAction.DENY:
                    self._deny(
                        binding,
                        decision.message,
                        reason=decision.reason,
                        field=decision.field,
                        error=decision.error,
                    )
                case ValidationAction.WARN:
                    self._warnings.append(
                        f"Validation failed for ValidatingAdmissionPolicy '{self._spec.name}' "
                        f"with binding '{binding.name}': {decision.message}"
                    )
                case ValidationAction.AUDIT:
                    self._audit(binding, decision)

    def _deny(
        self, binding: BindingSpec, detail: str, *, reason: str = "", field: FieldPath, error: bool
    ) -> None:
        whose = f" with binding '{binding.name}'" if binding.name else ""
        self._denials.append(
            Denial(
                f"ValidatingAdmissionPolicy '{self._spec.name}'{whose} denied request: {detail}",
                self._spec.name,
                binding.name,
                detail,
                reason or "Invalid",
                field,
                error,
            )
        )

    def _audit(self, binding: BindingSpec, decision: Decision) -> None:
        """Keep the first failure: the annotation of an audit event is set once."""
        failure = {
            "message": decision.message,
            "policy": binding.policy_name,
            "binding": binding.name,
            "expressionIndex": decision.index,
            "validationActions": [action.value for action in binding.actions],
        }
        self._failure = self._failure or json.dumps([failure], ensure_ascii=False, separators=(",", ":"))

    def _annotate(self, binding: BindingSpec, annotation: Annotation) -> None:
        if annotation.error:
            self._deny(binding, annotation.error, field=annotation.field, error=True)
            return
        values = self._annotations.setdefault(annotation.key, [])
        value = annotation.value.encode("utf-8", "replace")[:_MAX_ANNOTATION].decode("utf-8", "ignore")
        if value not in values:
            values.append(value)

    def _note(self, reason: str) -> None:
        self._notes.setdefault(reason, NotChecked(self._spec.name, reason))

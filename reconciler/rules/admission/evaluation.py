"""One policy asked about one request, with one parameter.

Follows `pkg/admission/plugin/policy/validating/validator.go` of k8s.io/apiserver, in its words.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from reconciler.model.fieldpath import FieldPath, format_field_path
from reconciler.rules.admission.compiling import CompiledPolicy, CompiledValidation, Expression
from reconciler.rules.admission.spec import FailurePolicy
from reconciler.rules.cel import Activation, CelEvaluationError, NeedsClusterError

__all__ = ["Annotation", "Decision", "Outcome", "evaluate"]

_MAX_MESSAGE_BYTES = 5 * 1024
_MISSING_KEY = "no such key: "


@dataclass(frozen=True, slots=True)
class Decision:
    """What one validation, or the evaluation as a whole, refuses.

    Attributes:
        index: Number of the validation, or of the decision where there is no validation.
        message: The API server's words.
        reason: The reason of the answer.
        field: What refuses, as a path in the policy.
        error: Whether it could not be evaluated.
    """

    index: int
    message: str
    reason: str
    field: FieldPath
    error: bool


@dataclass(frozen=True, slots=True)
class Annotation:
    """An audit annotation: its value, or why it has none."""

    key: str
    value: str
    error: str
    field: FieldPath


@dataclass(frozen=True, slots=True)
class Outcome:
    """What an evaluation found. Validations that hold leave no trace."""

    decisions: tuple[Decision, ...] = ()
    annotations: tuple[Annotation, ...] = ()
    not_checked: tuple[str, ...] = ()


class _LeftToTheServer(Exception):
    """The expression cannot be judged without the cluster."""

    def __init__(self, expression: Expression) -> None:
        super().__init__(expression.text)
        self.reason = (
            f"{format_field_path(expression.field)} asks the authorizer, which only a cluster has: "
            f"{' '.join(expression.text.split())!r} is left to the API server"
        )


def evaluate(
    policy: CompiledPolicy,
    failure_policy: FailurePolicy,
    *,
    base: Mapping[str, Any],
    shared: Activation,
    conditions: Mapping[str, Any],
    params: Mapping[str, Any] | None,
) -> Outcome:
    """Evaluate a policy.

    Args:
        policy: Its expressions.
        failure_policy: What errors mean.
        base: The variables of the request: `object`, `oldObject`, `request`, `namespaceObject`.
        shared: The same, bound; what reads neither parameters nor variables is evaluated over it.
        conditions: The variables of the request as match conditions see them.
        params: The parameter, or None.
    """
    try:
        matched = _matches(policy, failure_policy, conditions, params)
    except _LeftToTheServer as err:
        return Outcome(not_checked=(err.reason,))
    if isinstance(matched, Decision):
        return Outcome((matched,))
    if not matched:
        return Outcome()
    scope = _Scope(policy, base, shared, params)
    decisions: list[Decision] = []
    not_checked: list[str] = []
    for index, validation in enumerate(policy.validations):
        try:
            decision = _validate(scope, failure_policy, index, validation)
        except _LeftToTheServer as err:
            not_checked.append(err.reason)
            continue
        if decision is not None:
            decisions.append(decision)
    annotations: list[Annotation] = []
    for annotation in policy.annotations:
        try:
            value, error = scope.value(annotation.expression), ""
        except CelEvaluationError as err:
            value, error = None, _failed(annotation.expression, err)
        except _LeftToTheServer as err:
            not_checked.append(err.reason)
            continue
        if error and failure_policy is FailurePolicy.IGNORE:
            continue
        text = value.strip() if isinstance(value, str) else ""
        if error or text:
            annotations.append(Annotation(annotation.spec.key, text, error, annotation.expression.field))
    return Outcome(tuple(decisions), tuple(annotations), tuple(not_checked))


class _Scope:
    """The values that a policy's expressions see. Variables are evaluated when the first one is read."""

    def __init__(
        self,
        policy: CompiledPolicy,
        base: Mapping[str, Any],
        shared: Activation,
        params: Mapping[str, Any] | None,
    ) -> None:
        self._policy = policy
        self._base = base
        self._shared = shared
        self._params = params
        self._own: Activation | None = None
        self._bound: set[str] = set()
        self._values: dict[str, Any] | None = None
        self._errors: dict[str, str] = {}
        self._unchecked: dict[str, Expression] = {}

    def value(self, expression: Expression) -> Any:
        """Evaluate an expression.

        Raises:
            CelEvaluationError: It ended in an error.
            _LeftToTheServer: It cannot be known here.
        """
        if expression.variables and self._values is None:
            self._evaluate_variables()
        return self._evaluate(expression)

    def _evaluate_variables(self) -> None:
        self._values = {}
        for name in self._policy.needed:
            expression = self._policy.variables[name]
            try:
                self._values[name] = self._evaluate(expression)
            except CelEvaluationError as err:
                self._errors[name] = err.message
            except _LeftToTheServer:
                self._unchecked[name] = expression

    def _evaluate(self, expression: Expression) -> Any:
        try:
            return expression.program.evaluate(self._activation(expression))
        except NeedsClusterError as err:
            raise _LeftToTheServer(expression) from err
        except CelEvaluationError as err:
            if expression.authorizer or expression.variables & self._unchecked.keys():
                raise _LeftToTheServer(expression) from err
            # A variable that failed is not there, so that reading it is an error, and only reading it is.
            name = err.message.removeprefix(_MISSING_KEY)
            if name in expression.variables and name in self._errors:
                message = f'composited variable "{name}" fails to evaluate: {self._errors[name]}'
                raise CelEvaluationError(message) from err
            raise

    def _activation(self, expression: Expression) -> Activation:
        if not expression.variables and not (expression.params and self._params is not None):
            return self._shared
        values = self._values or {}
        if self._own is None or not expression.variables & values.keys() <= self._bound:
            self._own = self._policy.environment.bind(
                {**self._base, "params": self._params, "variables": dict(values)}
            )
            self._bound = set(values)
        return self._own


def _matches(
    policy: CompiledPolicy,
    failure_policy: FailurePolicy,
    values: Mapping[str, Any],
    params: Mapping[str, Any] | None,
) -> bool | Decision:
    """Tell whether all conditions hold; one that does not outweighs any error in another."""
    if not policy.conditions:
        return True
    activation = policy.environment.bind({**values, "params": params})
    errors: dict[str, FieldPath] = {}
    unknown: Expression | None = None
    for condition in policy.conditions:
        expression = condition.expression
        try:
            if expression.program.evaluate(activation) is not True:
                return False
        except CelEvaluationError as err:
            if expression.authorizer or isinstance(err, NeedsClusterError):
                unknown = unknown or expression
            else:
                errors.setdefault(_failed(expression, err), expression.field)
    if unknown is not None:
        raise _LeftToTheServer(unknown)
    if not errors:
        return True
    if failure_policy is FailurePolicy.IGNORE:
        return False
    message = next(iter(errors)) if len(errors) == 1 else f"[{', '.join(errors)}]"
    return Decision(0, message, "", next(iter(errors.values())), error=True)


def _validate(
    scope: _Scope, failure_policy: FailurePolicy, index: int, validation: CompiledValidation
) -> Decision | None:
    try:
        holds = scope.value(validation.expression)
    except CelEvaluationError as err:
        if failure_policy is FailurePolicy.IGNORE:
            return None
        message = _failed(validation.expression, err)
        return Decision(index, message, "", validation.expression.field, error=True)
    if holds is True:
        return None
    return Decision(
        index,
        _message(scope, validation),
        validation.spec.reason or "Invalid",
        validation.expression.field,
        error=False,
    )


def _message(scope: _Scope, validation: CompiledValidation) -> str:
    """Return what is said: the message expression's words where they are fit, or the message, or the rule."""
    message = ""
    if validation.message is not None:
        try:
            found = scope.value(validation.message)
        except (CelEvaluationError, _LeftToTheServer):
            found = ""
        message = found.strip() if isinstance(found, str) else ""
        if len(message.encode("utf-8", "surrogatepass")) > _MAX_MESSAGE_BYTES or "\n" in message:
            message = ""
    return (
        message
        or validation.spec.message.strip()
        or f"failed expression: {validation.spec.expression.strip()}"
    )


def _failed(expression: Expression, err: CelEvaluationError) -> str:
    return f"expression '{expression.text}' resulted in error: {err.message}"

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
from reconciler.rules.cel import Activation, CelEvaluationError, CelUnsupportedError, NeedsClusterError
from reconciler.rules.cel.budget import EXCEEDED

__all__ = ["Annotation", "Decision", "Outcome", "evaluate"]

_MAX_MESSAGE_BYTES = 5 * 1024
_COMPOSITED = "composited variable "


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
    request: Activation,
    conditions: Activation,
    params: Mapping[str, Any] | None,
) -> Outcome:
    """Evaluate a policy.

    Args:
        policy: Its expressions.
        failure_policy: What errors mean.
        request: The variables of the request: `object`, `oldObject`, `request`, `namespaceObject`.
        conditions: The same as match conditions see them.
        params: The parameter, or None.
    """
    try:
        matched = not policy.conditions or _matches(
            policy, failure_policy, _Scope(policy, conditions, params)
        )
    except _LeftToTheServer as err:
        return Outcome(not_checked=(err.reason,))
    if isinstance(matched, Decision):
        return Outcome((matched,))
    if not matched:
        return Outcome()
    scope = _Scope(policy, request, params)
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
    """What a policy's expressions see: the request, bound once for all policies, and this policy's values.

    Parameters and variables are handed over when an expression first asks for them, as in the API server.
    """

    def __init__(self, policy: CompiledPolicy, request: Activation, params: Mapping[str, Any] | None) -> None:
        self._policy = policy
        #: Variables that hang on what only a cluster knows.
        self.unchecked: set[str] = set()
        # They stand in for programs: whatever has `evaluate` will do.
        lazy: dict[str, Any] = {"params": _Value(params)}
        for name, expression in policy.variables.items():
            lazy[f"variables.{name}"] = _Variable(self, name, expression)
        self._activation = Activation(request.bound, request.values, lazy)

    def value(self, expression: Expression, *, inner: bool = False) -> Any:
        """Evaluate an expression.

        Args:
            expression: The expression.
            inner: Whether the value is for another expression, so that an optional stays one.

        Raises:
            CelEvaluationError: It ended in an error.
            _LeftToTheServer: It cannot be known here.
        """
        if expression.fast is not None:
            try:
                return expression.fast.evaluate(self._activation)
            except CelEvaluationError as err:
                return self._explained(expression, err)
        try:
            if inner:
                return expression.program.inner(self._activation)
            return expression.program.evaluate(self._activation)
        except NeedsClusterError as err:
            raise _LeftToTheServer(expression) from err
        except CelEvaluationError as err:
            return self._explained(expression, err)

    def _explained(self, expression: Expression, error: CelEvaluationError) -> Any:
        """Evaluate an expression that ended in an error once more, slowly, for cel-go's verdict and words."""
        if error.message == EXCEEDED:
            raise error
        careful = expression.careful()
        if careful is not None:
            try:
                return careful.evaluate(self._activation)
            except CelEvaluationError as err:
                error = err
        if expression.variables:
            try:
                return expression.program.evaluate(self._activation)
            except NeedsClusterError as err:
                raise _LeftToTheServer(expression) from err
            except CelEvaluationError as err:
                if expression.variables & self.unchecked:
                    raise _LeftToTheServer(expression) from err
                if err.message.startswith(_COMPOSITED):
                    error = err
        raise error


class _Value:
    """A value that an expression may ask for."""

    def __init__(self, value: Any) -> None:
        self._value = value

    def evaluate(self, values: Mapping[str, Any] | Activation) -> Any:
        """Return the value."""
        del values
        return self._value


class _Variable:
    """A variable that an expression may ask for."""

    def __init__(self, scope: _Scope, name: str, expression: Expression) -> None:
        self._scope = scope
        self._name = name
        self._expression = expression

    def evaluate(self, values: Mapping[str, Any] | Activation) -> Any:
        """Return the variable's value; its errors say whose they are."""
        del values
        try:
            return self._scope.value(self._expression, inner=True)
        except _LeftToTheServer as err:
            self._scope.unchecked.add(self._name)
            raise CelEvaluationError(f'{_COMPOSITED}"{self._name}" asks the authorizer') from err
        except CelEvaluationError as err:
            message = f'{_COMPOSITED}"{self._name}" fails to evaluate: {err.message}'
            if isinstance(err, CelUnsupportedError):
                raise CelUnsupportedError(message, hint=err.hint) from err
            raise CelEvaluationError(message) from err


def _matches(policy: CompiledPolicy, failure_policy: FailurePolicy, scope: _Scope) -> bool | Decision:
    """Tell whether all conditions hold; one that does not outweighs any error in another."""
    errors: dict[str, FieldPath] = {}
    unknown: _LeftToTheServer | None = None
    unsupported = False
    for condition in policy.conditions:
        expression = condition.expression
        try:
            if scope.value(expression) is not True:
                return False
        except CelEvaluationError as err:
            errors.setdefault(_failed(expression, err), expression.field)
            unsupported = unsupported or isinstance(err, CelUnsupportedError)
        except _LeftToTheServer as err:
            unknown = unknown or err
    if unknown is not None:
        raise unknown
    if not errors:
        return True
    if failure_policy is FailurePolicy.IGNORE and not unsupported:
        return False
    message = next(iter(errors)) if len(errors) == 1 else f"[{', '.join(errors)}]"
    return Decision(0, message, "", next(iter(errors.values())), error=True)


def _validate(
    scope: _Scope, failure_policy: FailurePolicy, index: int, validation: CompiledValidation
) -> Decision | None:
    try:
        holds = scope.value(validation.expression)
    except CelEvaluationError as err:
        # What this engine cannot evaluate is no failure of the policy: nobody chose to ignore that.
        if failure_policy is FailurePolicy.IGNORE and not isinstance(err, CelUnsupportedError):
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

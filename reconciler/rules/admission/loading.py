"""Admission policies and bindings read from files, with everything that is wrong with them on its line."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from reconciler.documents.scalar import locate_in_scalar
from reconciler.documents.yaml import Document, locate
from reconciler.model.fieldpath import FieldPath
from reconciler.model.finding import Finding, Severity, Violation
from reconciler.model.location import Location
from reconciler.rules.admission.compiling import Engine
from reconciler.rules.admission.documents import BINDING_KIND, POLICY_KIND
from reconciler.rules.admission.kinds import ApiKinds
from reconciler.rules.admission.policy import AdmissionPolicy
from reconciler.rules.admission.problem import InvalidPolicy, Problem

__all__ = ["RULE_ERROR", "Loader", "problem_location"]

#: The id of what is said of a policy that cannot be used.
RULE_ERROR = "rule-error"


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


class Loader:
    """Collects the policies of one load, and everything that is wrong with them.

    Args:
        kubernetes: The version whose CEL libraries policies may use.
        engine: The CEL engine.
        kinds: How kinds are served.
        read: Gives the content of a document's file, for exact places of findings.

    Attributes:
        policies: Those that can be used.
        findings: What is wrong with the others.
        broken: What each of the others says of every site: nothing passes it.
    """

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

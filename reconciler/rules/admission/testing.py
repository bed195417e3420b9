"""Tests of admission policies: `<policy>.test.yaml` beside the policy (`kind: AdmissionTest`).

    apiVersion: wayside.dev/v1alpha1
    kind: AdmissionTest
    metadata: {name: replicas}                  # the policy
    spec:
      params: [...]                             # for all cases; so are namespaces and userInfo
      cases:
      - name: six replicas are too many
        object: {...}                           # oldObject too for an update, it alone for a deletion
        expect: {decision: deny, message: at most 5 replicas}

The bindings that stand beside the policy are used; without any the policy denies everywhere.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from reconciler.documents.tree import FileTree
from reconciler.documents.yaml import Document, load, locate
from reconciler.errors import DocumentError, RuleError
from reconciler.model.fieldpath import FieldPath
from reconciler.model.location import Location
from reconciler.model.resource import Manifest, Resource
from reconciler.model.ruletest import RuleTestResult
from reconciler.rules.admission.compiling import Engine
from reconciler.rules.admission.documents import BINDING_KIND, is_admission
from reconciler.rules.admission.kinds import builtin_kinds
from reconciler.rules.admission.policy import KUBERNETES, AdmissionPolicy
from reconciler.rules.admission.problem import InvalidPolicy, Problem
from reconciler.rules.admission.reader import Reader
from reconciler.rules.admission.review import Review

__all__ = ["TEST_KIND", "run_admission_tests"]

TEST_KIND = "AdmissionTest"
_API_VERSION = "wayside.dev/v1alpha1"
_READABLE = "the test can be read"
_DECISIONS = ("allow", "deny", "warn")


def run_admission_tests(
    tree: FileTree,
    paths: Iterable[str],
    *,
    default: Callable[[Resource], Resource] = lambda resource: resource,
    engine: Engine = None,
    kubernetes: str = KUBERNETES,
) -> list[RuleTestResult]:
    """Run the tests of admission policies.

    Args:
        tree: The repository.
        paths: Test files; documents of other kinds in them are passed over.
        default: Gives an object the API server's defaults.
        engine: The CEL engine.
        kubernetes: The version whose CEL libraries policies may use.

    Returns:
        One result a case, in the order of the files.
    """
    results: list[RuleTestResult] = []
    for path in paths:
        data = tree.read(path)
        try:
            documents = load(data, path)
        except DocumentError as err:
            at = err.at or Location(path)
            results.append(RuleTestResult(path, "the file can be read", at, (err.message,)))
            continue
        for document in documents:
            if isinstance(document.value, Mapping) and document.value.get("kind") == TEST_KIND:
                run = _Run(document, data, default, engine, kubernetes)
                results += run.results(_beside(tree, path))
    return results


def _beside(tree: FileTree, path: str) -> list[Any]:
    """Return the documents that stand in the folder of a test, tests left out."""
    directory = path.rpartition("/")[0]
    found: list[Any] = []
    for name in tree.list(directory):
        if name.endswith((".yaml", ".yml")) and ".test." not in name:
            file = f"{directory}/{name}" if directory else name
            found += (document.value for document in load(tree.read(file), file))
    return found


@dataclass(frozen=True, slots=True)
class _Given:
    """What a request is made of beside its objects."""

    params: tuple[Manifest, ...]
    namespaces: tuple[Manifest, ...]
    user_info: Mapping[str, Any] | None

    @classmethod
    def read(cls, reader: Reader) -> _Given:
        user = reader.mapping("userInfo")
        return cls(
            tuple(item.raw for item in reader.items("params")),
            tuple(item.raw for item in reader.items("namespaces")),
            None if user is None else user.raw,
        )


@dataclass(frozen=True, slots=True)
class _Expected:
    """What a case must come to."""

    decision: str
    message: str
    not_checked: str

    @classmethod
    def read(cls, case: Reader) -> _Expected | None:
        expect = case.mapping("expect")
        if expect is None:
            case.problem(
                "expect",
                message="expected a decision, found none",
                hint="write `expect: {decision: allow}` where the policy must let it pass",
            )
            return None
        if "decision" not in expect:
            expect.problem("decision", message=f"expected {', '.join(_DECISIONS)}, found none")
        expected = cls(
            expect.choice("decision", _DECISIONS, "allow"),
            expect.string("message"),
            expect.string("notChecked"),
        )
        expect.finish()
        return expected

    def failures(self, review: Review) -> list[str]:
        """Say what is not as expected."""
        denials = [denial.message for denial in review.denials]
        found = "deny" if denials else "warn" if review.warnings else "allow"
        said = denials or list(review.warnings)
        failures = []
        if found != self.decision:
            failures.append(f"expected {self.decision}, found {found}{_quoted(said)}")
        elif self.message and not any(self.message in text for text in said):
            failures.append(f"expected a message with {self.message!r}, found{_quoted(said) or ' none'}")
        reasons = [note.reason for note in review.not_checked]
        if self.not_checked and not any(self.not_checked in reason for reason in reasons):
            failures.append(
                f"expected to be not checked because {self.not_checked!r}, found{_quoted(reasons)}"
            )
        if reasons and not self.not_checked:
            failures.append(f"expected to be checked, found: not checked{_quoted(reasons)}")
        return failures


def _quoted(texts: Sequence[str]) -> str:
    return "".join(f": {text}" for text in texts)


def _name(document: Mapping[str, Any]) -> str:
    metadata = document.get("metadata")
    return str(metadata.get("name") or "") if isinstance(metadata, Mapping) else ""


def _namespace(subject: Manifest | None, namespaces: Iterable[Manifest]) -> Manifest | None:
    """Return the Namespace of an object among those that are given."""
    metadata = (subject or {}).get("metadata")
    wanted = (metadata.get("namespace") if isinstance(metadata, Mapping) else None) or "default"
    return next((one for one in namespaces if _name(one) == wanted), None)


class _Run:
    """The cases of one test document."""

    def __init__(
        self,
        document: Document,
        data: bytes,
        default: Callable[[Resource], Resource],
        engine: Engine,
        kubernetes: str,
    ) -> None:
        self._document = document
        self._data = data
        self._default = default
        self._engine: Engine = engine
        self._kubernetes = kubernetes
        self._problems: list[Problem] = []

    def results(self, beside: Sequence[Any]) -> list[RuleTestResult]:
        """Run every case."""
        root = Reader(self._document.value, (), self._problems)
        root.choice("apiVersion", (_API_VERSION,))
        root.choice("kind", (TEST_KIND,))
        metadata = root.mapping("metadata")
        name = metadata.string("name") if metadata is not None else ""
        spec = root.mapping("spec")
        root.finish()
        if spec is None:
            return [self._result(name, _READABLE, (), ("expected a spec, found none",))]
        name = spec.string("policy") or name
        shared = _Given.read(spec)
        cases = spec.items("cases")
        spec.finish()
        if not cases:
            spec.problem("cases", message="expected at least one case, found none")
        results: list[RuleTestResult] = []
        policy = self._policy(name, beside, spec)
        if policy is not None:
            results = [self._case(policy, shared, case) for case in cases]
        if self._problems:
            texts = [f"{problem}{f' ({problem.hint})' if problem.hint else ''}" for problem in self._problems]
            results.append(self._result(name, _READABLE, self._problems[0].field, texts))
        return results

    def _policy(self, name: str, beside: Sequence[Any], spec: Reader) -> AdmissionPolicy | None:
        chosen = [one for one in beside if is_admission(one)]
        policies = [
            one for one in chosen if _name(one) == name and one["kind"] == "ValidatingAdmissionPolicy"
        ]
        if not policies:
            spec.problem("policy", message=f"expected a ValidatingAdmissionPolicy {name!r} beside this test")
            return None
        bindings = [
            one
            for one in chosen
            if one["kind"] == BINDING_KIND
            and isinstance(one.get("spec"), Mapping)
            and one["spec"].get("policyName") == name
        ]
        kinds = builtin_kinds().with_definitions(one for one in beside if isinstance(one, Mapping))
        try:
            return AdmissionPolicy.parse(
                policies[0], bindings, kubernetes=self._kubernetes, engine=self._engine, kinds=kinds
            )
        except InvalidPolicy as err:
            for problem in err.problems:
                spec.problem("policy", message=f"the policy is wrong: {problem}")
            return None

    def _case(self, policy: AdmissionPolicy, shared: _Given, case: Reader) -> RuleTestResult:
        name = case.string("name")
        if not name:
            case.problem("name", message="expected a name that says what must happen, found none")
        given = _Given.read(case)
        operation = case.choice("operation", ("CREATE", "UPDATE", "DELETE", "CONNECT"))
        new, old = (
            None if reader is None else self._default(Resource(reader.raw)).manifest
            for reader in (case.mapping("object"), case.mapping("oldObject"))
        )
        expected = _Expected.read(case)
        case.finish()
        if expected is None:
            return self._result(policy.spec.name, name, case.path, ("the case expects nothing",))
        subject = new if new is not None else old
        namespace = _namespace(subject, (*given.namespaces, *shared.namespaces))
        try:
            review = policy.review(
                object=new,
                old_object=old,
                operation=operation or None,
                params=(*given.params, *shared.params),
                namespace_object=namespace,
                user_info=given.user_info or shared.user_info,
            )
        except RuleError as err:
            return self._result(policy.spec.name, name, case.path, (err.message,))
        return self._result(policy.spec.name, name, case.path, expected.failures(review))

    def _result(self, policy: str, case: str, field: FieldPath, failures: Sequence[str]) -> RuleTestResult:
        at = locate(self._data, self._document.path, field, index=self._document.index)
        return RuleTestResult(policy, case, at, tuple(failures))

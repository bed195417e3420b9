"""Tests of site rules: `<rule>.test.yaml` beside the rule (`kind: RuleTest`).

A test gives a site, images and resources, and says which violations the rule must report. What is not
expected must not be reported.
"""

from __future__ import annotations

import datetime
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from reconciler.documents.tree import EntryType, FileTree
from reconciler.documents.yaml import Document, load, locate
from reconciler.errors import DocumentError, InputError, RuleError
from reconciler.model.contents import Build, EvidenceProblem, ImageContents, Layer
from reconciler.model.fieldpath import format_field_path
from reconciler.model.finding import Finding, Violation
from reconciler.model.fleet import Fleet, RuleSetting, RuleSettings
from reconciler.model.image import ImageReference
from reconciler.model.location import Location
from reconciler.model.lock import ImagesLock, LockedImage, LockedPlatform
from reconciler.model.resource import Resource
from reconciler.model.ruletest import RuleTestResult
from reconciler.model.site import Site
from reconciler.model.trust import Attestation, ImageTrust
from reconciler.rules.admission.problem import Problem
from reconciler.rules.admission.reader import Reader
from reconciler.rules.builtin import builtin_documents
from reconciler.rules.expressions import Engine
from reconciler.rules.facts.plain import as_list, as_mapping
from reconciler.rules.pack import FACTS_RULE, RulePack, RuleReview
from reconciler.rules.policy import API_VERSION, KIND

__all__ = ["TEST_KIND", "TEST_SUFFIX", "find_tests", "run_tests"]

TEST_KIND = "RuleTest"
TEST_SUFFIX = ".test.yaml"
_AT = datetime.datetime(2020, 1, 1, tzinfo=datetime.UTC)

#: Makes a site of a Site document (metadata and spec); raises `InputError` where it is not valid.
ParseSite = Callable[[Mapping[str, Any], str], Site]


def find_tests(tree: FileTree, paths: Iterable[str]) -> tuple[str, ...]:
    """Return the test files among files and directories, sorted."""
    found: set[str] = set()
    todo = list(paths)
    while todo:
        path = todo.pop()
        match tree.entry_type(path):
            case EntryType.DIRECTORY:
                todo += (f"{path}/{name}" if path else name for name in tree.list(path))
            case EntryType.FILE:
                if path.endswith(TEST_SUFFIX):
                    found.add(path)
            case None:
                raise RuleError(
                    f"expected a file or directory with rule tests, found nothing at {path!r}",
                    at=Location(path),
                    code="rule-test",
                )
    return tuple(sorted(found))


def run_tests(
    tree: FileTree,
    paths: Iterable[str],
    *,
    parse_site: ParseSite,
    default: Callable[[Resource], Resource] = lambda resource: resource,
    engine: Engine = None,
    rules: Sequence[Document] | None = None,
) -> list[RuleTestResult]:
    """Run the tests of site rules.

    Args:
        tree: The repository.
        paths: Files and directories with tests.
        parse_site: Makes a site of a Site document.
        default: Gives a resource the API server's defaults.
        engine: The CEL engine.
        rules: The rules to test, where they are not those that stand beside the tests or are built in.

    Returns:
        One result a case, in the order of the files.
    """
    results: list[RuleTestResult] = []
    for path in find_tests(tree, paths):
        data = tree.read(path)
        try:
            documents = load(data, path)
        except DocumentError as err:
            at = err.at or Location(path)
            results.append(RuleTestResult(path, "the file can be read", at, (err.message,)))
            continue
        try:
            beside = rules if rules is not None else _rules_of(tree, path)
        except DocumentError as err:
            at = err.at or Location(path)
            results.append(RuleTestResult(path, "the rules beside it can be read", at, (err.message,)))
            continue
        for document in documents:
            if as_mapping(document.value).get("kind") == TEST_KIND:
                run = _Run(document, data, parse_site, default, engine)
                results += run.results(beside)
    return results


def _rules_of(tree: FileTree, path: str) -> list[Document]:
    """Return the rules of the test's own file, else those beside it, which win over built-in ones."""
    own_file = path.removesuffix(TEST_SUFFIX) + ".yaml"
    if tree.entry_type(own_file) is EntryType.FILE and (found := _rules_in(tree, own_file)):
        return found
    directory = path.rpartition("/")[0]
    beside: list[Document] = []
    for name in tree.list(directory):
        if name.endswith(".yaml") and not name.endswith(TEST_SUFFIX):
            beside += _rules_in(tree, f"{directory}/{name}" if directory else name)
    own = {_name(document) for document in beside}
    return [*beside, *(d for d in builtin_documents() if _name(d) not in own)]


def _rules_in(tree: FileTree, path: str) -> list[Document]:
    return [d for d in load(tree.read(path), path) if as_mapping(d.value).get("kind") == KIND]


def _name(document: Document) -> str:
    return str(as_mapping(as_mapping(document.value).get("metadata")).get("name") or "")


@dataclass(frozen=True, slots=True)
class _Expected:
    message: str
    resource: str
    field_path: str
    severity: str

    def matches(self, violation: Violation) -> bool:
        return (
            self.message in violation.message
            and self.resource in {"", _short(violation), str(violation.resource or "")}
            and self.field_path in {"", format_field_path(violation.field_path)}
            and self.severity in {"", violation.severity.value}
        )

    def __str__(self) -> str:
        parts = [f"message {self.message!r}"] if self.message else []
        parts += [f"resource {self.resource}"] if self.resource else []
        parts += [f"field {self.field_path}"] if self.field_path else []
        parts += [f"severity {self.severity}"] if self.severity else []
        return ", ".join(parts) or "any violation"


def _short(violation: Violation) -> str:
    resource = violation.resource
    if resource is None:
        return "Site"
    middle = f"{resource.namespace}/" if resource.namespace else ""
    return f"{resource.kind}/{middle}{resource.name}"


class _Run:
    """The cases of one test document."""

    def __init__(
        self,
        document: Document,
        data: bytes,
        parse_site: ParseSite,
        default: Callable[[Resource], Resource],
        engine: Engine,
    ) -> None:
        self._document = document
        self._data = data
        self._parse_site = parse_site
        self._default = default
        self._engine = engine
        self._problems: list[Problem] = []

    def results(self, rules: Sequence[Document]) -> list[RuleTestResult]:
        """Run every case."""
        root = Reader(self._document.value, (), self._problems)
        root.choice("apiVersion", (API_VERSION,))
        root.choice("kind", (TEST_KIND,))
        metadata = root.mapping("metadata")
        rule = metadata.string("name") if metadata is not None else ""
        spec = root.mapping("spec")
        root.finish()
        if spec is None:
            return [self._result(rule, "the test can be read", (), ("expected a spec, found none",))]
        rule = spec.string("rule") or rule
        spec.allow("site", "labels", "annotations", "images", "resources")
        cases = spec.items("cases")
        spec.finish()
        if not cases:
            spec.problem("cases", message="expected at least one case, found none")
        common = as_mapping(self._document.value["spec"])
        chosen = [document for document in rules if _name(document) == rule]
        if not chosen:
            spec.problem("rule", message=f"there is no rule {rule!r} beside this test or built in")
        results = [self._case(rule, chosen, common, case) for case in cases]
        if self._problems:
            texts = tuple(
                str(problem) + (f" ({p.hint})" if (p := problem).hint else "") for problem in self._problems
            )
            results.append(self._result(rule, "the test can be read", self._problems[0].field, texts))
        return results

    def _case(
        self, rule: str, rules: Sequence[Document], common: Mapping[str, Any], case: Reader
    ) -> RuleTestResult:
        name = case.string("name")
        if not name:
            case.problem("name", message="expected a name that says what must happen, found none")
        case.allow("site", "labels", "annotations", "images", "resources", "parameters", "installed")
        expected, not_checked = _expectations(case)
        case.finish()
        own = as_mapping(self._document.value["spec"]["cases"][case.path[-1]])
        try:
            review, findings = self._review(rule, rules, common, own)
        except InputError as err:
            return self._result(rule, name, case.path, (str(err),))
        failures = [f"the rule is wrong: {finding.location}: {finding.message}" for finding in findings]
        left = list(review.violations)
        for wanted in expected:
            hit = next((violation for violation in left if wanted.matches(violation)), None)
            if hit is None:
                failures.append(f"expected a violation with {wanted}, found none")
            else:
                left.remove(hit)
        failures += (f"expected no violation, found {_describe(violation)}" for violation in left)
        reasons = [item.reason for item in review.not_checked]
        failures += (
            f"expected to be not checked because {fragment!r}, found {reasons or 'that it was checked'}"
            for fragment in not_checked
            if not any(fragment in reason for reason in reasons)
        )
        if reasons and not not_checked:
            failures.append(f"expected to be checked, found: not checked, {'; '.join(reasons)}")
        return self._result(rule, name, case.path, tuple(failures))

    def _review(
        self, rule: str, rules: Sequence[Document], common: Mapping[str, Any], case: Mapping[str, Any]
    ) -> tuple[RuleReview, tuple[Finding, ...]]:
        site = self._parse_site(
            {
                "apiVersion": API_VERSION,
                "kind": "Site",
                "metadata": {
                    "name": "site",
                    "labels": {**as_mapping(common.get("labels")), **as_mapping(case.get("labels"))},
                    "annotations": {
                        **as_mapping(common.get("annotations")),
                        **as_mapping(case.get("annotations")),
                    },
                },
                "spec": {**as_mapping(common.get("site")), **as_mapping(case.get("site"))},
            },
            self._document.path,
        )
        setting = RuleSetting(parameters=as_mapping(case.get("parameters")))
        fleet = Fleet(
            name="test",
            at=Location(self._document.path),
            sites={site.name: site},
            manifest={},
            rules=RuleSettings(rules={rule: setting}),
        )
        images = case.get("images") if "images" in case else common.get("images")
        items = [*as_list(common.get("resources")), *as_list(case.get("resources"))]
        pack = RulePack.load(rules, fleet=fleet, engine=self._engine)
        lock = None if images is None else _lock(as_list(images))
        review = pack.review(
            site,
            [self._default(Resource(as_mapping(item))) for item in items],
            lock=lock,
            trust=_GivenTrust(as_list(images)),
            installed=_installed(lock, map(str, as_list(case.get("installed")))),
            at=_AT,
        )
        kept = tuple(v for v in review.violations if v.rule in {rule, FACTS_RULE})
        return RuleReview(kept, review.waived, review.not_checked), pack.findings

    def _result(
        self, rule: str, case: str, field: tuple[str | int, ...], failures: tuple[str, ...]
    ) -> RuleTestResult:
        at = locate(self._data, self._document.path, field, index=self._document.index)
        return RuleTestResult(rule, case, at, failures)


def _expectations(case: Reader) -> tuple[list[_Expected], tuple[str, ...]]:
    expect = case.mapping("expect")
    if expect is None:
        case.problem(
            "expect",
            message="expected violations that the rule must report, found none",
            hint="write `expect: {violations: []}` where the rule must let it pass",
        )
        return [], ()
    expected = []
    for item in expect.items("violations"):
        expected.append(
            _Expected(
                item.string("message"),
                item.string("resource"),
                item.string("fieldPath"),
                item.string("severity"),
            )
        )
        item.finish()
    reasons = expect.strings("notChecked")
    expect.finish()
    return expected, reasons


def _describe(violation: Violation) -> str:
    field = format_field_path(violation.field_path)
    return f"{violation.rule} on {_short(violation)}{f' {field}' if field else ''}: {violation.message}"


def _lock(items: Sequence[Any]) -> ImagesLock:
    """Make a lock of entries as in images.lock, where a platform may be its name alone."""
    images = {}
    contents: dict[str, ImageContents] = {}
    for number, item in enumerate(items):
        entry = as_mapping(item)
        written = ImageReference.parse(str(entry.get("name") or ""))
        name, tag = written.name, str(entry.get("tag") or written.tag)
        digest = str(entry.get("digest") or f"sha256:{number:064x}")
        platforms = _platforms(entry.get("platforms"), number)
        images[name, tag] = LockedImage(name, tag, digest, platforms)
        built = _platforms(entry["built"], number) if "built" in entry else platforms
        contents[digest] = ImageContents(
            digest=digest,
            builds=tuple(
                Build(each.platform, each.digest, "", (Layer(f"{digest} {each.platform}", each.size),))
                for each in built
            ),
            problems=tuple(EvidenceProblem("test", str(text)) for text in as_list(entry.get("problems"))),
        )
    return ImagesLock(images, contents=lambda image: contents[image.digest])


def _platforms(items: Any, number: int) -> tuple[LockedPlatform, ...]:
    found = []
    for index, item in enumerate(as_list(items)):
        platform = item if isinstance(item, Mapping) else {"platform": item}
        found.append(
            LockedPlatform(
                str(platform.get("platform")),
                str(platform.get("digest") or f"sha256:{number + 1:032x}{index:032x}"),
                int(platform.get("size") or 0),
            )
        )
    return tuple(found)


def _installed(lock: ImagesLock | None, names: Iterable[str]) -> frozenset[str]:
    """Return the layers of images of a lock."""
    found = [lock.find(ImageReference.parse(name)) for name in names] if lock is not None else []
    return frozenset(
        layer.digest
        for image in found
        if image is not None and lock is not None
        for build in lock.contents_of(image).builds
        for layer in build.layers
    )


class _GivenTrust:
    """Says of signatures what a test's images say under `trust`; of other images, that nothing is known."""

    def __init__(self, items: Sequence[Any]) -> None:
        self._given: dict[str, ImageTrust] = {}
        for item in items:
            entry = as_mapping(item)
            reference = ImageReference.parse(str(entry.get("name") or ""))
            self._given[_whole(reference)] = _trust(as_mapping(entry.get("trust")))

    def judge(self, reference: ImageReference, locked: LockedImage | None) -> ImageTrust:
        """Return what the test says of an image."""
        del locked
        return self._given.get(_whole(reference), ImageTrust())


def _whole(reference: ImageReference) -> str:
    return f"{reference.normalized_name}:{reference.effective_tag or reference.tag}"


def _trust(value: Mapping[str, Any]) -> ImageTrust:
    return ImageTrust(
        required=bool(value.get("required")),
        signed=bool(value.get("signed")),
        signers=tuple(map(str, as_list(value.get("signers")))),
        problems=tuple(map(str, as_list(value.get("problems")))),
        repository=str(value.get("repository") or ""),
        attestations=tuple(
            Attestation(str(each.get("predicateType")), str(each.get("signer")), each.get("predicate"))
            for each in map(as_mapping, as_list(value.get("attestations")))
        ),
        exempt=str(value.get("exempt") or ""),
    )

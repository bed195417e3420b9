"""The built-in rules do what their own tests say, and each test would notice if they did not."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import pytest

from reconciler.documents.tree import MemoryTree
from reconciler.documents.yaml import Document
from reconciler.fleet.loading import parse_site
from reconciler.rules.builtin import builtin_documents, builtin_root
from reconciler.rules.parsing import parse_policy
from reconciler.rules.testing import TEST_SUFFIX, run_tests

DOCUMENTS = {document.value["metadata"]["name"]: document for document in builtin_documents()}
TREE = MemoryTree(
    {f"policies/{file.name}": file.read_bytes() for file in Path(builtin_root()).glob("*.yaml")}
)


def _validations() -> list[tuple[str, int]]:
    return [
        (name, index)
        for name, document in DOCUMENTS.items()
        for index in range(len(document.value["spec"]["validations"]))
    ]


@pytest.mark.parametrize("rule", DOCUMENTS)
def test_a_built_in_rule_passes_its_own_tests(rule: str) -> None:
    results = run_tests(TREE, [f"policies/{rule}{TEST_SUFFIX}"], parse_site=parse_site)

    assert results
    assert [f"{r.at} {r.case}: {failure}" for r in results for failure in r.failures] == []


@pytest.mark.parametrize(("rule", "index"), _validations())
def test_a_rule_whose_expression_is_emptied_fails_its_tests(rule: str, index: int) -> None:
    value: dict[str, Any] = copy.deepcopy(DOCUMENTS[rule].value)
    value["spec"]["validations"][index]["expression"] = "true"
    emptied = Document(value, DOCUMENTS[rule].path, DOCUMENTS[rule].index)

    results = run_tests(TREE, [f"policies/{rule}{TEST_SUFFIX}"], parse_site=parse_site, rules=[emptied])

    assert any(not result.passed for result in results)


@pytest.mark.parametrize("rule", DOCUMENTS)
def test_a_built_in_rule_stands_in_a_file_of_its_name_and_is_documented(rule: str) -> None:
    document = DOCUMENTS[rule]
    policy, problems = parse_policy(document.value, path=document.path)

    assert problems == ()
    assert policy is not None
    assert document.path.endswith(f"/{rule}.yaml")
    assert policy.title
    assert policy.documentation.why
    assert policy.documentation.bad
    assert policy.documentation.good

"""Both CEL engines give the same verdicts by every built-in rule."""

from __future__ import annotations

import datetime
from functools import cache
from pathlib import Path
from typing import Literal

import pytest

from reconciler.documents.tree import MemoryTree
from reconciler.fleet.loading import parse_site
from reconciler.model.fleet import Fleet
from reconciler.model.location import Location
from reconciler.model.resource import Resource
from reconciler.rules.builtin import builtin_documents, builtin_root
from reconciler.rules.cel import Program
from reconciler.rules.pack import RulePack, RuleReview
from reconciler.rules.testing import run_tests
from tests.rules.facts.pairs import LIMIT_RANGE, RUNTIME_CLASSES, make_pair
from tests.rules.sites import make_site

TREE = MemoryTree(
    {f"policies/{file.name}": file.read_bytes() for file in Path(builtin_root()).glob("*.yaml")}
)
AT = datetime.datetime(2026, 1, 1, tzinfo=datetime.UTC)


@cache
def _pack(engine: Literal["native", "pure"]) -> RulePack:
    fleet = Fleet(name="f", at=Location("fleet.yaml"), sites={}, manifest={})
    return RulePack.load(builtin_documents(), fleet=fleet, engine=engine)


def _review(engine: Literal["native", "pure"], seed: int) -> RuleReview:
    pair = make_pair(seed)
    spec = {"platform": "kubeedge", "kubernetesVersion": "1.33", "nodes": pair.nodes}
    site = make_site({"metadata": {"name": "site"}, "spec": spec})
    manifests = [*pair.workloads, *RUNTIME_CLASSES, LIMIT_RANGE]
    return _pack(engine).review(site, [Resource(manifest) for manifest in manifests], lock=None, at=AT)


@pytest.mark.parametrize("engine", ["native", "pure"])
def test_every_expression_of_a_built_in_rule_compiles(engine: Literal["native", "pure"]) -> None:
    # A check compiles each only when it is evaluated, so a mistake would show late.
    pack = _pack(engine)
    found = [
        expression
        for rule in pack.rules
        for expression in (
            *rule.variables.values(),
            *(exemption for exemption, _ in rule.exemptions),
            *(part for v in rule.validations for part in (v.expression, v.message, v.for_each) if part),
        )
    ]

    assert pack.findings == ()
    assert len(found) > 2 * len(pack.rules)
    assert all(isinstance(expression.program, Program) for expression in found)


@pytest.mark.slow
def test_the_rules_own_tests_pass_with_the_pure_engine_too() -> None:
    results = run_tests(TREE, ["policies"], parse_site=parse_site, engine="pure")

    assert results
    assert [f"{r.at} {r.case}: {failure}" for r in results for failure in r.failures] == []


@pytest.mark.parametrize("seed", range(500, 512))
def test_both_engines_say_the_same_of_a_site(seed: int) -> None:
    native, pure = _review("native", seed), _review("pure", seed)

    assert native.violations
    assert pure == native

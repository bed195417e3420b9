"""The published schema and the parser agree on what a SitePolicy is."""

from __future__ import annotations

import copy
import json
from importlib.resources import files
from typing import Any

import jsonschema
import pytest
from hypothesis import given
from hypothesis import strategies as st

from reconciler.rules.builtin import builtin_documents, builtin_root
from reconciler.rules.parsing import parse_policy

SCHEMA = json.loads(files("reconciler.rules").joinpath("schemas/sitepolicy.json").read_text())
TEST_SCHEMA = json.loads(files("reconciler.rules").joinpath("schemas/ruletest.json").read_text())
VALIDATOR = jsonschema.Draft202012Validator(SCHEMA)
RULES = {document.value["metadata"]["name"]: document.value for document in builtin_documents()}


@pytest.mark.parametrize("schema", [SCHEMA, TEST_SCHEMA], ids=["SitePolicy", "RuleTest"])
def test_the_schema_is_a_valid_schema(schema: dict[str, Any]) -> None:
    jsonschema.Draft202012Validator.check_schema(schema)


@pytest.mark.parametrize("rule", RULES)
def test_every_built_in_rule_is_valid_by_the_schema(rule: str) -> None:
    assert [error.message for error in VALIDATOR.iter_errors(RULES[rule])] == []


@pytest.mark.parametrize("rule", RULES)
def test_every_built_in_test_is_valid_by_its_schema(rule: str) -> None:
    from reconciler.documents.yaml import load

    path = builtin_root() / f"{rule}.test.yaml"
    validator = jsonschema.Draft202012Validator(TEST_SCHEMA)

    for document in load(path.read_bytes(), path.name):
        assert [error.message for error in validator.iter_errors(document.value)] == []


def _set(value: Any, path: tuple[str | int, ...], new: Any) -> Any:
    result = copy.deepcopy(value)
    at = result
    for step in path[:-1]:
        at = at[step]
    at[path[-1]] = new
    return result


@pytest.mark.parametrize(
    ("path", "new", "message"),
    [
        (("apiVersion",), "v1", "expected one of wayside.dev/v1alpha1, found 'v1'"),
        (("metadata", "name"), "No_Id", "expected a rule id"),
        (("spec", "scope"), "site", "expected one of Site, Resource, Workload, Image, found 'site'"),
        (("spec", "severity"), "fatal", "expected one of error, warning, info, found 'fatal'"),
        (("spec", "sevrity"), "error", "unknown field 'sevrity'"),
        (("spec", "enabled"), "yes", "expected true or false, found 'yes'"),
        (("spec", "validations"), [], "at least one validation"),
        (("spec", "validations", 0, "expression"), " ", "expected a CEL expression"),
        (("spec", "validations", 0, "severity"), "bad", "expected one of error, warning, info"),
        (("spec", "notChecked"), [{"expression": "true"}], "expected a reason"),
        (("spec", "variables"), [{"name": "a b", "expression": "1"}], "expected a CEL identifier"),
        (("spec", "parameters"), {"x": {"type": "integer"}}, "expected a whole number, found None"),
        (("spec", "match"), {"sites": {"name": ["x"]}}, "unknown field 'name'"),
        (
            ("spec", "match"),
            {"sites": {"labels": {"matchExpressions": [{"key": "a", "operator": "in"}]}}},
            "expected one of In, NotIn, Exists, DoesNotExist, found 'in'",
        ),
    ],
)
def test_both_refuse_what_is_wrong_and_the_parser_says_what(
    path: tuple[str | int, ...], new: Any, message: str
) -> None:
    value = _set(RULES["memory-budget"], path, new)
    policy, problems = parse_policy(value)

    assert policy is None
    assert message in " | ".join(map(str, problems))
    assert not VALIDATOR.is_valid(value)


def test_an_unknown_field_comes_with_the_name_that_was_meant() -> None:
    _, problems = parse_policy(_set(RULES["memory-budget"], ("spec", "sevrity"), "error"))

    assert problems[0].hint == "did you mean severity?"


PLAIN = st.recursive(
    st.none() | st.booleans() | st.integers(-3, 3) | st.sampled_from(["", "x", "Site", "error", "true"]),
    lambda inner: (
        st.lists(inner, max_size=2)
        | st.dictionaries(st.sampled_from(["expression", "message", "name", "type", "x"]), inner, max_size=2)
    ),
    max_leaves=6,
)


def _paths(value: Any, at: tuple[str | int, ...] = ()) -> list[tuple[str | int, ...]]:
    found = [at] if at else []
    if isinstance(value, dict):
        for key, item in value.items():
            found += _paths(item, (*at, key))
    elif isinstance(value, list):
        for index, item in enumerate(value):
            found += _paths(item, (*at, index))
    return found


@given(rule=st.sampled_from(sorted(RULES)), data=st.data())
def test_what_the_parser_takes_the_schema_takes_too_and_nothing_makes_it_fail(
    rule: str, data: st.DataObject
) -> None:
    value = RULES[rule]
    value = _set(value, data.draw(st.sampled_from(_paths(value))), data.draw(PLAIN))
    policy, problems = parse_policy(value)

    assert (policy is None) == bool(problems)
    if policy is not None and not _has_null(value):
        assert VALIDATOR.is_valid(value), list(VALIDATOR.iter_errors(value))


def _has_null(value: Any) -> bool:
    """A null counts as absent for the parser, as in the API server."""
    if isinstance(value, dict):
        return any(item is None or _has_null(item) for item in value.values())
    return isinstance(value, list) and any(item is None or _has_null(item) for item in value)

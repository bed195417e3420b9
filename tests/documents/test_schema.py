"""The fast check says yes exactly where jsonschema does."""

import copy
import json
from typing import Any

import jsonschema
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reconciler.documents.schema import Schema, UnsupportedSchema
from reconciler.fleet.published import NAMES, compiled, schemas

VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-3, 30)
    | st.sampled_from([0.0, 1.0, 1.5, -0.5, 1e300])
    | st.sampled_from(["", "a", "b", "ab", "abc", "1", "a\n", "aé"]),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.sampled_from("abcd"), inner, max_size=4),
    max_leaves=8,
)
BOUNDS = ("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum")
SIZES = ("minLength", "maxLength", "minItems", "maxItems", "minProperties", "maxProperties")
TYPES = st.sampled_from(["object", "array", "string", "integer", "number", "boolean", "null"])


def schemas_of(inner: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    """Return schemas with any of the keywords that are understood."""
    several = st.lists(inner, min_size=1, max_size=3)
    return st.fixed_dictionaries(
        {},
        optional={
            "type": TYPES | st.lists(TYPES, min_size=1, max_size=3, unique=True),
            "properties": st.dictionaries(st.sampled_from("abc"), inner, max_size=3),
            "additionalProperties": st.booleans() | inner,
            "required": st.lists(st.sampled_from("abcd"), max_size=2, unique=True),
            "propertyNames": st.just({"pattern": "[ab]"}),
            "items": inner,
            "enum": st.lists(VALUES, min_size=1, max_size=4),
            "const": VALUES,
            "pattern": st.sampled_from(["^a", "b$", "^[0-9]+$", "^$"]),
            "anyOf": several,
            "oneOf": several,
            "allOf": several,
            "not": inner,
            "$ref": st.sampled_from(["#/$defs/x", "#/$defs/self"]),
            "description": st.just("words"),
        }
        | {name: st.integers(-1, 3) for name in BOUNDS}
        | {name: st.integers(0, 3) for name in SIZES},
    )


SCHEMAS: st.SearchStrategy[Any] = st.recursive(
    st.booleans() | st.just({}) | schemas_of(st.just({"type": "string"})), schemas_of, max_leaves=6
)


@settings(max_examples=200, deadline=None)
@given(SCHEMAS, st.lists(VALUES, min_size=1, max_size=8))
def test_both_agree_about_any_schema_and_value(schema: Any, values: list[Any]) -> None:
    definitions = {
        "x": {"type": ["string", "integer"]},
        "self": {"anyOf": [{"type": "array", "items": {"$ref": "#/$defs/self"}}, {"type": "number"}]},
    }
    document = {"$defs": definitions, "allOf": [schema]}
    fast = Schema(document)
    reference = jsonschema.Draft202012Validator(fast.document)
    for value in values:
        assert fast.accepts(value) is bool(reference.is_valid(value)), value


GOOD: dict[str, Any] = {
    "site": {
        "apiVersion": "wayside.dev/v1alpha1",
        "kind": "Site",
        "metadata": {"name": "a", "labels": {"b": "c"}},
        "spec": {
            "platform": "k3s",
            "kubernetesVersion": "1.33",
            "nodes": [
                {"architecture": "linux/arm64", "allocatable": {"memory": "4Gi", "cpu": 2}, "taints": []}
            ],
            "sync": {"interval": "1m30s", "confirmDeletes": ["Namespace/a"]},
            "vars": {"A": "b"},
        },
    },
    "siteclass": {
        "apiVersion": "wayside.dev/v1alpha1",
        "kind": "SiteClass",
        "metadata": {"name": "a"},
        "spec": {"budgets": {"memory": "1Gi"}, "target": {"type": "directory", "path": "/x"}},
    },
    "fleet": {
        "apiVersion": "wayside.dev/v1alpha1",
        "kind": "Fleet",
        "metadata": {"name": "a"},
        "spec": {
            "rules": {"waivers": [{"rule": "a", "reason": "b", "expires": "2027-01-01"}]},
            "sites": ["s/*.yaml"],
        },
    },
    "images-lock": {"images": [{"name": "a", "tag": "1", "digest": "sha256:" + "0" * 64, "platforms": []}]},
}
ODD = st.sampled_from(
    [None, True, -1, 0, 1.5, "", "x", "1e3Ki", [], {}, {"x": 1}, ["x"], "linux/arm64", "sha256:0"]
)


@pytest.mark.parametrize("name", NAMES)
def test_a_right_document_fits_its_schema(name: str) -> None:
    assert compiled(name).accepts(GOOD[name])
    assert compiled(name).problems(GOOD[name]) == ()


@pytest.mark.parametrize("name", NAMES)
def test_a_published_schema_is_one(name: str) -> None:
    schema = schemas()[name]
    jsonschema.Draft202012Validator.check_schema(schema)
    assert schema["$id"].endswith(f"/{name}.json")


def test_schemas_share_their_definitions() -> None:
    of_site = schemas()["site"]["$defs"]
    for name in ("siteclass", "fleet"):
        for key, definition in schemas()[name]["$defs"].items():
            assert of_site.get(key, definition) == definition, key


@settings(max_examples=150, deadline=None)
@given(st.sampled_from(NAMES), st.data())
def test_both_agree_about_the_published_schemas(name: str, data: st.DataObject) -> None:
    """A right document with one or two places changed, which any explanation must find."""
    value: Any = copy.deepcopy(GOOD[name])
    for _ in range(data.draw(st.integers(1, 2))):
        node: Any = value
        while True:
            keys = list(node) if isinstance(node, dict) else list(range(len(node)))
            if not keys:
                break
            key = data.draw(st.sampled_from(keys))
            if isinstance(node[key], dict | list) and node[key] and data.draw(st.booleans()):
                node = node[key]
                continue
            if isinstance(node, dict) and data.draw(st.booleans()):
                node[str(key) + data.draw(st.sampled_from(["", "x"]))] = node.pop(key)
            else:
                node[key] = copy.deepcopy(data.draw(ODD))  # it may be changed itself, next
            break
    schema = compiled(name)
    expected = bool(jsonschema.Draft202012Validator(schemas()[name]).is_valid(value))
    assert schema.accepts(value) is expected, json.dumps(value)
    assert bool(schema.problems(value)) is not expected


@pytest.mark.parametrize(
    "schema", [{"dependentRequired": {}}, {"items": {"uniqueItems": True}}, {"$ref": "other.json"}], ids=str
)
def test_a_keyword_that_is_not_understood_is_refused(schema: Any) -> None:
    with pytest.raises(UnsupportedSchema):
        Schema(schema)


def test_a_final_line_feed_is_not_overlooked() -> None:
    schema = Schema({"pattern": r"^[$a]\$?$|^b$"})
    assert schema.accepts("a")
    assert schema.accepts("a$")
    assert schema.accepts("b")
    assert not schema.accepts("a\n")
    assert [each.keyword for each in schema.problems("b\n")] == ["pattern"]
    assert not Schema({"enum": [{"pattern": "a$"}]}).accepts({"pattern": r"a\Z"})


def test_all_problems_are_told_with_their_paths() -> None:
    value = copy.deepcopy(GOOD["site"])
    spec: Any = value["spec"]
    spec["nodes"][0] = {"architecture": "arm", "allocatable": {"memory": "-1"}, "extra": 1}
    del spec["platform"]
    problems = [(problem.path, problem.keyword) for problem in compiled("site").problems(value)]
    assert sorted(problems, key=str) == [
        (("spec", "nodes", 0, "allocatable", "memory"), "pattern"),
        (("spec", "nodes", 0, "architecture"), "pattern"),
        (("spec", "nodes", 0, "extra"), "additionalProperties"),
        (("spec", "platform"), "required"),
    ]

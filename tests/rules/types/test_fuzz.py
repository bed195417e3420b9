"""Whatever an object holds, it is judged: no traceback, no hang."""

from __future__ import annotations

import copy
import time
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reconciler.model.finding import NotChecked
from reconciler.model.resource import Resource
from reconciler.rules.types import SchemaSet
from tests.rules.types.corpus import corpus
from tests.rules.types.resources import custom_resources, definitions, plain

pytestmark = pytest.mark.slow

_SCALARS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(),
    st.text(max_size=20),
    st.sampled_from(["1Gi", "80", "http", "2026-01-31T12:00:00Z", "50%", "x" * 300, "\x00", "\udc80"]),
)
_VALUES = st.recursive(
    _SCALARS,
    lambda inside: (
        st.lists(inside, max_size=4)
        | st.dictionaries(st.text(max_size=8) | st.sampled_from(["name", "spec", "a"]), inside, max_size=4)
    ),
    max_leaves=12,
)
_OBJECTS = [*(plain(each) for each in corpus().values()), *custom_resources(), *definitions()]
_SCHEMAS = SchemaSet.load((1, 36), definitions())


def _places(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    pairs: Any = ()
    if isinstance(value, dict):
        pairs = value.items()
    elif isinstance(value, list):
        pairs = enumerate(value)
    found = []
    for key, item in pairs:
        if (*path, key) not in {("apiVersion",), ("kind",)}:
            found += [(*path, key), *_places(item, (*path, key))]
    return found


@settings(max_examples=500, deadline=None)
@given(data=st.data())
def test_any_value_at_any_place_is_judged(data: st.DataObject) -> None:
    manifest = copy.deepcopy(data.draw(st.sampled_from(_OBJECTS)))
    for _ in range(data.draw(st.integers(1, 3))):
        path = data.draw(st.sampled_from(_places(manifest)))
        holder: Any = manifest
        for step in path[:-1]:
            holder = holder[step]
        holder[path[-1]] = data.draw(_VALUES)
    found = _SCHEMAS.check(Resource(manifest))
    assert isinstance(found, tuple | NotChecked)
    if isinstance(found, tuple):
        for each in found:
            assert len(each.message) < 3000


@settings(max_examples=300, deadline=None)
@given(schema=_VALUES, path=st.sampled_from(["a-b-v1.json", "x/y.json", "b/a_v1.json"]))
def test_any_json_schema_is_used_or_found_to_be_none(schema: Any, path: str) -> None:
    schemas = SchemaSet.load((1, 36), json_schemas={path: schema})
    schemas.check(Resource({"apiVersion": "b/v1", "kind": "A", "metadata": {"name": "x"}, "spec": {"a": 1}}))


@settings(max_examples=300, deadline=None)
@given(data=st.data())
def test_any_definition_is_usable_or_found_to_be_none(data: st.DataObject) -> None:
    definition = copy.deepcopy(data.draw(st.sampled_from(definitions())))
    path = data.draw(st.sampled_from([each for each in _places(definition) if len(each) > 1]))
    holder: Any = definition
    for step in path[:-1]:
        holder = holder[step]
    holder[path[-1]] = data.draw(_VALUES)
    schemas = SchemaSet.load((1, 36), [definition])
    schemas.check(Resource(definition))
    for manifest in custom_resources():
        assert isinstance(schemas.check(Resource(manifest)), tuple | NotChecked)


def _nested(levels: int) -> dict[str, Any]:
    value: dict[str, Any] = {"a": 1}
    for _ in range(levels):
        value = {"a": value}
    return value


def _nested_schema(levels: int) -> dict[str, Any]:
    schema: dict[str, Any] = {"type": "object"}
    for _ in range(levels):
        schema = {"type": "object", "properties": {"a": schema}}
    return schema


def _definition(schema: dict[str, Any]) -> dict[str, Any]:
    definition = definitions()[4]
    definition["spec"]["versions"][0]["schema"]["openAPIV3Schema"] = schema
    return definition


@pytest.mark.parametrize("levels", [300, 5000])
def test_an_object_of_many_levels_is_judged(levels: int) -> None:
    manifest = {**custom_resources()[-1], "spec": _nested(levels)}
    schemas = SchemaSet.load((1, 36), [_definition(_nested_schema(levels))])
    schemas.check(Resource(manifest))
    schemas.check(Resource(_definition(_nested_schema(levels))))
    SchemaSet.load((1, 36), definitions()).check(Resource(manifest))
    SchemaSet.load((1, 36)).check(
        Resource(
            {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "x"}, "data": _nested(levels)}
        )
    )


def test_nan_is_no_value_of_json() -> None:
    manifest = {**custom_resources()[-1], "spec": {"a": float("nan")}}
    found = SchemaSet.load((1, 36), definitions()).check(Resource(manifest))
    assert isinstance(found, tuple)
    assert "NaN" in found[0].message


def test_an_object_of_ten_mebibytes_is_judged_in_no_time() -> None:
    data = {f"key-{index}": "x" * 1024 for index in range(10 * 1024)}
    manifest = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "x"}, "data": data}
    begun = time.perf_counter()
    found = SchemaSet.load((1, 36)).check(Resource(manifest))
    assert isinstance(found, tuple)
    assert "Too long" in found[0].message
    many = {**custom_resources()[-1], "spec": {"list": list(range(1_000_000))}}
    assert SchemaSet.load((1, 36), definitions()).check(Resource(many)) == ()
    assert time.perf_counter() - begun < 10

"""Defaulting shares what sites share, changes nothing that it was given, and never fails on nonsense."""

from __future__ import annotations

import copy
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from reconciler.documents import yaml
from reconciler.model.resource import Resource
from reconciler.rules.defaults import Defaulter
from reconciler.rules.defaults.defaulter import _KINDS
from tests.rules.defaults.objects import OBJECTS

VALUES: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)


def manifest_of(name: str) -> dict[str, Any]:
    value: dict[str, Any] = yaml.load(OBJECTS[name].encode(), "object.yaml")[0].value
    return value


def test_what_was_given_is_not_changed() -> None:
    for name in OBJECTS:
        manifest = manifest_of(name)
        before = copy.deepcopy(manifest)
        Defaulter((1, 33)).apply(Resource(manifest))
        assert manifest == before, name


def test_defaulting_twice_adds_nothing() -> None:
    for name in OBJECTS:
        once = Defaulter((1, 36)).apply(Resource(manifest_of(name)))
        assert Defaulter((1, 36)).apply(once).manifest == once.manifest, name


def test_a_spec_that_two_sites_share_is_defaulted_once() -> None:
    spec = manifest_of("deployment")["spec"]
    defaulter = Defaulter((1, 33))

    def at(site: str) -> Any:
        metadata = {"name": "x", "labels": {"site": site}}
        manifest = {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": metadata, "spec": spec}
        return defaulter.apply(Resource(manifest)).manifest

    assert at("a")["spec"] is at("b")["spec"]
    assert at("b")["metadata"]["labels"] == {"site": "b"}


def test_a_kind_without_defaults_is_returned_as_it_is() -> None:
    resource = Resource({"apiVersion": "acme.dev/v1", "kind": "Widget", "metadata": {"name": "w"}})
    assert Defaulter((1, 33)).apply(resource) is resource


@settings(max_examples=200)
@given(st.sampled_from(sorted(OBJECTS)), st.data())
def test_a_field_of_a_wrong_type_is_no_crash(name: str, data: st.DataObject) -> None:
    manifest = manifest_of(name)
    node: Any = manifest
    for _ in range(data.draw(st.integers(1, 6))):
        keys = list(node) if isinstance(node, dict) else list(range(len(node)))
        keys = [key for key in keys if key not in ("apiVersion", "kind")]
        if not keys:
            break
        key = data.draw(st.sampled_from(keys))
        if not isinstance(node[key], dict | list) or data.draw(st.booleans()):
            node[key] = data.draw(VALUES)
            break
        node = node[key]
    Defaulter((1, 36)).apply(Resource(manifest))


def test_every_kind_has_an_object_in_the_table() -> None:
    shown = {Resource(manifest_of(name)).kind for name in OBJECTS}
    assert {kind for _, kind in _KINDS} - shown == {"Endpoints"}  # deprecated, and refused by strict clients

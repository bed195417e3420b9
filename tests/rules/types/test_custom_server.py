"""The verdict on custom resources is the API server's, and so are the words."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from reconciler.model.finding import Violation
from reconciler.model.resource import Resource
from reconciler.rules.types import SchemaSet
from tests.cluster.control_plane import ControlPlane
from tests.cluster.process import wait_until
from tests.rules.types.mutations import mutations
from tests.rules.types.resources import Server, custom_resources, definitions

#: How many refusals may be worded otherwise: those of formats of numbers, and of embedded objects that are
#: none.
_OTHER_WORDS = 0.06


@pytest.fixture(scope="module")
def server(module_api_server: Callable[..., ControlPlane]) -> Server:
    cluster = module_api_server()
    path = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
    for definition in definitions():
        cluster.request("POST", path, definition, query={"fieldValidation": "Strict"})
    group = f"/apis/{definitions()[0]['spec']['group']}/v1"

    def served() -> bool:
        if not cluster.exists(group):
            return False
        kinds = {each["kind"] for each in cluster.request("GET", group)["resources"]}
        return kinds >= {each["spec"]["names"]["kind"] for each in definitions()}

    wait_until(served, what="all custom kinds served")
    return Server(cluster, "default")


def _check(schemas: SchemaSet, manifest: dict[str, Any], old: dict[str, Any] | None = None) -> Any:
    found = schemas.check(Resource(manifest), None if old is None else Resource(old))
    assert isinstance(found, tuple)
    return found


@pytest.mark.slow
@pytest.mark.cluster
def test_custom_resources_are_judged_as_the_server_judges_them(server: Server) -> None:
    schemas = SchemaSet.load((1, 36), definitions())
    different: list[str] = []
    refused = other_words = 0
    for manifest in custom_resources():
        for change, mutated in (("as it is", manifest), *mutations(manifest)):
            words, found = server.refusal(mutated), _check(schemas, mutated)
            if (words is None) != (found == ()):
                different.append(f"{manifest['kind']} {change}: {words} / {found}")
            elif words is not None:
                refused += 1
                other_words += not _in_words(found[0], words)
    assert different == []
    assert refused > 300
    assert other_words / refused <= _OTHER_WORDS


def _in_words(found: Violation, words: str) -> bool:
    if found.message.startswith("unknown field"):
        return "unknown field" in words and str(found.field_path[-1]) in words
    if found.message.startswith("expected "):
        return "cannot unmarshal" in words
    return found.message.split("...")[0] in words


@pytest.mark.slow
@pytest.mark.cluster
def test_transition_rules_are_asked_where_there_is_an_old_object(server: Server) -> None:
    schemas = SchemaSet.load((1, 36), definitions())
    (old,) = [each for each in custom_resources() if each["kind"] == "Rule"]
    made = server.create(copy.deepcopy(old))
    for version in (2, 3, 4):
        new = copy.deepcopy(old)
        new["spec"]["version"] = version
        new["metadata"]["resourceVersion"] = made["metadata"]["resourceVersion"]
        words, found = server.update_refusal(new), _check(schemas, new, old)
        assert (words is None) == (found == ()) == (version >= 3)
        if words is not None:
            assert found[0].message in words
            assert found[0].field_path == ("spec", "version")


@pytest.mark.slow
@pytest.mark.cluster
def test_definitions_are_judged_as_the_server_judges_them(server: Server) -> None:
    schemas = SchemaSet.load((1, 36), definitions())
    for change, definition in _broken_definitions():
        definition["metadata"]["name"] = "copies.other.wayside.test"
        definition["spec"]["group"] = "other.wayside.test"
        definition["spec"]["names"] = {"plural": "copies", "singular": "copy", "kind": "Copy"}
        words, found = server.refusal(definition), _check(schemas, definition)
        assert (words is None) == (found == ()), (change, words, found)


def _broken_definitions() -> Iterator[tuple[str, dict[str, Any]]]:
    spec = ("properties", "spec", "properties")
    changes: list[tuple[str, tuple[str, ...], Any]] = [
        ("nothing", (), None),
        ("a type that is none", (*spec, "name", "type"), "text"),
        ("no type", (*spec, "name", "type"), None),
        ("a $ref", (*spec, "name", "$ref"), "#/definitions/name"),
        ("a pattern that is none", (*spec, "name", "pattern"), "("),
        ("a list without items", (*spec, "tags", "items"), None),
        ("a list type that is none", (*spec, "tags", "x-kubernetes-list-type"), "bag"),
        ("a map without keys", (*spec, "tags", "x-kubernetes-list-type"), "map"),
        ("unique items", (*spec, "tags", "uniqueItems"), True),
        ("an unknown keyword", (*spec, "name", "minimumLength"), 3),
        ("a wrong bound", (*spec, "name", "minLength"), "3"),
        ("properties and others", (*spec, "labels", "properties"), {"a": {"type": "string"}}),
        ("a rule that is none", (*spec, "size", "x-kubernetes-validations"), [{"rule": "self >"}]),
        ("an unknown function", (*spec, "size", "x-kubernetes-validations"), [{"rule": "foo(self)"}]),
        ("a good rule", (*spec, "size", "x-kubernetes-validations"), [{"rule": "self > 0"}]),
        ("an empty rule", (*spec, "size", "x-kubernetes-validations"), [{"rule": ""}]),
        ("a root that is no object", ("type",), "string"),
    ]
    for name, path, value in changes:
        definition = copy.deepcopy(definitions()[0])
        holder: Any = definition["spec"]["versions"][0]["schema"]["openAPIV3Schema"]
        for step in path[:-1]:
            holder = holder[step]
        if path:
            holder[path[-1]] = value
            if value is None:
                del holder[path[-1]]
        yield name, definition

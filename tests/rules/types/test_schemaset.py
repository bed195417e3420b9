from __future__ import annotations

import copy
from typing import Any

import pytest

from reconciler.model.finding import NotChecked, Violation
from reconciler.model.resource import Resource
from reconciler.rules.types import SchemaSet
from tests.rules.types.corpus import corpus
from tests.rules.types.resources import custom_resources, definitions


def violations(manifest: dict[str, Any], version: int = 36, **load: Any) -> tuple[Violation, ...]:
    found = SchemaSet.load((1, version), **load).check(Resource(manifest))
    assert isinstance(found, tuple), found
    return found


def config_map(**more: Any) -> dict[str, Any]:
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "x"}, **more}


def custom(kind: str) -> dict[str, Any]:
    return copy.deepcopy(next(each for each in custom_resources() if each["kind"] == kind))


# Built-in kinds


def test_an_unknown_field_is_named_with_the_one_that_was_meant() -> None:
    manifest = corpus()["deployment-full"]
    pod = manifest["spec"]["template"]["spec"]
    pod["contaners"] = pod.pop("containers")
    (found,) = violations(manifest)
    assert found.rule == "schema"
    assert found.field_path == ("spec", "template", "spec", "contaners")
    assert found.message == 'unknown field "contaners"'
    assert found.hint == 'did you mean "containers"?'
    assert str(found.resource) == "Deployment.apps/full"


@pytest.mark.parametrize(
    ("path", "value", "message", "hint"),
    [
        pytest.param(
            ("spec", "replicas"),
            "3",
            'expected an integer of 32 bits, found the string "3"',
            "write the value without quotes",
            id="number",
        ),
        pytest.param(
            ("metadata", "labels"),
            {"a": 1},
            "expected a string, found the integer 1",
            "put the value in quotes",
            id="label",
        ),
        pytest.param(
            ("spec", "paused"), "no", 'expected true or false, found the string "no"', "", id="bool"
        ),
        pytest.param(("spec", "selector"), [], "expected an object, found the list", "", id="object"),
    ],
)
def test_a_wrong_type_says_what_was_found_and_what_was_wanted(
    path: tuple[str, str], value: Any, message: str, hint: str
) -> None:
    manifest = corpus()["deployment-full"]
    manifest[path[0]][path[1]] = value
    (found,) = violations(manifest)
    assert (found.message, found.hint) == (message, hint)
    assert found.field_path[: len(path)] == path


def test_all_mistakes_are_told_and_not_the_first_alone() -> None:
    manifest = corpus()["deployment-full"]
    manifest["spec"]["replicas"] = "3"
    manifest["spec"]["typo"] = 1
    manifest["metadata"]["labels"] = {"a": True}
    assert len(violations(manifest)) == 3


@pytest.mark.parametrize("field", ["data", "stringData"])
def test_a_secrets_value_is_never_shown(field: str) -> None:
    manifest = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "x"}, field: {"a": 31337}}
    (found,) = violations(manifest)
    assert found.field_path == (field, "a")
    assert "31337" not in found.message + found.hint


def test_what_has_no_base64_in_a_secret_is_told_without_its_text() -> None:
    manifest = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "x"}, "data": {"a": "hunter2!"}}
    (found,) = violations(manifest)
    assert found.message == "expected a string in base64"


@pytest.mark.parametrize(
    ("version", "api_version", "kind", "message", "hint"),
    [
        pytest.param(
            33,
            "policy/v1beta1",
            "PodSecurityPolicy",
            "policy/v1beta1 PodSecurityPolicy was removed in Kubernetes 1.25, the site has Kubernetes 1.33",
            "Pod Security Admission",
            id="no-replacement",
        ),
        pytest.param(
            33,
            "extensions/v1beta1",
            "Ingress",
            "extensions/v1beta1 Ingress was removed in Kubernetes 1.22, the site has Kubernetes 1.33",
            "write apiVersion: networking.k8s.io/v1",
            id="moved",
        ),
        pytest.param(
            29,
            "flowcontrol.apiserver.k8s.io/v1beta2",
            "FlowSchema",
            "flowcontrol.apiserver.k8s.io/v1beta2 FlowSchema was removed in Kubernetes 1.29, "
            "the site has Kubernetes 1.29",
            "write apiVersion: flowcontrol.apiserver.k8s.io/v1",
            id="by-data",
        ),
        pytest.param(
            33,
            "resource.k8s.io/v1",
            "DeviceClass",
            "resource.k8s.io/v1 DeviceClass exists from Kubernetes 1.34 on, the site has Kubernetes 1.33",
            "write apiVersion: resource.k8s.io/v1beta2",
            id="not-yet",
        ),
        pytest.param(
            36,
            "apps/v1",
            "Deploymnt",
            'apps/v1 of Kubernetes 1.36 has no kind "Deploymnt"',
            'did you mean "Deployment"?',
            id="misspelt",
        ),
        pytest.param(
            36,
            "v1",
            "Deployment",
            'v1 of Kubernetes 1.36 has no kind "Deployment"',
            "write apiVersion: apps/v1",
            id="other-group",
        ),
        pytest.param(
            36,
            "apps/v3",
            "Deployment",
            'Kubernetes 1.36 has no API version "apps/v3"',
            "write apiVersion: apps/v1",
            id="no-version",
        ),
    ],
)
def test_an_api_version_that_is_not_there_is_named_with_what_to_write(
    version: int, api_version: str, kind: str, message: str, hint: str
) -> None:
    manifest = {"apiVersion": api_version, "kind": kind, "metadata": {"name": "x"}}
    (found,) = violations(manifest, version)
    assert found.message == message
    assert hint in found.hint


@pytest.mark.parametrize("version", range(29, 38))
def test_every_version_knows_the_kinds_that_a_fleet_is_made_of(version: int) -> None:
    for name in ("deployment-host-network", "service", "ingress-x", "cron-job", "config-map", "role-binding"):
        manifest = corpus()[name]
        manifest["metadata"].pop("namespace", None)
        assert violations(manifest, version) == (), name


def test_a_field_that_came_later_is_unknown_before() -> None:
    manifest = corpus()["deployment-full"]
    manifest["spec"]["template"]["spec"]["resources"] = {"limits": {"cpu": "1"}}
    assert violations(manifest, 36) == ()
    (found,) = violations(manifest, 31)
    assert found.field_path == ("spec", "template", "spec", "resources")


def test_a_version_that_is_not_known_counts_as_the_nearest() -> None:
    assert violations(config_map(), 99) == ()
    assert violations(config_map(), 20) == ()


def test_objects_that_share_their_content_are_each_told_of_their_own_metadata() -> None:
    schemas = SchemaSet.load((1, 36))
    data = {"a": "b"}
    assert schemas.check(Resource(config_map(data=data))) == ()
    wrong = config_map(data=data)
    wrong["metadata"] = {"name": "No"}
    found = schemas.check(Resource(wrong))
    assert isinstance(found, tuple)
    assert found[0].field_path == ("metadata", "name")


# Custom resources


def test_a_kind_without_schema_is_not_checked_and_says_how_to_add_one() -> None:
    found = SchemaSet.load((1, 36)).check(Resource(custom("Widget")))
    assert isinstance(found, NotChecked)
    assert found.reason == (
        "no schema for types.wayside.test/v1 Widget; add its CRD or a JSON Schema to schemas/"
    )


def test_a_version_that_the_crd_does_not_serve_is_an_error_with_those_that_it_does() -> None:
    manifest = custom("Anything")
    manifest["apiVersion"] = "types.wayside.test/v1alpha1"
    (found,) = violations(manifest, crds=definitions())
    assert found.field_path == ("apiVersion",)
    assert found.hint == "write apiVersion: types.wayside.test/v1"


def test_a_broken_definition_is_told_where_it_is_broken_and_its_objects_are_not_checked() -> None:
    definition = definitions()[0]
    schema = definition["spec"]["versions"][0]["schema"]["openAPIV3Schema"]
    schema["properties"]["spec"]["$ref"] = "#/properties/spec"
    schemas = SchemaSet.load((1, 36), [definition])
    found = schemas.check(Resource(definition))
    assert isinstance(found, tuple)
    path = ("spec", "versions", 0, "schema", "openAPIV3Schema", "properties", "spec", "$ref")
    assert [each.field_path for each in found] == [path]
    assert isinstance(schemas.check(Resource(custom("Widget"))), NotChecked)


def test_a_definition_that_holds_itself_ends_with_a_finding() -> None:
    definition = definitions()[0]
    schema = definition["spec"]["versions"][0]["schema"]["openAPIV3Schema"]
    schema["properties"]["spec"] = schema
    schemas = SchemaSet.load((1, 36), [definition])
    found = schemas.check(Resource(definition))
    assert isinstance(found, tuple)
    assert found
    schemas.check(Resource(custom("Widget")))


def test_a_rule_that_does_not_compile_is_told_in_the_definition() -> None:
    definition = definitions()[0]
    schema = definition["spec"]["versions"][0]["schema"]["openAPIV3Schema"]
    schema["x-kubernetes-validations"] = [{"rule": "true"}, {"rule": "self.spec.size >"}]
    (found,) = violations(definition)
    assert found.field_path[-3:] == ("x-kubernetes-validations", 1, "rule")
    assert found.message.startswith("compilation failed: ERROR: <input>:1:")


@pytest.mark.parametrize(
    ("before", "allowed"),
    [
        pytest.param(None, False, id="new"),
        pytest.param(3, True, id="same"),
        pytest.param(9, False, id="less"),
    ],
)
def test_an_optional_old_value_is_there_for_new_objects_as_well(before: int | None, allowed: bool) -> None:
    definition = definitions()[3]
    root = definition["spec"]["versions"][0]["schema"]["openAPIV3Schema"]
    root["properties"]["spec"]["properties"]["version"]["x-kubernetes-validations"] = [
        {"rule": "oldSelf.hasValue() && self >= oldSelf.value()", "optionalOldSelf": True, "message": "no"}
    ]
    old = None
    if before is not None:
        old = custom("Rule")
        old["spec"]["version"] = before
    found = SchemaSet.load((1, 36), [definition]).check(
        Resource(custom("Rule")), None if old is None else Resource(old)
    )
    assert isinstance(found, tuple)
    assert [each.message for each in found] == ([] if allowed else ["Invalid value: 3: no"])


# JSON Schemas

_OWN = {
    "type": "object",
    "required": ["spec"],
    "properties": {
        "apiVersion": {"type": "string"},
        "kind": {"type": "string"},
        "metadata": {"type": "object"},
        "spec": {
            "type": "object",
            "additionalProperties": False,
            "properties": {"size": {"type": "integer", "minimum": 1}},
        },
    },
}


def own(**spec: Any) -> dict[str, Any]:
    return {"apiVersion": "acme.dev/v1beta1", "kind": "Gadget", "metadata": {"name": "x"}, "spec": spec}


@pytest.mark.parametrize(
    "path",
    [
        "schemas/gadget-acme.dev-v1beta1.json",
        "schemas/gadget-acme-v1beta1.json",
        "schemas/acme.dev/gadget_v1beta1.json",
    ],
)
def test_a_json_schema_is_found_by_the_name_of_its_file(path: str) -> None:
    assert violations(own(size=1), json_schemas={path: _OWN}) == ()
    (found,) = violations(own(size=0), json_schemas={path: _OWN})
    assert found.field_path == ("spec", "size")
    (found,) = violations(own(sise=1), json_schemas={path: _OWN})
    assert (found.field_path, found.hint) == (("spec", "sise"), 'did you mean "size"?')


def test_a_json_schema_may_say_itself_which_kind_it_is_for() -> None:
    stated = [{"group": "acme.dev", "version": "v1beta1", "kind": "Gadget"}]
    schema = {**_OWN, "x-kubernetes-group-version-kind": stated}
    (found,) = violations({**own(), "spec": None}, json_schemas={"schemas/any.json": schema})
    assert found.message == "expected object, found the null"


@pytest.mark.parametrize(
    ("path", "document", "message"),
    [
        pytest.param("schemas/gadget.json", {}, 'found "gadget.json"', id="no-address"),
        pytest.param("schemas/gadget-acme-v1.json", [], "found list", id="list"),
        pytest.param(
            "schemas/gadget-acme-v1.json", {"$ref": "https://a.example/x.json"}, "$ref", id="remote"
        ),
        pytest.param("schemas/gadget-acme-v1.json", {"$ref": "#/nothing"}, "nothing", id="dangling"),
        pytest.param("schemas/gadget-acme-v1.json", {"pattern": "("}, "mistake", id="pattern"),
        pytest.param("schemas/gadget-acme-v1.json", {"minimumx": 1}, "minimumx", id="keyword"),
    ],
)
def test_a_json_schema_that_cannot_be_used_is_a_finding_at_its_file(
    path: str, document: Any, message: str
) -> None:
    schemas = SchemaSet.load((1, 36), json_schemas={path: document})
    (found,) = schemas.findings
    assert found.location.path == path
    assert message in found.message


def test_a_json_schema_that_refers_to_itself_without_end_is_no_hang() -> None:
    schemas = SchemaSet.load(
        (1, 36),
        json_schemas={
            "s/gadget-acme-v1beta1.json": {"$ref": "#/definitions/a", "definitions": {"a": {"$ref": "#"}}}
        },
    )
    found = schemas.check(Resource(own()))
    assert isinstance(found, NotChecked) or found

"""Values of a site stand where its manifests name them."""

from __future__ import annotations

from typing import Any

import pytest

from reconciler.model.resource import Resource, ResourceId
from reconciler.render.vars import SubstitutionError, substitute

VARIABLES = {"NAME": "shop", "PORT": "8080", "ON": "true", "EMPTY": "", "BRACES": "{a: [b]}"}


def config(**data: Any) -> Resource:
    return Resource({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "c"}, "data": data})


def thing(**spec: Any) -> Resource:
    return Resource(
        {"apiVersion": "example.com/v1", "kind": "Thing", "metadata": {"name": "t"}, "spec": spec}
    )


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        pytest.param("${NAME}", "shop", id="alone"),
        pytest.param("a-${NAME}-${PORT}", "a-shop-8080", id="inside"),
        pytest.param("${PORT}", "8080", id="a-number-stays-a-string-in-data"),
        pytest.param("$${NAME}", "${NAME}", id="escaped"),
        pytest.param("$NAME $(NAME) $", "$NAME $(NAME) $", id="no-braces"),
        pytest.param("${NOPE:-x}", "x", id="default"),
        pytest.param("${NOPE:=x}", "x", id="default-by-assignment"),
        pytest.param("${EMPTY:-x}", "x", id="default-of-empty"),
        pytest.param("${EMPTY-x}", "", id="empty-is-there"),
        pytest.param("${NOPE:-}", "", id="empty-default"),
        pytest.param("${NAME:-x}", "shop", id="default-not-needed"),
        pytest.param("${BRACES}", "{a: [b]}", id="a-value-is-never-yaml"),
        pytest.param("{{ .Values.x }} $(date) `x`", "{{ .Values.x }} $(date) `x`", id="other-templates"),
    ],
)
def test_a_reference_is_replaced_in_a_string(text: str, expected: str) -> None:
    (resource,), _ = substitute([config(key=text)], VARIABLES)

    assert resource.manifest["data"]["key"] == expected


@pytest.mark.parametrize(
    ("field", "text", "expected"),
    [
        pytest.param("replicas", "${PORT}", 8080, id="number"),
        pytest.param("enabled", "${ON}", True, id="boolean"),
        pytest.param("replicas", "x${PORT}", "x8080", id="only-when-alone"),
        pytest.param("image", "${PORT}", "8080", id="an-image-is-a-string"),
        pytest.param("replicas", "${NOPE:-3}", 3, id="default-number"),
    ],
)
def test_a_whole_scalar_takes_the_type_that_its_field_wants(field: str, text: str, expected: object) -> None:
    (resource,), _ = substitute([thing(**{field: text})], VARIABLES)

    value = resource.manifest["spec"][field]
    assert value == expected
    assert type(value) is type(expected)


def test_a_missing_variable_is_an_error_that_names_field_and_object() -> None:
    with pytest.raises(SubstitutionError, match=r"variable 'NOPE'.*data.key of ConfigMap/c") as caught:
        substitute([config(key="${NOPE}")], VARIABLES)

    assert caught.value.field_path == ("data", "key")
    assert "spec.vars" in caught.value.hint


@pytest.mark.parametrize("text", ["${NAME^^}", "${NAME:0:2}", "${}", "${1}", "${NAME/a/b}", "${ NAME }"])
def test_an_expression_that_is_not_known_is_an_error(text: str) -> None:
    with pytest.raises(SubstitutionError, match="expected"):
        substitute([config(key=text)], VARIABLES)


@pytest.mark.parametrize("key", ["wayside.dev/substitute", "kustomize.toolkit.fluxcd.io/substitute"])
def test_an_annotation_opts_out(key: str) -> None:
    body = {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": "c", "annotations": {key: "disabled"}},
        "data": {"script": "echo ${HOME}"},
    }

    (resource,), _ = substitute([Resource(body)], VARIABLES)

    assert resource.manifest is body


def test_what_has_no_reference_is_shared() -> None:
    plain = config(key="text $5")

    (resource,), _ = substitute([plain], VARIABLES)

    assert resource is plain


def test_a_value_in_a_hashed_object_is_worth_a_warning() -> None:
    resource = config(key="${NAME}")

    _, warnings = substitute([resource], VARIABLES, hashed={resource.id})

    assert [(each.resource, each.field_path) for each in warnings] == [
        (ResourceId("", "ConfigMap", "", "c"), ("data", "key"))
    ]

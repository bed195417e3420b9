import pytest

from reconciler.rules.admission.shapes import as_written
from tests.rules.admission.documents import config_map, deployment


def test_what_is_always_there_is_added() -> None:
    written = as_written(deployment(1))
    assert written["status"] == {}
    assert written["spec"]["strategy"] == {}
    assert written["spec"]["template"]["spec"]["containers"][0]["resources"] == {}


@pytest.mark.parametrize("data", [{}, None])
def test_what_is_empty_is_left_out(data: dict[str, str] | None) -> None:
    assert "data" not in as_written({**config_map(), "data": data})


def test_the_values_of_a_map_stay_as_they_are() -> None:
    assert as_written(config_map(data={"a": ""}))["data"] == {"a": ""}


def test_a_kind_that_is_not_built_in_stays_as_it_is() -> None:
    custom = {"apiVersion": "example.com/v1", "kind": "Box", "spec": {"a": None, "b": []}}
    assert as_written(custom) is custom


def test_what_has_the_wrong_type_stays_as_it_is() -> None:
    broken = {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": [], "spec": "none"}
    assert as_written(broken) == {**broken, "status": {}}


def test_a_field_that_nobody_knows_stays() -> None:
    assert as_written({**config_map(), "unknown": ""})["unknown"] == ""


def test_the_manifest_itself_is_not_changed() -> None:
    manifest = config_map(data={})
    as_written(manifest)
    assert manifest["data"] == {}

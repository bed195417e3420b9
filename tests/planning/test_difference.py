"""Changes field by field."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reconciler.planning.difference import field_changes


def rows(before: Any, after: Any) -> list[tuple[str, str | None, str | None]]:
    return [(change.path, change.before, change.after) for change in field_changes(before, after)]


@pytest.mark.parametrize(
    ("before", "after", "expected"),
    [
        pytest.param({"a": 1}, {"a": 2}, [("a", "1", "2")], id="a value"),
        pytest.param({}, {"a": {"b": 1}}, [("a.b", None, "1")], id="added below"),
        pytest.param({"a": {"b": 1}}, {}, [("a.b", "1", None)], id="removed below"),
        pytest.param({"a": 1}, {"a": True}, [("a", "1", "true")], id="a number is no truth"),
        pytest.param(
            {"c": [{"name": "web", "image": "a:1"}, {"name": "log"}]},
            {"c": [{"name": "log"}, {"name": "web", "image": "a:2"}]},
            [("c[web].image", '"a:1"', '"a:2"')],
            id="items by name, whatever their order",
        ),
        pytest.param({"c": [1, 2]}, {"c": [1, 3, 4]}, [("c[1]", "2", "3"), ("c[2]", None, "4")], id="index"),
        pytest.param(
            {"metadata": {"annotations": {"a.b/c": "1"}, "resourceVersion": "7"}},
            {"metadata": {"annotations": {"a.b/c": "2"}, "resourceVersion": "8"}},
            [('metadata.annotations["a.b/c"]', '"1"', '"2"')],
            id="the server's own fields are left out",
        ),
        pytest.param({"status": 1}, {"status": 2}, [], id="status is not ours"),
    ],
)
def test_what_differs_is_told(before: Any, after: Any, expected: Any) -> None:
    assert rows(before, after) == expected


VALUES = st.dictionaries(st.text(max_size=5), st.text(min_size=8, max_size=20), max_size=4)


@settings(deadline=None)
@given(VALUES, VALUES)
def test_no_value_of_a_secret_is_shown(before: dict[str, str], after: dict[str, str]) -> None:
    def secret(values: dict[str, str]) -> dict[str, Any]:
        data = {key: base64.b64encode(value.encode()).decode() for key, value in values.items()}
        applied = {"kubectl.kubernetes.io/last-applied-configuration": json.dumps(data)}
        return {
            "kind": "Secret",
            "metadata": {"annotations": applied},
            "data": data,
            "stringData": dict(values),
        }

    for change in field_changes(secret(before), secret(after)):
        assert {change.before, change.after} <= {None, "***"}
    for change in field_changes(None, secret(after)):
        assert change.path == "kind" or {change.before, change.after} <= {None, "***", "{}"}

"""Label selectors select as in Kubernetes."""

from __future__ import annotations

from typing import Any

import pytest

from reconciler.rules.facts.selector import selects

LABELS = {"app": "web", "tier": "front"}


def requirement(key: str, operator: str, *values: str) -> dict[str, Any]:
    return {"matchExpressions": [{"key": key, "operator": operator, "values": list(values)}]}


@pytest.mark.parametrize(
    ("selector", "selected"),
    [
        (None, False),
        ({}, True),
        ({"matchLabels": {"app": "web"}}, True),
        ({"matchLabels": {"app": "api"}}, False),
        ({"matchLabels": {"app": "web", "no": "no"}}, False),
        (requirement("app", "In", "api", "web"), True),
        (requirement("app", "In", "api"), False),
        (requirement("app", "NotIn", "web"), False),
        (requirement("none", "NotIn", "web"), True),
        (requirement("app", "Exists"), True),
        (requirement("none", "Exists"), False),
        (requirement("none", "DoesNotExist"), True),
        (requirement("app", "DoesNotExist"), False),
        (requirement("app", "Like", "web"), False),
        ({"matchLabels": {"app": "web"}, **requirement("tier", "In", "back")}, False),
    ],
)
def test_a_selector_selects_what_meets_all_it_says(selector: Any, selected: bool) -> None:
    assert selects(selector, LABELS) is selected

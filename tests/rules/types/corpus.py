"""Valid objects of every built-in kind that a fleet may hold, rich in fields: what mutations start from."""

from __future__ import annotations

import copy
from functools import cache
from pathlib import Path
from typing import Any

from reconciler.documents import yaml
from tests.rules.defaults.objects import OBJECTS

_MORE = Path(__file__).with_name("corpus.yaml")


@cache
def _documents() -> dict[str, dict[str, Any]]:
    found = {}
    for name, text in OBJECTS.items():
        (document,) = yaml.load(text.encode(), f"{name}.yaml")
        found[name] = document.value
    for document in yaml.load(_MORE.read_bytes(), _MORE.name):
        found[f"{document.value['kind']}-{document.value['metadata']['name']}".lower()] = document.value
    return found


def corpus() -> dict[str, dict[str, Any]]:
    """Return the objects by a name; one that is not namespaced has the namespace ""."""
    return copy.deepcopy(_documents())

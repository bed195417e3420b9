"""Whatever stands in the files of a fleet, loading it gives findings or a fleet, never a traceback."""

import json
import os
import random
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reconciler.documents.bundled import bundled_tree
from reconciler.documents.tree import MemoryTree, walk
from reconciler.fleet import load_fleet, load_lock, schemas
from reconciler.model.duration import DurationError, parse_duration
from tests.documents.test_yaml import mutate

FILES = {
    path: bundled_tree("repo-template").read(path)
    for path in walk(bundled_tree("repo-template"))
    if path.startswith(("fleet.yaml", "classes/", "images.lock")) or path.endswith("/site.yaml")
}


#: Ten thousand take half a minute on a quiet machine.
COUNT = int(os.environ.get("WAYSIDE_FUZZ", "2000"))


@pytest.mark.slow
def test_many_broken_fleets_are_told_or_loaded() -> None:
    chance = random.Random(20260102)  # noqa: S311 - nothing here is secret
    paths = sorted(FILES)
    for _ in range(COUNT):
        path = chance.choice(paths)
        tree = MemoryTree(FILES | {path: mutate(FILES[path], chance)})
        load = load_fleet(tree)
        _, of_lock = load_lock(tree)
        for finding in (*load.findings, *of_lock):
            assert finding.location.line >= 1
            assert finding.message.startswith(("expected", "cannot", "there is", "the "))
        if load.fleet is not None:
            sites = set(load.fleet.sites) | {site.name for site in load.broken}
            assert len(sites) >= 2, "no site is lost in silence"


def known_fields(schema: Any) -> Iterator[str]:
    """Yield the name of every field that any schema knows."""
    if isinstance(schema, dict):
        properties = schema.get("properties")
        yield from properties if isinstance(properties, dict) else ()
        for value in schema.values():
            yield from known_fields(value)


VALUES: st.SearchStrategy[Any] = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(sorted(set(known_fields(schemas())))),
            inner,
            max_size=5,
        )
    ),
    max_leaves=15,
)


@settings(max_examples=200, deadline=None)
@given(VALUES, VALUES, VALUES)
def test_any_json_is_told_or_loaded(fleet: Any, site: Any, of_class: Any) -> None:
    files = {"fleet.yaml": fleet, "sites/a/site.yaml": site, "classes/a.yaml": of_class, "images.lock": fleet}
    tree = MemoryTree({path: json.dumps(value).encode() for path, value in files.items()})
    load = load_fleet(tree)
    assert load.findings
    load_lock(tree)


DURATIONS = {"30s": 30, "5m": 300, "1h30m": 5400, "1.5h": 5400, "250ms": 0.25, "1h0m1s": 3601, "2µs": 2e-6}


@pytest.mark.parametrize("text", DURATIONS)
def test_durations_are_those_of_go(text: str) -> None:
    assert parse_duration(text) == pytest.approx(DURATIONS[text])


@pytest.mark.parametrize("text", ["", "5", "1d", "5 m", "-5m", "m", "5mm5", ".5s5"])
def test_other_durations_are_refused(text: str) -> None:
    with pytest.raises(DurationError):
        parse_duration(text)

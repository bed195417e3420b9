"""Deletions that nobody should make by mistake."""

from __future__ import annotations

import pytest

from reconciler.model.resource import ResourceId
from reconciler.planning.guard import guard


def config(name: str) -> ResourceId:
    return ResourceId("", "ConfigMap", "a", name)


def many(count: int, start: int = 0) -> list[ResourceId]:
    return [config(f"n{number}") for number in range(start, start + count)]


CLAIM = ResourceId("", "PersistentVolumeClaim", "a", "data")
SPACE = ResourceId("", "Namespace", "", "a")
CRD = ResourceId("apiextensions.k8s.io", "CustomResourceDefinition", "", "gadgets.g.io")


@pytest.mark.parametrize(
    ("subject", "entry"),
    [
        pytest.param(CLAIM, "PersistentVolumeClaim/a/data", id="claim"),
        pytest.param(SPACE, "Namespace/a", id="namespace"),
        pytest.param(CRD, "CustomResourceDefinition/gadgets.g.io", id="crd"),
    ],
)
def test_data_namespaces_and_kinds_are_deleted_only_when_the_commit_says_so(
    subject: ResourceId, entry: str
) -> None:
    (hold,) = guard([subject], size=20, desired=many(19), confirmed=())
    assert hold.code == "prune-guarded"
    assert hold.subjects == (subject,)
    assert f"spec.sync.confirmDeletes: [{entry}]" in hold.hint
    assert guard([subject], size=20, desired=many(19), confirmed=[entry]) == ()
    assert guard([subject], size=20, desired=many(19), confirmed=[f"{entry}x"])


@pytest.mark.parametrize(
    ("deleted", "size", "held"),
    [
        pytest.param(5, 9, True, id="more-than-half"),
        pytest.param(5, 10, False, id="half"),
        pytest.param(4, 5, False, id="too-few-to-matter"),
        pytest.param(5, 5, True, id="all-of-five"),
    ],
)
def test_more_than_half_of_a_site_is_not_deleted_in_one_go(deleted: int, size: int, *, held: bool) -> None:
    rest = many(max(1, size - deleted), start=100)
    holds = guard(many(deleted), size=size, desired=rest, confirmed=())
    assert [hold.code for hold in holds] == (["prune-too-much"] if held else [])


def test_confirming_some_of_many_is_not_enough_and_confirming_all_is() -> None:
    entries = [f"ConfigMap/a/n{number}" for number in range(6)]
    (hold,) = guard(many(6), size=7, desired=many(1, 10), confirmed=entries[:5])
    assert hold.subjects == (config("n5"),)
    assert guard(many(6), size=7, desired=many(1, 10), confirmed=entries) == ()


def test_an_object_that_a_new_hash_replaces_does_not_count() -> None:
    old = [config(f"c{number}-2g4h5k6m7t") for number in range(6)]
    new = [config(f"c{number}-9b8c7d6f5g") for number in range(6)]
    assert guard(old, size=8, desired=new, confirmed=()) == ()
    assert guard(old, size=8, desired=many(6), confirmed=())


def test_an_empty_set_never_empties_a_site_however_small() -> None:
    (hold,) = guard(many(2), size=2, desired=(), confirmed=())
    assert hold.code == "prune-too-much"
    assert "decommission" in hold.hint
    assert guard([], size=0, desired=(), confirmed=()) == ()

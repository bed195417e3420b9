"""From what is wanted and what is there to what is done."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Mapping
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reconciler.model.plan import Action, Inventory, InventoryEntry, Observed, Plan
from reconciler.model.resource import Manifest, Resource, ResourceId
from reconciler.model.site import SyncSettings
from reconciler.planning import applyset_id, plan
from reconciler.planning.applyset import PART_OF, group_kinds, with_label
from reconciler.planning.digest import fields_digest, manifest_digest

OWNER = applyset_id("store")


def config(
    name: str, *, namespace: str = "a", annotations: Mapping[str, str] | None = None, **data: str
) -> Resource:
    metadata: dict[str, Any] = {"name": name, "annotations": dict(annotations or {})}
    if namespace:
        metadata["namespace"] = namespace
    return Resource({"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": data})


def live(resource: Resource, *, fields: str = "f:data", owner: str = OWNER, **metadata: Any) -> Manifest:
    """Return an object as the API server would give it after we applied it."""
    labelled = with_label(resource, owner) if owner else resource
    managed = [{"manager": "wayside", "operation": "Apply", "apiVersion": "v1", "fieldsV1": {fields: {}}}]
    merged = {**labelled.manifest["metadata"], "managedFields": managed, "uid": "u", **metadata}
    return {**labelled.manifest, "metadata": merged}


def entry(resource: Resource, there: Manifest) -> InventoryEntry:
    manifest = with_label(resource, OWNER).manifest
    return InventoryEntry(resource.id, "v1", manifest_digest(manifest), fields=fields_digest(there))


def planned(
    desired: list[Resource],
    there: list[Manifest] | None = None,
    entries: list[InventoryEntry] | None = None,
    **policy: Any,
) -> Plan:
    objects = {Resource(found).id: found for found in there or ()}
    members = {
        id_: InventoryEntry(id_, "v1", digest="")
        for id_, found in objects.items()
        if (found["metadata"].get("labels") or {}).get(PART_OF) == OWNER
    }
    observed = Observed(objects, Inventory(members), {("", "ConfigMap"): True, ("", "Namespace"): False})
    known = Inventory({found.id: found for found in entries or ()})
    return plan(desired, observed, known, SyncSettings(**policy), site="store")


def action(found: Plan, name: str) -> Action:
    return next(change.action for change in found.changes if change.id.name == name)


def test_the_id_of_a_set_is_the_one_of_the_kep() -> None:
    digest = hashlib.sha256(b"store.wayside-system.Site.wayside.dev").digest()
    assert f"applyset-{base64.urlsafe_b64encode(digest).decode().rstrip('=')}-v1" == OWNER
    ids = [ResourceId("apps", "Deployment", "a", "x"), ResourceId("", "Secret", "a", "y")]
    assert group_kinds([*ids, *ids]) == "Deployment.apps,Secret"


def test_what_is_missing_is_created_and_carries_the_label_of_the_set() -> None:
    (change,) = planned([config("one")]).changes
    assert change.action is Action.CREATE
    assert change.resource is not None
    assert change.resource.labels[PART_OF] == OWNER


def test_what_is_as_it_was_applied_is_left_alone_whatever_its_status_says() -> None:
    one = config("one", colour="blue")
    there = live(one, resourceVersion="12")
    found = planned([one], [{**there, "status": {"x": 1}}], [entry(one, there)])
    assert [change.action for change in found.changes] == [Action.UNCHANGED]


def test_what_was_applied_otherwise_or_by_a_forgotten_hand_may_need_a_write() -> None:
    one, other = config("one", colour="blue"), config("one", colour="red")
    there = live(one)
    assert action(planned([other], [there], [entry(one, there)]), "one") is Action.UPDATE
    assert action(planned([one], [there]), "one") is Action.UPDATE


@pytest.mark.parametrize(
    ("drift", "expected"),
    [("correct", Action.UPDATE), ("report", Action.SKIP), ("ignore", Action.UNCHANGED)],
)
def test_drift_is_corrected_reported_or_ignored(drift: str, expected: Action) -> None:
    one = config("one", colour="blue")
    changed = live(one, fields="f:metadata")
    assert action(planned([one], [changed], [entry(one, live(one))], drift=drift), "one") is expected
    annotated = config("one", annotations={"wayside.dev/drift": drift}, colour="blue")
    changed = live(annotated, fields="f:metadata")
    found = planned([annotated], [changed], [entry(annotated, live(annotated))])
    assert action(found, "one") is expected


def test_what_left_the_overlay_is_deleted_if_it_is_ours() -> None:
    ours, theirs = live(config("ours")), live(config("theirs"), owner=applyset_id("other"))
    taken = live(config("taken"), owner="")
    states = [InventoryEntry(Resource(found).id, "v1", "sha256:1") for found in (ours, theirs, taken)]
    found = planned([config("stays")], [ours, theirs, taken], states)
    assert [change.id.name for change in found.deletions] == ["ours"]


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("wayside.dev/prune", "disabled"),
        ("kustomize.toolkit.fluxcd.io/prune", "disabled"),
        ("argocd.argoproj.io/sync-options", "Validate=false,Prune=false"),
        ("client.lifecycle.config.k8s.io/deletion", "detach"),
        ("cli-utils.sigs.k8s.io/on-remove", "keep"),
        ("helm.sh/resource-policy", "keep"),
    ],
)
def test_what_asks_to_be_kept_is_kept_and_the_plan_says_so(key: str, value: str) -> None:
    found = planned([config("stays")], [live(config("left", annotations={key: value}))])
    (change,) = found.deletions
    assert change.action is Action.SKIP
    assert change.reason.startswith("kept:")


def test_with_prune_switched_off_nothing_is_deleted() -> None:
    found = planned([config("stays")], [live(config("left"))], prune=False)
    assert [change.action for change in found.deletions] == [Action.SKIP]


def test_a_namespace_stays_while_anything_that_stays_is_in_it() -> None:
    space = Resource({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "a"}})
    found = planned([config("stays")], [live(space)], confirm_deletes=("Namespace/a",))
    assert [change.action for change in found.deletions] == [Action.SKIP]
    elsewhere = config("stays", namespace="b")
    found = planned([elsewhere], [live(space)], confirm_deletes=("Namespace/a",))
    assert [change.action for change in found.deletions] == [Action.DELETE]


def test_the_namespace_of_the_agent_is_never_deleted() -> None:
    space = Resource({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "wayside-system"}})
    found = planned([], [live(space)], decommission=True)
    assert [change.action for change in found.deletions] == [Action.SKIP]


def test_an_object_that_comes_twice_is_refused_also_where_only_the_default_namespace_makes_it_so() -> None:
    found = planned([config("one", namespace=""), config("one", namespace="default")])
    assert [hold.code for hold in found.holds] == ["resource-duplicate"]


def test_an_object_without_a_name_is_refused() -> None:
    found = planned([Resource({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {}})])
    assert [hold.code for hold in found.holds] == ["resource-incomplete"]


def test_a_site_is_emptied_only_by_decommission() -> None:
    there = [live(config(f"n{number}")) for number in range(3)]
    assert planned([], there).holds
    found = planned([config("n0")], there, decommission=True)
    assert not found.holds
    assert [change.action for change in found.changes] == [Action.DELETE] * 3


def test_an_object_that_is_there_and_nobodys_is_taken_and_the_plan_says_so() -> None:
    found = planned([config("one")], [live(config("one"), owner="")])
    assert [change.action for change in found.changes] == [Action.UPDATE]
    assert "belonged to nobody" in found.changes[0].reason


def test_nothing_holds_the_way_back_and_nothing_that_may_hold_data_is_deleted_on_it() -> None:
    space = Resource({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "new"}})
    there = [live(space), *(live(config(f"new-{n}", namespace="b")) for n in range(9))]
    there.append(live(config("taken"), owner=applyset_id("other")))
    good = [config("stays"), config("taken")]
    assert planned(good, there).holds
    observed = Observed(
        {Resource(found).id: found for found in there},
        Inventory({Resource(found).id: InventoryEntry(Resource(found).id, "v1", "") for found in there[:-1]}),
        {("", "ConfigMap"): True, ("", "Namespace"): False},
    )
    back = plan(good, observed, Inventory(), SyncSettings(), site="store", rollback=True)
    assert not back.holds
    found = {change.id.name: change.action for change in back.changes}
    assert found["new"] is Action.SKIP
    assert found["taken"] is Action.SKIP
    assert found["stays"] is Action.CREATE
    assert sum(what is Action.DELETE for what in found.values()) == 9


names = st.sampled_from("abcdef")
sets = st.dictionaries(names, st.sampled_from(["1", "2"]), max_size=6)


@given(sets, sets, sets)
def test_every_object_has_exactly_one_change_and_nothing_else_is_touched(
    desired: dict[str, str], ours: dict[str, str], theirs: dict[str, str]
) -> None:
    there = {name: live(config(name, v=value)) for name, value in ours.items()}
    there |= {name: live(config(name), owner=applyset_id("x")) for name in theirs}
    found = planned([config(name, v=value) for name, value in desired.items()], list(there.values()))
    changed = [change.id.name for change in found.changes]
    assert len(changed) == len(set(changed))
    assert set(changed) == set(desired) | (set(ours) - set(theirs))
    assert {change.id.name for change in found.deletions} == set(ours) - set(theirs) - set(desired)
    foreign = set(desired) & set(theirs)
    assert bool(foreign) == any(hold.code == "foreign-owner" for hold in found.holds)

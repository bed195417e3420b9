"""`wayside diff` says what a change does where: identical changes once, and loudly where something goes."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from reconciler.cli.main import main
from reconciler.model.difference import Action, Risk
from reconciler.model.resource import Resource
from reconciler.planning.comparison import MASK, compare
from tests.cli.fleets import FILES, git, write_fleet

BASE = "bases/pos/deployment.yaml"
OVERLAY = "sites/market/kustomization.yaml"


@pytest.fixture
def fleet(tmp_path: Path) -> Path:
    write_fleet(tmp_path)
    git(tmp_path, "init", "-q", "-b", "main")
    git(tmp_path, "add", ".")
    git(tmp_path, "commit", "-q", "-m", "first")
    return tmp_path


def diff(root: Path, capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    capsys.readouterr()
    assert main(["diff", str(root), *arguments]) == 0
    return capsys.readouterr().out


def document(root: Path, capsys: pytest.CaptureFixture[str]) -> Any:
    return json.loads(diff(root, capsys, "--format", "json"))


def write(root: Path, path: str, text: str) -> None:
    (root / path).parent.mkdir(parents=True, exist_ok=True)
    (root / path).write_text(text)


def test_nothing_is_said_where_nothing_changes(fleet: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert diff(fleet, capsys) == "no site changed; 2 unchanged\n"


def test_a_change_of_a_base_is_shown_once_for_all_its_sites(
    fleet: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write(fleet, BASE, FILES[BASE].replace("memory: 128Mi", "memory: 192Mi"))
    assert diff(fleet, capsys) == (
        "2 sites: harbour, market\n"
        "  memory requests 128Mi -> 192Mi (+64Mi)\n"
        "  ~ Deployment.apps/shop/pos\n"
        "      spec.template.spec.containers[pos].resources.requests.memory: 128Mi -> 192Mi\n"
        "      spec.template.spec.containers[pos].resources.limits.memory: 128Mi -> 192Mi\n"
        "      ! restarts pods: one after the other\n"
        "\n"
        "2 sites changed; 0 unchanged\n"
    )


def test_a_new_site_a_renamed_one_and_one_that_is_gone_are_told_apart(
    fleet: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    site = "sites/market/site.yaml"
    write(fleet, site, FILES[site].replace("{name: market}", "{name: bazaar}"))
    for path in ("site.yaml", "kustomization.yaml"):
        write(fleet, f"sites/pier/{path}", FILES[f"sites/harbour/{path}"].replace("harbour", "pier"))
        (fleet / "sites/harbour" / path).unlink()
    write(
        fleet,
        "sites/pier/site.yaml",
        FILES["sites/harbour/site.yaml"].replace("harbour", "pier").replace("1.33", "1.34"),
    )
    shown = diff(fleet, capsys)
    assert "site renamed: market -> bazaar\n" in shown
    assert "site added: pier\n" in shown
    assert "site REMOVED: harbour\n" in shown
    assert "the site's agent deletes nothing and is held (SiteRemoved)" in shown
    assert shown.endswith("1 site added, 1 site removed, 1 site renamed; 0 unchanged\n")


def test_a_deletion_is_loud_and_says_what_is_lost(fleet: Path, capsys: pytest.CaptureFixture[str]) -> None:
    claim = (
        "apiVersion: v1\nkind: PersistentVolumeClaim\nmetadata: {name: data}\n"
        "spec: {accessModes: [ReadWriteOnce], resources: {requests: {storage: 1Gi}}}\n"
    )
    write(fleet, "sites/market/claim.yaml", claim)
    write(fleet, OVERLAY, "resources: [../../bases/pos, claim.yaml]\nnamespace: shop\n")
    git(fleet, "add", ".")
    git(fleet, "commit", "-q", "-m", "claim")
    write(fleet, OVERLAY, FILES[OVERLAY])
    shown = diff(fleet, capsys)
    assert (
        "  - DELETED PersistentVolumeClaim/shop/data\n      ! deletes data: what is stored in it is lost\n"
        in shown
    )
    assert "1 object DELETED, data lost with 1 object" in shown
    assert ":rotating_light: deletes 1" in diff(fleet, capsys, "--format", "markdown")


def test_a_site_that_cannot_be_built_hides_no_other(fleet: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write(fleet, OVERLAY, "resources: [../../bases/pos, gone.yaml]\n")
    write(fleet, "sites/harbour/kustomization.yaml", FILES[OVERLAY] + "nameSuffix: -b\n")
    found = document(fleet, capsys)
    assert [(site["name"], site["status"]) for site in found["sites"]] == [
        ("harbour", "changed"),
        ("market", "broken"),
    ]
    assert "gone.yaml" in found["sites"][1]["problem"]


def test_the_value_of_a_secret_is_nowhere(fleet: Path, capsys: pytest.CaptureFixture[str]) -> None:
    overlay = FILES[OVERLAY] + "secretGenerator:\n- name: door\n  literals: [key={}]\n"
    write(fleet, OVERLAY, overlay.format("hunter1"))
    git(fleet, "commit", "-q", "-a", "-m", "secret")
    write(fleet, OVERLAY, overlay.format("hunter2"))
    for form in ("text", "json", "markdown"):
        shown = diff(fleet, capsys, "--format", form)
        assert "data.key" in shown
        for text in ("hunter", "aHVudGVy"):
            assert text not in shown


def test_markdown_of_many_different_changes_stays_under_the_limit(
    fleet: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for number in range(59):
        write(
            fleet,
            f"sites/s{number:03}/site.yaml",
            FILES["sites/market/site.yaml"].replace("market", f"s{number:03}"),
        )
        write(
            fleet,
            f"sites/s{number:03}/kustomization.yaml",
            FILES[OVERLAY] + f"nameSuffix: -{'x' * 200}{number}\n",
        )
    write(fleet, BASE, FILES[BASE].replace("pos:1", "pos:2"))
    shown = diff(fleet, capsys, "--format", "markdown")
    assert len(shown) < 65_536
    assert shown.count("<details") == shown.count("</details>")


def resource(kind: str, api: str = "v1", name: str = "x", **more: Any) -> Resource:
    return Resource({"apiVersion": api, "kind": kind, "metadata": {"name": name, "namespace": "n"}, **more})


DEPLOYMENT = {
    "selector": {"matchLabels": {"a": "b"}},
    "template": {"spec": {"containers": [{"name": "c", "image": "i:1"}]}},
}
RISKS: dict[str, tuple[Resource, Resource, list[Risk]]] = {
    "a selector": (
        resource("Deployment", "apps/v1", spec=DEPLOYMENT),
        resource("Deployment", "apps/v1", spec={**DEPLOYMENT, "selector": {}}),
        [Risk.RECREATES],
    ),
    "an image": (
        resource("Deployment", "apps/v1", spec=DEPLOYMENT),
        resource("Deployment", "apps/v1", spec={**DEPLOYMENT, "template": {}}),
        [Risk.RESTARTS],
    ),
    "replicas": (
        resource("Deployment", "apps/v1", spec=DEPLOYMENT),
        resource("Deployment", "apps/v1", spec={**DEPLOYMENT, "replicas": 2}),
        [],
    ),
    "a claim's class": (
        resource("PersistentVolumeClaim", spec={"storageClassName": "a"}),
        resource("PersistentVolumeClaim", spec={"storageClassName": "b"}),
        [Risk.DELETES_DATA],
    ),
    "a claim that grows": (
        resource("PersistentVolumeClaim", spec={"resources": {"requests": {"storage": "1Gi"}}}),
        resource("PersistentVolumeClaim", spec={"resources": {"requests": {"storage": "2Gi"}}}),
        [],
    ),
    "a claim that shrinks": (
        resource("PersistentVolumeClaim", spec={"resources": {"requests": {"storage": "2Gi"}}}),
        resource("PersistentVolumeClaim", spec={"resources": {"requests": {"storage": "1024Mi"}}}),
        [Risk.DELETES_DATA],
    ),
    "volume claim templates": (
        resource("StatefulSet", "apps/v1", spec={"volumeClaimTemplates": [{"metadata": {"name": "a"}}]}),
        resource("StatefulSet", "apps/v1", spec={"volumeClaimTemplates": []}),
        [Risk.RECREATES],
    ),
    "an immutable ConfigMap": (
        resource("ConfigMap", immutable=True, data={"a": "1"}),
        resource("ConfigMap", immutable=True, data={"a": "2"}),
        [Risk.RECREATES],
    ),
    "a role's binding": (
        resource("RoleBinding", "rbac.authorization.k8s.io/v1", roleRef={"name": "a"}),
        resource("RoleBinding", "rbac.authorization.k8s.io/v1", roleRef={"name": "b"}),
        [Risk.RECREATES],
    ),
}


@pytest.mark.parametrize(("before", "after", "risks"), RISKS.values(), ids=RISKS.keys())
def test_a_change_says_what_it_brings_with_it(before: Resource, after: Resource, risks: list[Risk]) -> None:
    (change,) = compare([before], [after])
    assert [risk for risk, _ in change.risks] == risks


def test_elements_of_a_list_are_compared_by_name_and_not_by_place() -> None:
    first, second = {"name": "a", "image": "i:1"}, {"name": "b", "image": "j:1"}
    spec = {"template": {"spec": {"containers": [first, second]}}}
    swapped = {"template": {"spec": {"containers": [{**second, "image": "j:2"}, first]}}}
    (change,) = compare(
        [resource("Deployment", "apps/v1", spec=spec)], [resource("Deployment", "apps/v1", spec=swapped)]
    )
    assert [(field.path, field.before, field.after) for field in change.fields] == [
        ("spec.template.spec.containers[b].image", "j:1", "j:2")
    ]


def test_the_ownership_label_is_no_difference() -> None:
    before = resource("ConfigMap", data={"a": "1"})
    labels = {"applyset.kubernetes.io/part-of": "x"}
    after = Resource({**before.manifest, "metadata": {**before.manifest["metadata"], "labels": labels}})
    assert compare([before], [after]) == ()


def test_text_of_a_secret_is_compared_as_data_and_masked() -> None:
    before = resource("Secret", stringData={"key": "one"})
    assert compare([before], [resource("Secret", data={"key": "b25l"})]) == ()
    (change,) = compare([before], [resource("Secret", data={"key": "dHdv"})])
    assert (change.fields[0].before, change.fields[0].after) == (MASK, MASK)


def test_an_object_that_keeps_itself_is_left_alone() -> None:
    kept = Resource(
        {
            "apiVersion": "v1",
            "kind": "PersistentVolumeClaim",
            "metadata": {"name": "x", "namespace": "n", "annotations": {"wayside.dev/prune": "disabled"}},
        }
    )
    (change,) = compare([kept], [])
    assert (change.action, change.kept, change.risks) == (Action.DELETE, True, ())

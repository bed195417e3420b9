"""The whole way, with nothing faked: a fleet made from the template, real rules, real agents."""

from __future__ import annotations

import json
import secrets
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from reconciler.adapters.directory import DirectoryTarget
from reconciler.agent.status import read_status
from reconciler.model.plan import Inventory
from tests.agent.rig import ROOT, WorkTree
from tests.cluster.cluster import Cluster

SITES = {"berlin-mitte": "k3s", "bremen-kiosk": "k3s", "munich-depot": "k0s"}


class Fleet(WorkTree):
    """A fleet from the template, and the command that users have."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.path = folder / "fleet"
        shutil.copytree(ROOT / "repo-template", self.path)
        self.git("init", "--quiet", "--initial-branch=main")
        self.commit_all("Begin")

    def replace(self, path: str, old: str, new: str) -> int:
        """Replace a text that is there once, and return its line."""
        file = self.path / path
        text = file.read_text()
        assert text.count(old) == 1, f"{old!r} in {path}"
        file.write_text(text.replace(old, new))
        return text[: text.index(old)].count("\n") + 1

    def sync(self, site: str, target: str = "") -> subprocess.CompletedProcess[str]:
        manifests = self.folder / "manifests" / site
        manifests.mkdir(parents=True, exist_ok=True)
        return subprocess.run(
            [
                *(sys.executable, "-P", "-m", "reconciler", "agent", "--once", "--log-format", "json"),
                *("--repo", str(self.path), "--site", site, "--state", str(self.state(site))),
                *("--target", target or f"directory:{manifests}"),
                *("--sink", f"file:{self.folder / site}.ndjson"),
            ],
            capture_output=True,
            text=True,
            check=False,
            timeout=120,
        )

    def state(self, site: str) -> Path:
        return self.folder / "state" / site

    def kinds(self, site: str) -> list[str]:
        target = DirectoryTarget(self.folder / "manifests" / site, site, platform=SITES[site])
        return sorted(id_.kind for id_ in target.observe([], Inventory()).objects)

    def last_event(self, site: str) -> dict[str, Any]:
        lines = Path(f"{self.folder / site}.ndjson").read_text().splitlines()
        event: dict[str, Any] = json.loads(lines[-1])[-1]
        return event


@pytest.fixture
def fleet(tmp_path: Path) -> Fleet:
    return Fleet(tmp_path)


@pytest.mark.slow
def test_three_sites_of_the_template_take_a_good_change_and_refuse_a_bad_one(fleet: Fleet) -> None:
    for site in SITES:
        done = fleet.sync(site)
        assert done.returncode == 0, done.stderr
        assert len(fleet.kinds(site)) >= 5

    line = fleet.replace("bases/pos/deployment.yaml", "shop/pos:2.4.1", "shop/pos:9.9.9")
    bad = fleet.commit_all("A till that nobody has resolved, or signed")
    before = fleet.kinds("berlin-mitte")
    done = fleet.sync("berlin-mitte")
    assert done.returncode == 1
    status = read_status(fleet.state("berlin-mitte"))
    assert (status.state, status.reason, status.attempted) == ("Held", "Denied", bad)
    assert status.applied != bad
    assert fleet.kinds("berlin-mitte") == before
    event = fleet.last_event("berlin-mitte")
    assert event["type"] == "dev.wayside.sync.denied.v1"
    places = {reason["location"].rpartition(":")[0] for reason in event["data"]["reasons"]}
    assert f"bases/pos/deployment.yaml:{line}" in places
    # The same commit is fine where that till is not used.
    assert fleet.sync("bremen-kiosk").returncode == 0

    fleet.git("revert", "--no-edit", "HEAD")
    good = fleet.git("rev-parse", "HEAD")
    assert fleet.sync("berlin-mitte").returncode == 0
    assert read_status(fleet.state("berlin-mitte")).applied == good


@pytest.mark.slow
@pytest.mark.parametrize(
    ("path", "text", "code"),
    [
        ("fleet.yaml", "kind: [", "invalid"),
        ("sites/berlin-mitte/site.yaml", "kind: Site\nspec: {plattform: k3s}\n", "invalid"),
        ("sites/berlin-mitte/kustomization.yaml", "resources: [../../bases/nothing]\n", "render"),
    ],
    ids=["fleet", "site", "overlay"],
)
def test_what_cannot_be_read_or_rendered_leaves_the_last_good_revision(
    fleet: Fleet, path: str, text: str, code: str
) -> None:
    assert fleet.sync("berlin-mitte").returncode == 0
    before = fleet.kinds("berlin-mitte")
    (fleet.path / path).write_text(text)
    fleet.commit_all("Oh")
    assert [fleet.sync("berlin-mitte").returncode for _ in range(2)] == [1, 1]
    assert fleet.kinds("berlin-mitte") == before
    lines = Path(f"{fleet.folder / 'berlin-mitte'}.ndjson").read_text()
    assert lines.count("sync.denied") == 1
    assert f'"code":"{code}"' in lines


@pytest.mark.slow
def test_a_mistake_at_one_site_does_not_stop_another(fleet: Fleet) -> None:
    (fleet.path / "sites/berlin-mitte/site.yaml").write_text("kind: Site\nspec: {plattform: k3s}\n")
    head = fleet.commit_all("Oh")
    assert fleet.sync("munich-depot").returncode == 0
    assert read_status(fleet.state("munich-depot")).applied == head


@pytest.mark.slow
def test_a_site_that_was_removed_from_the_fleet_is_held_and_keeps_everything(fleet: Fleet) -> None:
    assert fleet.sync("bremen-kiosk").returncode == 0
    before = fleet.kinds("bremen-kiosk")
    fleet.git("rm", "-rq", "sites/bremen-kiosk")
    fleet.commit_all("Close the kiosk")
    assert fleet.sync("bremen-kiosk").returncode == 1
    status = read_status(fleet.state("bremen-kiosk"))
    assert (status.state, status.reason) == ("Held", "SiteRemoved")
    assert fleet.kinds("bremen-kiosk") == before


@pytest.mark.slow
def test_a_fleet_that_wants_newer_agents_holds_this_one(fleet: Fleet) -> None:
    assert fleet.sync("munich-depot").returncode == 0
    fleet.replace("fleet.yaml", ">=0.1,<1", ">=99")
    fleet.commit_all("Newer agents only")
    assert fleet.sync("munich-depot").returncode == 1
    status = read_status(fleet.state("munich-depot"))
    assert (status.state, status.reason) == ("Held", "AgentVersion")


@pytest.fixture
def kiosk(control_plane: Cluster) -> Iterator[Callable[[str], None]]:
    """Call it for a node like the one at the kiosk; it and the site's namespace are gone afterwards."""
    names: list[str] = []

    def add(name: str) -> None:
        names.append(control_plane.add_node(name, architecture="linux/arm/v7", memory="2Gi"))

    yield add
    control_plane.delete_namespace("shop")
    for name in names:
        control_plane.delete_node(name)


@pytest.mark.slow
def test_a_real_cluster_becomes_ready_and_another_sync_writes_nothing(
    fleet: Fleet, control_plane: Cluster, kiosk: Callable[[str], None]
) -> None:
    site = "bremen-kiosk"
    # This cluster has nobody who makes volumes.
    fleet.replace("sites/bremen-kiosk/kustomization.yaml", "  - ../../bases/mqtt\n", "")
    fleet.commit_all("No broker")
    kiosk(f"kiosk-{secrets.token_hex(4)}")
    target = f"kubeconfig:{control_plane.kubeconfig}"
    done = fleet.sync(site, target)
    assert done.returncode == 0, done.stderr
    status = read_status(fleet.state(site))
    assert (status.state, status.reason, status.pending) == ("Ready", "Applied", 0)

    def versions() -> dict[str, str]:
        items = []
        for path in ("/api/v1", "/apis/apps/v1", "/apis/networking.k8s.io/v1"):
            for kind in ("configmaps", "services", "serviceaccounts", "daemonsets", "networkpolicies"):
                if control_plane.exists(f"{path}/namespaces/shop/{kind}"):
                    items += control_plane.request("GET", f"{path}/namespaces/shop/{kind}")["items"]
        return {item["metadata"]["uid"]: item["metadata"]["resourceVersion"] for item in items}

    before = versions()
    assert len(before) >= 5
    assert fleet.sync(site, target).returncode == 0
    assert versions() == before

    # What only the API server can refuse leaves the site as it is, and the reason is the server's own.
    fleet.replace("bases/kiosk/service.yaml", "port: 80", "port: 99999")
    fleet.commit_all("A port that does not exist")
    done = fleet.sync(site, target)
    assert done.returncode == 1, done.stderr
    assert versions() == before
    assert fleet.last_event(site)["type"] in {"dev.wayside.sync.failed.v1", "dev.wayside.sync.denied.v1"}

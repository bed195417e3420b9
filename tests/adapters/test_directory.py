"""Auto-deploy folders: what stands in them at any moment, and what is pruned how."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from reconciler.adapters import manifest_file
from reconciler.adapters.directory import DirectoryTarget
from reconciler.documents import yaml
from reconciler.errors import TargetRefused, TargetUnreachable, UsageError
from reconciler.model.outcome import Outcome
from reconciler.model.plan import Action, HealthStatus
from reconciler.model.resource import Resource
from reconciler.planning import applyset_id
from reconciler.planning.applyset import with_label
from tests.adapters.kube.site import Agent, config_map, manifest, shop


def agent(folder: Path, platform: str = "k3s", site: str = "store") -> Agent[DirectoryTarget]:
    return Agent(DirectoryTarget(folder, site, platform=platform), site)


def held(folder: Path) -> set[str]:
    """Return what k3s and k0s would find: every object of every file that they read."""
    found = set()
    for place in folder.rglob("*.yaml"):
        for document in yaml.load(place.read_bytes(), place.name):
            found.add(str(Resource(document.value).id))
    return found


def done(outcome: Outcome, action: Action) -> list[str]:
    return [result.id.name for result in outcome.results if result.action is action]


@pytest.mark.parametrize("platform", ["k3s", "rke2", "k0s"])
def test_a_site_is_written_changed_and_pruned_and_another_sync_writes_nothing(
    tmp_path: Path, platform: str
) -> None:
    site = agent(tmp_path, platform)
    first = site.sync(shop("shop"))
    assert first.succeeded
    assert held(tmp_path) == {str(resource.id) for resource in shop("shop")}
    assert {result.health.status for result in first.results if result.health} == {HealthStatus.UNKNOWN}
    stamps = {place: place.stat().st_mtime_ns for place in tmp_path.rglob("*")}
    again = site.sync(shop("shop"))
    assert not again.changed
    assert {place: place.stat().st_mtime_ns for place in tmp_path.rglob("*")} == stamps
    third = site.sync(shop("shop", image="registry.example/app:2")[:-1])
    assert done(third, Action.UPDATE) == ["web"]
    assert done(third, Action.DELETE) == ["nightly"]
    assert "CronJob.batch/shop/nightly" not in held(tmp_path)


def test_for_k3s_a_file_whose_objects_are_gone_stays_with_a_comment_only(tmp_path: Path) -> None:
    site = agent(tmp_path)
    site.sync([config_map("a", "one"), manifest("v1", "Secret", "two", "a")])
    site.sync([config_map("a", "one")])
    (emptied,) = tmp_path.glob("*secret*")
    assert all(not line or line.startswith("#") for line in emptied.read_text().splitlines())


def test_for_k0s_a_file_whose_objects_are_gone_is_removed(tmp_path: Path) -> None:
    site = agent(tmp_path, "k0s")
    site.sync([config_map("a", "one"), manifest("v1", "Secret", "two", "a")])
    site.sync([config_map("a", "one")])
    assert [place.name for place in tmp_path.rglob("*.yaml")] == ["wayside-store-2-configmap-in-a.yaml"]


def test_no_object_ever_moves_to_another_file_for_k3s_would_delete_it(tmp_path: Path) -> None:
    site = agent(tmp_path)
    site.sync([config_map("a", "one")])
    (before,) = tmp_path.glob("*configmap*")
    site.sync([config_map("a", "one", annotations={"wayside.dev/wave": "9"}), config_map("a", "two")])
    assert list(tmp_path.glob("*configmap*")) == [before]


def test_names_of_files_are_ones_that_k3s_and_k0s_take_and_differ_for_long_names_too(tmp_path: Path) -> None:
    site = "a-very-long-name-of-a-site-" * 2 + "end"
    target = DirectoryTarget(tmp_path, site, platform="k0s")
    ids = [config_map(f"{'n' * 60}-{number}", "x").id for number in range(9)]
    names = {target.file_of(id_).name.removesuffix(".yaml") for id_ in ids}
    assert len(names) == 9
    stacks = {target.file_of(id_).parent.name for id_ in ids}
    for name in (*names, *stacks):
        assert len(name) <= 63
        assert "." not in name
        assert name == name.lower().strip("-")


def test_two_sites_may_share_a_folder_also_where_one_name_begins_with_the_other(tmp_path: Path) -> None:
    one, other = agent(tmp_path, site="shop"), agent(tmp_path, site="shop-2")
    one.sync([config_map("a", "one"), config_map("a", "two")])
    other.sync([config_map("a", "three")])
    one.sync([config_map("a", "one")])
    assert held(tmp_path) == {"ConfigMap/a/one", "ConfigMap/a/three"}


@pytest.mark.parametrize("platform", ["k3s", "k0s"])
def test_a_renamed_site_goes_on_in_the_files_that_it_has(tmp_path: Path, platform: str) -> None:
    agent(tmp_path, platform, "old").sync([config_map("a", "one"), config_map("a", "two")])
    files = set(tmp_path.rglob("*.yaml"))
    target = DirectoryTarget(tmp_path, "new", platform=platform, former_sites=("old",))
    renamed = Agent(target, "new", former_sites=("old",))
    outcome = renamed.sync([config_map("a", "one")])
    assert outcome.succeeded
    assert set(tmp_path.rglob("*.yaml")) == files
    assert held(tmp_path) == {"ConfigMap/a/one"}
    assert not renamed.sync([config_map("a", "one")]).changed


def test_an_agent_that_lost_its_state_finds_it_in_the_files(tmp_path: Path) -> None:
    agent(tmp_path).sync([config_map("a", name) for name in ("one", "two", "three")])
    for hidden in tmp_path.glob(".wayside*"):
        hidden.unlink()
    outcome = agent(tmp_path).sync([config_map("a", name) for name in ("one", "two")])
    assert done(outcome, Action.DELETE) == ["three"]
    assert done(outcome, Action.UNCHANGED) == ["one", "two"]


def test_a_file_that_somebody_changed_is_written_anew_or_refused(tmp_path: Path) -> None:
    site = agent(tmp_path)
    site.sync([config_map("a", "one", colour="blue")])
    (place,) = tmp_path.glob("*configmap*")
    place.write_text(place.read_text().replace("blue", "red"))
    assert done(site.sync([config_map("a", "one", colour="blue")]), Action.UPDATE) == ["one"]
    assert "blue" in place.read_text()
    place.write_text("kind: Something else\n---\n- really\n")
    with pytest.raises(TargetRefused, match="expected manifests as the agent writes them"):
        site.sync([config_map("a", "one", colour="blue")])


def test_a_folder_that_is_not_there_is_unreachable_and_never_empty(tmp_path: Path) -> None:
    with pytest.raises(TargetUnreachable, match="found none"):
        agent(tmp_path / "missing").sync([config_map("a", "one")])


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_a_folder_that_may_not_be_written_is_unreachable_in_the_words_of_the_system(tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    with pytest.raises(TargetUnreachable, match="Permission denied"):
        agent(tmp_path).sync([config_map("a", "one")])


def test_a_platform_without_such_a_folder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="k3s, rke2 or k0s"):
        DirectoryTarget(tmp_path, "store", platform="kubeedge")


def test_a_secret_is_readable_for_its_owner_only(tmp_path: Path) -> None:
    agent(tmp_path).sync([manifest("v1", "Secret", "login", "a", stringData={"password": "x"})])
    (place,) = tmp_path.glob("*secret*")
    assert place.stat().st_mode & 0o077 == 0


values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text(max_size=30),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=12), inner, max_size=3),
    max_leaves=12,
)


@given(st.lists(values, max_size=3))
def test_every_value_comes_back_as_it_was_written(found: list[Any]) -> None:
    manifests = [{"kind": "Thing", "data": value} for value in found]
    data = manifest_file.encode(manifests, heading="heading")
    assert manifest_file.decode(data, Path("x.yaml")) == manifests


TRICKY = [
    "yes",
    "0644",
    "1e3",
    "~",
    "---",
    "a\n---\nb",
    "\u0085\u2028\x7f",
    "\U0001f600",
    "#no",
    ": ",
    "\ttab",
]


@pytest.mark.cluster
@settings(max_examples=6, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.text(max_size=30) | st.sampled_from(TRICKY), min_size=4, max_size=20))
def test_the_yaml_of_kubernetes_reads_what_was_written(
    kubectl: Path, tmp_path: Path, texts: list[str]
) -> None:
    # `kubectl label --local` reads files by the code that k0s reads its manifests by, and asks no server.
    wanted = {f"k{number}": text for number, text in enumerate([*texts, *TRICKY])}
    place = tmp_path / "file.yaml"
    both = [manifest("v1", "ConfigMap", name, "a", data=wanted).manifest for name in ("one", "two")]
    place.write_bytes(manifest_file.encode(both, heading="x"))
    command = [str(kubectl), "label", "--local", "-f", str(place), "x=y", "-o", "json"]
    out = subprocess.run(command, capture_output=True, check=True, timeout=60)
    items = [json.loads(text + "\n}") for text in out.stdout.decode().split("\n}\n")[:-1]]
    assert [item["data"] for item in items] == [wanted, wanted]


CHILD = """
import random, sys
from pathlib import Path
from tests.adapters.kube.site import config_map, manifest
from tests.adapters.test_directory import agent
folder, platform = Path(sys.argv[1]), sys.argv[2]
print("ready", flush=True)
while True:
    names = random.sample("abcdefgh", random.randint(2, 8))
    site = agent(folder, platform)
    site.sync([config_map("a", n, v=str(random.random())) for n in names]
              + [manifest("v1", "Secret", n, "a") for n in names[1:]] + [config_map("a", "always")],
              confirm_deletes=tuple(f"{k}/a/{n}" for k in ("ConfigMap", "Secret") for n in "abcdefgh"))
"""


@pytest.mark.slow
@pytest.mark.parametrize("platform", ["k3s", "k0s"])
def test_an_agent_that_is_killed_while_it_writes_leaves_whole_files_and_converges(
    tmp_path: Path, platform: str
) -> None:
    rounds = int(os.environ.get("WAYSIDE_KILLS", "8"))
    chance = random.Random(7)  # noqa: S311 - moments of death are no secret
    for _ in range(rounds):
        child = subprocess.Popen(
            [sys.executable, "-c", CHILD, str(tmp_path), platform], stdout=subprocess.PIPE, text=True
        )
        with child:
            assert child.stdout is not None
            assert child.stdout.readline() == "ready\n"
            time.sleep(chance.uniform(0.002, 0.15))
            child.send_signal(signal.SIGKILL)
        held(tmp_path)
        for place in tmp_path.rglob("*.yaml"):
            assert manifest_file.decode(place.read_bytes(), place) or platform == "k3s"
    wanted = [config_map("a", "always"), config_map("a", "last")]
    everything = tuple(f"{kind}/a/{name}" for kind in ("ConfigMap", "Secret") for name in "abcdefgh")
    outcome = agent(tmp_path, platform).sync(wanted, confirm_deletes=everything)
    assert outcome.succeeded
    assert held(tmp_path) == {"ConfigMap/a/always", "ConfigMap/a/last"}
    for left in tmp_path.rglob("*.tmp"):
        os.utime(left, (0, 0))
    agent(tmp_path, platform).sync(wanted)
    assert not list(tmp_path.rglob("*.tmp"))
    (stored,) = tmp_path.rglob(".wayside-store.inventory")
    assert len(json.loads(stored.read_text())["entries"]) == 2


def test_the_label_of_the_set_is_on_everything(tmp_path: Path) -> None:
    agent(tmp_path).sync([config_map("a", "one")])
    (place,) = tmp_path.glob("*configmap*")
    (found,) = manifest_file.decode(place.read_bytes(), place)
    assert found == with_label(config_map("a", "one"), applyset_id("store")).manifest

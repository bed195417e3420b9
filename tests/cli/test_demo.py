"""The demonstration shows what it promises, on folders and on a real cluster."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.cluster.cluster import Cluster

pytestmark = [pytest.mark.slow, pytest.mark.timeout(240)]


def play(*arguments: str) -> str:
    done = subprocess.run(
        [sys.executable, "-P", "-m", "reconciler", "demo", *arguments],
        capture_output=True,
        text=True,
        check=False,
        timeout=200,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_it_refuses_a_bad_change_syncs_a_good_one_and_flushes_a_queue(tmp_path: Path) -> None:
    shown = play("--directory", str(tmp_path / "demo"))
    assert "error[image-platforms]" in shown
    assert "refused by the agent of bremen-kiosk: image-platforms at bases/pos/deployment.yaml:" in shown
    assert "is at every site after" in shown
    assert "the agent puts it right, offline" in shown
    assert "One batch arrives" in shown
    assert shown.rstrip().endswith("# a fleet of your own")


def test_it_plays_on_a_real_cluster(tmp_path: Path, control_plane: Cluster) -> None:
    for name, architecture in (("till", "linux/arm64"), ("server", "linux/amd64"), ("screen", "linux/arm")):
        control_plane.add_node(f"demo-{name}", architecture=architecture, memory="16Gi", cpu="8")
    try:
        shown = play("--directory", str(tmp_path / "demo"), "--kubeconfig", str(control_plane.kubeconfig))
        assert "One batch arrives" in shown
        listed = control_plane.kubectl("get", "deployments", "--all-namespaces", "--output=name")
        assert listed.split().count("deployment.apps/pos") == 2
    finally:
        for site in ("berlin-mitte", "bremen-kiosk", "munich-depot"):
            control_plane.delete_namespace(f"demo-{site}")
        for name in ("till", "server", "screen"):
            control_plane.delete_node(f"demo-{name}")


def test_a_folder_with_something_in_it_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "mine").write_text("keep")
    done = subprocess.run(
        [sys.executable, "-P", "-m", "reconciler", "demo", "--directory", str(tmp_path)],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert done.returncode == 2
    assert "is not empty" in done.stderr
    assert [file.name for file in tmp_path.iterdir()] == ["mine"]

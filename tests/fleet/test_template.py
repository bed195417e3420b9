"""The template is a fleet that works: it loads, builds as kustomize builds it, and its evidence is true."""

import hashlib
import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from reconciler.documents.bundled import bundled_directory, bundled_tree
from reconciler.documents.tree import walk
from reconciler.documents.yaml import load
from reconciler.fleet import load_fleet, load_lock
from reconciler.render import build
from tests.fleet.template_images import TEMPLATE, files

SITES = ("berlin-mitte", "bremen-kiosk", "munich-depot")


def test_the_template_loads_without_a_finding() -> None:
    fleet_load = load_fleet(bundled_tree("repo-template"))
    assert fleet_load.findings == ()
    assert fleet_load.fleet is not None
    facts = {
        name: (site.platform, site.nodes[0].architecture) for name, site in fleet_load.fleet.sites.items()
    }
    assert facts == {
        "berlin-mitte": ("k3s", "linux/arm64"),
        "bremen-kiosk": ("k3s", "linux/arm/v7"),
        "munich-depot": ("k0s", "linux/amd64"),
    }


def test_the_installation_knows_where_the_template_is() -> None:
    assert bundled_directory("repo-template") == TEMPLATE
    assert bundled_directory("policies").is_dir()


@pytest.mark.parametrize("site", SITES)
def test_a_site_has_many_resources_of_many_kinds(site: str) -> None:
    resources = list(build(TEMPLATE / "sites" / site))
    assert len(resources) >= 10
    assert len({resource.kind for resource in resources}) >= 6


@pytest.mark.cluster
@pytest.mark.parametrize("site", SITES)
def test_kustomize_builds_the_same(site: str, kubectl: Path) -> None:
    directory = TEMPLATE / "sites" / site
    done = subprocess.run([kubectl, "kustomize", directory], capture_output=True, check=True, timeout=60)
    assert build(directory).to_yaml() == done.stdout.decode()
    assert [dict(each.manifest) for each in build(directory)] == [
        each.value for each in load(done.stdout, "out")
    ]


def test_lock_and_evidence_are_what_the_generator_makes() -> None:
    tree = bundled_tree("repo-template")
    made = files()
    for path, content in made.items():
        assert tree.read(path) == content, "run python -m tests.fleet.template_images"
    assert set(walk(tree, "evidence")) == {path for path in made if path.startswith("evidence/")}


def test_evidence_is_named_by_its_content_and_proves_the_lock() -> None:
    tree = bundled_tree("repo-template")
    for path in walk(tree, "evidence"):
        assert hashlib.sha256(tree.read(path)).hexdigest() == path.rpartition("/")[2]
    lock, findings = load_lock(tree)
    assert findings == ()
    assert lock is not None
    for image in lock.images.values():
        index = json.loads(tree.read(f"evidence/sha256/{image.digest.removeprefix('sha256:')}"))
        platforms = {
            "/".join(each["platform"].values()): (each["digest"], each["size"]) for each in index["manifests"]
        }
        assert {each.platform: each.digest for each in image.platforms} == {
            name: digest for name, (digest, _) in platforms.items()
        }
        for each in image.platforms:
            content = tree.read(f"evidence/sha256/{each.digest.removeprefix('sha256:')}")
            assert len(content) == platforms[each.platform][1]
            manifest = json.loads(content)
            assert sum(layer["size"] for layer in manifest["layers"]) == each.size
            config = json.loads(
                tree.read(f"evidence/sha256/{manifest['config']['digest'].removeprefix('sha256:')}")
            )
            assert each.platform.split("/")[:2] == [config["os"], config["architecture"]]


def test_every_image_of_the_template_is_locked() -> None:
    lock, _ = load_lock(bundled_tree("repo-template"))
    assert lock is not None
    used = {
        line.split("image:")[1].strip()
        for site in SITES
        for line in build(TEMPLATE / "sites" / site).to_yaml().splitlines()
        if "image:" in line
    }
    assert used == {f"{image.name}:{image.tag}" for image in lock.images.values()}


def test_the_template_passes_every_rule_and_its_own_tests(tmp_path: Path) -> None:
    """Also outside the repository: a template is copied."""
    fleet = tmp_path / "fleet"
    shutil.copytree(TEMPLATE, fleet)
    for command in ("check", "test"):
        code = (
            f"import sys; sys.argv[1:] = [{command!r}]; from reconciler.cli.main import run; sys.exit(run())"
        )
        done = subprocess.run(
            [sys.executable, "-c", code], cwd=fleet, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stdout + done.stderr
        assert "nothing found" in done.stdout or command == "test"

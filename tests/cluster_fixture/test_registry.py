"""The registry, crane and cosign do for tests what they do in the world, without leaving this machine."""

import json
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
import urllib3

from tests.cluster.fixtures import MakeRegistry
from tests.cluster.image import push_index
from tests.cluster.process import loopback_environment
from tests.cluster.registry import Registry

Run = Callable[..., str]


class Refused(Exception):
    """A program ended with a code other than 0."""


@pytest.fixture
def run(tmp_path: Path) -> Run:
    """Run a program with an empty home; its output, or the reason why not."""

    def run(program: Path, *args: str | Path) -> str:
        done = subprocess.run(
            [program, *args],
            capture_output=True,
            text=True,
            check=False,
            cwd=tmp_path,
            timeout=60,
            env={**loopback_environment(home=tmp_path), "COSIGN_PASSWORD": ""},
        )
        if done.returncode != 0:
            raise Refused(done.stderr)
        return done.stdout.strip()

    return run


def test_an_image_for_several_platforms_is_pushed_and_read(registry: Registry, crane: Path, run: Run) -> None:
    image = f"{registry.host}/multi/app:1"
    digest = push_index(crane, image, ["linux/amd64", "linux/arm/v7"])
    index = json.loads(run(crane, "manifest", f"{registry.host}/multi/app@{digest}"))
    assert [entry["platform"] for entry in index["manifests"]] == [
        {"os": "linux", "architecture": "amd64"},
        {"os": "linux", "architecture": "arm", "variant": "v7"},
    ]


@pytest.mark.parametrize("layout", [pytest.param("true", id="bundle"), pytest.param("false", id="sig-tag")])
def test_cosign_signs_offline_and_verifies(
    registry: Registry, crane: Path, cosign: Path, run: Run, layout: str
) -> None:
    name = f"{registry.host}/signed/{layout}"
    digest = push_index(crane, f"{name}:1", ["linux/arm64"])
    for who in ("ours", "theirs"):
        run(cosign, "generate-key-pair", "--output-key-prefix", who)
    bundle, offline = f"--new-bundle-format={layout}", "--allow-insecure-registry=true"
    sign = [
        "sign",
        "--key",
        "ours.key",
        "--tlog-upload=false",
        "--use-signing-config=false",
        bundle,
        offline,
        "-y",
    ]
    run(cosign, *sign, f"{name}@{digest}")
    verify = ["verify", "--insecure-ignore-tlog=true", bundle, offline, "--key"]
    assert digest in run(cosign, *verify, "ours.pub", f"{name}@{digest}")
    with pytest.raises(Refused):
        run(cosign, *verify, "theirs.pub", f"{name}@{digest}")


def test_a_registry_that_was_away_has_its_images_again(
    own_registry: MakeRegistry, crane: Path, run: Run
) -> None:
    registry = own_registry()
    digest = push_index(crane, f"{registry.host}/app:1", ["linux/arm64"])
    registry.kill()
    with urllib3.PoolManager(retries=False) as pool, pytest.raises(urllib3.exceptions.HTTPError):
        pool.request("GET", f"{registry.url}/v2/")
    registry.start()
    assert run(crane, "digest", f"{registry.host}/app:1") == digest


def test_each_own_registry_is_empty(own_registry: MakeRegistry, crane: Path, run: Run) -> None:
    full, empty = own_registry(), own_registry()
    push_index(crane, f"{full.host}/app:1", ["linux/arm64"])
    assert run(crane, "catalog", full.host) == "app"
    assert run(crane, "catalog", empty.host) == ""

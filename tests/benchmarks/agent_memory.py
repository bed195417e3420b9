"""The memory of an agent that has applied 20 objects and is idle.

Counted as the summed proportional set size (PSS) of the process and all its descendants, git among them,
from `/proc/PID/smaps_rollup`: what the machine would get back if the agent ended. Pages that other running
programs share (the interpreter, where another Python runs too) are counted in part, so the resident size
(RSS), which counts them whole, is printed beside it.

    python -m tests.benchmarks.agent_memory [--kubeconfig FILE] [--seconds N]
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from operator import itemgetter
from pathlib import Path

from reconciler.agent.status import read_status
from reconciler.errors import StateError

ROOT = Path(__file__).parents[2]
SITE = "bench"
OBJECTS = 20

_FLEET = "{apiVersion: wayside.dev/v1alpha1, kind: Fleet, metadata: {name: bench}}\n"
_SITE = f"""\
apiVersion: wayside.dev/v1alpha1
kind: Site
metadata: {{name: {SITE}}}
spec:
  platform: k3s
  kubernetesVersion: "1.33"
  nodes:
    - name: node-0
      architecture: linux/amd64
      allocatable: {{cpu: "4", memory: 4Gi}}
"""


@dataclass(frozen=True, slots=True)
class Figures:
    """Memory of a process tree in MiB; the most that was seen while it was idle, and during the sync."""

    idle_pss: float
    idle_rss: float
    sync_pss: float
    processes: int


def make_fleet(folder: Path, *, objects: int = OBJECTS, signed: bool = False) -> None:
    """Make a repository with one site of some objects of four kinds.

    Args:
        folder: Where; it is made.
        objects: How many.
        signed: Whether every third is a CronJob of an image of its own that must be signed: every other one
            by a key, the rest by certificates that are in a transparency log.
    """
    site = folder / "sites" / SITE
    site.mkdir(parents=True)
    (folder / "fleet.yaml").write_text(_FLEET)
    (site / "site.yaml").write_text(_SITE)
    things: list[dict[str, object]] = [
        {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "bench"}}
    ]
    if signed:
        _sign_images(folder, [f"acme/thing-{number}" for number in range(1, objects - 1, 3)])
    for number in range(objects - 1):
        name = {"name": f"thing-{number}", "namespace": "bench"}
        match number % 3:
            case 1 if signed:
                things.append(_cron_job(name))
            case 0:
                things.append(
                    {"apiVersion": "v1", "kind": "ConfigMap", "metadata": name, "data": {"text": "x" * 2000}}
                )
            case 1:
                things.append({"apiVersion": "v1", "kind": "ServiceAccount", "metadata": name})
            case _:
                things.append(
                    {
                        "apiVersion": "v1",
                        "kind": "Service",
                        "metadata": name,
                        "spec": {"ports": [{"port": 80}], "selector": {"app": "thing"}},
                    }
                )
    (site / "objects.yaml").write_text("\n---\n".join(json.dumps(thing) for thing in things))
    (site / "kustomization.yaml").write_text("resources: [objects.yaml]\n")
    for command in (
        ("init", "--quiet", "--initial-branch=main"),
        ("add", "--all"),
        ("-c", "user.name=b", "-c", "user.email=b@example.org", "commit", "--quiet", "--message=one"),
    ):
        subprocess.run(["git", *command], cwd=folder, check=True)


def _cron_job(name: dict[str, str]) -> dict[str, object]:
    """Return a CronJob that waits for nobody; the image of its name is signed."""
    container = {
        "name": "main",
        "image": f"docker.io/acme/{name['name']}:1",
        "resources": {"requests": {"memory": "8Mi"}, "limits": {"memory": "8Mi"}},
    }
    pod = {"restartPolicy": "Never", "containers": [container]}
    spec = {"suspend": True, "schedule": "0 3 * * *", "jobTemplate": {"spec": {"template": {"spec": pod}}}}
    return {"apiVersion": "batch/v1", "kind": "CronJob", "metadata": name, "spec": spec}


def _sign_images(folder: Path, names: Sequence[str]) -> None:
    """Write a lock with signed images, their evidence, and who is trusted."""
    from tests.images.signatures.cases import p256
    from tests.images.signatures.service import IDENTITY, ISSUER, Options, Service, pem, statement
    from tests.images.signatures.stored import Store

    service, key = Service(), p256()
    images = []
    for number, name in enumerate(names):
        store = Store()
        config = store.add(json.dumps({"os": "linux", "architecture": "amd64", "of": name}).encode())
        kind = "application/vnd.oci.image.manifest.v1+json"
        described = {
            "mediaType": "application/vnd.oci.image.config.v1+json",
            "digest": config,
            "size": len(store.content(config)),
        }
        manifest = {"schemaVersion": 2, "mediaType": kind, "config": described, "layers": []}
        digest = store.add(json.dumps(manifest).encode())
        payload = statement({"sha256": digest[7:]}, predicate_type="https://sigstore.dev/cosign/sign/v1")
        bundle = (
            service.attest(payload)
            if number % 2
            else service.attest(payload, Options(log="none", key=key), keyless=False)
        )
        signature = store.bundle(bundle, digest)
        for path, content in store.files.items():
            (folder / path).parent.mkdir(parents=True, exist_ok=True)
            (folder / path).write_bytes(content)
        platform = {"platform": "linux/amd64", "digest": digest, "size": 0}
        images.append(
            {"name": name, "tag": "1", "digest": digest, "platforms": [platform], "signatures": [signature]}
        )
    trust = {
        "trustedRoot": "trust/trusted_root.json",
        "signers": [
            {"name": "release", "keys": [{"path": "trust/release.pub"}]},
            {"name": "ci", "certificates": [{"identity": IDENTITY, "issuer": ISSUER}]},
        ],
        "images": [{"match": ["docker.io/acme/*"], "anyOf": ["release", "ci"]}],
    }
    rules = {"settings": {"signed-images": {"parameters": {"required": True}}}}
    fleet = {
        "apiVersion": "wayside.dev/v1alpha1",
        "kind": "Fleet",
        "metadata": {"name": "bench"},
        "spec": {"trust": trust, "rules": rules},
    }
    (folder / "trust").mkdir()
    (folder / "trust/release.pub").write_bytes(pem(key))
    (folder / "trust/trusted_root.json").write_bytes(service.root_bytes())
    (folder / "fleet.yaml").write_text(json.dumps(fleet))
    (folder / "images.lock").write_text(json.dumps({"images": sorted(images, key=itemgetter("name"))}))


def tree(pid: int) -> list[int]:
    """Return a process and all its descendants."""
    children: dict[int, list[int]] = {}
    for place in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError, ValueError, IndexError):
            fields = place.read_text().rpartition(")")[2].split()
            children.setdefault(int(fields[1]), []).append(int(place.parent.name))
    found = [pid]
    for parent in found:
        found += children.get(parent, [])
    return found


def memory(pid: int) -> tuple[float, float, int]:
    """Return PSS and RSS in MiB of a process tree, and how many processes it has."""
    pss = rss = count = 0
    for member in tree(pid):
        with suppress(OSError):
            rows = dict(
                line.split(":", 1)
                for line in Path(f"/proc/{member}/smaps_rollup").read_text().splitlines()[1:]
            )
            pss += int(rows["Pss"].split()[0])
            rss += int(rows["Rss"].split()[0])
            count += 1
    return pss / 1024, rss / 1024, count


@contextmanager
def running_agent(folder: Path, target: str) -> Iterator[subprocess.Popen[bytes]]:
    """Run `wayside agent` on a fleet made for it."""
    make_fleet(folder / "fleet")
    with (folder / "agent.log").open("wb") as log:
        agent = subprocess.Popen(
            [
                *(sys.executable, "-P", "-m", "reconciler", "agent", "--repo", str(folder / "fleet")),
                *("--site", SITE, "--state", str(folder / "state"), "--target", target),
                *("--sink", f"file:{folder / 'events.ndjson'}"),
            ],
            stderr=log,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
        )
    try:
        yield agent
    finally:
        agent.terminate()
        agent.wait(10)


def settle(pid: int, deadline: float) -> None:
    """Wait until an agent has begun and ended no process for two seconds: its watches are there, it is idle.

    A watch that has just begun causes one more look at the repository, a second later.

    Raises:
        TimeoutError: It never came to rest.
    """
    known = tree(pid)
    quiet_since = time.monotonic()
    while time.monotonic() - quiet_since < 2:
        now = tree(pid)
        if now != known:
            known = now
            quiet_since = time.monotonic()
        if time.monotonic() > deadline:
            raise TimeoutError("the agent has not come to rest")
        time.sleep(0.05)


def measure(folder: Path, target: str, *, seconds: float) -> Figures:
    """Run an agent until it has applied everything, and look at its memory while it is idle.

    Raises:
        TimeoutError: It did not apply everything within a minute.
    """
    with running_agent(folder, target) as agent:
        peak = 0.0
        deadline = time.monotonic() + 60
        while True:
            peak = max(peak, memory(agent.pid)[0])
            with suppress(StateError):
                status = read_status(folder / "state")
                if status.applied and not status.pending:
                    break
            if time.monotonic() > deadline:
                raise TimeoutError((folder / "agent.log").read_text()[-2000:])
        settle(agent.pid, deadline)
        samples = []
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            samples.append(memory(agent.pid))
            time.sleep(0.1)
    return Figures(
        idle_pss=max(sample[0] for sample in samples),
        idle_rss=max(sample[1] for sample in samples),
        sync_pss=peak,
        processes=max(sample[2] for sample in samples),
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--kubeconfig", help="apply to this cluster instead of a folder")
    parser.add_argument("--seconds", type=float, default=5.0, help="how long to look")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        (folder / "manifests").mkdir()
        target = (
            f"kubeconfig:{options.kubeconfig}" if options.kubeconfig else f"directory:{folder / 'manifests'}"
        )
        figures = measure(folder, target, seconds=options.seconds)
    sys.stdout.write(
        f"{OBJECTS} objects applied, idle: {figures.idle_pss:.1f} MiB PSS, {figures.idle_rss:.1f} MiB RSS,"
        f" {figures.processes} process(es); at most {figures.sync_pss:.1f} MiB PSS during the sync\n"
    )


if __name__ == "__main__":
    main()

"""How long it takes to lock images: 2,000 references in 400 repositories of a real registry.

    python -m tests.benchmarks.images [IMAGES] [REPOSITORIES]

Each image is an index of two platforms. Ten sites use a tenth of the images each. Measured are whole
processes of `wayside images lock`: with an empty lock, with nothing changed, and with every tag asked again.
"""

import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from tests.cluster.binaries import binary
from tests.cluster.registry import Registry
from tests.images.pushing import Pusher

SITES = 10


def write_fleet(root: Path, references: list[str]) -> None:
    (root / "fleet.yaml").write_text(
        "apiVersion: wayside.dev/v1alpha1\nkind: Fleet\nmetadata: {name: bench}\n"
    )
    share = -(-len(references) // SITES)
    for number in range(SITES):
        site = root / "sites" / f"site-{number}"
        site.mkdir(parents=True)
        (site / "site.yaml").write_text(
            f"apiVersion: wayside.dev/v1alpha1\nkind: Site\nmetadata: {{name: site-{number}}}\nspec:\n"
            '  platform: k3s\n  kubernetesVersion: "1.33"\n  nodes:\n    - name: n\n'
            '      architecture: linux/arm64\n      allocatable: {cpu: "4", memory: 4Gi}\n'
        )
        (site / "kustomization.yaml").write_text("resources: [pods.yaml]\n")
        mine = references[number * share : (number + 1) * share]
        (site / "pods.yaml").write_text(
            "---\n".join(
                f"apiVersion: v1\nkind: Pod\nmetadata: {{name: pod-{each}}}\n"
                f"spec:\n  containers:\n    - name: c\n      image: {reference}\n"
                for each, reference in enumerate(mine)
            )
        )


def run(root: Path, *arguments: str) -> None:
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    started = time.perf_counter()
    done = subprocess.run(
        [sys.executable, "-m", "reconciler", "images", "lock", str(root), *arguments],
        capture_output=True,
        text=True,
        check=False,
    )
    wall = time.perf_counter() - started
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    last = (done.stdout.strip() or done.stderr.strip()).splitlines()[-1]
    sys.stdout.write(
        f"{' '.join(arguments) or 'lock':10} {wall:6.2f} s by the clock, {cpu:6.2f} s of CPU: {last}\n"
    )


def main() -> None:
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 2000
    repositories = int(sys.argv[2]) if len(sys.argv) > 2 else 400
    with tempfile.TemporaryDirectory() as directory:
        home = Path(directory)
        registry = Registry(binary("registry"), directory=home / "registry", log=home / "registry.log")
        registry.start()
        try:
            pusher = Pusher(registry.url)
            references = []
            for number in range(count):
                repository, tag = f"bench/r{number % repositories:03d}", f"1.{number // repositories}"
                pusher.image(repository, tag, ("linux/amd64", "linux/arm64"), layer=f"{number}".encode())
                references.append(f"{registry.host}/{repository}:{tag}")
            fleet = home / "fleet"
            fleet.mkdir()
            write_fleet(fleet, references)
            os.environ["XDG_CACHE_HOME"] = str(home / "cache")
            run(fleet)
            run(fleet)
            run(fleet, "--check")
            run(fleet, "--update")
        finally:
            registry.close()


if __name__ == "__main__":
    main()

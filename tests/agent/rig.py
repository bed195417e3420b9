"""A site on the bench: a real repository, a folder as its target, and real agent processes."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from reconciler.adapters.directory import DirectoryTarget
from reconciler.agent.status import SiteStatus, read_status
from reconciler.model.plan import Inventory
from tests.agent.published import assert_published

ROOT = Path(__file__).parents[2]
SITE = "corner-shop"


def config_map(name: str, value: str = "1", *, namespace: str = "default") -> dict[str, Any]:
    return {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": name, "namespace": namespace},
        "data": {"value": value},
    }


class WorkTree:
    """A folder with a repository in it, as an engineer has it."""

    path: Path

    def git(self, *arguments: str) -> str:
        return subprocess.run(
            ["git", "-c", "user.name=t", "-c", "user.email=t@example.org", *arguments],
            cwd=self.path,
            check=True,
            capture_output=True,
            text=True,
        ).stdout.strip()

    def commit_all(self, message: str) -> str:
        """Commit everything that is there, and return the commit's id."""
        self.git("add", "--all")
        self.git("commit", "--quiet", "--message", message)
        return self.git("rev-parse", "HEAD")


class Repository(WorkTree):
    """A fleet's repository in the layout that `plain_worker` reads."""

    def __init__(self, path: Path, site: str = SITE) -> None:
        self.path = path
        self.site = site
        subprocess.run(["git", "init", "--quiet", "--initial-branch=main", str(path)], check=True)

    def commit(
        self,
        objects: Iterable[Mapping[str, Any]],
        *,
        site: Mapping[str, Any] | None = None,
        message: str = "x",
    ) -> str:
        folder = self.path / "sites" / self.site
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "objects.json").write_text(json.dumps(list(objects)))
        (folder / "site.json").write_text(json.dumps(site or {}))
        self.git("add", "--all")
        self.git("commit", "--quiet", "--allow-empty", "--message", message)
        return self.git("rev-parse", "HEAD")


class Rig:
    """One site with its agent's state, target and sink in a folder."""

    def __init__(self, folder: Path, *, site: str = SITE) -> None:
        self.folder = folder
        self.site = site
        folder.mkdir(exist_ok=True)
        self.repository = Repository(folder / "fleet", site)
        self.state = folder / "state"
        self.manifests = folder / "manifests"
        self.manifests.mkdir()
        self.mailbox = folder / "mailbox"
        self.mailbox.mkdir()
        self.log = folder / "agent.log"
        self.environment = {**os.environ, "PYTHONPATH": str(ROOT)}

    @property
    def sink_file(self) -> Path:
        return self.mailbox / f"{self.site}.ndjson"

    def command(self, *more: str, target: str = "", program: Sequence[str] = ()) -> list[str]:
        return [
            *(program or (sys.executable, "-m", "tests.agent.plain_agent")),
            *("--repo", str(self.repository.path), "--site", self.site, "--state", str(self.state)),
            *("--target", target or f"directory:{self.manifests}"),
            *("--sink", f"file:{self.sink_file}"),
            *more,
        ]

    def once(self, *more: str, target: str = "") -> int:
        with self.log.open("a") as log:
            return subprocess.run(
                self.command("--once", *more, target=target),
                cwd=ROOT,
                env=self.environment,
                stderr=log,
                check=False,
                timeout=120,
            ).returncode

    def start(self, *more: str, target: str = "") -> subprocess.Popen[bytes]:
        with self.log.open("a") as log:
            return subprocess.Popen(
                self.command(*more, target=target), cwd=ROOT, env=self.environment, stderr=log
            )

    def objects(self) -> dict[str, str]:
        """Return name to value of what stands in the target's folder."""
        target = DirectoryTarget(self.manifests, self.site, platform="k3s")
        observed = target.observe([], Inventory())
        return {id_.name: manifest["data"]["value"] for id_, manifest in observed.objects.items()}

    def status(self) -> SiteStatus:
        return read_status(self.state)

    def batches(self) -> list[list[dict[str, Any]]]:
        if not self.sink_file.exists():
            return []
        return [json.loads(line) for line in self.sink_file.read_text().splitlines()]

    def events(self) -> list[dict[str, Any]]:
        return [event for batch in self.batches() for event in batch]

    def types(self) -> list[str]:
        return [event["type"].removeprefix("dev.wayside.").removesuffix(".v1") for event in self.events()]

    def told(self) -> str:
        return self.log.read_text() if self.log.exists() else ""


def stop(process: subprocess.Popen[bytes], *, within: float = 5.0) -> int:
    """End an agent as an init system does, and return its exit code."""
    process.send_signal(signal.SIGTERM)
    try:
        return process.wait(within)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
        raise


def eventually(condition: Callable[[], bool], *, within: float = 20.0, what: str = "it") -> None:
    """Wait until a condition holds."""
    deadline = time.monotonic() + within
    while not condition():
        assert time.monotonic() < deadline, f"{what} did not happen within {within:g} s"
        time.sleep(0.02)


def assert_contiguous(events: Sequence[Mapping[str, Any]]) -> None:
    """Every event once, in order, without a gap, in each epoch; and each as it is published."""
    assert_published(events)
    by_epoch: dict[str, list[int]] = {}
    for event in events:
        by_epoch.setdefault(event["epoch"], []).append(int(event["sequence"]))
    for epoch, numbers in by_epoch.items():
        assert numbers == list(range(1, len(numbers) + 1)), f"epoch {epoch}: {numbers}"
    doubled = [id_ for id_, count in Counter(event["id"] for event in events).items() if count > 1]
    assert not doubled

"""What the demonstration plays on: a server with the repository, three sites, and an agent at each.

Every site reaches the server over a link of its own: a symbolic link in its folder, which can be cut. Over it
go git and status both, as they would over a real one.
"""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from reconciler.errors import UsageError

__all__ = ["Delivery", "Stage"]

_PATIENCE = 45.0

_ABOVE = """\
# Written by `wayside demo --kubeconfig`.
resources: [../../overlays/{site}]
components: [../../components/on-a-cluster]
"""

_ON_A_CLUSTER = """\
# Written by `wayside demo --kubeconfig`.
apiVersion: kustomize.config.k8s.io/v1alpha1
kind: Component
patches:
  - target: {kind: Deployment|StatefulSet}
    patch: '[{"op": "add", "path": "/spec/replicas", "value": 0}]'
  - target: {kind: DaemonSet}
    patch: |-
      - {op: add, path: /spec/template/spec/nodeSelector, value: {wayside.dev/demo: "no"}}
  - target: {kind: PersistentVolumeClaim}
    patch: '{"$patch": "delete", "kind": "PersistentVolumeClaim", "metadata": {"name": "any"}}'
  - target: {kind: Deployment, name: pos}
    patch: |-
      apiVersion: apps/v1
      kind: Deployment
      metadata: {name: pos}
      spec: {template: {spec: {volumes: [{name: data, persistentVolumeClaim: null, emptyDir: {}}]}}}
  - target: {kind: CronJob}
    patch: |-
      apiVersion: batch/v1
      kind: CronJob
      metadata: {name: any}
      spec:
        jobTemplate:
          spec: {template: {spec: {volumes: [{name: data, persistentVolumeClaim: null, emptyDir: {}}]}}}
"""


@dataclass(frozen=True, slots=True)
class Delivery:
    """One batch that arrived at the server: its events, oldest first."""

    events: Sequence[Mapping[str, Any]]


@dataclass(slots=True)
class Stage:
    """The folders and processes of the demonstration.

    Attributes:
        root: Everything is below it.
        template_sites: Names of the sites in the template.
        kubeconfig: A real cluster to sync to, or "" for auto-deploy folders.
    """

    root: Path
    template_sites: tuple[str, ...]
    kubeconfig: str = ""
    _agents: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)

    @property
    def sites(self) -> tuple[str, ...]:
        """The names of the sites."""
        return tuple(self.site(name) for name in self.template_sites)

    def site(self, name: str) -> str:
        """Return the name of a site of the template here.

        On a real cluster it is another one, because what a site has applied is known by its name, and a
        site of that name may be there already.
        """
        return f"demo-{name}" if self.kubeconfig else name

    @property
    def fleet(self) -> Path:
        """The engineer's working copy."""
        return self.root / "fleet"

    @property
    def server(self) -> Path:
        """The server: the bare repository and the status that arrives."""
        return self.root / "server"

    def manifests(self, site: str) -> Path:
        """Return a site's auto-deploy folder."""
        return self.root / "sites" / site / "manifests"

    def overlay(self, site: str) -> Path:
        """Return a site's overlay, as people edit it."""
        return self.fleet / ("overlays" if self.kubeconfig else "sites") / site

    def state(self, site: str) -> Path:
        """Return the folder with an agent's state."""
        return self.root / "sites" / site / "state"

    def log(self, site: str) -> Path:
        """Return the file with an agent's log."""
        return self.root / "sites" / site / "agent.log"

    def link(self, site: str) -> Path:
        """Return a site's way to the server."""
        return self.root / "sites" / site / "link"

    @staticmethod
    def environment(*, colour: bool) -> dict[str, str]:
        """Return the environment for a child that prints into this demonstration."""
        kept = {name: value for name, value in os.environ.items() if name not in ("NO_COLOR", "FORCE_COLOR")}
        return {**kept, ("FORCE_COLOR" if colour else "NO_COLOR"): "1"}

    def git(self, *arguments: str) -> str:
        """Run git in the engineer's working copy and return what it prints.

        Raises:
            UsageError: git is missing or fails.
        """
        identity = (
            *("-c", "user.name=Demo", "-c", "user.email=demo@example.org"),
            *("-c", "commit.gpgsign=false", "-c", "init.defaultBranch=main"),
        )
        environment = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}
        try:
            done = subprocess.run(  # noqa: S603 - our own arguments
                ["git", *identity, *arguments],  # noqa: S607 - git is found on the PATH, as everywhere
                cwd=self.fleet,
                env=environment,
                capture_output=True,
                text=True,
                check=False,
                timeout=60,
            )
        except FileNotFoundError:
            raise UsageError("git is not installed", code="git", hint="install git") from None
        if done.returncode:
            raise UsageError(f"git {arguments[0]} failed: {done.stderr.strip()}", code="git")
        return done.stdout

    def fit_to_cluster(self) -> None:
        """Make the fleet fit for three sites that share one real cluster.

        Each gets a name and a namespace of its own. The template's images and storage class are made up, so
        workloads are scaled to zero and claims are left out.
        """
        component = self.fleet / "components" / "on-a-cluster"
        component.mkdir()
        (component / "kustomization.yaml").write_text(_ON_A_CLUSTER, encoding="utf-8")
        for name in self.template_sites:
            site = self.site(name)
            facts = (self.fleet / "sites" / name).rename(self.fleet / "sites" / site)
            described = facts / "site.yaml"
            text = described.read_text(encoding="utf-8")
            described.write_text(re.sub(rf"(?m)^  name: {name}$", f"  name: {site}", text), encoding="utf-8")
            overlay = self.overlay(site)
            overlay.mkdir(parents=True)
            for file in facts.iterdir():
                if file != described:
                    text = file.read_text(encoding="utf-8")
                    changed = re.sub(r"(?m)^namespace: shop$", f"namespace: {site}", text)
                    changed = re.sub(r"(?m)^  name: shop$", f"  name: {site}", changed)
                    (overlay / file.name).write_text(changed, encoding="utf-8")
                    file.unlink()
            (facts / "kustomization.yaml").write_text(_ABOVE.format(site=site), encoding="utf-8")

    def open_server(self) -> None:
        """Make the server's repository and push the first commit to it."""
        self.server.mkdir()
        (self.server / "status").mkdir()
        self.git("init", "--quiet")
        self.git("add", ".")
        self.git("commit", "--quiet", "-m", "A fleet of three sites")
        self.git("init", "--quiet", "--bare", str(self.server / "fleet.git"))
        self.git("remote", "add", "origin", str(self.server / "fleet.git"))
        self.git("push", "--quiet", "origin", "HEAD:refs/heads/main")
        self.git("branch", "--quiet", "-M", "main")

    def commit(self, message: str) -> str:
        """Commit what was changed, push it, and return the commit's id."""
        self.git("add", ".")
        self.git("commit", "--quiet", "-m", message)
        self.git("push", "--quiet", "origin", "main")
        return self.git("rev-parse", "HEAD").strip()

    def start_agents(self) -> None:
        """Start an agent at every site."""
        for site in self.sites:
            self.manifests(site).mkdir(parents=True)
            self.connect(site)
            target = (
                f"kubeconfig:{Path(self.kubeconfig).absolute()}"
                if self.kubeconfig
                else f"directory:{self.manifests(site)}"
            )
            with self.log(site).open("wb") as log:
                self._agents[site] = subprocess.Popen(  # noqa: S603 - our own program
                    [
                        *(sys.executable, "-P", "-m", "reconciler", "agent"),
                        *("--repo", str(self.link(site) / "fleet.git"), "--site", site),
                        *("--state", str(self.state(site)), "--target", target),
                        *("--sink", f"file:{self.link(site) / 'status'}"),
                        *("--interval", "1", "--drift-interval", "2", "--heartbeat-interval", "3600"),
                    ],
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=log,
                )

    def connect(self, site: str) -> None:
        """Connect a site to the server."""
        self.link(site).symlink_to(self.server, target_is_directory=True)

    def cut(self, site: str) -> None:
        """Cut a site off."""
        self.link(site).unlink()

    def deliveries(self, site: str) -> list[Delivery]:
        """Return the batches that arrived from a site, oldest first."""
        file = self.server / "status" / f"{site}.ndjson"
        if not file.exists():
            return []
        lines = file.read_text(encoding="utf-8").split("\n")[:-1]
        return [Delivery(json.loads(line)) for line in lines]

    def await_status(self, what: str, ready: Callable[[], bool]) -> None:
        """Wait until something is so.

        Args:
            what: What is waited for, for the message.
            ready: Tells whether it is so.

        Raises:
            UsageError: It took too long, or an agent ended.
        """
        deadline = time.monotonic() + _PATIENCE
        while not ready():
            for site, agent in self._agents.items():
                if agent.poll() is not None:
                    raise UsageError(
                        f"the agent of {site} ended with exit code {agent.returncode}",
                        code="demo-agent",
                        hint=f"its log is {self.log(site)}",
                    )
            if time.monotonic() > deadline:
                raise UsageError(
                    f"{what} took more than {_PATIENCE:.0f} s",
                    code="demo-timeout",
                    hint=f"the agents' logs are in {self.root / 'sites'}",
                )
            time.sleep(0.05)

    def stop(self) -> None:
        """Stop the agents; one that does not stop within five seconds is killed."""
        for agent in self._agents.values():
            if agent.poll() is None:
                agent.send_signal(signal.SIGTERM)
        for agent in self._agents.values():
            try:
                agent.wait(timeout=5)
            except subprocess.TimeoutExpired:
                agent.kill()
                agent.wait()

"""How an agent is started: what its installation says, apart from what git says."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from reconciler.agent.worker import Request
from reconciler.errors import UsageError
from reconciler.model.site import Target, TargetType

__all__ = ["AgentSettings", "parse_target"]


@dataclass(frozen=True, slots=True, kw_only=True)
class AgentSettings:
    """One agent's settings.

    Attributes:
        repository: A path or URL of the fleet's repository.
        branch: A branch, a tag, a full reference or the full id of a commit.
        site: The site's name.
        state: The folder of the state file and the clone; nobody else uses it.
        target: Where resources go; None leaves it to `site.yaml`.
        sink: Where events go: `https://...`, `file:PATH`, `git` or `git:URL#BRANCH`; "" keeps them in the
            outbox.
        once: Whether to stop after one sync.
        interval: Seconds between two looks at the repository; None leaves it to `site.yaml`.
        drift_interval: Seconds between two full looks for drift; None for 300, and 3600 where all is watched.
        heartbeat_interval: Seconds between two heartbeats.
        git_timeout: Seconds for one git command.
        worker_timeout: Seconds for fetching, rendering and judging together.
        allow_rewind: Whether a revision that does not come after the applied one is taken.
        signed_images: Whether every image must be signed, whatever the fleet says.
        image_keys: Public keys in PEM, of which one must have signed every image.
        json_logs: Whether logs are JSON lines.
        sink_token_file: A file with the hub's bearer token, read anew for each batch.
        sink_ca_file: A file with the certificates that vouch for the hub; "" for the system's.
        credentials: A folder with files by which the agent shows who it is; None for none.
        trust: A folder with files that say whom it believes; None for none.
        listen: `HOST:PORT` for probes, metrics and the webhook; "" for none.
        webhook_secret_file: A file with the secret that pushes are signed with; "" takes none.
        worker_command: The worker's program and arguments.
    """

    repository: str
    branch: str
    site: str
    state: Path
    target: Target | None = None
    sink: str = ""
    once: bool = False
    interval: float | None = None
    drift_interval: float | None = None
    heartbeat_interval: float = 300.0
    git_timeout: float = 120.0
    worker_timeout: float = 300.0
    allow_rewind: bool = False
    signed_images: bool = False
    image_keys: Sequence[str] = ()
    json_logs: bool = False
    sink_token_file: str = ""
    sink_ca_file: str = ""
    credentials: Path | None = None
    trust: Path | None = None
    listen: str = ""
    webhook_secret_file: str = ""
    worker_command: Sequence[str] = field(
        default=(sys.executable, "-P", "-m", "reconciler.agent.worker"), repr=False
    )

    def question(self, *, known: str, base: str) -> Request:
        """Return what the worker is asked.

        Args:
            known: The commit whose assessment is there already, or "".
            base: The last good commit, which a new one must come after, or "".
        """
        return Request(
            url=self.repository,
            reference=self.branch,
            clone=str(self.state / "repository.git"),
            site=self.site,
            known=known,
            base=base,
            allow_rewind=self.allow_rewind,
            git_timeout=self.git_timeout,
            credentials=str(self.credentials or ""),
            trust=str(self.trust or ""),
            signed_images=self.signed_images,
            image_keys=self.image_keys,
        )


def parse_target(text: str) -> Target:
    """Parse `in-cluster`, `kubeconfig:PATH`, `kubeconfig:PATH#CONTEXT` or `directory:PATH`.

    Raises:
        UsageError: It is none of these.
    """
    word, _, rest = text.partition(":")
    if word == "in-cluster" and not rest:
        return Target(TargetType.IN_CLUSTER)
    if word == "kubeconfig" and rest:
        path, _, context = rest.partition("#")
        return Target(TargetType.KUBECONFIG, path=path, context=context)
    if word == "directory" and rest:
        return Target(TargetType.DIRECTORY, path=rest)
    raise UsageError(
        f"expected in-cluster, kubeconfig:PATH or directory:PATH, found {text!r}",
        code="bad-target",
        hint="for example --target directory:/var/lib/rancher/k3s/server/manifests",
    )

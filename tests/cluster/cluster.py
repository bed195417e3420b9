"""A Kubernetes cluster as a test sees it, whoever runs it."""

import secrets
import subprocess
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import urllib3

from tests.cluster.api import APIClient, APIError, write_kubeconfig
from tests.cluster.node import is_schedulable, node
from tests.cluster.process import loopback_environment, wait_until


class KubectlFailed(AssertionError):
    """`kubectl` ended with a code other than 0; the message has what it said."""


class Cluster(ABC):
    """What every cluster can do for a test.

    Attributes:
        kubeconfig: The administrator's kubeconfig, certificates inside.
        server: The API server's URL.
        ca_file: The authority that the server's certificate is verified against, in PEM.
    """

    kubeconfig: Path
    server: str
    ca_file: Path

    def __init__(self, *, directory: Path, kubectl: Path) -> None:
        self._directory = directory
        self._kubectl = kubectl
        self._administrator: APIClient | None = None

    @property
    def client(self) -> APIClient:
        """The administrator's client."""
        if self._administrator is None:
            self._administrator = APIClient.from_kubeconfig(self.kubeconfig)
        return self._administrator

    def request(
        self,
        method: str,
        path: str,
        body: Any = None,
        *,
        query: Mapping[str, str] | None = None,
        content_type: str = "application/json",
    ) -> Any:
        """Send a request as the administrator; see `APIClient.request`."""
        return self.client.request(method, path, body, query=query, content_type=content_type)

    def kubectl(self, *args: str, input: str | None = None, kubeconfig: Path | None = None) -> str:  # noqa: A002 - subprocess' word
        """Run kubectl and return its output.

        Args:
            args: After `kubectl --kubeconfig F`.
            input: For `-f -`.
            kubeconfig: Whose; the administrator's by default.

        Raises:
            KubectlFailed: Its exit code is not 0.
        """
        done = subprocess.run(
            [self._kubectl, "--kubeconfig", kubeconfig or self.kubeconfig, *args],
            input=input,
            capture_output=True,
            text=True,
            check=False,
            timeout=120,
            env={
                **loopback_environment(home=self._directory),
                "KUBECACHEDIR": str(self._directory / "kubectl-cache"),
            },
        )
        if done.returncode != 0:
            raise KubectlFailed(
                f"kubectl {' '.join(args)}: exit code {done.returncode}\n{done.stderr.strip()}"
            )
        return done.stdout

    @abstractmethod
    def kubeconfig_for(self, user: str, groups: Sequence[str] = ()) -> Path:
        """Return a kubeconfig of this user in these groups; with no right until RBAC gives one."""

    def client_for(self, user: str, groups: Sequence[str] = ()) -> APIClient:
        """Return a client of this user in these groups."""
        return APIClient.from_kubeconfig(self.kubeconfig_for(user, groups))

    def service_account_kubeconfig(self, namespace: str, name: str, *, seconds: int = 3600) -> Path:
        """Return a kubeconfig with a token of an existing service account, its context in that namespace.

        Args:
            namespace: The service account's.
            name: The service account's.
            seconds: How long the token is good; the API server takes no less than 600.
        """
        path = f"/api/v1/namespaces/{namespace}/serviceaccounts/{name}/token"
        request = {
            "apiVersion": "authentication.k8s.io/v1",
            "kind": "TokenRequest",
            "spec": {"expirationSeconds": seconds},
        }
        token = self.request("POST", path, request)["status"]["token"]
        return write_kubeconfig(
            self._new_file(f"{namespace}-{name}"),
            server=self.server,
            authority=self.ca_file.read_text(encoding="utf-8"),
            token=token,
            namespace=namespace,
        )

    def create_namespace(self, name: str) -> None:
        """Create a namespace and wait until pods may be created in it."""
        self.request("POST", "/api/v1/namespaces", {"metadata": {"name": name}})
        if self.has_controllers:
            path = f"/api/v1/namespaces/{name}/serviceaccounts/default"
            wait_until(lambda: self.exists(path), what=f"a default service account in {name}")

    def delete_namespace(self, name: str) -> None:
        """Ask for a namespace's deletion and do not wait; one that is gone already is fine."""
        try:
            self.request("DELETE", f"/api/v1/namespaces/{name}")
        except APIError as err:
            if err.status not in {404, 409}:
                raise

    @property
    @abstractmethod
    def has_controllers(self) -> bool:
        """Whether anything acts on what is written, such as making pods for a Deployment."""

    def exists(self, path: str) -> bool:
        """Return whether there is an object at this path of the API."""
        try:
            self.request("GET", path)
        except APIError as err:
            if err.status == 404:
                return False
            raise
        return True

    def add_node(
        self,
        name: str,
        *,
        architecture: str = "linux/arm64",
        memory: str = "4Gi",
        cpu: str = "4",
        labels: Mapping[str, str] | None = None,
        taints: Sequence[Mapping[str, str]] = (),
        extended: Mapping[str, str] | None = None,
    ) -> str:
        """Add a node, wait until pods can be scheduled on it, and return its name; see `node`."""
        self._ensure_kwok()
        self.request(
            "POST",
            "/api/v1/nodes",
            node(
                name,
                architecture=architecture,
                memory=memory,
                cpu=cpu,
                labels=labels,
                taints=taints,
                extended=extended,
            ),
        )
        wait_until(
            lambda: is_schedulable(self.request("GET", f"/api/v1/nodes/{name}")), what=f"node {name} ready"
        )
        return name

    def delete_node(self, name: str) -> None:
        """Delete a node; its pods are removed by and by."""
        self.request("DELETE", f"/api/v1/nodes/{name}")

    @abstractmethod
    def _ensure_kwok(self) -> None:
        """See to it that nodes come alive."""

    def is_ready(self) -> bool:
        """Return whether the API server says that it is ready."""
        try:
            self.request("GET", "/readyz")
        except (APIError, urllib3.exceptions.HTTPError):
            return False
        return True

    def _new_file(self, stem: str) -> Path:
        """Return a path that nobody else uses, in a directory that only we may read."""
        safe = "".join(letter if letter.isalnum() else "-" for letter in stem)
        directory = self._directory / "users"
        directory.mkdir(mode=0o700, exist_ok=True)
        return directory / f"{safe}-{secrets.token_hex(4)}.kubeconfig"

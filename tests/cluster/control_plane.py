"""etcd, kube-apiserver, kube-controller-manager, kube-scheduler and KWOK, on loopback."""

import shutil
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final

from tests.cluster.api import write_kubeconfig
from tests.cluster.cluster import Cluster
from tests.cluster.pki import CertificateAuthority, private_key
from tests.cluster.process import Process, free_port, loopback_environment, wait_until

Binary = Callable[[str], Path]
"""Finds a program by name; see `tests.cluster.binaries.binary`."""

_SERVER_NAMES: Final = ("127.0.0.1", "localhost", "kubernetes", "kubernetes.default.svc", "10.96.0.1")
_ADMINISTRATORS: Final = "system:masters"


class Etcd:
    """One etcd that any number of API servers share, each under a prefix of its own."""

    def __init__(self, binary: Binary, *, data: Path, logs: Path) -> None:
        self.url = f"http://127.0.0.1:{free_port()}"
        self._data = data / "etcd"
        peer = f"http://127.0.0.1:{free_port()}"
        self.process = Process(
            "etcd",
            [
                binary("etcd"),
                f"--data-dir={self._data}",
                f"--listen-client-urls={self.url}",
                f"--advertise-client-urls={self.url}",
                f"--listen-peer-urls={peer}",
                f"--initial-advertise-peer-urls={peer}",
                f"--initial-cluster=default={peer}",
                "--unsafe-no-fsync",  # tests survive no power cut
                "--quota-backend-bytes=2147483648",
            ],
            log=logs / "etcd.log",
            env=loopback_environment(home=data),
        )

    def start(self) -> None:
        """Start it; API servers wait for it by themselves."""
        self.process.start()

    def close(self) -> None:
        """Stop it and remove its data."""
        self.process.stop()
        shutil.rmtree(self._data, ignore_errors=True)


class ControlPlane(Cluster):
    """A control plane of our own.

    `stop`, `kill` and `start` act on the API server alone: controllers and clients then meet a server that is
    away and comes back at the same address with the same content.
    """

    def __init__(
        self,
        binary: Binary,
        *,
        name: str,
        etcd: Etcd,
        directory: Path,
        logs: Path,
        controllers: bool,
        scheduler: bool,
        kwok: bool,
    ) -> None:
        super().__init__(directory=directory, kubectl=binary("kubectl"))
        self.name = name
        self._binary = binary
        self._logs = logs
        self._etcd = etcd
        self._parts = (
            *(["kube-controller-manager"] if controllers else []),
            *(["kube-scheduler"] if scheduler else []),
            *(["kwok"] if kwok else []),
        )
        directory.mkdir(mode=0o700, parents=True)
        self._authority = CertificateAuthority.create(f"{name} test authority")
        self._write_keys()
        port = free_port()
        self.server = f"https://127.0.0.1:{port}"
        self.kubeconfig = self._kubeconfig("administrator", "kubernetes-admin", [_ADMINISTRATORS])
        self.api_server = self._process("kube-apiserver", *self._api_server_flags(port))
        self._clients = [self._process(part, *self._client_flags(part)) for part in self._parts]

    @property
    def has_controllers(self) -> bool:
        """Whether the controller manager runs."""
        return "kube-controller-manager" in self._parts

    def start(self) -> None:
        """Start the API server, and on the first call everything else; return when all is ready."""
        self.api_server.start()
        self.wait_ready()

    def wait_ready(self, *, timeout: float = 60.0) -> None:
        """Wait until the API server is ready and pods can be made.

        Raises:
            PartFailed: They are not, or a part has ended.
        """
        wait_until(
            self.is_ready,
            what=f"{self.server} ready",
            timeout=timeout,
            during=[self._etcd.process, self.api_server],
        )
        for client in self._clients:
            if not client.started:
                client.start()
        if self.has_controllers:
            wait_until(
                lambda: self.exists("/api/v1/namespaces/default/serviceaccounts/default"),
                what="a default service account",
                timeout=timeout,
                during=[self.api_server, *self._clients],
            )

    def stop(self) -> None:
        """Stop the API server in order."""
        self.api_server.stop()

    def kill(self) -> None:
        """End the API server by SIGKILL."""
        self.api_server.kill()

    def close(self) -> None:
        """End everything but etcd; at once, as nothing of it is wanted any more."""
        for process in (*self._clients, self.api_server):
            process.kill()
        if self._administrator is not None:
            self._administrator.close()
        shutil.rmtree(self._directory, ignore_errors=True)

    def kubeconfig_for(self, user: str, groups: Sequence[str] = ()) -> Path:
        """Return a kubeconfig with a certificate that the cluster's authority has just issued."""
        return self._kubeconfig(self._new_file(user).stem, user, groups, directory=self._directory / "users")

    def _ensure_kwok(self) -> None:
        assert "kwok" in self._parts, f"{self.name} has no KWOK: ask for it with kwok=True"

    def _kubeconfig(
        self, stem: str, user: str, groups: Sequence[str], *, directory: Path | None = None
    ) -> Path:
        pair = self._authority.issue_client(user, groups)
        return write_kubeconfig(
            (directory or self._directory) / f"{stem}.kubeconfig",
            server=self.server,
            authority=self._authority.certificate,
            certificate=pair.certificate,
            key=pair.key,
        )

    def _write_keys(self) -> None:
        server = self._authority.issue_server(_SERVER_NAMES)
        for file, text in {
            "ca.crt": self._authority.certificate,
            "ca.key": self._authority.key,
            "server.crt": server.certificate,
            "server.key": server.key,
            "service-accounts.key": private_key(),
        }.items():
            path = self._directory / file
            path.touch(mode=0o600)
            path.write_text(text, encoding="utf-8")
        self.ca_file = self._directory / "ca.crt"

    def _process(self, part: str, *flags: str) -> Process:
        return Process(
            part,
            [self._binary(part), *flags],
            log=self._logs / f"{self.name}-{part}.log",
            env=loopback_environment(home=self._directory),
        )

    def _api_server_flags(self, port: int) -> list[str]:
        keys = self._directory
        flags = [
            f"--etcd-servers={self._etcd.url}",
            f"--etcd-prefix=/{self.name}",
            "--bind-address=127.0.0.1",
            "--advertise-address=127.0.0.1",
            f"--secure-port={port}",
            "--endpoint-reconciler-type=none",  # a Service may not point at loopback
            f"--client-ca-file={self.ca_file}",
            f"--tls-cert-file={keys / 'server.crt'}",
            f"--tls-private-key-file={keys / 'server.key'}",
            f"--service-account-key-file={keys / 'service-accounts.key'}",
            f"--service-account-signing-key-file={keys / 'service-accounts.key'}",
            "--service-account-issuer=https://kubernetes.default.svc.cluster.local",
            "--service-cluster-ip-range=10.96.0.0/16",
            "--authorization-mode=Node,RBAC",
            "--enable-admission-plugins=NodeRestriction",
            "--allow-privileged=true",
        ]
        if not self.has_controllers:
            # Nobody makes the default service accounts that this plugin asks for.
            flags.append("--disable-admission-plugins=ServiceAccount")
        return flags

    def _client_flags(self, part: str) -> list[str]:
        keys = self._directory
        match part:
            case "kube-controller-manager":
                return [
                    f"--kubeconfig={self._kubeconfig(part, f'system:{part}', [])}",
                    "--leader-elect=false",
                    "--secure-port=0",
                    "--use-service-account-credentials",
                    f"--service-account-private-key-file={keys / 'service-accounts.key'}",
                    f"--root-ca-file={self.ca_file}",
                    f"--cluster-signing-cert-file={self.ca_file}",
                    f"--cluster-signing-key-file={keys / 'ca.key'}",
                    "--kube-api-qps=200",
                    "--kube-api-burst=400",
                ]
            case "kube-scheduler":
                kubeconfig = self._kubeconfig(part, f"system:{part}", [])
                return [f"--kubeconfig={kubeconfig}", "--leader-elect=false", "--secure-port=0"]
            case _:
                kubeconfig = self._kubeconfig(part, part, [_ADMINISTRATORS])
                return kwok_flags(kubeconfig, "--manage-all-nodes=true")


def kwok_flags(kubeconfig: Path, which_nodes: str) -> list[str]:
    """Return the flags of a KWOK that leaves the user's own settings alone and keeps its nodes' leases."""
    return [
        f"--kubeconfig={kubeconfig}",
        "--config=/dev/null",
        which_nodes,
        "--node-lease-duration-seconds=40",
    ]

"""Somebody's kind or k3d cluster in place of our own control plane."""

import base64
import json
import secrets
import subprocess
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from tests.cluster.api import write_kubeconfig
from tests.cluster.cluster import Cluster
from tests.cluster.control_plane import kwok_flags
from tests.cluster.errors import PartMissing
from tests.cluster.node import KWOK_ANNOTATION
from tests.cluster.process import Process, loopback_environment, wait_until

VARIABLE: Final = "WAYSIDE_TEST_KUBECONFIG"
_THIS_MACHINE: Final = frozenset({"127.0.0.1", "localhost", "::1", "0.0.0.0"})  # noqa: S104 - k3d's way to say loopback
_CSRS: Final = "/apis/certificates.k8s.io/v1/certificatesigningrequests"


class ExternalCluster(Cluster):
    """A cluster on this machine that was made for tests and is named by `WAYSIDE_TEST_KUBECONFIG`."""

    def __init__(self, given: Path, binary: Callable[[str], Path], *, directory: Path, logs: Path) -> None:
        super().__init__(directory=directory, kubectl=binary("kubectl"))
        self._binary = binary
        self._logs = logs
        self._kwok: Process | None = None
        directory.mkdir(mode=0o700, parents=True)
        cluster, user = self._read(given)
        self.server = cluster["server"]
        if urlsplit(self.server).hostname not in _THIS_MACHINE:
            raise PartMissing(
                f"{VARIABLE} names {self.server}: expected a cluster on this machine, as kind and k3d make. "
                "Tests create and delete nodes, namespaces and cluster roles."
            )
        if (
            "certificate-authority-data" not in cluster
            or not {"client-certificate-data", "token"} & user.keys()
        ):
            raise PartMissing(
                f"{VARIABLE}: expected a certificate authority, and a certificate or token of the user"
            )
        authority = base64.b64decode(cluster["certificate-authority-data"]).decode()
        self.ca_file = directory / "ca.crt"
        self.ca_file.write_text(authority, encoding="utf-8")
        self.kubeconfig = write_kubeconfig(
            directory / "administrator.kubeconfig",
            server=self.server,
            authority=authority,
            certificate=_decoded(user.get("client-certificate-data")),
            key=_decoded(user.get("client-key-data")),
            token=user.get("token"),
        )

    def _read(self, given: Path) -> tuple[dict[str, str], dict[str, str]]:
        """Return the cluster and the user of the current context; kubectl reads what the files name."""
        view = subprocess.run(
            [
                self._kubectl,
                "--kubeconfig",
                given,
                "config",
                "view",
                "--minify",
                "--flatten",
                "--raw",
                "-o",
                "json",
            ],
            capture_output=True,
            text=True,
            check=False,
            env=loopback_environment(home=self._directory),
        )
        if view.returncode != 0 or not json.loads(view.stdout).get("clusters"):
            raise PartMissing(f"{VARIABLE}: {view.stderr.strip() or f'{given} has no current context'}")
        config = json.loads(view.stdout)
        return config["clusters"][0]["cluster"], config["users"][0]["user"]

    @property
    def has_controllers(self) -> bool:
        """Always: it is a whole cluster."""
        return True

    def kubeconfig_for(self, user: str, groups: Sequence[str] = ()) -> Path:
        """Return a kubeconfig with a certificate from the cluster's own signer."""
        key = ec.generate_private_key(ec.SECP256R1())
        names = [x509.NameAttribute(NameOID.ORGANIZATION_NAME, group) for group in groups]
        subject = x509.Name([*names, x509.NameAttribute(NameOID.COMMON_NAME, user)])
        wanted = x509.CertificateSigningRequestBuilder().subject_name(subject).sign(key, hashes.SHA256())
        name = f"wayside-test-{secrets.token_hex(4)}"
        spec = {
            "request": base64.b64encode(wanted.public_bytes(serialization.Encoding.PEM)).decode(),
            "signerName": "kubernetes.io/kube-apiserver-client",
            "usages": ["client auth"],
        }
        request = self.request("POST", _CSRS, {"metadata": {"name": name}, "spec": spec})
        approved = {"type": "Approved", "status": "True", "reason": "Test", "message": "a test's user"}
        request["status"] = {"conditions": [approved]}
        self.request("PUT", f"{_CSRS}/{name}/approval", request)

        def certificate() -> str | None:
            issued: str | None = self.request("GET", f"{_CSRS}/{name}")["status"].get("certificate")
            return issued

        wait_until(lambda: certificate() is not None, what=f"a certificate for {user}")
        issued = _decoded(certificate())
        self.request("DELETE", f"{_CSRS}/{name}")
        return write_kubeconfig(
            self._new_file(user),
            server=self.server,
            authority=self.ca_file.read_text(encoding="utf-8"),
            certificate=issued,
            key=key.private_bytes(
                serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
            ).decode(),
        )

    def close(self) -> None:
        """Stop what was started here; the cluster stays as it is."""
        if self._kwok is not None:
            self._kwok.stop()
        if self._administrator is not None:
            self._administrator.close()

    def _ensure_kwok(self) -> None:
        """Start a KWOK for the tests' nodes alone."""
        if self._kwok is None:
            annotation = ",".join(f"{key}={value}" for key, value in KWOK_ANNOTATION.items())
            flags = kwok_flags(self.kubeconfig, f"--manage-nodes-with-annotation-selector={annotation}")
            self._kwok = Process(
                "kwok",
                [self._binary("kwok"), *flags],
                log=self._logs / "external-kwok.log",
                env=loopback_environment(home=self._directory),
            )
            self._kwok.start()
        self._kwok.check()


def _decoded(data: str | None) -> str | None:
    return None if data is None else base64.b64decode(data).decode()

"""Where a cluster's API is and how it is spoken to: from inside the cluster, or by a kubeconfig file."""

from __future__ import annotations

import base64
import binascii
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from reconciler.adapters.kube import exec_plugin
from reconciler.errors import DocumentError, UsageError

__all__ = ["Connection", "in_cluster", "kubeconfig"]

_SERVICE_ACCOUNT = Path("/var/run/secrets/kubernetes.io/serviceaccount")


@dataclass(frozen=True, slots=True)
class Connection:
    """How a cluster's API is reached. Files are named and not read, so that rotated ones are seen.

    Attributes:
        server: The URL of the API server.
        ca_file: A file with the authorities that sign its certificate, or "".
        ca_data: The same as PEM text, or "".
        server_name: The name that its certificate must carry, or "" for the URL's.
        verify: False only where the kubeconfig says `insecure-skip-tls-verify`.
        token: A bearer token, or "".
        token_file: A file with a bearer token, read anew when it changes, or "".
        cert_file: A file with a client certificate, or "".
        key_file: A file with its key, or "".
        cert_data: The client certificate as PEM text, or "".
        key_data: Its key as PEM text, or "".
        basic: `user:password`, or "".
        proxy: The URL of an HTTP proxy, or "".
        plugin: Where credentials come from a program: the kubeconfig and context that name it.
        place: What to call it in reports.
        origin: The kubeconfig file that it is from, and the context asked for; "" for none.
    """

    server: str
    ca_file: str = ""
    ca_data: str = ""
    server_name: str = ""
    verify: bool = True
    token: str = field(default="", repr=False)
    token_file: str = ""
    cert_file: str = ""
    key_file: str = ""
    cert_data: str = field(default="", repr=False)
    key_data: str = field(default="", repr=False)
    basic: str = field(default="", repr=False)
    proxy: str = ""
    plugin: exec_plugin.Plugin | None = None
    place: str = ""
    origin: tuple[str, str] = ("", "")


def in_cluster(
    environment: Mapping[str, str] | None = None, *, directory: Path = _SERVICE_ACCOUNT
) -> Connection:
    """Return the connection of a Pod to its own cluster.

    Args:
        environment: The process's variables by default.
        directory: Where the service account's files are mounted.

    Raises:
        UsageError: This is not a Pod, or its service account is not mounted.
    """
    values = os.environ if environment is None else environment
    host, port = values.get("KUBERNETES_SERVICE_HOST", ""), values.get("KUBERNETES_SERVICE_PORT", "443")
    token, authority = directory / "token", directory / "ca.crt"
    if not host or not token.is_file() or not authority.is_file():
        raise UsageError(
            f"expected to run in a Pod with a service account, found no {directory / 'token'}"
            if host
            else "expected to run in a Pod, found no KUBERNETES_SERVICE_HOST",
            code="not-in-cluster",
            hint="outside of a cluster set spec.target to a kubeconfig file",
        )
    name = f"[{host}]" if ":" in host else host
    return Connection(
        server=f"https://{name}:{port}", ca_file=str(authority), token_file=str(token), place="in-cluster"
    )


def kubeconfig(path: str | Path, context: str = "") -> Connection:
    """Return the connection that a kubeconfig file describes.

    Args:
        path: The file.
        context: The context; "" for the current one.

    Raises:
        UsageError: The file cannot be read, or does not describe a cluster.
    """
    from reconciler.documents import yaml  # costs 3 MiB, which an agent inside of its cluster does not need

    file = Path(path).expanduser()
    try:
        documents = yaml.load(file.read_bytes(), str(file))
    except OSError as err:
        raise _wrong(file, f"it cannot be read: {err.strerror}") from err
    except DocumentError as err:
        raise _wrong(file, "it is not YAML") from err
    config = documents[0].value if documents else None
    if not isinstance(config, Mapping):
        raise _wrong(file, "it holds no mapping")
    wanted = context or str(config.get("current-context") or "")
    chosen = _named(config, "contexts", wanted, "context", file)
    cluster = _named(config, "clusters", str(chosen.get("cluster") or ""), "cluster", file)
    user = _named(config, "users", str(chosen.get("user")), "user", file) if chosen.get("user") else {}
    server = str(cluster.get("server") or "")
    if not server:
        raise _wrong(file, f"the cluster of context {wanted!r} has no server")
    base = file.parent
    plugin = None
    if any(key in user for key in ("exec", "auth-provider")):
        plugin = exec_plugin.Plugin(str(file.absolute()), wanted)
    password = f"{user['username']}:{user.get('password', '')}" if user.get("username") else ""
    return Connection(
        server=server.rstrip("/"),
        ca_file=_path(base, cluster.get("certificate-authority")),
        ca_data=_pem(file, cluster.get("certificate-authority-data")),
        server_name=str(cluster.get("tls-server-name") or ""),
        verify=not cluster.get("insecure-skip-tls-verify", False),
        token=str(user.get("token") or ""),
        token_file=_path(base, user.get("tokenFile")),
        cert_file=_path(base, user.get("client-certificate")),
        key_file=_path(base, user.get("client-key")),
        cert_data=_pem(file, user.get("client-certificate-data")),
        key_data=_pem(file, user.get("client-key-data")),
        basic=password,
        proxy=str(cluster.get("proxy-url") or ""),
        plugin=plugin,
        place=f"{file} context {wanted}",
        origin=(str(file.absolute()), context),
    )


def _named(config: Mapping[str, Any], section: str, name: str, key: str, file: Path) -> Mapping[str, Any]:
    """Return one entry of a section of a kubeconfig."""
    entries = config.get(section)
    for entry in entries if isinstance(entries, list) else ():
        if isinstance(entry, Mapping) and entry.get("name") == name:
            value = entry.get(key)
            return value if isinstance(value, Mapping) else {}
    raise _wrong(file, f"it has no {key} {name!r}")


def _path(base: Path, value: object) -> str:
    """Return a path of a kubeconfig; a relative one begins at the file's directory."""
    return str(base / str(value)) if value else ""


def _pem(file: Path, value: object) -> str:
    if not value:
        return ""
    try:
        return base64.b64decode(str(value), validate=True).decode("ascii")
    except (binascii.Error, UnicodeDecodeError) as err:
        raise _wrong(file, "certificate data in it is not base64 of PEM text") from err


def _wrong(file: Path, what: str) -> UsageError:
    return UsageError(
        f"expected a kubeconfig in {file}, but {what}",
        code="kubeconfig",
        hint="try it with: kubectl --kubeconfig FILE get --raw /version",
    )
